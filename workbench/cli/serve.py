"""`workbench serve`: the engine, headless."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.output import Progress, say

if TYPE_CHECKING:
    from workbench.app.backends import Choice


def serve(
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="Of the AWS endpoint; 0 picks one.")
    ] = 3001,
    gateway_port: Annotated[
        int, typer.Option("--gateway-port", min=0, max=65535, help="Of the HTTP front ends; 0 picks one.")
    ] = 3000,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="Default backend, or auto.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line on stdout when ready.")] = False,
    spares: Annotated[
        int | None, typer.Option("--spares", min=0, help="Environments of a kind kept ready for cold starts; 0: none.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Make the weighted draws repeatable.")] = None,
) -> None:
    """Run the engine for this project until it is told to stop."""
    from workbench.app import serving
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    project = find_project()

    def ready(facts: dict[str, object], notes: Sequence[str], choice: Choice) -> None:
        boundary = "isolated" if choice.isolated else "no boundary: trusted code only"
        say(f"Lambda endpoint {facts['lambda']}")
        say(f"HTTP front ends {facts['gateway']}")
        say(f"backend {choice.name} ({boundary}; {choice.why})")
        for note in choice.notes:
            say(f"{choice.name}: {note}")
        for note in notes:
            say(note)
        if as_json:
            sys.stdout.write(json.dumps(facts) + "\n")
            sys.stdout.flush()

    run(
        serving.serve(
            project,
            backend=backend,
            port=port,
            gateway_port=gateway_port,
            seed=seed,
            spares=spares,
            ready=ready,
            report=Progress(),
        )
    )
