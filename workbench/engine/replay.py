"""Traffic once more, on a clock that skips: the engine's own decisions on environments that are only counted.

What is admitted and where it is placed is decided by `decide`, as in the engine; what takes time takes what was
recorded. Nothing here waits or does I/O.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from workbench.engine.clock import ReplayClock
from workbench.engine.decide import (
    REQUESTS_PER_SECOND,
    Function,
    Pool,
    Road,
    Tables,
    admit,
    admit_ahead,
    count_request,
    grow,
    place,
    reclaim_seconds,
)
from workbench.engine.queue import BACK_OFF_FIRST, BACK_OFF_LAST
from workbench.engine.rates import Rates
from workbench.engine.report import billed
from workbench.engine.traffic import Key, Run, Traffic
from workbench.model.attached import Attached, Provisioned
from workbench.model.cost import Usage, usages
from workbench.model.history import PastInvocation
from workbench.model.names import Account

#: How long an event is tried again that was throttled, in nanoseconds.
_MAX_AGE = 6 * 3600 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """At `t`, nanoseconds from the first invocation, `count` environments are provisioned for a version.

    They serve when their INIT of `init_ns` is over.
    """

    t: int
    key: Key
    count: int
    init_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What holds while the traffic comes. `reserved` is by function; times in seconds, as in the engine's options."""

    concurrency_limit: int
    scaling_rate: int
    idle_stop: float
    max_life: float
    claim_seconds: float
    reserved: Mapping[str, int]
    provisioned: Sequence[Resize] = ()


@dataclass(slots=True)
class Tally:
    """What became of a function's traffic; latencies in milliseconds."""

    cold_starts: int = 0
    throttles: int = 0
    latencies: list[float] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Flight:
    """An invocation that is on its way."""

    run: Run
    #: When it came, the last time that it did: how long it waited was recorded from there.
    came: int = 0
    cold: bool = False
    provisioned: bool = False
    #: Does it take of what is shared?
    counted: bool = False
    back_off: float = BACK_OFF_FIRST
    tries: int = 0


@dataclass(slots=True, eq=False)
class _Environment:
    """Satisfies `decide.Placeable`."""

    id: str
    pool: Pool[_Environment]
    created: int
    fleet: _Fleet | None = None
    idle_since: int = 0
    bare: bool = False
    retired: bool = False
    flight: _Flight | None = None
    claim: _Flight | None = None


@dataclass(slots=True, eq=False)
class _Fleet:
    """The provisioned environments of a version, as in `provisioned`."""

    wanted: int = 0
    init_ns: int = 0
    pool: Pool[_Environment] = field(default_factory=Pool)
    made: int = 0
    serving: bool = False


