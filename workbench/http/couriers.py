"""Brings telemetry to what listens inside an environment: batches by HTTP, or lines of JSON over TCP.

What is at the other end is the function's: no answer of its is believed, kept or waited for beyond its bounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from socket import socket

import httptools

from workbench.engine.ports import Destination

#: Bytes of one answer that are read; none needs more than a few.
MAX_ANSWER = 65_536

Connect = Callable[[int], Awaitable[socket]]


def courier(destination: Destination, connect: Connect) -> TcpCourier | HttpCourier:
    """Who brings telemetry to that destination."""
    kind = TcpCourier if destination.path is None else HttpCourier
    return kind(destination, connect)


class TcpCourier:
    """Newline-delimited JSON over one connection. Satisfies `engine.ports.Courier`."""

    def __init__(self, destination: Destination, connect: Connect) -> None:
        self._destination = destination
        self._connect = connect
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._closed = False

    async def send(self, records: list[bytes]) -> None:
        """Write them; whether the other end takes them from the socket, TCP does not tell."""
        try:
            writer = await self._opened()
            writer.write(b"\n".join(records) + b"\n")
            await writer.drain()
        except BaseException:
            self._drop()
            raise

    async def _opened(self) -> asyncio.StreamWriter:
        self._may_go_on()
        if self._writer is None or self._reader is None or self._reader.at_eof():
            self._drop()
            connection = await self._connect(self._destination.port)
            try:
                self._may_go_on()
            except OSError:
                connection.close()
                raise
            self._reader, self._writer = await asyncio.open_connection(sock=connection, limit=MAX_ANSWER)
        return self._writer

    def _may_go_on(self) -> None:
        if self._closed:
            raise OSError("there is nobody to deliver to any more")

    def close(self) -> None:
        """Let go of the connection, and make no other."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None


class HttpCourier(TcpCourier):
    """A JSON array a request, and the next one when it has been answered with 2xx. Satisfies `engine.ports.Courier`."""

    async def send(self, records: list[bytes]) -> None:
        kept = self._writer is not None
        try:
            await self._exchange(records)
        except _Gone:
            if not kept:
                raise
            # The connection of the batch before was closed meanwhile: that is no failure of this one.
            await self._exchange(records)

    async def _exchange(self, records: list[bytes]) -> None:
        body = b"[" + b",".join(records) + b"]"
        target = self._destination
        head = (
            f"{target.method} {target.path} HTTP/1.1\r\n"
            f"Host: {target.host}:{target.port}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        answer = _Answer()
        try:
            writer = await self._opened()
            writer.write(head.encode("ascii") + body)
            with suppress(ConnectionError):  # it may answer without having read all; or say with its end why not
                await writer.drain()
            await self._read(answer)
        except BaseException:
            self._drop()
            raise
        if not answer.keep:
            self._drop()
        if not 200 <= answer.status < 300:
            raise OSError(f"the subscriber answered {answer.status}")

    async def _read(self, answer: _Answer) -> None:
        assert self._reader is not None
        received = 0
        while not answer.complete:
            try:
                data = await self._reader.read(MAX_ANSWER)
            except ConnectionError as error:
                raise _Gone("the subscriber closed the connection") from error
            if not data:
                if answer.status and received:  # a body that ends with the connection
                    answer.keep = False
                    return
                raise _Gone("the subscriber closed the connection")
            received += len(data)
            if received > MAX_ANSWER:
                raise OSError("the subscriber's answer has no end")
            try:
                answer.parser.feed_data(data)
            except httptools.HttpParserError as error:
                raise OSError(f"the subscriber's answer is not HTTP: {error}") from error


class _Gone(OSError):
    """The connection ended before there was an answer."""


class _Answer:
    """Callbacks of the parser."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.complete = False
        self.keep = True

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if status >= 200:
            self.status = status

    def on_message_complete(self) -> None:
        if self.status:
            self.complete = True
            self.keep = self.parser.should_keep_alive()
