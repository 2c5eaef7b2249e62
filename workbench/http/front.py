"""The front door on one port: AWS's Lambda API, and Workbench's control beside it."""

from __future__ import annotations

import asyncio
import logging
import socket as sockets
from typing import Any
from urllib.parse import parse_qs

from workbench.http.control import PREFIX, Control
from workbench.http.lambda_api.api import LambdaApi
from workbench.http.lambda_api.guard import loopback_hosts, refuse, refuse_web
from workbench.http.lambda_api.signature import Signatures
from workbench.http.messages import Request, Response, StreamedResponse
from workbench.http.wire import HttpProtocol

#: CreateFunction's whole request (Lambda quotas); a zip of 50 MB is 67 MB in base64.
MAX_REQUEST = 70_167_211
_log = logging.getLogger("workbench.http")


class Front:
    """Listens for both. `open` binds, `close` stops. Given `signatures`, the Lambda API is for who signs rightly."""

    def __init__(self, api: LambdaApi, control: Control, signatures: Signatures | None = None) -> None:
        self.api = api
        self.control = control
        self.signatures = signatures
        self.url = ""
        self.hosts: frozenset[str] = frozenset()
        self.tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.connections: set[_Connection] = set()

    async def open(self, host: str, port: int) -> None:
        """Raises OSError when the port is taken."""
        sock = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
        try:
            sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
            sock.bind((host, port))
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Connection(self), sock=sock, backlog=1024)
        except OSError:
            sock.close()
            raise
        bound = sock.getsockname()[1]
        self.url, self.hosts = f"http://{host}:{bound}", loopback_hosts(bound)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.transport.close()
        for task in self.tasks:
            task.cancel()


class _Connection(HttpProtocol):
    max_body = MAX_REQUEST

    def __init__(self, front: Front) -> None:
        super().__init__()
        self._front = front
        self._live: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._front.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._front.connections.discard(self)
        if self._live is not None:
            self._live.cancel()

    def data_received(self, data: bytes) -> None:
        if self._live is None:  # a live stream is the last answer of its connection
            super().data_received(data)

    def eof_received(self) -> bool:
        if self._live is not None:
            self._closing = True
            self.transport.abort()
            return False
        return super().eof_received()

    def admitted(self, request: Request) -> Response | None:
        if not request.path.startswith(PREFIX):
            refused = refuse(request, self._front.hosts)
            if refused is None and self._front.signatures is not None:
                refused = self._front.signatures.refuse_head(request)
            return refused
        # Workbench's own calls carry the bearer key instead of AWS's signature.
        return refuse_web(request, self._front.hosts) or self._front.control.refuse_large(request)

    def received(self, request: Request) -> None:
        control = self._front.control
        if request.method == "GET" and request.path == PREFIX + "live" and control.authorised(request):
            self._live = self._run(self._follow(request))
        elif request.path.startswith(PREFIX):
            self._run(self._answer(control.handle(request)))
        elif (signatures := self._front.signatures) is not None and (refused := signatures.refuse(request)) is not None:
            self.send(refused)
        else:
            self._run(self._answer(self._front.api.handle(request)))

    def oversized(self, request: Request) -> None:
        message = b'{"message":"Request must be smaller than %d bytes for the %s operation","Type":"User"}'
        operation = b"CreateFunction" if request.path.endswith("/functions") else b"UpdateFunctionCode"
        headers = [("x-amzn-ErrorType", "RequestEntityTooLargeException"), ("content-type", "application/json")]
        self.send(Response(413, message % (MAX_REQUEST, operation), headers))

    def _run(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._front.tasks.add(task)
        task.add_done_callback(self._front.tasks.discard)
        return task

    async def _answer(self, answer: Any) -> None:
        response = await answer
        if isinstance(response, StreamedResponse):
            await self.stream(response)
        else:
            self.send(response)

    async def _follow(self, request: Request) -> None:
        since = parse_qs(request.query).get("since", ["0"])[0]
        self._keep = False
        self._waiting.clear()
        self._pace()  # reading is how we learn that the client has gone
        head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n"
        try:
            self.transport.write(f"{head}connection: close\r\n\r\n".encode())
            async for line in self._front.control.live(int(since) if since.isdecimal() else 0):
                if self._closing or self._eof:
                    return
                self.transport.write(b"%x\r\n%s\r\n" % (len(line), line))
                await self._writable.wait()
        except Exception:
            _log.exception("a live stream failed")
        finally:
            self._close()
