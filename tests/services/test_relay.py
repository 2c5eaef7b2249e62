"""What connects inside is carried to the endpoint outside, both ways, and no further."""

from __future__ import annotations

import asyncio
import socket

import pytest

from workbench.services import relay
from workbench.services.relay import Relay


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        writer.write(b"end")
    finally:
        writer.close()


def inside() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


async def closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), 10) == b""
    except ConnectionResetError:
        return True


async def test_bytes_and_their_end_go_both_ways() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    listener = inside()
    opened = await Relay(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}").open(listener)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    sent = bytes(range(256)) * 4096
    writer.write(sent)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 10) == sent + b"end"
    writer.close()
    opened.close()
    server.close()


async def test_an_endpoint_that_is_not_there_closes_the_connection() -> None:
    with inside() as unused:
        port = unused.getsockname()[1]
    listener = inside()
    opened = await Relay(f"http://127.0.0.1:{port}").open(listener)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    assert await closed(reader)
    writer.close()
    opened.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nothing_is_carried_to_the_engine_itself(host: str) -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    listener = inside()
    relay = Relay(f"http://{host}:{port}")
    opened = await relay.open(listener)
    relay.never([f"http://127.0.0.1:{port}"])
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"x")
    assert await closed(reader)
    writer.close()
    opened.close()
    server.close()


async def test_there_are_not_too_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MAX_CONNECTIONS", 2)
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    listener = inside()
    opened = await Relay(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}").open(listener)
    pairs = []
    for _ in range(2):
        pairs.append(await asyncio.open_connection(*listener.getsockname()))
        pairs[-1][1].write(b"x")
        assert await asyncio.wait_for(pairs[-1][0].read(1), 10) == b"x"
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    assert await closed(reader)
    opened.close()
    for each in (*(pair[1] for pair in pairs), writer):
        each.close()
    server.close()


@pytest.mark.parametrize(
    ("url", "carries"),
    [
        ("http://127.0.0.1:5000", True),
        ("http://services/", True),
        ("https://sqs.us-east-1.amazonaws.com", False),  # its name would not fit
        ("http://:x", False),
        ("nonsense", False),
        (None, False),
    ],
)
def test_what_can_be_carried(url: str | None, carries: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert Relay(url).carries == carries


def test_the_environment_s_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    assert Relay(None).url == "http://localhost:4566"
    assert Relay("http://other").url == "http://other"


async def test_one_that_is_given_up_while_it_is_opened_is_closed() -> None:
    listener = inside()
    opening = asyncio.ensure_future(Relay("http://127.0.0.1:1").open(listener))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert listener.fileno() == -1
