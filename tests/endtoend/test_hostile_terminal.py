"""What a function says reaches the terminal as text only: every byte that a real terminal is sent is looked at.

Threats: an output that moves the cursor, sets the title, writes the clipboard, links, or becomes markup.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.endtoend.conftest import WORKBENCH, Served, Shell

RECORDING = Path(__file__).parents[1] / "tui" / "samples.ndjson"
HANDLER = r"""
EVIL = (
    "seen-by-all"
    "\x1b]52;c;aGFja2Vk\x07" "\x1b]0;owned\x1b\\" "\x1b]8;;http://evil/\x07" "\x1b[31;7;99m" "\x1b[2J" "\x1bc"
    "\x9b31;7;99m" "\x9d52;c;aGFja2Vk\x9c" "\u202ereversed\u2066" "\x00\x08\x7f" "[@click=app.quit]link[/][red]red[/]"
)

def handler(event, context):
    print(EVIL)
    if event.get("fail"):
        raise RuntimeError(EVIL)
    return {"said": EVIL}
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  PythonRuntime: {Type: String, Default: python3.11}
Resources:
  Evil:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: evil, Runtime: !Ref PythonRuntime, Handler: app.handler, CodeUri: code}
"""
#: What nobody but the function can have meant, as UTF-8: its sequences, C1 controls, and letters that turn text around.
FORBIDDEN = {
    "clipboard": rb"\x1b\]52",
    "title": rb"\x1b\][012];[^\x07\x1b]*owned",
    "link": rb"\x1b\]8;[^\x07\x1b]*evil",
    "colours": rb"\x1b\[31;7;99m",
    "reset": rb"\x1bc",
    "C1": rb"(?<![\xe0-\xf4][\x80-\xbf])(?<![\xe0-\xf4])\xc2[\x80-\x9f]",
    "bidi": rb"\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]",
    "backspace, NUL or DEL": rb"[\x00\x08\x7f]",
}


class Terminal:
    """A command in a pseudo-terminal, and every byte that it has written."""

    def __init__(self, env: dict[str, str], *argv: str) -> None:
        self._main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
        self.process = subprocess.Popen(
            argv, stdin=other, stdout=other, stderr=other, start_new_session=True, env={**env, "TERM": "xterm-256color"}
        )
        os.close(other)
        self.written = b""

    def read(self, seconds: float) -> bool:
        """Take in what it writes; False once it has ended, or when it writes nothing for so long."""
        if not select.select([self._main], [], [], seconds)[0]:
            return False
        try:
            more = os.read(self._main, 1 << 16)
        except OSError:  # the other end is closed
            return False
        self.written += more
        return bool(more)

    def sees(self, text: bytes, times: int = 1) -> None:
        deadline = time.monotonic() + 30
        while self.written.count(text) < times:
            if time.monotonic() > deadline:
                pytest.fail(f"{text!r} was not written {times} times: {self.written[-3000:]!r}")
            self.read(0.2)

    def press(self, keys: str) -> None:
        """Type, and take in what follows; a screen that lives never stops writing."""
        os.write(self._main, keys.encode())
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            self.read(0.1)

    def hang_up(self) -> None:
        """Take the terminal away. It is nobody's controlling terminal, so that no signal tells of it."""
        if self._main >= 0:
            os.close(self._main)
            self._main = -1

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.hang_up()


@pytest.fixture
def project(shell: Shell, tmp_path: Path) -> Shell:
    root = tmp_path / "project"
    (root / "code").mkdir(parents=True)
    (root / "code" / "app.py").write_text(HANDLER)
    (root / "template.yaml").write_text(TEMPLATE)
    shell.env["WORKBENCH_PROJECT"] = str(root)
    return shell


@pytest.fixture
def terminal(project: Shell) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*argv: str) -> Terminal:
        opened.append(Terminal(project.env, WORKBENCH, *argv))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def assert_harmless(written: bytes) -> None:
    found = {name: match[0] for name, pattern in FORBIDDEN.items() if (match := re.search(pattern, written))}
    assert found == {}


def test_the_patterns_find_what_they_are_for() -> None:
    evil: dict[str, str] = {}
    exec(HANDLER, evil)
    for name, pattern in FORBIDDEN.items():
        assert re.search(pattern, evil["EVIL"].encode()), name


def test_the_terminal_ui_draws_it_as_text(
    terminal: Callable[..., Terminal], project: Shell, serve: Callable[..., Served]
) -> None:
    serve()
    assert project.run("deploy").returncode == 0
    ui = terminal()
    ui.sees(b"evil")
    assert project.fire("evil")[0] == 0
    assert project.fire("evil", "--event", '{"fail": true}')[0] == 1
    ui.sees(b"seen-by-all")
    # The invocation's screen: its log, its error and its payloads.
    before = len(ui.written)
    ui.press("3")
    ui.press("\r")
    ui.sees(b"RuntimeError")
    assert b"seen-by-all" in ui.written[before:]
    assert_harmless(ui.written)


def test_fire_and_logs_print_it_as_text(
    terminal: Callable[..., Terminal], project: Shell, serve: Callable[..., Served]
) -> None:
    serve()
    for argv in (("fire", "evil"), ("fire", "evil", "--event", '{"fail": true}'), ("logs",), ("history",)):
        one = terminal(*argv)
        while one.read(20):
            pass
        assert b"evil" in one.written, argv
        assert_harmless(one.written)
    # Into a file go the bytes as they are.
    assert b"\x1b]52" in project.fire("evil")[1] or b"\\u001b]52" in project.fire("evil")[1]


def test_a_terminal_that_goes_away_ends_the_ui(terminal: Callable[..., Terminal]) -> None:
    ui = terminal("tui", "--replay", str(RECORDING))
    ui.sees(b"Functions")
    ui.hang_up()
    assert ui.process.wait(30) == -signal.SIGHUP
