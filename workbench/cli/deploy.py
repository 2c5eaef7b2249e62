"""`workbench deploy`: bring a template's functions to the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.output import echo
from workbench.model.errors import UsageError


def deploy(
    template: Annotated[Path | None, typer.Argument(help="The SAM template; template.yaml of the project.")] = None,
) -> None:
    """Deploy the functions of a SAM template; what has not changed is left alone."""
    from workbench import app
    from workbench.cli.engines import attach
    from workbench.client.project import find_project

    project = find_project()
    path = template or project.root / "template.yaml"
    if not path.exists():
        raise UsageError(f"there is no template at {path}")

    async def main() -> None:
        async with attach(project) as attached:
            lines = await app.deploy(attached.port, project, path)
        for line in lines or ["nothing has changed"]:
            echo(line)

    app.run(main())
