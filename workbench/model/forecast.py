"""What the recorded traffic would have been with other concurrency: the question and the answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.model.cost import Bill
from workbench.model.errors import UsageError
from workbench.model.prices import Prices

_FORM = "--what-if takes provisioned=N and reserved=N"


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """So many environments provisioned for each function, so much reserved; None leaves it as it was."""

    provisioned: int | None = None
    reserved: int | None = None

    @classmethod
    def parse(cls, given: Iterable[str]) -> WhatIf:
        """From `provisioned=5`, `reserved=10` or both.

        Raises:
            UsageError: it is neither, or no number.
        """
        found: dict[str, int] = {}
        for text in given:
            name, _, value = text.partition("=")
            if name == "memory":
                raise UsageError(
                    f"{text}: how long a function takes with other memory is in no record",
                    mend=f"run it with that memory and compare; {_FORM}",
                )
            if name not in ("provisioned", "reserved"):
                raise UsageError(f"{text}: {_FORM}")
            if name in found:
                raise UsageError(f"{text}: {name} is given twice")
            if not (value.isascii() and value.isdecimal()):
                raise UsageError(f"{text}: {name} takes a number, 0 or more, not {value!r}")
            found[name] = int(value)
        if not found:
            raise UsageError(_FORM)
        return cls(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a function's traffic.

    `invocations` are those that ran, `cold_starts` those that an environment was made for, `throttles` refusals, each
    attempt of an asynchronous event counted. Latency is in milliseconds from the acceptance to the answer; None where
    nothing ran.
    """

    invocations: int
    cold_starts: int
    throttles: int
    p50_ms: float | None
    p99_ms: float | None
    bill: Bill


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionForecast:
    """One function's traffic as it was recorded, and as it would have been."""

    function: str
    actual: Outcome
    what_if: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The answer. `since` and `until`, epoch seconds, bound the traffic; `notes` say what the answer does not know."""

    change: WhatIf
    since: float
    until: float
    prices: Prices
    functions: tuple[FunctionForecast, ...]
    notes: tuple[str, ...] = ()
