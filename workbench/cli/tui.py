"""`workbench` and `workbench tui`: the terminal UI, attached to the project's engine."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from workbench.model.errors import EngineGone, UsageError

if TYPE_CHECKING:
    from workbench.client.port import EnginePort
    from workbench.client.project import Project

DEFAULT_PORT = 3001


def tui() -> None:
    """Open the terminal UI; an engine is started for the project when none runs."""
    from workbench.client.project import find_project, read_endpoint

    if not sys.stdout.isatty():
        raise UsageError("the terminal UI needs a terminal", mend="workbench serve runs the engine headless")
    project = find_project()
    ensure_engine(project)
    from workbench.tui import read_saved_events, run

    template = project.root / "template.yaml"

    async def deploy() -> str:
        from workbench import app

        lines = await app.deploy(await connect(), project, template)
        return "; ".join(lines) if lines else "nothing has changed"

    async def connect() -> EnginePort:
        return await _connect(project)

    run(connect, read_saved_events(project.root / "events"), deploy=deploy if template.exists() else None)
    endpoint = read_endpoint(project)
    if endpoint is not None:
        where = f"pid {endpoint.pid}, {endpoint.url}"
        sys.stderr.write(f"workbench: the engine lives on ({where}); workbench stop ends it\n")


def ensure_engine(project: Project) -> None:
    """Start an engine in a process of its own when none runs, and wait until it answers.

    Raises:
        EngineGone: it did not start; with its own words.
    """
    from workbench.client.project import read_endpoint

    if read_endpoint(project) is not None:
        return
    project.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = project.state / "engine.log"
    with log.open("ab") as errors:
        begun = errors.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "workbench", "serve", "--json", "--port", str(_port())],
            cwd=project.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.stdout.close()
    if not line:
        words = log.read_bytes()[begun:].decode("utf-8", "replace").strip().removeprefix("workbench: ")
        raise EngineGone(f"the engine did not start: {words.splitlines()[-1] if words else f'see {log}'}")
    json.loads(line)


def _port() -> int:
    """The usual port, or any when something else has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            return 0
    return DEFAULT_PORT


async def _connect(project: Project) -> EnginePort:
    from workbench.client.project import read_endpoint
    from workbench.client.remote import connect

    endpoint = read_endpoint(project)
    if endpoint is None:
        raise EngineGone(f"no engine is running for {project.root}", mend="workbench serve starts one")
    return connect(endpoint)
