"""What AWS takes for it: list prices as data, `prices.toml`, and what a project puts over them.

Source: AWS Lambda pricing, https://aws.amazon.com/lambda/pricing/.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from workbench.model.errors import UsageError

ARCHITECTURES = ("x86_64", "arm64")
_FLAT = ("provisioned", "provisioned_duration", "storage")


@dataclass(frozen=True, slots=True)
class Tier:
    """A price per GB-second up to so many GB-seconds a month; the last tier has no end."""

    price: float
    up_to: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The prices of one architecture, in US dollars per GB-second; `prices.toml` says of what."""

    duration: tuple[Tier, ...]
    provisioned: float
    provisioned_duration: float
    storage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The prices of one Region in US dollars, with the page that has them and the day when they stood there.

    `requests` is the price of a million; `rates` are by architecture.
    """

    region: str
    read: str
    source: str
    requests: float
    rates: Mapping[str, Rates]


@cache
def list_prices() -> Prices:
    """The prices that come with Workbench."""
    return _prices(_table(), "prices.toml")


def prices_over(changes: Mapping[str, Any], where: str) -> Prices:
    """The list prices with those of a `[prices]` table over them; a number for `duration` is a price without tiers.

    Raises:
        UsageError: a key that is none, or a price that is none; the message begins with `where`.
    """
    if not changes:
        return list_prices()
    table = _table()
    for name, value in changes.items():
        if name not in table:
            raise UsageError(f"{where}: no price is called '{name}'; known: {', '.join(table)}")
        if name not in ARCHITECTURES:
            table[name] = value
            continue
        if not isinstance(value, Mapping):
            raise UsageError(f"{where}: [{name}] is a table of prices, not {value!r}")
        if unknown := sorted(set(value) - set(table[name])):
            raise UsageError(f"{where}: no price is called '{unknown[0]}'; known: {', '.join(table[name])}")
        table[name] = {**table[name], **value}
    return _prices(table, where)


def _table() -> dict[str, Any]:
    return tomllib.loads(files("workbench.model").joinpath("prices.toml").read_text(encoding="utf-8"))


def _prices(table: Mapping[str, Any], where: str) -> Prices:
    return Prices(
        **{name: _text(table[name], name, where) for name in ("region", "read", "source")},
        requests=_price(table["requests"], "requests", where),
        rates={
            name: Rates(
                duration=_tiers(table[name]["duration"], f"{name}.duration", where),
                **{flat: _price(table[name][flat], f"{name}.{flat}", where) for flat in _FLAT},
            )
            for name in ARCHITECTURES
        },
    )


def _tiers(value: Any, name: str, where: str) -> tuple[Tier, ...]:
    if not isinstance(value, list):
        return (Tier(_price(value, name, where)),)
    tiers: list[Tier] = []
    below = 0.0
    for number, tier in enumerate(value, 1):
        last = number == len(value)
        keys = {"price"} if last else {"price", "up_to"}
        if not isinstance(tier, Mapping) or set(tier) != keys:
            raise UsageError(f"{where}: each tier of '{name}' but the last has 'price' and 'up_to', the last a 'price'")
        end = None if last else _price(tier["up_to"], name, where)
        if end is not None and end <= below:
            raise UsageError(f"{where}: the tiers of '{name}' do not rise: {end:g} after {below:g}")
        tiers.append(Tier(_price(tier["price"], name, where), end))
        below = end or below
    if not tiers:
        raise UsageError(f"{where}: '{name}' has no tier")
    return tuple(tiers)


def _price(value: Any, name: str, where: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < float("inf"):
        raise UsageError(f"{where}: '{name}' takes a number that is not negative, not {value!r}")
    return float(value)


def _text(value: Any, name: str, where: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{where}: '{name}' takes text, not {value!r}")
    return value
