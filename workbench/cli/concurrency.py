"""`workbench concurrency`: what is reserved for a function, and what is provisioned for its versions and aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.output import echo

if TYPE_CHECKING:
    from workbench.model.attached import Attached, Provisioned

app = typer.Typer(help="Reserve and provision concurrency.", rich_markup_mode=None, no_args_is_help=True)
Function = Annotated[str, typer.Argument(help="The function.", metavar="NAME")]
Qualifier = Annotated[
    str | None,
    typer.Option("--qualifier", "-q", help="A version or alias: provisioned concurrency instead of reserved."),
]


@app.command("set")
def set_concurrency(
    function: Function,
    number: Annotated[int, typer.Argument(help="Invocations at a time; 0 reserved stops the function.", min=0)],
    qualifier: Qualifier = None,
) -> None:
    """Reserve concurrency for a function, or with --qualifier have environments made ahead."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project
    from workbench.model.errors import UsageError
    from workbench.model.names import FunctionRef

    if qualifier is not None and number < 1:
        raise UsageError("provisioned concurrency is at least 1; `workbench concurrency delete` takes it away")

    async def main() -> None:
        async with attach(find_project()) as attached:
            ref = FunctionRef(function, qualifier)
            if qualifier is None:
                await attached.port.put_concurrency(ref, number)
                echo(f"reserved {number}")
            else:
                echo(describe(qualifier, await attached.port.put_provisioned_concurrency(ref, number)))

    run(main())


@app.command("get")
def get_concurrency(function: Function) -> None:
    """Show what is reserved and what is provisioned."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    async def main() -> None:
        async with attach(find_project()) as attached:
            for line in lines(await attached.port.get_attached(function)):
                echo(line)

    run(main())


@app.command("delete")
def delete_concurrency(function: Function, qualifier: Qualifier = None) -> None:
    """Give a reservation back, or with --qualifier end the environments that were made ahead."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project
    from workbench.model.names import FunctionRef

    async def main() -> None:
        async with attach(find_project()) as attached:
            ref = FunctionRef(function, qualifier)
            if qualifier is None:
                await attached.port.put_concurrency(ref, None)
                echo("nothing reserved")
            else:
                await attached.port.delete_provisioned_concurrency(ref)
                echo(f"{qualifier}: nothing provisioned")

    run(main())


def lines(attached: Attached) -> list[str]:
    """What `get` prints."""
    reserved = "nothing reserved" if attached.reserved is None else f"reserved {attached.reserved}"
    return [reserved, *(describe(qualifier, config) for qualifier, config in sorted(attached.provisioned.items()))]


def describe(qualifier: str, config: Provisioned) -> str:
    """`live: provisioned 2, READY, 1 available`."""
    reason = f" ({config.status_reason})" if config.status_reason else ""
    return f"{qualifier}: provisioned {config.requested}, {config.status.value}{reason}, {config.available} available"
