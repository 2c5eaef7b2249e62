"""The terminal UI in a pseudo-terminal: first paint, and how fast keys reach the screen while much happens."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.tools import WORKBENCH, engine, project, row, timed
from workbench.client.recording import Tape
from workbench.live.reducer import Live
from workbench.live.view import EngineStatus
from workbench.model import events as ev
from workbench.model.environments import EnvironmentState as State
from workbench.model.functions import Code, FunctionConfiguration, FunctionState, FunctionVersion
from workbench.model.invocations import InvocationStatus, InvocationType

COLUMNS, LINES = 160, 48
#: Seconds that a replay is watched, events of each, and deltas that they come in: as often as a face pulls at most.
SECONDS, EVENTS, DELTAS = 10, 50_000, 25
#: Seconds between two keys, which share nothing with the pace of frames.
KEYS = 0.137
STARTS = 10
#: Lines of log that there were before; each invocation has four.
LINES_BEFORE = 1_000_000
_CONTROL = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
#: Bytes that a text which is waited for takes at most, with its control sequences.
_LONGEST = 2000
_PLAIN_APP = (
    "from textual.app import App\nfrom textual.widgets import Static\n"
    "class Plain(App):\n    def compose(self): yield Static('painted')\nPlain().run()\n"
)


class Terminal:
    """A command in a pseudo-terminal of its own. `text` is what it wrote, without control sequences."""

    def __init__(self, *argv: str, env: dict[str, str]) -> None:
        self._main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            argv,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            env={**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )
        os.close(other)
        self._written = bytearray()

    def read(self, seconds: float) -> bool:
        """Take in what it writes next; false when that is nothing for so long."""
        if not select.select([self._main], [], [], seconds)[0]:
            return False
        try:
            self._written += os.read(self._main, 1 << 16)
        except OSError:
            sys.exit(f"the terminal UI ended:\n{self.text()[-2000:]}")
        return True

    def text(self) -> str:
        return _CONTROL.sub(b"", bytes(self._written)).decode("utf-8", "replace")

    def forget(self) -> None:
        while self.read(0):
            pass
        self._written.clear()

    def sees(self, text: str, seconds: float = 30.0) -> None:
        """Wait until it has written this, whatever control sequences are in between."""
        between = b"(?:" + _CONTROL.pattern + b")*"
        wanted = re.compile(between.join(re.escape(character.encode()) for character in text))
        deadline, seen = time.monotonic() + seconds, 0
        while not wanted.search(self._written, max(0, seen - _LONGEST)):
            seen = len(self._written)
            if not self.read(max(0.0, deadline - time.monotonic())):
                sys.exit(f"the terminal UI did not show {text!r}: {self.text()[-2000:]!r}")

    def key(self, key: str, shows: str) -> float:
        """Seconds from a key to what it shows."""
        self.forget()
        begun = time.perf_counter()
        os.write(self._main, key.encode())
        self.sees(shows)
        return time.perf_counter() - begun

    def wait(self, seconds: float) -> None:
        """Let it go on, and read what it writes meanwhile."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.read(left)
            self._written.clear()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._main)


@contextmanager
def terminal(*argv: str, env: dict[str, str]) -> Iterator[Terminal]:
    made = Terminal(*argv, env=env)
    try:
        yield made
    finally:
        made.close()


