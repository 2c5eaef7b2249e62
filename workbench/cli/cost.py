"""`workbench cost`: what everything that ran would have cost on AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.output import echo
from workbench.client.money import cost_lines, prices_line

if TYPE_CHECKING:
    from workbench.client.project import Project
    from workbench.model.cost import Bill, Costs


def cost(
    name: Annotated[str | None, typer.Argument(help="Only this function.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object; amounts in US dollars.")] = False,
) -> None:
    """What all that ran, and what was provisioned, would have cost on AWS. Needs no running engine."""
    from workbench.client.project import find_project

    found = _costs(find_project(), name)
    if as_json:
        echo(json.dumps(_json(found)))
        return
    if not found.functions:
        typer.echo("nothing has run yet" if name is None else f"{name} has not run yet", err=True)
        return
    for line in cost_lines(found):
        echo(line)
    typer.echo(prices_line(found), err=True)


def _costs(project: Project, name: str | None) -> Costs:
    import asyncio

    from workbench.cli.engines import running

    port = running(project)
    if port is not None:
        return asyncio.run(port.costs(function=name))
    from workbench.app.state import past
    from workbench.model.cost import costs

    with past(project) as history:
        return costs(history.used(), project.prices, name)


def _json(found: Costs) -> dict[str, object]:
    from workbench.model.codec import encode

    return {
        **encode(found),
        "functions": [{**encode(one), "bill": bill_json(one.bill)} for one in found.functions],
        "total": bill_json(found.total),
    }


def bill_json(bill: Bill) -> dict[str, float]:
    """A bill for programs, in US dollars."""
    from workbench.model.codec import encode

    return {**encode(bill), "total": bill.total}
