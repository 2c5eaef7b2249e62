"""The HTTP/1.1 protocol over real sockets: framing, order, limits, and what must be refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from workbench.http.messages import Request, Response
from workbench.http.wire import HttpProtocol

Talk = Callable[..., Awaitable[bytes]]


class Echo(HttpProtocol):
    """Answers with what it understood; `slow` waits a turn first."""

    max_body = 1000
    patience = 0.2

    def received(self, request: Request) -> None:
        answer = Response(200, f"{request.method} {request.path} {request.query} ".encode() + request.body)
        if request.path == "/slow":
            asyncio.get_running_loop().call_later(0.02, self.send, answer)
        else:
            self.send(answer)


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
