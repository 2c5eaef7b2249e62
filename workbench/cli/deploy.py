"""`workbench deploy` and `workbench destroy`: bring a template's functions to the engine, and take them away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.output import echo, say
from workbench.model.errors import DeployError, UsageError


def deploy(
    template: Annotated[Path | None, typer.Argument(help="The SAM template; template.yaml of the project.")] = None,
) -> None:
    """Deploy the functions of a SAM template; what has not changed is left alone.

    Exit codes: 0 all is deployed (a runtime that is missing here is said), 1 a function was refused or did not become
    ready and the others were deployed, 2 usage or the template, 4 the engine failed.
    """
    from workbench.app import templates
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    project = find_project()
    path = template or project.root / "template.yaml"
    if not path.exists():
        raise UsageError(f"there is no template at {path}")
    failed: tuple[str, ...] = ()

    async def main() -> None:
        nonlocal failed
        async with attach(project) as attached:
            try:
                lines = await templates.deploy(attached.port, project, path)
            except DeployError as error:
                lines, failed = list(error.done), error.failed
            gone = await templates.left_template(attached.port, project, path)
            lacking = await templates.lacking(attached.port, templates.template_functions(project, path), project)
        for line in lines or ([] if failed else ["nothing has changed"]):
            echo(line)
        for line in (*failed, *lacking):
            say(line)
        for name in gone:
            say(f"{name} was deployed from {path.name}, which no longer has it: workbench delete {name} removes it")

    run(main())
    if failed:
        raise typer.Exit(1)


def destroy(
    template: Annotated[Path | None, typer.Argument(help="The SAM template; template.yaml of the project.")] = None,
) -> None:
    """Delete the functions, routes and layer versions that a template has brought; the template may be gone."""
    from workbench.app import templates
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    project = find_project()

    async def main() -> None:
        async with attach(project) as attached:
            lines = await templates.destroy(attached.port, template or project.root / "template.yaml")
        for line in lines:
            echo(line)

    run(main())
