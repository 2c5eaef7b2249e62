"""`workbench record`: the live stream of the running engine, into a file that the terminal UI plays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.output import say
from workbench.model.errors import EngineGone, StateError

if TYPE_CHECKING:
    from workbench.client.port import EnginePort
    from workbench.client.recording import Tape

#: Seconds between two looks.
_PAUSE = 0.05


def record(
    file: Annotated[Path, typer.Argument(help="The file to make.")],
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.0, help="How long; until interrupted without.")
    ] = None,
) -> None:
    """Record what the running engine does, until interrupted or until it ends; `workbench tui --replay` plays it."""
    import asyncio

    from workbench.cli.engines import running
    from workbench.client.project import find_project
    from workbench.client.recording import Tape

    project = find_project()
    port = running(project)
    if port is None:
        raise EngineGone(f"no engine is running for {project.root}", mend="workbench serve starts one")
    tape = Tape(file)
    try:
        asyncio.run(_record(port, tape, seconds))
    finally:
        tape.close()
    if tape.trouble:
        raise StateError(f"the recording ended early: {tape.trouble}")
    say(f"{tape.deltas} changes recorded; workbench tui --replay {file} plays them")


async def _record(port: EnginePort, tape: Tape, seconds: float | None) -> None:
    import asyncio
    import signal

    from workbench.client.recording import recorded

    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    port = recorded(port, tape)
    await port.status()
    since = 0
    try:
        async with asyncio.timeout(seconds):
            while not (told.is_set() or tape.trouble):
                try:
                    since = (await port.changes(since)).seq
                except EngineGone:
                    say("the engine has ended")
                    return
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        return
