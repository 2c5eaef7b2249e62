"""`workbench alias`: names for versions, with weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.output import echo
from workbench.model.errors import ResourceNotFound, UsageError

if TYPE_CHECKING:
    from workbench.model.functions import Alias

app = typer.Typer(help="Set, list and delete aliases.", rich_markup_mode=None, no_args_is_help=True)
Function = Annotated[str, typer.Argument(help="The function.", metavar="NAME")]
Name = Annotated[str, typer.Argument(help="The alias.", metavar="ALIAS")]


@app.command("set")
def set_alias(
    function: Function,
    name: Name,
    version: Annotated[str, typer.Argument(help="The version it points to.")],
    weight: Annotated[
        list[str] | None,
        typer.Option(
            "--weight",
            "-w",
            help="An additional version and its share, such as 2=0.1 or 2=10%.",
            metavar="VERSION=WEIGHT",
        ),
    ] = None,
) -> None:
    """Create an alias or point it elsewhere. Without --weight all invocations go to VERSION."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    weights = dict(read_weight(text) for text in weight or ())

    async def main() -> None:
        async with attach(find_project()) as attached:
            try:
                await attached.port.get_alias(function, name)
            except ResourceNotFound:
                alias = await attached.port.create_alias(function, name, version, weights=weights)
            else:
                alias = await attached.port.update_alias(function, name, version=version, weights=weights)
        echo(describe(alias))

    run(main())


@app.command("list")
def list_aliases(function: Function) -> None:
    """List a function's aliases, where they point and with what weight."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    async def main() -> None:
        async with attach(find_project()) as attached:
            aliases = await attached.port.list_aliases(function)
        for alias in aliases:
            echo(describe(alias))
        if not aliases:
            typer.echo(f"{function} has no alias", err=True)

    run(main())


@app.command("delete")
def delete_alias(function: Function, name: Name) -> None:
    """Delete an alias; one that does not exist is no error."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    async def main() -> None:
        async with attach(find_project()) as attached:
            await attached.port.delete_alias(function, name)
        echo(f"{function} has no alias {name}")

    run(main())


def read_weight(text: str) -> tuple[str, float]:
    """`2=0.1`, or `2=10%`, as version and weight.

    Raises:
        UsageError: it has another form.
    """
    from workbench.model.functions import weight_of

    version, _, weight = text.partition("=")
    try:
        share = weight_of(weight)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise UsageError(
            f"--weight is VERSION=WEIGHT with a weight from 0 to 1, or in percent, such as 2=0.1 or 2=10%; not '{text}'"
        )
    return version, share


def describe(alias: Alias) -> str:
    """`live → 1 90%  2 10%`."""
    rest = 1.0 - sum(alias.weights.values())
    targets = {alias.version: rest, **alias.weights}
    return f"{alias.name} → " + "  ".join(
        f"{version} {round(weight * 100, 6):g}%" for version, weight in targets.items()
    )
