"""The terminal UI in a real terminal: tmux types, and reads the screen."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.endtoend.conftest import WORKBENCH, Served, Shell, eventually, processes_with

pytestmark = pytest.mark.tmux


class Terminal:
    """One tmux server of its own with one window."""

    def __init__(self, shell: Shell, socket: Path, width: int, height: int, arguments: str = "") -> None:
        self._socket = str(socket)
        self._shell = shell
        self._tmux("-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", str(width), "-y", str(height), "sh")
        # tmux's own account of how a process ended is at times without the status: the shell's is not.
        # On a line of its own: what is typed before the shell is there to prompt is prompted for afterwards.
        self.run(f"{WORKBENCH} {arguments}; printf '\\nended with %s\\n' $?")

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
            return next((line for line in self.sees(*texts).splitlines() if all(text in line for text in texts)), "")

        return str(eventually(found))

    def exited(self, status: int) -> None:
        """The command has ended with this exit status."""
        self.sees(f"\nended with {status}\n")

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))

    def pid(self) -> int:
        """The process that the window's shell runs."""
        (running,) = psutil.Process(int(self._tmux("display-message", "-p", "-t", "t", "#{pane_pid}"))).children()
        return running.pid

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def terminal(shell: Shell, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_one(width: int, height: int, arguments: str = "") -> Terminal:
        # The path of a socket is limited to 108 bytes.
        made = Terminal(shell, Path(f"/tmp/wb-{os.getpid()}-{len(opened)}.tmux"), width, height, arguments)
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
    ui.sees("3/12", "/ hello")
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


def test_an_engine_that_was_killed_is_started_again_from_the_ui(
    terminal: Callable[[int, int], Terminal], shell: Shell
) -> None:
    ui = terminal(80, 24)
    ui.sees("No functions yet")
    ui.press("d")
    ui.sees("counter")
    assert shell.fire("counter")[0] == 0
    ui.press("3")
    ui.line("counter", "✓ ok")
    first = json.loads(shell.run("status", "--json").stdout)["pid"]
    os.kill(first, signal.SIGKILL)
    ui.sees("S starts it again", "S start engine", "✓ ok")
    ui.press("S")
    eventually(lambda: shell.run("status").returncode == 0)
    eventually(lambda: not re.search("does not answer|started again|start engine", ui.screen()))
    ui.line("counter", "✓ ok")
    assert json.loads(shell.run("status", "--json").stdout)["pid"] != first
    ui.press("Enter")
    ui.sees("INVOKE", "r replay")
    ui.press("r")
    ui.press("Escape")
    eventually(lambda: ui.screen().count("✓ ok") + ui.screen().count("✓ cold") >= 2)


def test_the_tour_on_a_real_engine(terminal: Callable[[int, int], Terminal], shell: Shell) -> None:
    ui = terminal(80, 24)
    ui.sees("No functions yet")
    ui.press("d")
    ui.sees("slow", "hello")
    ui.press("T")
    for step, said in enumerate(
        (
            "INIT took",
            "there was no INIT",
            "2 throttled",
            "first invocation took",
            "Version 2 is",
            "Of 20:",
            "Pinned to",
        ),
        1,
    ):
        ui.sees(f"Tour {step} of 7")
        ui.press("Enter")
        ui.sees(said)
        ui.press("Enter")
    ui.sees("Everything is as it was before.")
    assert "workbench-tour" not in shell.run("alias", "list", "hello").stdout.decode()
    assert shell.run("concurrency", "get", "slow").stdout == b"nothing reserved\n"
    assert shell.run("concurrency", "get", "hello").stdout == b"nothing reserved\n"
    assert shell.run("runtime-mode", "hello").stdout == b"Auto\n"


def test_a_recording_plays_is_held_and_stepped_and_does_nothing(
    terminal: Callable[..., Terminal], shell: Shell, serve: Callable[..., Served], tmp_path: Path
) -> None:
    serve()
    assert shell.fire("hello")[0] == 0
    film = tmp_path / "film.ndjson"
    taping = subprocess.Popen([WORKBENCH, "record", str(film)], env=shell.env, stderr=subprocess.PIPE)
    eventually(lambda: film.exists() and len(film.read_bytes().splitlines()) > 1)
    assert shell.fire("counter")[0] == 0
    eventually(lambda: b'"counter"' in film.read_bytes() and b'"success"' in film.read_bytes().splitlines()[-1])
    taping.send_signal(signal.SIGINT)
    assert b"workbench tui --replay" in taping.communicate(timeout=20)[1]
    assert taping.returncode == 0
    assert shell.run("stop").returncode == 0

    ui = terminal(120, 36, f"tui --replay {film} --speed 0.01")
    ui.sees("a recording: film.ndjson", "hello", "1 invocation ")
    ui.press(",")
    ui.sees("It is held still.")
    ui.press("F")
    ui.sees("this is a recording")
    for _ in range(film.read_bytes().count(b"\n")):
        ui.press(".")
    ui.sees("counter", "2 invocations", "This was all of it.")
    ui.press("C-q")
    ui.exited(0)
    assert shell.run("status").returncode == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read"),
        (b"", ":1: the file is empty"),
        (b"{}\n", ":1: this is no recording of Workbench"),
    ],
)
def test_a_file_that_is_no_recording_is_one_message(
    terminal: Callable[..., Terminal], tmp_path: Path, content: bytes | None, said: str
) -> None:
    film = tmp_path / "film"
    if content is not None:
        film.write_bytes(content)
    ui = terminal(200, 24, f"tui --replay {film}")
    screen = ui.sees(said)
    assert "Traceback" not in screen
    ui.exited(2)
