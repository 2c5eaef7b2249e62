"""The terminal UI in a browser: who is let in, what comes out, and an end that waits for no page."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator

import aiohttp
import pytest

from tests.endtoend.conftest import WORKBENCH, Served, Shell


@pytest.fixture
def address(shell: Shell, serve: Callable[..., Served]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The process, and the address that it printed."""
    serve()
    process = subprocess.Popen([WORKBENCH, "web", "--port", "0"], env=shell.env, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.readline().decode()
    found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{22}/", said)
    assert found, said
    yield process, found[0]
    process.kill()
    process.wait()
    process.stderr.close()


async def _status(session: aiohttp.ClientSession, url: str, **headers: str) -> int:
    async with session.get(url, headers=headers, allow_redirects=False) as answer:
        return answer.status


async def test_only_its_own_page_is_let_in(address: tuple[subprocess.Popen[bytes], str]) -> None:
    _, url = address
    host = url.split("/")[2]
    port = host.partition(":")[2]
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as page:
            assert (page.status, page.headers["Referrer-Policy"]) == (200, "no-referrer")
            assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
            assert f"ws://{host}/" in await page.text()
        assert await _status(session, f"http://{host}/") == 404
        assert await _status(session, url.replace(url.split("/")[3], "x" * 22)) == 404
        assert await _status(session, url, Host=f"evil.example:{port}") == 403
        assert await _status(session, url, Origin="http://evil.example") == 403
        assert await _status(session, url, Host=f"localhost:{port}") == 302
        for origin in ({}, {"Origin": "null"}, {"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:1"}):
            assert await _status(session, f"{url}ws", **upgrade, **origin) == 403
        assert await _status(session, f"http://{host}/ws", **upgrade, Origin=f"http://{host}") == 404


async def test_a_page_shows_the_ui_and_the_end_does_not_wait_for_it(
    address: tuple[subprocess.Popen[bytes], str], shell: Shell
) -> None:
    process, url = address
    origin = "/".join(url.split("/")[:3])
    drawn = b""
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}ws?width=120", origin=origin) as page:
        async with asyncio.timeout(30):
            while b"Functions" not in drawn:
                message = await page.receive()
                assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), drawn[-500:]
                drawn += message.data if isinstance(message.data, bytes) else b""
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait, 20) == 0
    assert json.loads(shell.run("status", "--json").stdout)["pid"]  # the engine does not notice


def test_a_taken_port_is_named_with_the_mend(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = shell.run("web", "--port", str(port))
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [
        f"workbench: cannot listen on port {port}: Address already in use (--port names another)"
    ]
