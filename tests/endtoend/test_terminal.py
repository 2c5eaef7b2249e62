"""The terminal UI in a real terminal: tmux types, and reads the screen."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.endtoend.conftest import WORKBENCH, Shell, eventually, processes_with

pytestmark = pytest.mark.tmux


class Terminal:
    """One tmux server of its own with one window."""

    def __init__(self, shell: Shell, socket: Path, width: int, height: int) -> None:
        self._socket = str(socket)
        self._shell = shell
        self._tmux("-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", str(width), "-y", str(height), "sh")
        self._tmux("set-option", "-g", "remain-on-exit", "on")
        self.run(f"exec {WORKBENCH}")

    def _tmux(self, *args: str) -> str:
        command = ["tmux", "-S", self._socket, *args]
        return subprocess.run(command, env=self._env(), capture_output=True, text=True, check=True).stdout

    def _env(self) -> dict[str, str]:
        return {**self._shell.env, "TERM": "xterm-256color"}

    def run(self, command: str) -> None:
        """Type a command line into a shell."""
        self._tmux("send-keys", "-t", "t", command, "Enter")

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", "-t", "t", *keys)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-t", "t", "-p")

    def sees(self, *texts: str, seconds: float = 20) -> str:
        """The screen, once all of these are on it."""
        seen = {"screen": ""}

        def there() -> bool:
            seen["screen"] = self.screen()
            return all(text in seen["screen"] for text in texts)

        deadline = time.monotonic() + seconds
        while not there():
            if time.monotonic() > deadline:
                pytest.fail(f"{texts} did not appear:\n{seen['screen']}")
            time.sleep(0.03)
        return seen["screen"]

    def line(self, *texts: str) -> str:
        """A line of the screen, once there is one with all of these."""

        def found() -> str:
            return next((line for line in self.screen().splitlines() if all(text in line for text in texts)), "")

        return str(eventually(found))

    def pid(self) -> int:
        """The process in the window."""
        return int(self._tmux("display-message", "-p", "-t", "t", "#{pane_pid}"))

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def terminal(shell: Shell, tmp_path: Path) -> Iterator[Callable[[int, int], Terminal]]:
    opened: list[Terminal] = []

    def open_one(width: int, height: int) -> Terminal:
        # The path of a socket is limited to 108 bytes.
        made = Terminal(shell, Path(f"/tmp/wb-{os.getpid()}-{len(opened)}.tmux"), width, height)
        opened.append(made)
        return made

    yield open_one
    for one in opened:
        one.close()
    shell.run("stop")


@pytest.mark.parametrize(("width", "height"), [(120, 36), (80, 24)])
def test_open_fire_watch_quit(terminal: Callable[[int, int], Terminal], shell: Shell, width: int, height: int) -> None:
    ui = terminal(width, height)
    ui.sees("No functions yet")
    ui.press("d")
    ui.sees("chatty", "hello", "init_error")
    ui.press("/")
    ui.sees("⏎ keep")
    ui.press(*"hello")
    ui.sees("3/10", "/ hello")
    ui.press("Enter")
    ui.sees("⏎ open")
    ui.press("F")
    ui.press("2")
    ui.line("hello", "frozen")
    ui.press("Enter")
    # The states that it went through, with their glyphs; idle, busy and frozen take turns from then on.
    ui.sees("History", "▓ creating", "▒ init", "█ busy", "idle, busy and frozen take turns", "esc back")
    ui.press("Escape")
    eventually(lambda: "History" not in ui.screen())
    ui.press("3")
    ui.sees("hello", "✓ ok")
    ui.press("q")
    ui.sees("engine", "stop")
    ui.press("s")
    eventually(lambda: shell.run("status").returncode == 4)
    assert processes_with(str(shell.state)) == []


def test_the_engine_outlives_a_killed_ui_and_a_new_one_attaches(
    terminal: Callable[[int, int], Terminal], shell: Shell
) -> None:
    ui = terminal(120, 36)
    ui.sees("No functions yet")
    ui.press("d")
    ui.sees("hello")
    assert shell.fire("counter")[0] == 0
    ui.sees("counter", "frozen")
    os.kill(ui.pid(), signal.SIGKILL)
    assert shell.run("status").returncode == 0
    again = terminal(80, 24)
    again.sees("hello", "counter")
    again.press("2")
    again.sees("counter", "frozen")
    assert b'"in_memory": 2' in shell.fire("counter")[1]
    assert shell.run("stop").returncode == 0
    again.sees("engine")
    assert processes_with(str(shell.state)) == []
    assert shell.run("status").returncode == 4


def test_a_resize_to_nothing_and_back_survives(terminal: Callable[[int, int], Terminal]) -> None:
    ui = terminal(120, 36)
    ui.sees("No functions yet")
    for width, height in ((20, 5), (300, 80), (80, 24)):
        ui._tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))
        time.sleep(0.2)
    ui.sees("No functions yet")
