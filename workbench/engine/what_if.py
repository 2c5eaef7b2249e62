"""What if: recorded traffic replayed with other concurrency, beside what really became of it.

docs/cost.md says what is assumed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.engine.replay import Replay, Resize, Setting, Tally
from workbench.engine.resources.concurrency import UNRESERVED_MINIMUM
from workbench.engine.traffic import Key, Run, Traffic, read
from workbench.model.cost import Allocation, Bill, Used, costs, usages
from workbench.model.errors import UsageError
from workbench.model.forecast import Forecast, FunctionForecast, Outcome, WhatIf
from workbench.model.history import PastInvocation
from workbench.model.invocations import InvocationStatus
from workbench.model.names import FunctionRef
from workbench.model.prices import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the history has: invocations in any order, and what was provisioned."""

    invocations: Sequence[PastInvocation]
    allocations: Sequence[Allocation]


def forecast(
    recorded: Recorded, setting: Setting, change: WhatIf, prices: Prices, function: FunctionRef | None = None
) -> Forecast:
    """The traffic of a function, or of all, with `change`; that of the others comes as it came.

    `setting` is what holds now; what is provisioned in it is not looked at: that is recorded.

    Raises:
        UsageError: there is no such traffic, or AWS would refuse the change.
    """
    if not recorded.invocations:
        raise UsageError("nothing has run yet: there is no traffic to replay")
    traffic = read(recorded.invocations, recorded.allocations)
    changed = [run for run in traffic.runs if _meant(run, function)]
    if not changed:
        raise UsageError(
            f"the history has no traffic of {_named(function)} that could be replayed",
            mend="`workbench history` lists what there is",
        )
    names = sorted({run.name for run in changed})
    allocations = [
        replace(one, since=max(one.since, traffic.since))
        for one in recorded.allocations
        if one.until > traffic.since and one.since < traffic.until
    ]
    as_it_was = replace(setting, provisioned=_resizes(allocations, traffic))
    there = allocations
    if change.provisioned is not None:
        versions = {run.key for run in changed}
        there = [one for one in allocations if (one.function, one.version) not in versions]
        there += _asked_for(change.provisioned, changed, names, traffic)
    reserved = dict(setting.reserved)
    if change.reserved is not None:
        reserved |= dict.fromkeys(names, change.reserved)
    _check(reserved, there, setting, names)
    as_asked = replace(setting, provisioned=_resizes(there, traffic), reserved=reserved)

    same, other = Replay(traffic, as_it_was), Replay(traffic, as_asked)
    same.run()
    other.run()
    really = _actual(recorded.invocations)
    used = usages(
        (past, past.billed_ms, past.provisioned) for past in recorded.invocations if past.started_ms is not None
    )
    paid = _bills(Used(usage=used, allocations=tuple(allocations)), prices)
    would = _bills(Used(usage=other.used(), allocations=tuple(there)), prices)
    notes = list(traffic.notes)
    for name in names:
        found = (same.tallies[name].cold_starts, same.tallies[name].throttles)
        if found != (really[name].cold_starts, really[name].throttles):
            notes.append(
                f"{name}: replayed without a change it has {found[0]} cold starts and {found[1]} throttles, not what "
                "was recorded: what ended environments by hand, or settings that have changed since, are not known"
            )
    return Forecast(
        change=change,
        since=traffic.since,
        until=traffic.until,
        prices=prices,
        functions=tuple(
            FunctionForecast(
                function=name,
                actual=_outcome(really[name], paid.get(name, Bill())),
                what_if=_outcome(other.tallies[name], would.get(name, Bill())),
            )
            for name in names
        ),
        notes=tuple(notes),
    )


def _meant(run: Run, function: FunctionRef | None) -> bool:
    return function is None or (
        run.name == function.name and function.qualifier in (None, run.past.qualifier, run.past.version)
    )


def _named(function: FunctionRef | None) -> str:
    if function is None:
        return "any function"
    return function.name if function.qualifier is None else f"{function.name}:{function.qualifier}"


