"""`workbench history --what-if`: the recorded traffic with other concurrency, beside what it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.cost import bill_json
from workbench.cli.fire import Output
from workbench.cli.output import echo, say
from workbench.client.money import forecast_lines
from workbench.model.errors import UsageError
from workbench.model.history import MAX_INVOCATIONS

if TYPE_CHECKING:
    from workbench.model.forecast import Forecast
    from workbench.model.names import FunctionRef


def what_if(
    name: Annotated[
        str | None, typer.Argument(help="Only for this function, version or alias.", metavar="NAME[:QUALIFIER]")
    ] = None,
    change: Annotated[
        list[str], typer.Option("--what-if", help="provisioned=N, reserved=N; may be given twice.", metavar="WHAT=N")
    ] = [],  # noqa: B006 - read only, and typer takes no tuple
    function: Annotated[str | None, typer.Option("--function", "-f", help="The same as NAME.", metavar="NAME")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The newest so many.")] = MAX_INVOCATIONS,
    output: Annotated[Output, typer.Option("--output", "-o", help="What goes to stdout.")] = Output.TEXT,
) -> None:
    """What the recorded traffic would have been with other concurrency: cold starts, throttles, latency, cost."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project
    from workbench.model.forecast import WhatIf

    if name is not None and function is not None:
        raise UsageError("give the function once: as NAME or with --function")
    asked, ref = WhatIf.parse(change), _reference(name or function)
    found: list[Forecast] = []

    async def main() -> None:
        async with attach(find_project()) as attached:
            found.append(await attached.port.what_if(asked, function=ref, limit=limit))

    run(main())
    (forecast,) = found
    if output is Output.JSON:
        echo(json.dumps(_json(forecast)))
    else:
        for number, one in enumerate(forecast.functions):
            if number:
                echo("")
            echo("\n".join(forecast_lines(forecast, one)))
    for note in forecast.notes:
        say(note)


def _reference(name: str | None) -> FunctionRef | None:
    from workbench.model.names import FunctionRef

    if name is None:
        return None
    name, _, qualifier = name.partition(":")
    return FunctionRef(name, qualifier or None)


def _json(forecast: Forecast) -> dict[str, object]:
    from workbench.model.codec import encode

    return {
        **encode(forecast),
        "functions": [
            {
                "function": one.function,
                "actual": {**encode(one.actual), "bill": bill_json(one.actual.bill)},
                "what_if": {**encode(one.what_if), "bill": bill_json(one.what_if.bill)},
            }
            for one in forecast.functions
        ],
    }
