"""`workbench events`: what the services that call functions send."""

from __future__ import annotations

from typing import Annotated

import typer

from workbench.cli.output import echo

app = typer.Typer(help="List and print sample events of AWS services.", rich_markup_mode=None, no_args_is_help=True)


@app.command("list")
def list_events() -> None:
    """List the sample events by name."""
    from workbench.client.samples import DESCRIPTIONS

    width = max(map(len, DESCRIPTIONS))
    for name, text in DESCRIPTIONS.items():
        echo(f"{name:<{width}}  {text}")


@app.command("generate")
def generate(name: Annotated[str, typer.Argument(help="One of `workbench events list`.")]) -> None:
    """Print a sample event, to be edited, or piped to `workbench fire NAME --event -`."""
    import time
    from random import Random

    from workbench.client.placeholders import fill
    from workbench.client.samples import DESCRIPTIONS, sample_event
    from workbench.model.errors import UsageError

    if name not in DESCRIPTIONS:
        raise UsageError(f"there is no sample event '{name}'", mend="workbench events list names them")
    echo(fill(sample_event(name), 0, int(time.time() * 1000), Random()).rstrip("\n"))
