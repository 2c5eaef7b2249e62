"""`workbench stop`: end the project's engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from workbench.model.errors import EngineGone

if TYPE_CHECKING:
    from workbench.client.port import EnginePort


def stop() -> None:
    """End the engine of this project; its environments are shut down first."""
    import asyncio

    from workbench.client.project import engine_holds, find_project, read_endpoint
    from workbench.client.remote import connect

    project = find_project()
    endpoint = read_endpoint(project)
    if endpoint is None:
        typer.echo(f"no engine is running for {project.root}", err=True)
        return
    asyncio.run(_stop(connect(endpoint)))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not engine_holds(project):
            typer.echo(f"stopped the engine (pid {endpoint.pid})", err=True)
            return
        time.sleep(0.02)
    raise EngineGone(f"the engine (pid {endpoint.pid}) is still stopping after 20 s", mend=f"kill {endpoint.pid}")


async def _stop(engine: EnginePort) -> None:
    await engine.stop()
