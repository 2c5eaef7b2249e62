"""`workbench delete`: take a function, or a version of it, away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.output import echo, say
from workbench.model.errors import ResourceNotFound, UsageError
from workbench.model.names import FunctionRef

if TYPE_CHECKING:
    from workbench.client.port import EnginePort


def delete(
    name: Annotated[str, typer.Argument(help="The function, or NAME:VERSION.", metavar="NAME[:VERSION]")],
) -> None:
    """Delete a function with its versions and aliases, or one version. It does not ask."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    async def main() -> None:
        async with attach(find_project()) as attached:
            await _delete(attached.port, *name.partition(":")[::2])

    run(main())


async def _delete(port: EnginePort, name: str, qualifier: str) -> None:
    try:
        versions, aliases = await port.list_versions(name), await port.list_aliases(name)
    except ResourceNotFound as error:
        known = ", ".join(version.name for version in await port.list_functions())
        there = f"there are: {known}" if known else "there are none"
        raise UsageError(f"there is no function '{name}'; {there}") from error
    if qualifier and qualifier not in {version.version for version in versions}:
        if any(alias.name == qualifier for alias in aliases):
            raise UsageError(f"'{qualifier}' is an alias of {name}: workbench alias delete {name} {qualifier}")
        raise UsageError(f"{name} has no version {qualifier}")
    sources = [one.id for one in await port.list_deployments() if name in one.functions]
    await port.delete_function(FunctionRef(name, qualifier or None))
    if qualifier:
        echo(f"deleted version {qualifier} of {name}")
        return
    also = [_counted(len(versions) - 1, "version"), _counted(len(aliases), "alias", "aliases")]
    echo(", ".join([f"deleted {name}", *filter(None, also)]))
    for source in sources:
        say(f"{name} was deployed from {source}: while that has it, workbench deploy and fire bring it again")


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}" if count else ""
