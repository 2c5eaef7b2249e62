"""`workbench status`: the project's engine, if it runs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from workbench.cli.output import echo
from workbench.model.errors import EngineGone


def status(
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Say whether an engine runs for this project, and what it is. Exit code 4 when none runs."""
    import asyncio

    from workbench.cli.engines import running
    from workbench.client.project import find_project
    from workbench.model.codec import encode

    project = find_project()
    port = running(project)
    if port is None:
        raise EngineGone(f"no engine is running for {project.root}", mend="workbench serve starts one")

    async def ask() -> None:
        facts, delta = await port.status(), await port.changes(0)
        if as_json:
            echo(json.dumps({**encode(facts), "totals": encode(delta.totals)}))
            return
        totals = delta.totals
        boundary = "isolated" if facts.isolated else "no boundary: trusted code only"
        echo(f"engine       pid {facts.pid}, Workbench {facts.version}")
        echo(f"project      {project.root}")
        echo(f"state        {facts.state_dir}")
        for name, url in facts.urls.items():
            echo(f"{name:<12} {url}")
        echo(f"backend      {facts.backend} ({boundary}; {facts.backend_why})")
        for note in facts.notes:
            echo(f"             {note}")
        for number, line in enumerate(facts.spares):
            echo(f"{'' if number else 'spares':<12} {line}")
        echo(f"functions    {len(delta.functions)}")
        echo(f"environments {totals.environments}, {totals.running} invocations running")
        echo(
            f"invocations  {totals.invocations} "
            f"({totals.errors} failed, {totals.throttles} throttled, {totals.cold_starts} cold)"
        )

    asyncio.run(ask())