class Traffic:
    """Warm invocations by the thousand, as the engine tells them: nine events each."""

    def __init__(self, functions: int, environments: int) -> None:
        self.live = Live()
        self.now = 0
        self._number = 0
        self._names = [f"function-{number:05}" for number in range(functions)]
        self._environments = [(f"e-{number:08x}", self._names[number % functions]) for number in range(environments)]
        for name in self._names:
            self.live.apply(ev.FunctionChanged(self.now, _version(name)))
        for environment, name in self._environments:
            for state in (State.CREATING, State.INIT, State.IDLE):
                self._state(environment, name, state)

    def events(self, count: int, seconds: float) -> None:
        """So many events, spread over so long."""
        for _ in range(count // 9):
            self.now += round(seconds * 9e9 / count)
            self._invoke()

    def _invoke(self) -> None:
        self._number += 1
        environment, name = self._environments[self._number % len(self._environments)]
        request, wall, apply = f"{self._number:08}-0000-4000-8000-000000000000", self.now / 1e9, self.live.apply
        self._state(environment, name, State.BUSY)
        apply(
            ev.InvocationAccepted(
                self.now,
                request,
                name,
                None,
                "$LATEST",
                InvocationType.REQUEST_RESPONSE,
                environment,
                False,
                "warm",
                b'{"key":"value"}',
                wall,
            )
        )
        apply(ev.InvocationStarted(self.now, request))
        for text in ("START", "handling a request that says what it does in a line of usual length", "END", "REPORT"):
            line = f"{text} RequestId: {request}"
            apply(ev.LogLine(self.now, wall, environment, name, "$LATEST", request, "function", line))
        apply(ev.InvocationFinished(self.now, request, InvocationStatus.SUCCESS, b'{"ok":true}', 1.5, 2, None, 40))
        self._state(environment, name, State.IDLE)

    def _state(self, environment: str, name: str, state: State) -> None:
        self.live.apply(
            ev.EnvironmentChanged(self.now, environment, state, "", name, "$LATEST", "bubblewrap", 128, pid=4711)
        )


def _version(name: str) -> FunctionVersion:
    return FunctionVersion(
        name=name,
        version="$LATEST",
        configuration=FunctionConfiguration(
            runtime="python3.12", handler="app.handler", role="arn:aws:iam::000000000000:role/benchmark"
        ),
        code=Code(sha256="0", size=1),
        revision_id="r",
        last_modified=0.0,
        state=FunctionState.ACTIVE,
    )


def _film(path: Path, traffic: Traffic, seconds: int, events: int) -> None:
    """A recording of traffic, whose first delta is everything there is before it."""
    tape = Tape(path)
    tape.begin(
        EngineStatus(
            version="benchmark",
            pid=1,
            state_dir="",
            project="benchmark",
            backend="bubblewrap",
            backend_why="a benchmark",
            isolated=True,
        )
    )
    seq = -1
    for _ in range(seconds * DELTAS + 1):
        delta = traffic.live.changes(max(seq, 0), traffic.now, traffic.now / 1e9)
        seq = delta.seq
        tape.take(delta)
        traffic.events(events // DELTAS, 1 / DELTAS)
    tape.close()
    if tape.trouble:
        sys.exit(tape.trouble)


def _watch(name: str, env: dict[str, str], film: Path, share: float | None = None) -> None:
    """Play a film for as long as it lasts and type; print how long keys took, the UI's part of a core, its memory."""
    with terminal(WORKBENCH, "tui", "--replay", str(film), env=env) as ui:
        ui.sees("function-")
        ui.wait(1.0)
        process = psutil.Process(ui.process.pid)
        before, begun, memory = process.cpu_times(), time.monotonic(), [process.memory_info().rss]
        keys, pane = [], 1
        while time.monotonic() < begun + SECONDS - 2:
            pane = pane % 4 + 1
            keys.append(ui.key(str(pane), f"┏━ {pane} "))
            memory.append(process.memory_info().rss)
            ui.wait(KEYS)
        after, lasted = process.cpu_times(), time.monotonic() - begun
    row(f"{name}: key to screen", keys, high_bound=32)
    part = (after.user + after.system - before.user - before.system) / lasted
    line = f"  {name}: {part:.0%} of a core"
    if share is not None:
        line += f"   bound {share:.0%}: {'held' if part <= share else 'MISSED'}"
    half = len(memory) // 2
    print(f"{line}; memory {memory[0] >> 20} MB, {memory[half] >> 20} MB half-way, {memory[-1] >> 20} MB at the end")


def run() -> None:
    with project() as env, engine(env, "subprocess"):

        def first_paint(*argv: str, text: str) -> Any:
            def start() -> None:
                with terminal(*argv, env=env) as ui:
                    ui.sees(text)

            return start

        plain = row(
            "a plain Textual app, first paint",
            timed(first_paint(sys.executable, "-c", _PLAIN_APP, text="painted"), STARTS),
        )
        row(
            "workbench with an engine running, first paint",
            timed(first_paint(WORKBENCH, text="hello"), STARTS),
            baseline=plain,
            bound=500,
        )
    with project() as env, tempfile.TemporaryDirectory(prefix="workbench-benchmark-") as folder:
        film = Path(folder) / "quick"
        _film(film, Traffic(50, 200), SECONDS, EVENTS)
        _watch(f"{EVENTS:,} events a second", env, film, share=0.25)
        film = Path(folder) / "large"
        traffic = Traffic(10_000, 500)
        traffic.events(LINES_BEFORE // 4 * 9, 60)
        _film(film, traffic, SECONDS, EVENTS)
        _watch("the same, 10,000 functions, 500 environments", env, film)
