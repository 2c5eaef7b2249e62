"""`workbench keep-warm`: pings on a schedule, so that environments on demand stay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.output import echo

if TYPE_CHECKING:
    from workbench.model.attached import KeepWarm

app = typer.Typer(help="Keep environments warm by pings.", rich_markup_mode=None, no_args_is_help=True)
Function = Annotated[str, typer.Argument(help="The function.", metavar="NAME")]
Qualifier = Annotated[str | None, typer.Option("--qualifier", "-q", help="A version or alias.")]
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@app.command("set")
def set_schedule(
    function: Function,
    every: Annotated[str, typer.Option("--every", help="Time between pings: 30s, 5m.")] = "5m",
    environments: Annotated[
        int, typer.Option("--environments", "-n", min=1, help="How many to keep warm: as many pings at once.")
    ] = 1,
    event: Annotated[str | None, typer.Option("--event", help="What a ping sends, as JSON.")] = None,
    qualifier: Qualifier = None,
) -> None:
    """Ping a function on a schedule, from now on. Pings are invocations: they are billed, and the history has them."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project
    from workbench.model.attached import KeepWarm
    from workbench.model.names import FunctionRef

    given = {} if event is None else {"event": event}
    config = KeepWarm(every=seconds(every), environments=environments, **given)

    async def main() -> None:
        async with attach(find_project()) as attached:
            await attached.port.put_keep_warm(FunctionRef(function, qualifier), config)
        echo(describe(function, qualifier, config))

    run(main())


@app.command("remove")
def remove(function: Function, qualifier: Qualifier = None) -> None:
    """End a schedule. The environments stay until they have been idle for long."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project
    from workbench.model.names import FunctionRef

    async def main() -> None:
        async with attach(find_project()) as attached:
            await attached.port.delete_keep_warm(FunctionRef(function, qualifier))
        echo(f"{_place(function, qualifier)}: not kept warm")

    run(main())


@app.command("list")
def list_schedules() -> None:
    """List what is kept warm."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project
    from workbench.model.names import LATEST

    async def main() -> None:
        none = True
        async with attach(find_project()) as attached:
            for version in await attached.port.list_functions():
                kept = (await attached.port.get_attached(version.name)).keep_warm
                for qualifier, config in sorted(kept.items()):
                    echo(describe(version.name, None if qualifier == LATEST else qualifier, config))
                    none = False
        if none:
            typer.echo("nothing is kept warm: `workbench keep-warm set NAME` begins to", err=True)

    run(main())


def seconds(text: str) -> float:
    """`30s`, `5m`, `1h` in seconds.

    Raises:
        UsageError: it is none of these.
    """
    from workbench.model.errors import UsageError

    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if found is None:
        raise UsageError(f"'{text}' is no time", mend="write 30s, 5m or 1h")
    return float(found[1]) * _SECONDS[found[2]]


def describe(function: str, qualifier: str | None, config: KeepWarm) -> str:
    """`slow:live: 3 environments, every 300 s, {"source":"workbench.keep-warm"}`."""
    count = "1 environment" if config.environments == 1 else f"{config.environments} environments"
    return f"{_place(function, qualifier)}: {count}, every {config.every:g} s, {config.event}"


def _place(function: str, qualifier: str | None) -> str:
    return f"{function}:{qualifier}" if qualifier else function
