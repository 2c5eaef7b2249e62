"""`workbench publish`: freeze a function's `$LATEST` as its next version."""

from __future__ import annotations

from typing import Annotated

import typer

from workbench.cli.output import echo


def publish(
    name: Annotated[str, typer.Argument(help="The function.")],
    description: Annotated[str | None, typer.Option("--description", "-d", help="Of the new version.")] = None,
) -> None:
    """Publish a version; its number goes to stdout. Without a change since the newest one, that one is answered."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    async def main() -> None:
        async with attach(find_project()) as attached:
            version = await attached.port.publish_version(name, description=description)
        echo(version.version)

    run(main())
