"""The HTTP/1.1 protocol over real sockets: framing, order, limits, and what must be refused."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from workbench.http.control import FRAME, PREFIX, Control
from workbench.http.front import Front, _Connection
from workbench.http.messages import Request, Response
from workbench.http.wire import HttpProtocol
from workbench.live.view import Delta

Talk = Callable[..., Awaitable[bytes]]


class Echo(HttpProtocol):
    """Answers with what it understood; `slow` waits a turn first, `bad` breaks, `twice` breaks once it has answered."""

    max_body = 1000
    patience = 0.2

    def admitted(self, request: Request) -> Response | None:
        if request.path == "/worse":
            raise ZeroDivisionError
        return Response(403, b"no") if request.path == "/no" else None

    def received(self, request: Request) -> None:
        if request.path == "/bad":
            raise ZeroDivisionError
        answer = Response(200, f"{request.method} {request.path} {request.query} ".encode() + request.body)
        if request.path == "/slow":
            asyncio.get_running_loop().call_later(0.02, self.send, answer)
        else:
            self.send(answer)
        if request.path == "/twice":
            raise ZeroDivisionError


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def exchange(*parts: bytes, until_closed: bool = False) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.005)
            if until_closed:
                return await asyncio.wait_for(reader.read(), 5)
            writer.write_eof()
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()

    yield exchange
    server.close()


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: x", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def bodies(answer: bytes) -> list[bytes]:
    found = []
    while answer:
        head, _, answer = answer.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        found.append(answer[:length])
        answer = answer[length:]
    return found


async def test_a_request_in_one_piece_or_byte_by_byte(talk: Talk) -> None:
    request = post("/a?b=c", b"hello")
    assert bodies(await talk(request)) == [b"POST /a b=c hello"]
    assert bodies(await talk(*(request[i : i + 7] for i in range(0, len(request), 7)))) == [b"POST /a b=c hello"]


async def test_requests_in_a_row_are_answered_in_order(talk: Talk) -> None:
    answer = await talk(post("/slow", b"1") + post("/b", b"2") + post("/slow", b"3") + post("/d", b"4"))
    assert bodies(answer) == [b"POST /slow  1", b"POST /b  2", b"POST /slow  3", b"POST /d  4"]


async def test_a_chunked_body_is_put_together(talk: Talk) -> None:
    head = b"POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    assert bodies(await talk(head + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")) == [b"POST /c  hello world"]


async def test_a_client_that_asks_first_is_told_to_go_on(talk: Talk) -> None:
    answer = await talk(post("/e", b"hi", "expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_a_body_over_the_limit_is_413_and_the_connection_lives(talk: Talk) -> None:
    answer = await talk(post("/big", bytes(1001)) + post("/ok", b"1"))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b"POST /ok  1")
    chunk = b"3e8\r\n" + bytes(1000) + b"\r\n"
    head = b"POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    assert (await talk(head + chunk + chunk + b"0\r\n\r\n")).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5x\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10 + b"".join(b"h%d: v\r\n" % i for i in range(300)) + b"\r\n",
        b"GET / HTTP/1.1\r\nbig: " + b"x" * 1_100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    ],
    ids=lambda value: repr(value[:60]),
)
async def test_malformed_and_ambiguous_requests_are_refused_and_closed(talk: Talk, request_bytes: bytes) -> None:
    answer = await talk(request_bytes, until_closed=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_request_that_trickles_in_is_ended(talk: Talk) -> None:
    assert (await talk(b"POST / HTTP/1.1\r\nhost:", until_closed=True)).startswith(b"HTTP/1.1 408 ")


async def test_an_idle_connection_is_left_alone() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for _ in range(2):
        writer.write(post("/a", b"1"))
        assert (await reader.readuntil(b"POST /a  1")).startswith(b"HTTP/1.1 200 ")
        await asyncio.sleep(0.3)
    writer.close()
    server.close()


async def test_two_hundred_slow_clients_do_not_hold_up_a_quick_one(talk: Talk) -> None:
    slow: list[Any] = [asyncio.create_task(talk(b"POST / HT", until_closed=True)) for _ in range(200)]
    assert bodies(await talk(post("/q", b"1"))) == [b"POST /q  1"]
    assert all(answer.startswith(b"HTTP/1.1 408") for answer in await asyncio.gather(*slow))


async def test_a_million_empty_header_lines_are_refused_at_once() -> None:
    began = time.monotonic()
    protocol, transport = Echo(), Transport()
    protocol.connection_made(transport)
    protocol.data_received(b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 1_000_000)
    assert transport.written.startswith(b"HTTP/1.1 400 ")
    assert time.monotonic() - began < 1


async def test_a_header_without_an_end_is_refused() -> None:
    protocol, transport = Echo(), Transport()
    protocol.connection_made(transport)
    protocol.data_received(b"GET / HTTP/1.1\r\na: ")
    for _ in range(33):
        protocol.data_received(b"x" * 65_536)
    assert transport.written.startswith(b"HTTP/1.1 400 ")
    assert transport.closed


class Transport:
    """What a protocol does to its transport."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.reading = True

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


async def test_nothing_more_is_read_while_a_request_waits() -> None:
    protocol, transport = Echo(), Transport()
    protocol.connection_made(transport)
    protocol.data_received(post("/slow", b"1"))
    assert transport.reading
    protocol.data_received(post("/slow", b"2"))
    assert not transport.reading
    await asyncio.sleep(0.03)
    assert transport.reading
    await asyncio.sleep(0.03)
    assert bodies(transport.written) == [b"POST /slow  1", b"POST /slow  2"]


