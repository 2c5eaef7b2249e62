"""Telemetry brought to real servers, well-behaved and not."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from workbench.engine.ports import Destination
from workbench.http import couriers
from workbench.http.couriers import MAX_ANSWER

RECORDS = [b'{"n":1}', b'{"n":2}']


class Server:
    """Accepts connections and answers each request with the next of `answers`."""

    def __init__(self, *answers: bytes, close: bool = False) -> None:
        self.answers = list(answers)
        self.close = close
        self.connections = 0
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.lines: list[bytes] = []
        self.arrived = asyncio.Event()

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                self.requests.append((head[0], headers, await reader.readexactly(int(headers["content-length"]))))
                writer.write(self.answers.pop(0))
                if self.close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async def tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        async for line in reader:
            self.lines.append(line)
            self.arrived.set()
            if self.close:
                break
        writer.close()


async def connect(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    except OSError:
        connection.close()
        raise
    return connection


@asynccontextmanager
async def running(handler: Callable[..., Any], **destination: Any) -> AsyncIterator[Any]:
    conversations: set[asyncio.Task[Any]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations.add(task)
        await handler(reader, writer)
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    courier = couriers.courier(Destination(port, **destination), connect)
    try:
        yield courier
    finally:
        courier.close()
        server.close()
        await asyncio.wait_for(asyncio.gather(*conversations), 5)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK"
POST: dict[str, Any] = {"method": "POST", "path": "/p?q=1"}


async def test_a_batch_is_one_post_of_an_array_and_the_connection_is_kept() -> None:
    server = Server(OK, OK)
    async with running(server.http, **POST) as courier:
        await courier.send(RECORDS)
        await courier.send(RECORDS[:1])
    assert [(line, json.loads(body)) for line, _, body in server.requests] == [
        ("POST /p?q=1 HTTP/1.1", [{"n": 1}, {"n": 2}]),
        ("POST /p?q=1 HTTP/1.1", [{"n": 1}]),
    ]
    headers = server.requests[0][1]
    assert headers["content-type"] == "application/json"
    assert headers["host"].startswith("sandbox.localdomain:")
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n",
    ],
)
async def test_answers_that_are_good(answer: bytes) -> None:
    server = Server(answer, answer, close=True)
    async with running(server.http, **POST) as courier:
        await asyncio.wait_for(courier.send(RECORDS), 5)
        await asyncio.wait_for(courier.send(RECORDS), 5)
    assert (len(server.requests), server.connections) == (2, 2)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n", "500"),
        (b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", "302"),
        (b"", "closed"),
        (b"nonsense\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n" + bytes(2 * MAX_ANSWER), "no end"),
    ],
)
async def test_answers_that_are_not(answer: bytes, words: str) -> None:
    server = Server(answer, OK, close=True)
    async with running(server.http, **POST) as courier:
        with pytest.raises(OSError, match=words):
            await asyncio.wait_for(courier.send(RECORDS), 5)
        await asyncio.wait_for(courier.send(RECORDS), 5)


async def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    courier = couriers.courier(Destination(port, **POST), connect)
    with pytest.raises(ConnectionRefusedError):
        await courier.send(RECORDS)


async def test_a_closed_courier_makes_no_connection_any_more() -> None:
    server = Server(OK, OK)
    async with running(server.http, **POST) as courier:
        await courier.send(RECORDS)
        courier.close()
        with pytest.raises(OSError, match="nobody to deliver to"):
            await courier.send(RECORDS)
    assert server.connections == 1


async def test_tcp_is_a_record_a_line() -> None:
    server = Server()
    async with running(server.tcp) as courier:
        await courier.send(RECORDS)
        await asyncio.wait_for(server.arrived.wait(), 5)
        await courier.send([b'{"n":3}'])
        while len(server.lines) < 3:
            server.arrived.clear()
            await asyncio.wait_for(server.arrived.wait(), 5)
    assert server.lines == [b'{"n":1}\n', b'{"n":2}\n', b'{"n":3}\n']
    assert server.connections == 1
