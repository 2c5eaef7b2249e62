"""`workbench runtimes`: what runs functions here, and which version of it they take."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.output import echo

if TYPE_CHECKING:
    from workbench.model.runtimes import RuntimeOverview

app = typer.Typer(help="List and publish runtime versions.", rich_markup_mode=None, no_args_is_help=True)


@app.command("list")
def list_runtimes(
    every: Annotated[bool, typer.Option("--all", "-a", help="Also those that nothing here realises.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a runtime.")] = False,
) -> None:
    """List the runtimes with the versions that are on this machine, and say which one functions take."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    async def main() -> None:
        async with attach(find_project()) as attached:
            found = await attached.port.list_runtimes()
        for overview in found:
            if overview.versions or every:
                echo(json.dumps(asdict(overview)) if as_json else "\n".join(_lines(overview)))

    run(main())


@app.command("publish")
def publish(
    runtime: Annotated[str, typer.Argument(help="A runtime, such as python3.11.")],
    version: Annotated[str, typer.Argument(help="One of its versions, such as 3.11.7, or the version's ARN.")],
) -> None:
    """Make a version the one that functions take: at their next update, and later every one in Auto."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    async def main() -> None:
        async with attach(find_project()) as attached:
            overview = await attached.port.publish_runtime(runtime, version)
        echo("\n".join(_lines(overview)))

    run(main())


def _lines(overview: RuntimeOverview) -> list[str]:
    lines = [f"{overview.id:<16} {_status(overview)}".rstrip()]
    if not overview.versions:
        lines.append("  nothing here realises it" + (f"; mend: {overview.mend}" if overview.mend else ""))
    for version in overview.versions:
        notes = []
        if version.arn == overview.published:
            notes.append("published")
            if overview.moves is not None:
                moment = datetime.fromtimestamp(overview.moves, UTC)
                notes.append(f"reaches all functions in Auto at {moment:%Y-%m-%d %H:%M:%S} UTC")
        if version is overview.versions[-1]:
            notes.append("newest")
        lines.append(f"  {version.version:<10} {version.interpreter or 'the function brings it'}")
        lines.append(f"             {version.arn}" + (f"  ← {', '.join(notes)}" if notes else ""))
    return lines


def _status(overview: RuntimeOverview) -> str:
    if overview.blocked:
        return f"blocked, deprecated since {overview.deprecation}" if overview.deprecation else "blocked"
    if overview.deprecated:
        return f"deprecated since {overview.deprecation}"
    return f"supported until {overview.deprecation}" if overview.deprecation else ""