async def test_a_body_over_the_limit_is_413_behind_another_request_too(talk: Talk) -> None:
    answer = await talk(post("/slow", b"1") + post("/big", bytes(1001)) + post("/ok", b"2"))
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")] == [b"", b"200", b"413", b"200"]
    assert answer.endswith(b"POST /ok  2")


@pytest.mark.parametrize("before", [b"", post("/slow", b"1")], ids=["alone", "behind another"])
@pytest.mark.parametrize("path", ["/bad", "/worse"])
async def test_a_handler_that_breaks_is_500_and_logged(
    talk: Talk, caplog: pytest.LogCaptureFixture, before: bytes, path: str
) -> None:
    answer = await talk(before + post(path, b"x") + post("/ok", b"2"), until_closed=True)
    last = b"HTTP/1.1 " + answer.rpartition(b"HTTP/1.1 ")[2]
    assert last == b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    assert "ZeroDivisionError" in caplog.text


async def test_a_handler_that_breaks_after_its_answer_adds_none(talk: Talk) -> None:
    assert bodies(await talk(post("/twice", b"x"), until_closed=True)) == [b"POST /twice  x"]


async def test_a_request_refused_by_its_head_keeps_no_body() -> None:
    protocol, transport = Echo(), Transport()
    protocol.connection_made(transport)
    protocol.data_received(post("/no", bytes(900))[:-100])
    assert (protocol._body, transport.written) == (b"", b"")
    protocol.data_received(bytes(100))
    assert transport.written == b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"
    assert transport.closed


async def test_a_body_in_tiny_chunks_takes_no_more_room_than_its_bytes() -> None:
    protocol, transport = Echo(), Transport()
    protocol.max_body = 1_000_000
    protocol.connection_made(transport)
    protocol.data_received(b"POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n")
    chunks = b"2\r\nab\r\n" * 5_000
    tracemalloc.start()
    try:
        for _ in range(10):
            protocol.data_received(chunks)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 500_000
    protocol.data_received(b"0\r\n\r\n")
    assert transport.written.endswith(b"ab" * 50_000)


# -- the front door
class Port:
    """An engine in which nothing ever happened, unless told."""

    def __init__(self) -> None:
        self.asked = 0
        self.seq = 0

    async def changes(self, since: int) -> Delta:
        self.asked += 1
        return Delta(seq=self.seq, t_mono_ns=0, wall=0.0, full=since == 0)


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    opened = Front(None, Control(Port(), "k"))  # type: ignore[arg-type]
    await opened.open("127.0.0.1", 0)
    yield opened
    opened.close()
    await asyncio.sleep(0)


async def stream(front: Front, more: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host = front.url.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    request = f"GET {PREFIX}live HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer k\r\n\r\n".encode()
    writer.write(request + more)
    await asyncio.wait_for(reader.readuntil(b'"seq":0'), 5)
    return reader, writer


@pytest.mark.parametrize("way", ["close", "abort", "eof"])
@pytest.mark.parametrize("more", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 3], ids=["alone", "with more behind"])
async def test_a_live_stream_ends_when_its_client_goes(front: Front, way: str, more: bytes) -> None:
    _, writer = await stream(front, more)
    assert len(front.tasks) == 1
    if way == "close":
        writer.close()
    elif way == "abort":
        writer.transport.abort()
    else:
        writer.write_eof()
    await asyncio.sleep(0.1)
    assert (front.tasks, front.connections) == (set(), set())
    writer.close()


async def test_a_live_stream_says_nothing_while_nothing_happens(front: Front) -> None:
    port: Any = front.control._port
    reader, writer = await stream(front)
    rest = await reader.readuntil(b"}\n\r\n")
    assert b'"seq"' not in rest
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(reader.readexactly(1), 5 * FRAME)
    assert port.asked > 2
    port.seq = 1
    assert b'"seq":1' in await asyncio.wait_for(reader.readuntil(b"}\n\r\n"), 5)
    writer.close()


@pytest.mark.parametrize("path", ["/2015-03-31/functions", PREFIX + "call/status"])
async def test_a_large_body_from_nobody_is_not_kept(front: Front, path: str) -> None:
    host = front.url.removeprefix("http://")
    protocol, transport = _Connection(front), Transport()
    protocol.connection_made(transport)
    protocol.data_received(f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 300000\r\n\r\n".encode())
    protocol.data_received(bytes(299_999))
    assert (protocol._body, transport.written) == (b"", b"")
    protocol.data_received(bytes(1))
    assert transport.written.startswith(b"HTTP/1.1 403 ")
    assert transport.closed
    protocol.connection_lost(None)


@pytest.mark.parametrize(("size", "beside"), [(100, False), (300_000, True)])
async def test_large_arguments_are_read_beside_the_loop(
    monkeypatch: pytest.MonkeyPatch, size: int, beside: bool
) -> None:
    threads = []
    loads = json.loads

    def noting(data: bytes) -> Any:
        threads.append(threading.current_thread())
        return loads(data)

    monkeypatch.setattr("workbench.http.control.json.loads", noting)
    body = b'{"since":' + b" " * size + b"0}"
    request = Request("POST", PREFIX + "call/changes", "", {"authorization": "Bearer k"}, body)
    assert (await Control(Port(), "k").handle(request)).status == 200  # type: ignore[arg-type]
    assert [thread is not threading.main_thread() for thread in threads] == [beside]
