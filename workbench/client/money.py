"""Costs as tables of text, for the faces."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.model.cost import Bill, Costs
    from workbench.model.forecast import Forecast, FunctionForecast, Outcome, WhatIf


def dollars(amount: float) -> str:
    """An amount in US dollars, as small as those of single invocations are: three digits that count."""
    if not amount or amount >= 0.1:
        return f"${amount:.2f}"
    return f"${amount:.{2 - math.floor(math.log10(amount))}f}"


def cost_lines(found: Costs) -> list[str]:
    """A line for each function under a head, and one for all where there are several."""
    heads = ("function", "invocations", "GB-s", "requests", "duration", "storage", "provisioned", "total")
    lines = [
        (one.function, str(one.invocations), f"{one.gb_seconds:.3f}", *_amounts(one.bill)) for one in found.functions
    ]
    if len(lines) > 1:
        invocations = sum(one.invocations for one in found.functions)
        gb_seconds = sum(one.gb_seconds for one in found.functions)
        lines.append(("all", str(invocations), f"{gb_seconds:.3f}", *_amounts(found.total)))
    widths = [max(len(line[column]) for line in (heads, *lines)) for column in range(len(heads))]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in (heads, *lines)
    ]


def prices_line(found: Costs) -> str:
    """Since when, and at which prices."""
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.since))
    prices = found.prices
    return f"since {since}, at prices of {prices.region} as of {prices.read}, without the free tier"


def _amounts(bill: Bill) -> tuple[str, ...]:
    return tuple(map(dollars, (bill.requests, bill.duration, bill.storage, bill.provisioned, bill.total)))


def forecast_lines(forecast: Forecast, one: FunctionForecast) -> list[str]:
    """What a function's traffic was, and what it would have been."""
    title = f"{one.function}, {_moment(forecast.since)} to {_moment(forecast.until)}"
    heads = ("actual", asked(forecast.change))
    rows = list(zip(_facts(one.actual), _facts(one.what_if), strict=True))
    first = max(len(name) for (name, _), _ in rows)
    wide = max(12, *map(len, heads))
    table = [("", *heads), *((name, actual, other) for (name, actual), (_, other) in rows)]
    return [title, *(f"{name:<{first}}  {actual:>{wide}}  {other:>{wide}}" for name, actual, other in table)]


def asked(change: WhatIf) -> str:
    """The question as it was typed."""
    parts = {"provisioned": change.provisioned, "reserved": change.reserved}
    return " ".join(f"{name}={value}" for name, value in parts.items() if value is not None)


def _facts(outcome: Outcome) -> list[tuple[str, str]]:
    def ms(value: float | None) -> str:
        return "" if value is None else f"{value:.1f} ms"

    bill = outcome.bill
    return [
        ("invocations", str(outcome.invocations)),
        ("cold starts", str(outcome.cold_starts)),
        ("throttles", str(outcome.throttles)),
        ("latency p50", ms(outcome.p50_ms)),
        ("latency p99", ms(outcome.p99_ms)),
        ("cost", dollars(bill.total)),
        ("  requests", dollars(bill.requests)),
        ("  duration", dollars(bill.duration + bill.storage)),
        ("  provisioned", dollars(bill.provisioned)),
    ]


def _moment(wall: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall))
