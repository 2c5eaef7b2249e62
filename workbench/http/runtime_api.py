"""The Lambda Runtime API, version 2018-06-01, one listener per environment.

Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes"; error bodies and states as in AWS's
runtime interface emulator.
"""

from __future__ import annotations

import asyncio
import json
import socket as sockets
from typing import Any

from workbench.engine.ports import Answer, Listener, NextEvent, RuntimeLink
from workbench.http.messages import Request, Response
from workbench.http.wire import HttpProtocol

_NEXT = "/2018-06-01/runtime/invocation/next"
_INVOCATION = "/2018-06-01/runtime/invocation/"
_INIT_ERROR = "/2018-06-01/runtime/init/error"
_PING = "/2018-06-01/ping"
_ERROR_TYPE = "lambda-runtime-function-error-type"
_ACCEPTED = b'HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"status":"OK"}'
#: AWS's own clients give a connection one second, so none may ever be refused for want of room.
_BACKLOG = 1024
#: Connections from one environment at a time; a runtime needs two.
_MAX_CONNECTIONS = 32


class _Connection(HttpProtocol):
    # One byte more than the engine takes: what is longer is read to be answered with 413, but not kept.
    max_body = 6_291_557
    patience = None

    def __init__(self, listener: _RuntimeListener) -> None:
        super().__init__()
        self._listener = listener
        self._link = listener.link
        self._parked = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self._listener.opened(self):
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._listener.closed(self)

    def received(self, request: Request) -> None:
        method, path = request.method, request.path
        if method == "GET":
            if path == _NEXT:
                refused = self._link.next(self._reply)
                if refused is not None:
                    self._answer(refused)
                return
            if path == _PING:
                self.send(Response(200, b"pong"))
                return
        elif method == "POST" and path.startswith(_INVOCATION):
            request_id, _, action = path[len(_INVOCATION) :].partition("/")
            if action == "response":
                self._answer(self._link.respond(request_id, request.body))
                return
            if action == "error":
                self._answer(self._link.fail(request_id, request.headers.get(_ERROR_TYPE, ""), request.body))
                return
        elif method == "POST" and path == _INIT_ERROR:
            self._answer(self._link.fail_init(request.headers.get(_ERROR_TYPE, ""), request.body))
            return
        self.send(Response(404, b"404 page not found\n", [("content-type", "text/plain; charset=utf-8")]))

    def oversized(self, request: Request) -> None:
        """The link must hear of it all the same, or the invocation would wait until its timeout."""
        request_id, _, action = request.path[len(_INVOCATION) :].partition("/")
        post = request.method == "POST"
        if post and request.path.startswith(_INVOCATION) and action in ("response", "error"):
            self._answer(self._link.respond(request_id, bytes(self.max_body)))
        elif post and request.path == _INIT_ERROR:
            self._answer(self._link.fail_init(request.headers.get(_ERROR_TYPE, ""), b"{}"))
        else:
            super().oversized(request)

    def _reply(self, event: NextEvent) -> None:
        optional = f"Lambda-Runtime-Client-Context: {event.client_context}\r\n" if event.client_context else ""
        head = (
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {event.request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {event.deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {event.function_arn}\r\n"
            f"Lambda-Runtime-Trace-Id: {event.trace_id}\r\n"
            f"{optional}Content-Length: {len(event.payload)}\r\n\r\n"
        )
        self.write(head.encode("utf-8") + event.payload)

    def _answer(self, answer: Answer) -> None:
        if answer.status == 202:
            self.write(_ACCEPTED)
            return
        body = json.dumps({"errorMessage": answer.message, "errorType": answer.error_type}).encode()
        self.send(Response(answer.status, body, [("content-type", "application/json")]))


class _RuntimeListener:
    """Serves one environment. Satisfies `engine.ports.Listener`."""

    def __init__(self, link: RuntimeLink) -> None:
        self.link = link
        self.address = ""
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def serve(self, sock: sockets.socket) -> None:
        host, port = sock.getsockname()[:2]
        self.address = f"{host}:{port}"
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=sock, backlog=_BACKLOG)

    def opened(self, connection: _Connection) -> bool:
        """False when there are too many already; such a connection does not count."""
        if len(self._connections) >= _MAX_CONNECTIONS:
            return False
        self._connections.add(connection)
        self.link.connections(len(self._connections))
        return True

    def closed(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self.link.connections(len(self._connections))

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.transport.abort()


class RuntimeApi:
    """Satisfies `engine.ports.ListenerFactory`."""

    async def open(self, link: RuntimeLink, sock: sockets.socket | None) -> Listener:
        if sock is None:
            sock = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
            sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        listener = _RuntimeListener(link)
        await listener.serve(sock)
        return listener
