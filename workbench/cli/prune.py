"""`workbench prune`: give back the disk that a project's state folder no longer needs."""

from __future__ import annotations

from typing import Annotated

import typer

from workbench.cli.output import echo


def prune(
    history: Annotated[
        float, typer.Option("--history", min=0.0, help="Days of history to keep; 0 keeps none.", metavar="DAYS")
    ] = 30.0,
) -> None:
    """Remove code that no function and no layer has, and old history; says what that freed. No engine may run."""
    from workbench.app import state
    from workbench.client.project import find_project

    project = find_project()
    if not project.state.is_dir():
        echo("nothing to remove")
        return
    pruned = state.prune(project, history * 86_400)
    found = [
        (pruned.archives, "archive of code", "archives of code"),
        (pruned.trees, "unpacked archive", "unpacked archives"),
        (pruned.invocations, "invocation of the history", "invocations of the history"),
        (pruned.damaged, "damaged history file", "damaged history files"),
    ]
    for count, one, many in found:
        if count:
            echo(f"removed {count} {one if count == 1 else many}")
    if not any(count for count, _, _ in found):
        echo("nothing to remove")
    elif pruned.freed < 1_000_000:
        echo(f"freed {pruned.freed / 1e3:.0f} kB")
    else:
        echo(f"freed {pruned.freed / 1e6:.1f} MB")
