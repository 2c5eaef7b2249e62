"""`workbench list`: the functions that there are."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from workbench.cli.output import echo, say
from workbench.model.errors import TemplateError


def list_functions(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a function.")] = False,
) -> None:
    """List the deployed functions with their versions and aliases, and what the template has beyond them."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    project = find_project()
    template = project.root / "template.yaml"

    async def main() -> None:
        async with attach(project) as attached:
            rows = [await _row(attached.port, version) for version in await attached.port.list_functions()]
        if template.exists():
            from workbench.app.templates import template_functions

            known = {row["name"] for row in rows}
            try:
                declared = template_functions(project, template)
            except TemplateError as error:
                say(str(error))
                declared = []
            rows += [
                {"name": name, "state": "in template.yaml, not deployed"} for name in declared if name not in known
            ]
        if as_json:
            for row in rows:
                echo(json.dumps(row))
            return
        if not rows:
            typer.echo("no functions yet: put a SAM template.yaml here, or create one through the API", err=True)
        for row in rows:
            echo(_text(row))

    run(main())


async def _row(port: Any, version: Any) -> dict[str, Any]:
    versions = await port.list_versions(version.name)
    aliases = await port.list_aliases(version.name)
    return {
        "name": version.name,
        "state": version.state.value,
        "runtime": version.configuration.runtime,
        "memorySize": version.configuration.memory_size,
        "timeout": version.configuration.timeout,
        "versions": [other.version for other in versions[1:]],
        "aliases": {
            alias.name: {alias.version: round(1 - sum(alias.weights.values()), 6), **alias.weights} for alias in aliases
        },
    }


def _text(row: dict[str, Any]) -> str:
    if "runtime" not in row:
        return f"{row['name']:<24} {row['state']}"
    aliases = "  ".join(
        f"{name} → {' '.join(f'{version} {weight:.0%}' for version, weight in targets.items())}"
        for name, targets in row["aliases"].items()
    )
    versions = f"versions {', '.join(row['versions'])}" if row["versions"] else "no versions"
    facts = f"{row['runtime'] or 'image':<12} {row['memorySize']:>5} MB {row['timeout']:>4} s  {row['state']:<8}"
    return f"{row['name']:<24} {facts} {versions}  {aliases}".rstrip()
