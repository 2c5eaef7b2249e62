"""Recorded invocations as traffic to be replayed: when each came, how long it takes, what a cold start adds."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from workbench.model.cost import Allocation
from workbench.model.history import PastInvocation
from workbench.model.invocations import InvocationStatus, InvocationType

#: A version: its function's name, and its number.
Key = tuple[str, str]
#: Failures that no environment outlives.
_FATAL = frozenset({InvocationStatus.OOM, InvocationStatus.INIT_ERROR})


@dataclass(slots=True, kw_only=True)
class Run:
    """One invocation. `past` is its record; one that was throttled has that of an invocation like it.

    Times are nanoseconds: `arrival` counts from the first of all, `answer` and `busy` from the moment when the runtime
    has the event. `wait` is how long it takes to reach an environment that is there, `cold_wait` one that is made for
    it, with an INIT of `init_ms`. `pool` is what it shares environments with.
    """

    past: PastInvocation
    arrival: int
    wait: int
    cold_wait: int
    init_ms: float
    answer: int
    busy: int
    name: str = field(init=False)
    key: Key = field(init=False)
    pool: Hashable = field(init=False)
    synchronous: bool = field(init=False)
    #: Does its environment end with it?
    fatal: bool = field(init=False)

    def __post_init__(self) -> None:
        past = self.past
        self.name, self.key = past.function, (past.function, past.version)
        self.pool = (*self.key, past.revision, past.backend, past.tenant, past.engine)
        self.synchronous = past.type is not InvocationType.EVENT
        self.fatal = past.status in _FATAL


@dataclass(slots=True, kw_only=True)
class Traffic:
    """What came, in order, from `since` to `until` in epoch seconds; `notes` say what of it is not known."""

    runs: list[Run]
    since: float
    until: float
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Typical:
    """What most invocations of a version, or of a function, took; None where there is no record of it."""

    middle: PastInvocation
    warm_ms: float | None
    cold_ms: float | None
    init_ms: float | None

    @classmethod
    def of(cls, records: list[PastInvocation]) -> _Typical:
        warm = [past.started_ms for past in records if not past.cold and past.started_ms is not None]
        cold = [past for past in records if past.cold]
        inits = [past.init_ms for past in cold if past.init_ms is not None]
        by_time = sorted((past for past in records if not past.cold) if warm else records, key=_busy_ms)
        return cls(
            by_time[len(by_time) // 2],
            median(warm) if warm else None,
            median(past.started_ms or 0.0 for past in cold) if cold else None,
            median(inits) if inits else None,
        )


def read(records: Iterable[PastInvocation], allocations: Sequence[Allocation]) -> Traffic:
    """The traffic that was recorded; `records` are not empty.

    An invocation that was throttled gets the version to which its qualifier led at the nearest time, and takes as long
    as most of that version do. The attempts of a throttled event are one invocation, which came when the first one did.
    """
    ordered = sorted(records, key=lambda past: (past.wall, past.n))
    traffic = Traffic(
        runs=[], since=ordered[0].wall, until=max(past.wall + past.finished_ms / 1000 for past in ordered)
    )
    reader = _Reader(ordered, allocations, traffic.since)
    first_attempts: dict[str, PastInvocation] = {}  # of events that were throttled and have not run
    refused: list[PastInvocation] = []
    failed = 0
    for past in ordered:
        if past.started_ms is not None:
            begun = first_attempts.pop(past.request_id, past)
            traffic.runs.append(reader.run(past, begun.wall, past))
        elif past.status is not InvocationStatus.THROTTLED:
            failed += 1
        elif past.type is InvocationType.EVENT:
            first_attempts.setdefault(past.request_id, past)
        else:
            refused.append(past)
    homeless = 0
    for past in (*refused, *first_attempts.values()):
        like = reader.like(past)
        if like is None:
            homeless += 1
        else:
            traffic.runs.append(reader.run(like, past.wall, None))
    traffic.runs.sort(key=lambda run: run.arrival)
    if failed:
        traffic.notes.append(f"{failed} invocations that the engine could not start are left out")
    if homeless:
        traffic.notes.append(f"{homeless} throttled invocations of functions that never ran are left out")
    for name, version in sorted(reader.unknown):
        traffic.notes.append(f"no cold start of {name}:{version} is recorded: its INIT is taken as 0 ms")
    return traffic


class _Reader:
    def __init__(self, ordered: list[PastInvocation], allocations: Sequence[Allocation], since: float) -> None:
        self._since = since
        self._ahead = {(one.function, one.version): one.init_ms for one in allocations if one.init_ms is not None}
        by_version: defaultdict[Key, list[PastInvocation]] = defaultdict(list)
        by_function: defaultdict[str, list[PastInvocation]] = defaultdict(list)
        #: What ran by function and, beside it, by qualifier: in order of time.
        self._ran: defaultdict[tuple[str, str | None] | str, list[PastInvocation]] = defaultdict(list)
        for past in ordered:
            if past.started_ms is not None:
                by_version[past.function, past.version].append(past)
                by_function[past.function].append(past)
                self._ran[past.function, past.qualifier].append(past)
                self._ran[past.function].append(past)
        self._versions = {key: _Typical.of(found) for key, found in by_version.items()}
        self._functions = {name: _Typical.of(found) for name, found in by_function.items()}
        #: Versions of which nobody knows how long their INIT takes.
        self.unknown: set[Key] = set()

    def run(self, past: PastInvocation, arrival: float, itself: PastInvocation | None) -> Run:
        """`itself` is the record if it is its own, and not that of one like it."""
        started_ms = past.started_ms or 0.0
        cold_ms, init_ms = self._cold(past.function, past.version)
        wait_ms = self._versions[past.function, past.version].warm_ms or 0.0
        if itself is not None and itself.cold:
            cold_ms, init_ms = started_ms, past.init_ms or 0.0
        elif itself is not None:
            wait_ms = started_ms
        responded_ms = past.finished_ms if past.responded_ms is None else past.responded_ms
        return Run(
            past=past,
            arrival=round((arrival - self._since) * 1e9),
            wait=_ns(wait_ms),
            cold_wait=_ns(cold_ms),
            init_ms=init_ms,
            answer=_ns(responded_ms - started_ms),
            busy=_ns(_busy_ms(past)),
        )

    def _cold(self, function: str, version: str) -> tuple[float, float]:
        """How long a cold start takes, and its INIT: as most of the version did, else of the function, else as INIT
        took where environments were made ahead."""
        for known in (self._versions[function, version], self._functions[function]):
            if known.cold_ms is not None:
                return known.cold_ms, known.init_ms or 0.0
        ahead = self._ahead.get((function, version))
        if ahead is None:
            self.unknown.add((function, version))
        return ahead or 0.0, ahead or 0.0

    def like(self, past: PastInvocation) -> PastInvocation | None:
        """What a throttled invocation would have been; None if its function never ran."""
        ran = self._ran.get((past.function, past.qualifier)) or self._ran.get(past.function)
        if not ran:
            return None
        place = bisect(ran, past.wall, key=lambda other: other.wall)
        nearest = min(ran[max(place - 1, 0) : place + 1], key=lambda other: abs(other.wall - past.wall))
        return replace(
            self._versions[past.function, nearest.version].middle,
            request_id=past.request_id,
            qualifier=past.qualifier,
            type=past.type,
            wall=past.wall,
            event_size=past.event_size,
            revision=nearest.revision,
            backend=nearest.backend,
            tenant=nearest.tenant,
            engine=nearest.engine,
        )


def _busy_ms(past: PastInvocation) -> float:
    return past.finished_ms - (past.started_ms or 0.0)


def _ns(ms: float) -> int:
    return max(round(ms * 1e6), 0)
