"""What it would cost on AWS: pure functions from what was recorded to US dollars.

Source: AWS Lambda pricing. docs/cost.md says what is counted and what is not.
"""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from workbench.model.history import PastInvocation
from workbench.model.invocations import InvocationType
from workbench.model.prices import Prices, Tier

#: MB of /tmp that cost nothing.
FREE_STORAGE = 512
#: An asynchronous event of more bytes than the first is a further request for each begun piece of the second.
ONE_REQUEST, FURTHER_REQUEST = 256 * 1024, 64 * 1024
#: Provisioned concurrency is paid for in steps of so many seconds.
ALLOCATION_SECONDS = 300.0
_MB_MS = 1024 * 1000  # in a GB-second


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What invocations used that cost alike: of one function and month, on one architecture and kind of concurrency.

    `requests` are those that are paid for; `mb_ms` is memory times billed time, `storage_mb_ms` the same of what they
    had of /tmp beyond what is free. `month` is `2026-11`, in UTC.
    """

    function: str
    month: str
    architecture: str
    provisioned: bool
    invocations: int
    requests: int
    mb_ms: int
    storage_mb_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """`count` environments of a version that were provisioned from `since` to `until`, epoch seconds; memory in MB.

    `init_ms` is what INIT took in one of them, once that is known.
    """

    function: str
    version: str
    architecture: str
    memory_size: int
    count: int
    since: float
    until: float
    init_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """US dollars: for requests, for the time that functions ran, for storage, and for what was provisioned."""

    requests: float = 0.0
    duration: float = 0.0
    storage: float = 0.0
    provisioned: float = 0.0

    @property
    def total(self) -> float:
        return self.requests + self.duration + self.storage + self.provisioned

    def __add__(self, other: Bill) -> Bill:
        return Bill(
            requests=self.requests + other.requests,
            duration=self.duration + other.duration,
            storage=self.storage + other.storage,
            provisioned=self.provisioned + other.provisioned,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCost:
    """What one function used and cost. `gb_seconds` is of its invocations, `provisioned_gb_seconds` of environments
    that were there for it, as they are paid for."""

    function: str
    invocations: int
    gb_seconds: float
    provisioned_gb_seconds: float
    bill: Bill


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What everything that the history remembers cost, by function. `since` is when its oldest part began, in epoch
    seconds; None if it is empty."""

    since: float | None
    prices: Prices
    functions: tuple[FunctionCost, ...]

    @property
    def total(self) -> Bill:
        return sum((one.bill for one in self.functions), Bill())


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What the history knows for the costs: `since` is when its oldest part began."""

    since: float | None = None
    usage: tuple[Usage, ...] = ()
    allocations: tuple[Allocation, ...] = ()


def requests_of(type: InvocationType, event_size: int) -> int:
    """The requests that an invocation is paid for as; `event_size` in bytes."""
    beyond = event_size - ONE_REQUEST if type is InvocationType.EVENT else 0
    return 1 + math.ceil(max(beyond, 0) / FURTHER_REQUEST)


def cost_of(past: PastInvocation, prices: Prices) -> Bill:
    """What one invocation cost, in the first tier; nothing if no runtime ever had it."""
    if past.started_ms is None:
        return Bill()
    return cost_of_one(
        prices,
        type=past.type,
        event_size=past.event_size,
        billed_ms=past.billed_ms,
        memory_size=past.memory_size,
        ephemeral_storage=past.ephemeral_storage,
        architecture=past.architecture,
        provisioned=past.provisioned,
    )


def cost_of_one(
    prices: Prices,
    *,
    type: InvocationType,
    event_size: int,
    billed_ms: int,
    memory_size: int,
    ephemeral_storage: int,
    architecture: str,
    provisioned: bool,
) -> Bill:
    """What an invocation costs that ran, in the first tier: time in milliseconds, memory and storage in MB."""
    usage = Usage(
        function="",
        month="",
        architecture=architecture,
        provisioned=provisioned,
        invocations=1,
        requests=requests_of(type, event_size),
        mb_ms=billed_ms * memory_size,
        storage_mb_ms=billed_ms * max(ephemeral_storage - FREE_STORAGE, 0),
    )
    return _bill(usage, prices, prices.rates[architecture].duration[0].price)


def usages(ran: Iterable[tuple[PastInvocation, int, bool]]) -> tuple[Usage, ...]:
    """What invocations used, added up: each with the milliseconds it is billed and whether it ran on what was
    provisioned, which need not be as it was recorded."""
    sums: defaultdict[tuple[str, str, str, bool], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for past, billed_ms, provisioned in ran:
        month = time.strftime("%Y-%m", time.gmtime(past.wall))
        found = sums[past.function, month, past.architecture, provisioned]
        found[0] += 1
        found[1] += requests_of(past.type, past.event_size)
        found[2] += billed_ms * past.memory_size
        found[3] += billed_ms * max(past.ephemeral_storage - FREE_STORAGE, 0)
    return tuple(
        Usage(
            function=function,
            month=month,
            architecture=architecture,
            provisioned=provisioned,
            invocations=invocations,
            requests=requests,
            mb_ms=mb_ms,
            storage_mb_ms=storage_mb_ms,
        )
        for (function, month, architecture, provisioned), (invocations, requests, mb_ms, storage_mb_ms) in sums.items()
    )


def costs(used: Used, prices: Prices, function: str | None = None) -> Costs:
    """What was used in US dollars, by function name. Tiers are filled month by month, by all functions together."""
    on_demand: Counter[tuple[str, str]] = Counter()
    for usage in used.usage:
        if not usage.provisioned:
            on_demand[usage.month, usage.architecture] += usage.mb_ms
    bills: defaultdict[str, Bill] = defaultdict(Bill)
    invocations: Counter[str] = Counter()
    mb_ms: Counter[str] = Counter()
    allocated: defaultdict[str, float] = defaultdict(float)
    for usage in used.usage:
        month = on_demand[usage.month, usage.architecture] / _MB_MS
        price = tiered(prices.rates[usage.architecture].duration, month)
        bills[usage.function] += _bill(usage, prices, price)
        invocations[usage.function] += usage.invocations
        mb_ms[usage.function] += usage.mb_ms
    for allocation, seconds in paid(used.allocations):
        gb_seconds = allocation.count * allocation.memory_size / 1024 * seconds
        allocated[allocation.function] += gb_seconds
        bills[allocation.function] += Bill(provisioned=gb_seconds * prices.rates[allocation.architecture].provisioned)
    return Costs(
        since=used.since,
        prices=prices,
        functions=tuple(
            FunctionCost(
                function=name,
                invocations=invocations[name],
                gb_seconds=mb_ms[name] / _MB_MS,
                provisioned_gb_seconds=allocated[name],
                bill=bills[name],
            )
            for name in sorted(bills)
            if function in (None, name)
        ),
    )


def tiered(tiers: tuple[Tier, ...], gb_seconds: float) -> float:
    """The price per GB-second when so many were used in a month: a mean over the tiers that they fill."""
    total, below = 0.0, 0.0
    for tier in tiers:
        end = gb_seconds if tier.up_to is None else min(gb_seconds, tier.up_to)
        total += max(end - below, 0.0) * tier.price
        below = end
    return total / gb_seconds if gb_seconds else tiers[0].price


def paid(allocations: Iterable[Allocation]) -> list[tuple[Allocation, float]]:
    """Allocations with the seconds that are paid for.

    A version's time is rounded up where what was provisioned for it ends, not where their number changes.
    """
    ordered = sorted(allocations, key=lambda one: (one.function, one.version, one.since))
    found: list[tuple[Allocation, float]] = []
    begun = 0.0
    for place, one in enumerate(ordered):
        if not place or not _follows(ordered[place - 1], one):
            begun = one.since
        seconds = one.until - one.since
        if place + 1 == len(ordered) or not _follows(one, ordered[place + 1]):
            whole = one.until - begun
            # Not a step more for the last bits of a sum of floating point numbers.
            seconds += math.ceil(round(whole / ALLOCATION_SECONDS, 9)) * ALLOCATION_SECONDS - whole
        found.append((one, seconds))
    return found


def _follows(one: Allocation, other: Allocation) -> bool:
    return (one.function, one.version, one.until) == (other.function, other.version, other.since)


def _bill(usage: Usage, prices: Prices, on_demand: float) -> Bill:
    rates = prices.rates[usage.architecture]
    return Bill(
        requests=usage.requests * prices.requests / 1e6,
        duration=usage.mb_ms / _MB_MS * (rates.provisioned_duration if usage.provisioned else on_demand),
        storage=usage.storage_mb_ms / _MB_MS * rates.storage,
    )