class Replay:
    """`run` once; then `tallies` by function and `used` say what became of it."""

    def __init__(self, traffic: Traffic, setting: Setting) -> None:
        self._since = traffic.since
        self._setting = setting
        self._clock = ReplayClock()
        self._tables = Tables(Account(), concurrency_limit=setting.concurrency_limit, scaling_rate=setting.scaling_rate)
        self._pools: dict[Hashable, Pool[_Environment]] = defaultdict(Pool)
        self._fleets: dict[Key, _Fleet] = {}
        self._ahead_requests = Rates(1)
        self._lines: defaultdict[str, deque[tuple[_Flight, int]]] = defaultdict(deque)
        self._ids = 0
        self._ran: list[tuple[PastInvocation, int, bool]] = []
        self.tallies: defaultdict[str, Tally] = defaultdict(Tally)
        for name in setting.reserved:
            self._claim(name)
        for change in setting.provisioned:
            self._clock.call_at(change.t, self._resize, change)
        for run in traffic.runs:
            # What ends at the very moment at which another comes has ended.
            self._clock.call_at(run.arrival, self._arrive, _Flight(run), late=True)

    def run(self) -> None:
        self._clock.run()

    def used(self) -> tuple[Usage, ...]:
        """What the invocations used that ran."""
        return usages(self._ran)

    # -- route is recorded: admit, place
    def _arrive(self, flight: _Flight) -> None:
        run, now = flight.run, self._clock.monotonic_ns()
        flight.came = now
        flight.tries += 1
        name = run.name
        fleet = self._fleets.get(run.key)
        if (
            fleet is not None
            and fleet.serving
            and admit_ahead(fleet.pool, self._ahead_requests, run.key, fleet.wanted, now)
        ):
            self._ahead_requests.take(run.key, fleet.wanted * REQUESTS_PER_SECOND, now)
            flight.provisioned = True
        else:
            reason = admit(self._tables, name, now, synchronous=run.synchronous)
            if reason is not None:
                self._throttle(flight)
                return
            self._count(flight)
        self._place(flight)

    def _place(self, flight: _Flight) -> None:
        run, now = flight.run, self._clock.monotonic_ns()
        if flight.provisioned:
            fleet = self._fleets.get(run.key)
            if fleet is not None and fleet.serving and self._take(flight, fleet.pool):
                return
            flight.provisioned = False
            if admit(self._tables, run.name, now, synchronous=run.synchronous) is not None:
                self._throttle(flight)
                return
            self._count(flight)
        pool = self._pools[run.pool]
        self._reclaim(pool, run.past.engine)
        if self._take(flight, pool):
            return
        if grow(self._tables, run.name, now) is not None:
            self._uncount(flight)
            self._throttle(flight)
            return
        self._tables.scaling.take(run.name, self._tables.scaling_rate, now)
        flight.cold = True
        self._start(self._environment(pool), flight, run.cold_wait)

    def _take(self, flight: _Flight, pool: Pool[_Environment]) -> bool:
        now = self._clock.monotonic_ns()
        placement = place(pool)
        environment = placement.environment
        if environment is None:
            return False
        if placement.road is Road.WARM:
            pool.ready.pop()
            self._start(environment, flight, flight.run.wait)
        else:
            pool.finishing.remove(environment)
            environment.claim = flight
            expires = now + round(self._setting.claim_seconds * 1e9)
            self._clock.call_at(expires, self._claim_expired, flight, environment)
        return True

    def _claim_expired(self, flight: _Flight, environment: _Environment) -> None:
        if environment.claim is flight:
            environment.claim = None
            self._place(flight)

    # -- an invocation runs
    def _start(self, environment: _Environment, flight: _Flight, wait: int) -> None:
        run = flight.run
        environment.flight = flight
        start = max(self._clock.monotonic_ns(), flight.came + wait)
        self._clock.call_at(start + run.answer, self._answered, flight, environment)
        self._clock.call_at(start + run.busy, self._finished, flight, environment)

    def _answered(self, flight: _Flight, environment: _Environment) -> None:
        run = flight.run
        tally = self.tallies[run.name]
        tally.latencies.append((self._clock.monotonic_ns() - run.arrival) / 1e6)
        tally.cold_starts += flight.cold
        ms = billed(run.past.duration_ms, run.init_ms if flight.cold else None)
        self._ran.append((run.past, ms, flight.provisioned))
        if not environment.retired and not run.fatal:
            environment.pool.finishing.append(environment)

    def _finished(self, flight: _Flight, environment: _Environment) -> None:
        run, now = flight.run, self._clock.monotonic_ns()
        environment.flight = None
        self._uncount(flight)
        pool = environment.pool
        if environment in pool.finishing:
            pool.finishing.remove(environment)
        claim, environment.claim = environment.claim, None
        if claim is not None:
            self._start(environment, claim, claim.run.wait)
        elif run.fatal or environment.retired:
            pool.members.pop(environment.id, None)
            if environment.fleet is not None and not environment.retired:
                environment.fleet.made -= 1
                self._make(environment.fleet)
        else:
            environment.idle_since = now
            pool.ready.append(environment)
        if not run.synchronous:
            self._made_room(run.name)

    def _count(self, flight: _Flight) -> None:
        if flight.run.synchronous:
            count_request(self._tables, flight.run.name, self._clock.monotonic_ns())
        self._occupy(flight)

    def _occupy(self, flight: _Flight) -> None:
        flight.counted = True
        self._tables.concurrency += 1
        self._tables.busy[flight.run.name] += 1

    def _uncount(self, flight: _Flight) -> None:
        if flight.counted:
            flight.counted = False
            self._tables.concurrency -= 1
            self._tables.busy[flight.run.name] -= 1

    # -- refusals; events wait, as in `queue`
    def _throttle(self, flight: _Flight) -> None:
        run, now = flight.run, self._clock.monotonic_ns()
        name = run.name
        self.tallies[name].throttles += 1
        if run.synchronous or self._setting.reserved.get(name) == 0:
            return
        wait = round(flight.back_off * 1e9)
        flight.back_off = min(flight.back_off * 2, BACK_OFF_LAST)
        if now + wait - run.arrival <= _MAX_AGE:
            self._lines[name].append((flight, flight.tries))
            self._clock.call_at(now + wait, self._again, flight, flight.tries)

    def _again(self, flight: _Flight, tries: int) -> None:
        if flight.tries == tries:  # nobody has made room for it meanwhile
            self._lines[flight.run.name].remove((flight, tries))
            self._arrive(flight)

    def _made_room(self, name: str) -> None:
        line = self._lines.get(name) or next(filter(None, self._lines.values()), None)
        if line:
            flight, _ = line.popleft()
            self._arrive(flight)

    # -- environments
    def _environment(self, pool: Pool[_Environment], fleet: _Fleet | None = None) -> _Environment:
        self._ids += 1
        made = _Environment(f"e-{self._ids}", pool, self._clock.monotonic_ns(), fleet)
        pool.members[made.id] = made
        return made

    def _reclaim(self, pool: Pool[_Environment], engine: float) -> None:
        """End what has been idle for too long, or has lived for too long, before it is looked at."""
        if not pool.ready:
            return
        looked = self._clock.monotonic_ns()
        if engine:
            # The engine looks now and then, from its start on: this was the last time.
            began, step = round((engine - self._since) * 1e9), round(reclaim_seconds(self._setting.idle_stop) * 1e9)
            looked -= (looked - began) % step
        horizon = looked - round(self._setting.idle_stop * 1e9)
        born = looked - round(self._setting.max_life * 1e9)
        for environment in list(pool.ready):
            if environment.idle_since <= horizon or environment.created <= born:
                pool.ready.remove(environment)
                del pool.members[environment.id]

    def _resize(self, change: Resize) -> None:
        fleet = self._fleets.get(change.key)
        if fleet is None:
            fleet = self._fleets[change.key] = _Fleet()
        here, fleet.wanted, fleet.init_ns = fleet.wanted, change.count, change.init_ns
        for _ in range(change.count - here):
            self._make(fleet)
        if change.count < here:
            idle = list(fleet.pool.ready)
            others = [one for one in fleet.pool.members.values() if one not in idle]
            for environment in (*idle, *others)[: here - change.count]:
                environment.retired = True
                if environment.flight is not None:  # from now on it counts like any other
                    self._occupy(environment.flight)
                del fleet.pool.members[environment.id]
                for stack in (fleet.pool.ready, fleet.pool.finishing):
                    if environment in stack:
                        stack.remove(environment)
            fleet.made = min(fleet.made, change.count)
        if change.count:
            self._check(fleet)
        else:
            del self._fleets[change.key]
        self._claim(change.key[0])

    def _make(self, fleet: _Fleet) -> None:
        environment = self._environment(fleet.pool, fleet)
        self._clock.call_at(self._clock.monotonic_ns() + fleet.init_ns, self._made, environment)

    def _made(self, environment: _Environment) -> None:
        fleet = environment.fleet
        if fleet is not None and not environment.retired:
            fleet.made += 1
            fleet.pool.ready.append(environment)
            self._check(fleet)

    def _check(self, fleet: _Fleet) -> None:
        if fleet.made >= fleet.wanted:
            fleet.serving = True

    def _claim(self, name: str) -> None:
        """What a function takes of the account's concurrency, as things stand."""
        counts = {key[1]: fleet.wanted for key, fleet in self._fleets.items() if key[0] == name}
        attached = Attached(
            reserved=self._setting.reserved.get(name),
            provisioned={version: Provisioned(requested=count, last_modified=0.0) for version, count in counts.items()},
        )
        if attached.reserved is None and not counts:
            self._tables.claimants.pop(name, None)
        else:
            self._tables.claimants[name] = Function(attached=attached)
