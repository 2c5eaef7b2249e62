"""Function URLs with InvokeMode RESPONSE_STREAM, over a real socket: what goes out, and when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.http.test_gateway import URL, Port
from workbench.http.gateway.door import Gateway
from workbench.http.gateway.streamed import WITH_PRELUDE
from workbench.model.errors import TooManyRequests
from workbench.model.invocations import InvocationResult, InvocationStatus, InvokeRequest

NULS = bytes(8)


class Stream:
    request_id, trace_id, executed_version = "r", "Root=1-2-3", "$LATEST"

    def __init__(self, port: StreamingPort) -> None:
        self.content_type = port.content_type
        self._port = port

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            for piece in self._port.pieces:
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                elif isinstance(piece, float):
                    await asyncio.sleep(piece)
                else:
                    yield piece
        finally:
            self._port.left.set()

    async def result(self) -> InvocationResult:
        error = self._port.error
        status = InvocationStatus.ERROR if error else InvocationStatus.SUCCESS
        return InvocationResult(request_id="r", status=status, function_error=error)


class StreamingPort(Port):
    def __init__(self) -> None:
        super().__init__()
        self.routes = (replace(URL, streaming=True),)
        self.pieces: list[Any] = []
        self.content_type: str | None = "text/plain"
        self.left = asyncio.Event()

    async def invoke_streaming(self, request: InvokeRequest) -> Stream:
        if isinstance(self.result, Exception):
            raise self.result
        self.invoked.append(request)
        return Stream(self)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def ask(self, method: str = "GET", version: str = "1.1") -> None:
        self.writer.write(f"{method} /_url/f/ HTTP/{version}\r\nHost: x\r\n\r\n".encode())

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        lines = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode().split("\r\n")
        pairs = [(name, value) for name, _, value in (line.partition(": ") for line in lines[1:] if line)]
        return int(lines[0].split()[1]), pairs

    async def piece(self) -> bytes:
        size = int(await asyncio.wait_for(self.reader.readline(), 5), 16)
        data = await asyncio.wait_for(self.reader.readexactly(size + 2), 5)
        return data[:-2]

    async def body(self) -> bytes:
        whole = b""
        while piece := await self.piece():
            whole += piece
        return whole


@pytest.fixture
async def port() -> StreamingPort:
    return StreamingPort()


@pytest.fixture
async def client(port: StreamingPort) -> AsyncIterator[Client]:
    gateway = Gateway(port)
    await gateway.open("127.0.0.1", 0)
    made = Client(*await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2])))
    yield made
    made.writer.close()
    gateway.close()


async def test_the_first_piece_goes_out_before_the_last_is_written(port: StreamingPort, client: Client) -> None:
    hold = asyncio.Event()
    port.pieces = [b"one", hold, b"two"]
    for _ in range(2):  # the connection is kept
        client.ask()
        status, headers = await client.head()
        assert (status, dict(headers)["content-type"]) == (200, "text/plain")
        assert ("transfer-encoding", "chunked") in headers
        assert await client.piece() == b"one"
        hold.set()
        assert (await client.piece(), await client.piece()) == (b"two", b"")


@pytest.mark.parametrize("cut", [1, 7, 1000])
async def test_metadata_become_status_headers_and_cookies(port: StreamingPort, client: Client, cut: int) -> None:
    said = {"statusCode": 418, "headers": {"Content-Type": "a/b", "X-A": 1}, "cookies": ["a=1", "b=2"]}
    sent = json.dumps(said).encode() + NULS + b"body" + NULS + b"more"
    port.content_type = WITH_PRELUDE
    port.pieces = [sent[at : at + cut] for at in range(0, len(sent), cut)]
    client.ask()
    status, headers = await client.head()
    assert status == 418
    assert [pair for pair in headers if pair[0] in ("Content-Type", "X-A", "set-cookie")] == [
        ("Content-Type", "a/b"), ("X-A", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2"),
    ]  # fmt: skip
    assert await client.body() == b"body" + NULS + b"more"


@pytest.mark.parametrize(
    "sent",
    [b"{}", b"no json" + NULS, b"[]" + NULS, b'{"statusCode": 99}' + NULS, b'{"headers": {"a b": "c"}}' + NULS,
     b'{"headers": {"a": "b\\nc"}}' + NULS, b"x" * 2_000_000],
    ids=range(7),
)  # fmt: skip
async def test_metadata_that_are_none_are_a_502(port: StreamingPort, client: Client, sent: bytes) -> None:
    port.content_type, port.pieces = WITH_PRELUDE, [sent[:1_000_000], sent[1_000_000:], b"y"]
    client.ask()
    assert (await client.head())[0] == 502
    assert port.left.is_set()


async def test_a_function_that_fails_before_it_writes_is_a_502(port: StreamingPort, client: Client) -> None:
    port.error = "Unhandled"
    client.ask()
    assert (await client.head())[0] == 502


async def test_a_throttle_is_a_429(port: StreamingPort, client: Client) -> None:
    port.result = TooManyRequests("ReservedFunctionConcurrentInvocationLimitExceeded")
    client.ask()
    assert (await client.head())[0] == 429


async def test_a_failure_in_the_middle_ends_the_response(port: StreamingPort, client: Client) -> None:
    port.error, port.pieces = "Unhandled", [b"half"]
    client.ask()
    assert (await client.head())[0] == 200
    assert await client.body() == b"half"


async def test_head_has_no_body(port: StreamingPort, client: Client) -> None:
    port.pieces = [b"one"]
    client.ask("HEAD")
    assert (await client.head())[0] == 200
    client.ask()
    await client.head()
    assert await client.body() == b"one"


async def test_an_old_client_gets_the_body_until_the_connection_ends(port: StreamingPort, client: Client) -> None:
    port.pieces = [b"one", b"two"]
    client.ask(version="1.0")
    _, headers = await client.head()
    assert "transfer-encoding" not in dict(headers)
    assert await asyncio.wait_for(client.reader.read(), 5) == b"onetwo"


async def test_a_client_who_leaves_is_noticed(port: StreamingPort, client: Client) -> None:
    """At the next write: until then it may only have said all that it had to say."""
    port.pieces = [b"one", *[0.005, b"more"] * 1_000, asyncio.Event()]
    client.ask()
    await client.head()
    client.writer.transport.abort()
    await asyncio.wait_for(port.left.wait(), 5)


async def test_a_stream_to_a_front_end_that_buffers_is_a_response(port: StreamingPort, client: Client) -> None:
    port.routes = (URL,)
    sent = b'{"statusCode": 201, "headers": {"x-a": "b"}}' + NULS + b"body"

    async def buffered(request: InvokeRequest) -> InvocationResult:
        status = InvocationStatus.SUCCESS
        return InvocationResult(request_id="r", status=status, payload=sent, content_type=WITH_PRELUDE)

    port.invoke = buffered  # type: ignore[method-assign]
    client.ask()
    status, headers = await client.head()
    assert (status, dict(headers)["x-a"]) == (201, "b")
    assert await client.reader.readexactly(4) == b"body"
