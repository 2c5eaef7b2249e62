"""`workbench` and `workbench tui`: the terminal UI, attached to the project's engine."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.output import say
from workbench.model.errors import EngineGone, UsageError

if TYPE_CHECKING:
    from workbench.client.port import EnginePort
    from workbench.client.project import Endpoint, Project
    from workbench.client.recording import Tape

DEFAULT_PORT = 3001
DEFAULT_GATEWAY_PORT = 3000
#: How long an engine that was started here may take to answer, and one that another UI started meanwhile.
_BOOT_SECONDS = 60.0
_OTHER_SECONDS = 5.0
#: The fastest that a recording plays.
_FASTEST = 1000.0


def tui(
    record: Annotated[
        Path | None, typer.Option("--record", help="Record what is shown into a new file.", metavar="FILE")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", help="Play a recording; no engine is needed.", metavar="FILE")
    ] = None,
    speed: Annotated[float, typer.Option("--speed", help="Of the recording: 2 is twice as fast.")] = 1.0,
) -> None:
    """Open the terminal UI; an engine is started for the project when none runs."""
    from workbench.client.project import find_project, read_endpoint

    if record is not None and replay is not None:
        raise UsageError("give one of --record and --replay")
    if not 0 < speed <= _FASTEST:
        raise UsageError(f"--speed is a number above 0 and at most {_FASTEST:g}, not {speed:g}")
    # Textual draws on stderr and reads stdin: without either it would wait, unseen or unheard. In a browser
    # (`workbench web`) it has a driver that needs no terminal.
    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    if not terminal and "TEXTUAL_DRIVER" not in os.environ:
        raise UsageError("the terminal UI needs a terminal", mend="workbench serve runs the engine headless")
    if replay is not None:
        _play(replay, speed)
        return
    project = find_project()
    template = project.root / "template.yaml"
    events = project.root / "events"
    attach = _Attach(project)

    async def deploy() -> str:
        from workbench.app import templates

        port = await attach()
        lines = await templates.deploy(port, project, template)
        lines += [f"{name} has left the template" for name in await templates.left_template(port, project, template)]
        return in_short(lines) if lines else "nothing has changed"

    from workbench.tui import read_saved_events, run

    with _tape(record) as tape:

        async def connect() -> EnginePort:
            port = await attach()
            if tape is None:
                return port
            from workbench.client.recording import recorded

            return recorded(port, tape)

        run(
            connect,
            read_saved_events(events),
            events_folder=events,
            deploy=deploy if template.exists() else None,
            start=attach.start,
            doctor=partial(_doctor, project),
            keys=project.keys,
            settings=project.root / "workbench.toml",
        )
    endpoint = read_endpoint(project)
    if endpoint is not None:
        where = f"pid {endpoint.pid}, {endpoint.url}"
        sys.stderr.write(f"workbench: the engine lives on ({where}); workbench stop ends it\n")


def in_short(lines: Sequence[str]) -> str:
    """What a deployment did, for a notice of few lines: what begins with the same word is said once, with two names."""
    kinds: dict[str, list[str]] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        kinds.setdefault(word, []).append(rest)
    told = []
    for word, what in kinds.items():
        more = f" and {len(what) - 2} more" if len(what) > 2 else ""
        told.append(f"{word} {', '.join(what[:2])}{more}")
    return "; ".join(told)


async def _doctor(project: Project) -> str:
    """What `workbench doctor` prints. In a process of its own: what it tries may block."""
    import asyncio

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workbench", "doctor"),
        cwd=project.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode("utf-8", "replace")


def _play(path: Path, speed: float) -> None:
    """Raises UsageError when the file is no recording."""
    from workbench.client.project import find_project
    from workbench.client.recording import Player, player_port
    from workbench.tui import run

    project = find_project()
    player = Player(path, speed=speed)

    async def connect() -> EnginePort:
        return player_port(player)

    run(connect, replay=player, keys=project.keys, settings=project.root / "workbench.toml")
    player.close()
    if player.problem:
        raise UsageError(player.problem)


@contextmanager
def _tape(path: Path | None) -> Iterator[Tape | None]:
    """A tape into a new file, told when it ends; None without a file."""
    if path is None:
        yield None
        return
    from workbench.client.recording import Tape

    tape = Tape(path)
    try:
        yield tape
    finally:
        tape.close()
        say(f"the recording ended early: {tape.trouble}" if tape.trouble else f"recorded into {path}")


def ensure_engine(project: Project) -> None:
    """Start an engine in a process of its own when none runs, and wait until it answers.

    Raises:
        EngineGone: it did not start; with its own words.
    """
    from workbench.client.project import read_endpoint

    if read_endpoint(project) is not None:
        return
    from workbench.app.state import engine_log

    log = engine_log(project)
    try:
        begun = os.fstat(log).st_size
        ports = ("--port", str(_port(DEFAULT_PORT)), "--gateway-port", str(_port(DEFAULT_GATEWAY_PORT)))
        process = subprocess.Popen(
            [sys.executable, "-m", "workbench", "serve", "--json", *ports],
            cwd=project.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        answered = _answers(process)
        words = os.pread(log, 1 << 16, begun).decode("utf-8", "replace").strip().removeprefix("workbench: ")
    finally:
        os.close(log)
    if answered or ("another engine uses" in words and _other_engine(project)):
        return
    why = words.splitlines()[-1] if words else f"see {project.state / 'engine.log'}"
    raise EngineGone(f"the engine did not start: {why}")


def _answers(process: subprocess.Popen[bytes]) -> bool:
    """Wait for the line that an engine prints when it is ready; false when it ends without it.

    Raises:
        EngineGone: it does neither in time; it is told to end then.
    """
    assert process.stdout is not None
    with process.stdout as out:
        if not select.select([out], [], [], _BOOT_SECONDS)[0]:
            process.terminate()
            raise EngineGone(f"the engine did not start within {_BOOT_SECONDS:g} s")
        return bool(out.readline())


def _other_engine(project: Project) -> bool:
    """Wait for the engine that another UI started at the same moment."""
    from workbench.client.project import read_endpoint

    deadline = time.monotonic() + _OTHER_SECONDS
    while read_endpoint(project) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _port(usual: int) -> int:
    """The usual port, or any when something else has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", usual))
        except OSError:
            return 0
    return usual


class _Attach:
    """Attaches to the project's engine. The first time it starts one if none runs; later a lost one is waited for."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._started = False
        self._endpoint: Endpoint | None = None
        self._port: EnginePort | None = None

    async def start(self) -> None:
        """Start an engine in the place of one that is gone.

        Raises:
            EngineGone: it did not start, or its process lives on and does not answer.
        """
        import asyncio

        from workbench.client.project import read_endpoint

        if (endpoint := read_endpoint(self._project)) is not None:
            raise EngineGone(
                f"an engine runs already, pid {endpoint.pid}, and is attached to as soon as it answers",
                mend=f"kill -9 {endpoint.pid} ends one that never does",
            )
        await asyncio.to_thread(ensure_engine, self._project)

    async def __call__(self) -> EnginePort:
        import asyncio

        from workbench.client.project import read_endpoint
        from workbench.client.remote import connect

        if not self._started:
            await asyncio.to_thread(ensure_engine, self._project)
            self._started = True
        endpoint = read_endpoint(self._project)
        if endpoint is None:
            raise EngineGone(f"no engine is running for {self._project.root}", mend="workbench serve starts one")
        if self._port is None or endpoint != self._endpoint:
            self._endpoint, self._port = endpoint, connect(endpoint)
        return self._port
