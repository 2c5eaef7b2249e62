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
from workbench.http.messages import Request, Response
from workbench.http.wire import HttpProtocol

#: CreateFunction's whole request (Lambda quotas); a zip of 50 MB is 67 MB in base64.
MAX_REQUEST = 70_167_211
_log = logging.getLogger("workbench.http")


class Front:
    """Listens for both. `open` binds, `close` stops."""

    def __init__(self, api: LambdaApi, control: Control) -> None:
        self.api = api
        self.control = control
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
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._front.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._front.connections.discard(self)
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def received(self, request: Request) -> None:
        ours = request.path.startswith(PREFIX)
        # Workbench's own calls carry the bearer key instead of AWS's signature.
        refused = (refuse_web if ours else refuse)(request, self._front.hosts)
        if refused is not None:
            self.send(refused)
            return
        if request.method == "GET" and request.path == PREFIX + "live":
            self._run(self._stream(request))
        elif ours:
            self._run(self._answer(self._front.control.handle(request)))
        else:
            self._run(self._answer(self._front.api.handle(request)))

    def oversized(self, request: Request) -> None:
        message = b'{"message":"Request must be smaller than %d bytes for the %s operation","Type":"User"}'
        operation = b"CreateFunction" if request.path.endswith("/functions") else b"UpdateFunctionCode"
        headers = [("x-amzn-ErrorType", "RequestEntityTooLargeException"), ("content-type", "application/json")]
        self.send(Response(413, message % (MAX_REQUEST, operation), headers))

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._front.tasks.add(task)
        task.add_done_callback(self._front.tasks.discard)

    async def _answer(self, answer: Any) -> None:
        self.send(await answer)

    async def _stream(self, request: Request) -> None:
        control = self._front.control
        if not control.authorised(request):
            self.send(Response(403, b""))
            return
        since = parse_qs(request.query).get("since", ["0"])[0]
        self._keep = False
        head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n"
        self.transport.write(f"{head}connection: close\r\n\r\n".encode())
        async for line in control.live(int(since) if since.isdigit() else 0):
            if self._closing:
                return
            self.transport.write(b"%x\r\n%s\r\n" % (len(line), line))
            await self._writable.wait()