def _resizes(allocations: Iterable[Allocation], traffic: Traffic) -> list[Resize]:
    """Allocations as changes of what is there; what ends as another begins is one change."""
    changes: dict[tuple[Key, int], Resize] = {}
    for one in sorted(allocations, key=lambda one: one.since):
        key = (one.function, one.version)
        begin, end = (round((moment - traffic.since) * 1e9) for moment in (one.since, one.until))
        init_ns = round((one.init_ms or 0.0) * 1e6) if one.since > traffic.since else 0
        changes[key, begin] = Resize(t=begin, key=key, count=one.count, init_ns=init_ns)
        changes.setdefault((key, end), Resize(t=end, key=key, count=0))
    return sorted(changes.values(), key=lambda change: change.t)


def _asked_for(count: int, changed: Sequence[Run], names: Sequence[str], traffic: Traffic) -> list[Allocation]:
    """So many for each function all the time, split among its versions in proportion to their traffic, as the weights
    of an alias would split them."""
    found = []
    for name in names:
        last = {run.past.version: run.past for run in changed if run.name == name}
        shares = Counter(run.past.version for run in changed if run.name == name)
        exact = {version: count * share / shares.total() for version, share in shares.items()}
        whole = {version: math.floor(part) for version, part in exact.items()}
        for version in sorted(exact, key=lambda version: whole[version] - exact[version])[
            : count - sum(whole.values())
        ]:
            whole[version] += 1
        found += [
            Allocation(
                function=name,
                version=version,
                architecture=last[version].architecture,
                memory_size=last[version].memory_size,
                count=part,
                since=traffic.since,
                until=traffic.until,
            )
            for version, part in whole.items()
            if part
        ]
    return found


def _check(
    reserved: Mapping[str, int], provisioned: Sequence[Allocation], setting: Setting, names: Sequence[str]
) -> None:
    """What AWS would refuse for `names` (Lambda Developer Guide, "Configuring reserved concurrency" and "Configuring
    provisioned concurrency"), whenever the most is provisioned."""
    for moment in {0.0, *(one.since for one in provisioned)}:
        counts: Counter[str] = Counter()
        for one in provisioned:
            if one.since <= moment < one.until:
                counts[one.function] += one.count
        for name in names:
            if name in reserved and counts[name] > reserved[name]:
                raise UsageError(
                    f"{name}: {counts[name]} provisioned would be more than the {reserved[name]} reserved for it"
                )
        claimed = sum(reserved.values()) + sum(count for name, count in counts.items() if name not in reserved)
        if setting.concurrency_limit - claimed < UNRESERVED_MINIMUM and any(
            reserved.get(name, 0) or counts[name] for name in names
        ):
            raise UsageError(
                f"that would take {claimed} of the account's {setting.concurrency_limit}; AWS keeps "
                f"{UNRESERVED_MINIMUM} of it for functions without a reservation",
                mend="`concurrency` in workbench.toml is the account's limit",
            )


def _actual(invocations: Iterable[PastInvocation]) -> Mapping[str, Tally]:
    found: dict[str, Tally] = {}
    for past in invocations:
        tally = found.setdefault(past.function, Tally())
        if past.started_ms is not None:
            tally.cold_starts += past.cold
            tally.latencies.append(past.finished_ms if past.responded_ms is None else past.responded_ms)
        elif past.status is InvocationStatus.THROTTLED:
            tally.throttles += 1
    return found


def _bills(used: Used, prices: Prices) -> Mapping[str, Bill]:
    return {one.function: one.bill for one in costs(used, prices).functions}


def _outcome(tally: Tally, bill: Bill) -> Outcome:
    ordered = sorted(tally.latencies)

    def percentile(part: int) -> float | None:
        """The smallest latency that so many of a hundred do not exceed."""
        return ordered[math.ceil(len(ordered) * part / 100) - 1] if ordered else None

    return Outcome(
        invocations=len(ordered),
        cold_starts=tally.cold_starts,
        throttles=tally.throttles,
        p50_ms=percentile(50),
        p99_ms=percentile(99),
        bill=bill,
    )
