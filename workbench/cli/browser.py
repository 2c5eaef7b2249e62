"""The server behind `workbench web`.

A page of this server can do what the person at the terminal can, so it is let in as the terminal is: on the loopback,
and with a key that only who reads this terminal knows. What another site's page sends (a WebSocket is not bound to its
origin by browsers: RFC 6455, 10.2) and what comes under another name (DNS rebinding) is refused, key or not.
"""

from __future__ import annotations

import asyncio
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

from aiohttp import web
from textual_serve.server import Server

from workbench.cli.output import say

HOST = "127.0.0.1"
#: The page needs nothing of others; what textual-serve would get from elsewhere is a font.
_POLICY = (
    "default-src 'self' data:; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self' ws://{host}; frame-ancestors 'none'"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Browser(Server):
    """A terminal UI of its own for each page; all of them are attached to the project's one engine."""

    def __init__(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        super().__init__(shlex.join([sys.executable, "-m", "workbench", "tui"]), HOST, port, title="Workbench")
        self.key = secrets.token_urlsafe(16)
        self._listener = listener
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self._pages: set[asyncio.Task[object]] = set()

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM."""
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        runner = web.AppRunner(await self._make_app(), access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, self._listener).start()
            say(f"the terminal UI is at {self.public_url}/{self.key}/ for as long as this runs; ^c ends it")
            await ended.wait()
        finally:
            await runner.cleanup()

    async def on_startup(self, app: web.Application) -> None:
        """No banner."""

    async def on_shutdown(self, app: web.Application) -> None:
        """Pages that are open are closed, and not waited for."""
        for page in self._pages:
            page.cancel()

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        page = asyncio.current_task()
        assert page is not None
        self._pages.add(page)
        try:
            return await super().handle_websocket(request)
        finally:
            self._pages.discard(page)

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.add_subapp(f"/{self.key}/", await super()._make_app())
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        ours = request.host in self._hosts and origin in (None, f"http://{request.host}")
        if not ours or (request.path.endswith("/ws") and origin is None):
            raise web.HTTPForbidden(text="This is for the page that Workbench serves, and for no other.\n")
        if request.host != f"{HOST}:{self.port}":  # its addresses are all under the one name
            raise web.HTTPFound(f"{self.public_url}{request.path_qs}")
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = _POLICY.format(host=request.host)
            response.headers["Referrer-Policy"] = "no-referrer"
            response.headers["Cache-Control"] = "no-store"
        return response


__all__ = ["HOST", "Browser"]
