"""The services' endpoint inside a sandbox: what connects to it is carried, byte by byte, to the endpoint outside.

A function without a network reaches its bucket and its table by this, and nothing else: where the bytes go is the
engine's to say.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable, Set
from contextlib import suppress
from urllib.parse import urlsplit

#: Connections of one environment at a time; more are closed at once.
MAX_CONNECTIONS = 64
_CHUNK = 65536
_CONNECT_SECONDS = 10


class Relay:
    """Satisfies `engine.ports.ServicesRelay`, for the endpoint that workbench.toml or AWS_ENDPOINT_URL names."""

    def __init__(self, endpoint: str | None) -> None:
        self.url = endpoint or os.environ.get("AWS_ENDPOINT_URL") or None
        self._target = _target(self.url)
        self._never: set[tuple[str, int]] = set()

    @property
    def carries(self) -> bool:
        """Can it be reached from inside? What speaks TLS cannot: its name and its certificate would not fit."""
        return self._target is not None

    async def open(self, listener: socket.socket) -> RelayListener:
        """Serve on a listening socket inside a sandbox."""
        assert self._target is not None
        listener.setblocking(False)
        opened = RelayListener(*self._target, self._never)
        try:
            await opened.serve(listener)
        except BaseException:
            opened.close()
            raise
        return opened

    def never(self, urls: Iterable[str]) -> None:
        """Carry nothing to these: the engine's own endpoints, which AWS_ENDPOINT_URL may name for other programs."""
        for parts in map(urlsplit, urls):
            self._never.add((parts.hostname or "", parts.port or 80))


def _target(url: str | None) -> tuple[str, int] | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        return None
    return (parts.hostname, port) if parts.scheme == "http" and parts.hostname else None


class RelayListener:
    """One environment's way to the services."""

    def __init__(self, host: str, port: int, never: Set[tuple[str, int]] = frozenset()) -> None:
        self._host, self._port, self._never = host, port, never
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Accept what connects."""
        start = asyncio.start_unix_server if listener.family == socket.AF_UNIX else asyncio.start_server
        # In two steps: who gives up in the second one has what there is to close.
        self._server = await start(self._connected, sock=listener, limit=_CHUNK, start_serving=False)
        await self._server.start_serving()

    def close(self) -> None:
        """Stop, and drop what is under way."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            await self._carry(reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # the other side sees its connection closed, and knows why no better than we do
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_CONNECT_SECONDS):
            there_reader, there_writer = await asyncio.open_connection(self._host, self._port, limit=_CHUNK)
        try:
            if there_writer.get_extra_info("peername")[:2] in self._never:
                return
            await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
        finally:
            there_writer.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Until the end, and pass that on."""
    while chunk := await source.read(_CHUNK):
        target.write(chunk)
        await target.drain()
    with suppress(OSError):
        target.write_eof()
