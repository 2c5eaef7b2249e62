"""The Lambda Runtime API, version 2018-06-01, one listener per environment.

Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes"; error bodies and states as in AWS's
runtime interface emulator.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import itertools
import json
import socket as sockets
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from workbench.engine.ports import Answer, Courier, Destination, Listener, NextEvent, ResponseSink, RuntimeLink
from workbench.http import couriers
from workbench.http.couriers import Connect
from workbench.http.extensions_api import ExtensionRequests, serves
from workbench.http.messages import Request, Response
from workbench.http.wire import BodySink, HttpProtocol

_NEXT = "/2018-06-01/runtime/invocation/next"
_INVOCATION = "/2018-06-01/runtime/invocation/"
_INIT_ERROR = "/2018-06-01/runtime/init/error"
_PING = "/2018-06-01/ping"
_ASSIGNMENT = "/_workbench/assignment"
#: For a runtime that was restored from a snapshot, which no runtime here ever is.
_RESTORING = (("GET", "/2018-06-01/runtime/restore/next"), ("POST", "/2018-06-01/runtime/restore/error"))
_ERROR_TYPE = "lambda-runtime-function-error-type"
_ERROR_BODY = "lambda-runtime-function-error-body"
_MODE = "lambda-runtime-function-response-mode"
#: An error with its cause for X-Ray, which is not for the caller.
_WITH_CAUSE = "application/vnd.aws.lambda.error.cause+json"
_INVOCATION_ID = "lambda-runtime-invocation-id"
_LOADED = "workbench-modules"
_BAD_MODE = "Runtime.InvalidResponseModeHeader"
_INVALID_MODE = Answer(400, "InvalidFunctionResponseMode", "Invalid function response mode")
_ACCEPTED = b'HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"status":"OK"}'
#: Where a runtime finds it in a network of its own.
_INSIDE = "127.0.0.1:9001"
#: AWS's own clients give a connection one second, so none may ever be refused for want of room.
_BACKLOG = 1024
#: Connections from one environment at a time; a runtime needs two, and so does each of ten extensions.
_MAX_CONNECTIONS = 32
#: Of those, how many may have a large request under way: what a function may not have it must not have in the engine.
_MAX_LARGE = 3


class _Connection(HttpProtocol):
    # One byte more than the engine takes: what is longer is read to be answered with 413, but not kept.
    max_body = 6_291_557
    patience = None
    at_once = 8

    def __init__(self, listener: _RuntimeListener) -> None:
        super().__init__()
        self._listener = listener
        self._link = listener.link
        self._extension: ExtensionRequests | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self._listener.opened(self):
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._link.lost(self._reply)
        self._listener.closed(self)
        if self._extension is not None:
            self._extension.lost()

    def eof_received(self) -> bool:
        """An extension that closes its half does not wait for its next event any more."""
        return super().eof_received() and self._extension is None

    def has_room(self) -> bool:
        return self._listener.has_room(self)

    def received(self, request: Request) -> None:
        self._listener.large.discard(self)
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
            if path == _ASSIGNMENT:
                loaded = request.headers.get(_LOADED, "").split(",")
                refused = self._link.assignment(loaded, self._assign)
                if refused is not None:
                    self._answer(refused)
                return
        elif method == "POST" and path.startswith(_INVOCATION):
            request_id, _, action = path[len(_INVOCATION) :].partition("/")
            if action in ("response", "error"):
                refused = self._listener.refuse(request)
                if refused is not None:
                    self._answer(refused)
                elif action == "response":
                    self._respond(request_id, request)
                else:
                    self._answer(self._link.fail(request_id, request.headers.get(_ERROR_TYPE, ""), _error(request)))
                return
        elif method == "POST" and path == _INIT_ERROR:
            self._answer(self._link.fail_init(request.headers.get(_ERROR_TYPE, ""), _error(request)))
            return
        if (method, path) in _RESTORING:
            self._answer(Answer(403, "InvalidStateTransition", f"State transition is not allowed: {path[20:]}"))
            return
        if serves(path):
            if self._extension is None:
                self._extension = ExtensionRequests(self._link.extensions, self.send)
                self._listener.belongs_to_extension(self)
            self._extension.handle(request)
            return
        self.send(Response(404, b"404 page not found\n", [("content-type", "text/plain; charset=utf-8")]))

    def _respond(self, request_id: str, request: Request) -> None:
        mode = request.headers.get(_MODE)
        if mode:  # one that streams has a sink, unless it was sent ahead of its turn
            error = json.dumps({"errorType": _BAD_MODE, "errorMessage": f"Invalid response mode: {mode:.64}"}).encode()
            refused = self._link.fail(request_id, _BAD_MODE, error)
            self._answer(refused if refused.status != 202 else _INVALID_MODE)
        else:
            self._answer(self._link.respond(request_id, request.body, request.headers.get("content-type", "")))

    def sink(self, request: Request) -> BodySink | None:
        """A response that streams is handed on as it arrives."""
        if request.headers.get(_MODE) != "streaming" or request.method != "POST":
            return None
        request_id, _, action = request.path.removeprefix(_INVOCATION).partition("/")
        if action != "response":
            return None
        content_type = request.headers.get("content-type", "application/octet-stream")
        refused = self._listener.refuse(request)
        return _Streamed(refused or self._link.stream(request_id, content_type, self.read_on))

    def truncated(self, request: Request) -> Response | None:
        """A response that did not arrive whole is the end of its invocation."""
        request_id, _, action = request.path.removeprefix(_INVOCATION).partition("/")
        if request.method != "POST" or action != "response":
            return None
        sink = self._link.stream(request_id, "", self.read_on)
        return _response(sink if isinstance(sink, Answer) else sink.lost())

    def oversized(self, request: Request) -> None:
        """The link must hear of it all the same, or the invocation would wait until its timeout."""
        self._listener.large.discard(self)
        request_id, _, action = request.path[len(_INVOCATION) :].partition("/")
        post = request.method == "POST"
        if post and request.path.startswith(_INVOCATION) and action in ("response", "error"):
            self._answer(self._link.respond(request_id, bytes(self.max_body)))
        elif post and request.path == _INIT_ERROR:
            self._answer(self._link.fail_init(request.headers.get(_ERROR_TYPE, ""), b"{}"))
        else:
            super().oversized(request)

    def _reply(self, event: NextEvent) -> None:
        invocation_id = self._listener.next_invocation_id()
        optional = f"Lambda-Runtime-Client-Context: {event.client_context}\r\n" if event.client_context else ""
        if event.tenant_id is not None:
            optional += f"Lambda-Runtime-Aws-Tenant-Id: {event.tenant_id}\r\n"
        head = (
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {event.request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {event.deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {event.function_arn}\r\n"
            f"Lambda-Runtime-Trace-Id: {event.trace_id}\r\n"
            f"Lambda-Runtime-Invocation-Id: {invocation_id}\r\n"
            f"{optional}Content-Length: {len(event.payload)}\r\n\r\n"
        )
        self.write(head.encode("utf-8") + event.payload)

    def _assign(self, assignment: bytes) -> None:
        self.send(Response(200, assignment, [("content-type", "application/json")]))

    def hand_over(self, link: RuntimeLink) -> None:
        """Speak to another link from now on."""
        self._link = link

    def _answer(self, answer: Answer) -> None:
        if answer.status == 202:
            self.write(_ACCEPTED)
        else:
            self.send(_response(answer))


class _Streamed:
    """The body of a response that streams. Satisfies `wire.BodySink`; a refused one is read to be answered."""

    def __init__(self, sink: ResponseSink | Answer) -> None:
        self._sink = sink

    def write(self, data: bytes) -> bool:
        return isinstance(self._sink, Answer) or self._sink.write(data)

    def end(self, trailers: Mapping[str, str]) -> Response:
        if isinstance(self._sink, Answer):
            return _response(self._sink)
        error_type = trailers.get(_ERROR_TYPE, "")
        return _response(self._sink.end(error_type, _trailed(trailers.get(_ERROR_BODY, ""), error_type)))

    def lost(self) -> Response:
        return _response(self._sink if isinstance(self._sink, Answer) else self._sink.lost())


def _error(request: Request) -> bytes:
    """A posted error as the caller gets it."""
    if not request.headers.get("content-type", "").startswith(_WITH_CAUSE):
        return request.body
    try:
        error = json.loads(request.body)
    except (ValueError, RecursionError):
        return request.body
    if not isinstance(error, dict):
        return request.body
    return json.dumps({key: value for key, value in error.items() if key != "errorCause"}).encode()


def _trailed(body: str, error_type: str) -> bytes:
    """The error that a runtime sent after what it had streamed: base64 of JSON, or nothing but its type."""
    try:
        return base64.b64decode(body, validate=True) or json.dumps({"errorType": error_type}).encode()
    except binascii.Error:
        return json.dumps({"errorType": error_type, "errorMessage": body}).encode()


def _response(answer: Answer) -> Response:
    if answer.status == 202:
        body = {"status": "OK"}
    else:
        body = {"errorMessage": answer.message, "errorType": answer.error_type}
    return Response(answer.status, json.dumps(body).encode(), [("content-type", "application/json")])


class _RuntimeListener:
    """Serves one environment. Satisfies `engine.ports.Listener`."""

    def __init__(self, link: RuntimeLink) -> None:
        self.link = link
        self.address = ""
        #: Of the attempt that runs; a retry of an invocation keeps its request id and has another of these.
        self.invocation_id = ""
        self._ids, self._numbers = str(uuid.uuid4())[:24], itertools.count(1)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._extensions: set[_Connection] = set()
        self.large: set[_Connection] = set()

    async def serve(self, sock: sockets.socket) -> None:
        loop = asyncio.get_running_loop()
        relayed = sock.family == sockets.AF_UNIX  # by the backend, from inside
        self.address = _INSIDE if relayed else "{}:{}".format(*sock.getsockname())
        create: Callable[..., Awaitable[asyncio.Server]] = loop.create_unix_server if relayed else loop.create_server
        # In two steps: who gives up in the second one has what there is to close.
        self._server = await create(lambda: _Connection(self), sock=sock, backlog=_BACKLOG, start_serving=False)
        await self._server.start_serving()

    def next_invocation_id(self) -> str:
        """Another one for each event that is handed out."""
        self.invocation_id = f"{self._ids}{next(self._numbers):012x}"
        return self.invocation_id

    def refuse(self, request: Request) -> Answer | None:
        """A runtime may leave the invocation id out of what it posts; it may not send another."""
        given = request.headers.get(_INVOCATION_ID)
        if not given or given == self.invocation_id:
            return None
        return Answer(400, "InvalidInvocationId", "Invalid invocation ID")

    def opened(self, connection: _Connection) -> bool:
        """False when there are too many already; such a connection does not count."""
        if len(self._connections) + len(self._extensions) >= _MAX_CONNECTIONS:
            return False
        self._connections.add(connection)
        self.link.connections(len(self._connections))
        return True

    def has_room(self, connection: _Connection) -> bool:
        """May this connection's request be a large one?"""
        if connection not in self.large and len(self.large) >= _MAX_LARGE:
            return False
        self.large.add(connection)
        return True

    def belongs_to_extension(self, connection: _Connection) -> None:
        """The link counts the runtime's connections; this is none."""
        self.closed(connection)
        self._extensions.add(connection)

    def closed(self, connection: _Connection) -> None:
        self.large.discard(connection)
        self._extensions.discard(connection)
        if connection in self._connections:
            self._connections.discard(connection)
            self.link.connections(len(self._connections))

    def hang_up(self) -> None:
        for connection in [*self._connections, *self._extensions]:
            connection.transport.abort()

    def hand_over(self, link: RuntimeLink) -> None:
        self.link = link
        for connection in (*self._connections, *self._extensions):
            connection.hand_over(link)
        link.connections(len(self._connections))

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.hang_up()


class RuntimeApi:
    """Satisfies `engine.ports.ListenerFactory`."""

    async def open(self, link: RuntimeLink, sock: sockets.socket | None) -> Listener:
        if sock is None:
            sock = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
            sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        listener = _RuntimeListener(link)
        try:
            await listener.serve(sock)
        except BaseException:
            listener.close()
            raise
        return listener

    def courier(self, destination: Destination, connect: Connect) -> Courier:
        return couriers.courier(destination, connect)
