"""Provisioned concurrency at work: environments that are made ahead of a version, and kept at the number asked for.

None of them serves before all are there. One that ends is replaced; if its INIT fails the configuration has failed, and
nothing is tried again before something about the function is changed.
Source: Lambda Developer Guide, "Configuring provisioned concurrency for a function".
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from workbench.engine.backends import Backends
from workbench.engine.decide import REQUESTS_PER_SECOND, Function, Pool, Tables, admit_ahead
from workbench.engine.environment import ExecutionEnvironment, Services, new_environment_id
from workbench.engine.rates import Rates
from workbench.model import events as ev
from workbench.model.attached import Provisioned, ProvisionedStatus
from workbench.model.environments import EnvironmentState
from workbench.model.functions import FunctionVersion
from workbench.model.platform import InitializationType

_MADE = frozenset({EnvironmentState.IDLE, EnvironmentState.BUSY, EnvironmentState.FROZEN})
_CHANGED = "provisioned concurrency was changed"
_FAILED = "FUNCTION_ERROR_INIT_FAILURE"


@dataclass(slots=True)
class _Fleet:
    """The environments of one version. `serving` from when all were there."""

    version: FunctionVersion
    wanted: int
    pool: Pool[ExecutionEnvironment] = field(default_factory=Pool)
    states: dict[str, EnvironmentState] = field(default_factory=dict)
    #: What INIT took in those that are through with it, in milliseconds.
    initialised: dict[str, float] = field(default_factory=dict)
    serving: bool = False
    failed: bool = False

    @property
    def busy(self) -> int:
        return sum(state is EnvironmentState.BUSY for state in self.states.values())


class ProvisionedEnvironments:
    """`reconcile` makes what is there follow what is asked for; `pool` gives what may serve."""

    def __init__(
        self,
        tables: Tables,
        services: Services,
        backends: Backends,
        surrender: Callable[[str], None],
    ) -> None:
        """`surrender` hears of an environment that is no longer one of them while it has an invocation."""
        self._tables = tables
        self._services = services
        self._backends = backends
        self._surrender = surrender
        self._fleets: dict[tuple[str, str], _Fleet] = {}
        #: Requests in a second, by version.
        self._requests = Rates(1)
        #: Nothing is made while this holds: before everything is loaded, when the engine ends, in one that is short.
        self.closed = True

    def admit(self, version: FunctionVersion, now: int) -> bool:
        """Can one of a version's environments take an invocation now? Then it counts as one of its requests."""
        fleet = self._fleets.get(version.key)
        if fleet is None or not fleet.serving:
            return False
        if not admit_ahead(fleet.pool, self._requests, version.key, fleet.wanted, now):
            return False
        self._requests.take(version.key, fleet.wanted * REQUESTS_PER_SECOND, now)
        return True

    def pool(self, version: FunctionVersion) -> Pool[ExecutionEnvironment] | None:
        """The environments that may serve an invocation of this version, if any are provisioned and all are there."""
        fleet = self._fleets.get(version.key)
        return fleet.pool if fleet is not None and fleet.serving else None

    def pools(self) -> list[Pool[ExecutionEnvironment]]:
        """Every pool, serving or not."""
        return [fleet.pool for fleet in self._fleets.values()]

    def reconcile(self, name: str) -> None:
        """The function, its aliases or what is attached to it may have changed."""
        if self.closed:
            return
        function = self._tables.functions.get(name)
        wanted = targets(function) if function is not None else {}
        for key, fleet in list(self._fleets.items()):
            if key[0] == name and key[1] not in wanted:
                del self._fleets[key]
                self._dismiss(fleet, len(fleet.states))
                self._tell(fleet, 0)
        if function is None:
            return
        for number, count in wanted.items():
            version = function.versions[number]
            present = self._fleets.get(version.key)
            if present is not None and present.version.runtime_version != version.runtime_version:
                # They are made anew with the other runtime version; until all are there, invocations spill over.
                del self._fleets[version.key]
                self._dismiss(present, len(present.states))
                present = None
            fleet = present or self._fleets.setdefault(version.key, _Fleet(version, count))
            if present is None or present.wanted != count or present.failed:
                fleet.wanted, fleet.failed = count, False
                self._tell(fleet, count)
                self._fill(fleet)

    def figures(self, function: Function, qualifier: str) -> Provisioned:
        """A configuration of the function with the figures of this moment."""
        config = function.attached.provisioned[qualifier]
        fleets = [
            fleet
            for number in shares(function, qualifier, config.requested)
            if (fleet := self._fleets.get((function.versions[number].name, number))) is not None
        ]
        if any(fleet.failed for fleet in fleets):
            return replace(config, status=ProvisionedStatus.FAILED, status_reason=_FAILED)
        if not fleets or not all(fleet.serving for fleet in fleets):
            return config
        made, busy = sum(len(fleet.initialised) for fleet in fleets), sum(fleet.busy for fleet in fleets)
        allocated = min(made, config.requested)
        return replace(config, allocated=allocated, available=max(allocated - busy, 0), status=ProvisionedStatus.READY)

    def _fill(self, fleet: _Fleet) -> None:
        """Make what is missing, end what is too much."""
        here = len(fleet.states)
        if here > fleet.wanted:
            self._dismiss(fleet, here - fleet.wanted)
        for _ in range(fleet.wanted - here):
            identity = new_environment_id()
            fleet.states[identity] = EnvironmentState.CREATING
            self._services.spawn(self._boot(fleet, identity))
        self._check(fleet)

    async def _boot(self, fleet: _Fleet, identity: str) -> None:
        try:
            host = await self._backends.open(self._backends.name(fleet.version))
        except Exception:
            self._lost(fleet, identity)
            raise
        if self.closed or identity not in fleet.states:
            return

        def emit(event: ev.Event) -> None:
            self._services.emit(event)
            if event.__class__ is ev.EnvironmentChanged:
                self._changed(fleet, event)

        environment = ExecutionEnvironment(
            replace(self._services, emit=emit),
            identity,
            fleet.version,
            host,
            fleet.pool,
            InitializationType.PROVISIONED_CONCURRENCY,
        )
        await environment.boot(None)

    def _changed(self, fleet: _Fleet, event: ev.EnvironmentChanged) -> None:
        before = fleet.states.get(event.id)
        if before is None:
            return  # dismissed: its end is no loss
        if event.state in (EnvironmentState.STOPPING, EnvironmentState.STOPPED, EnvironmentState.FAILED):
            if event.id in fleet.initialised:
                del fleet.states[event.id]
                del fleet.initialised[event.id]
                if not self.closed:
                    self._fill(fleet)
            else:
                self._lost(fleet, event.id)
            return
        fleet.states[event.id] = event.state
        if event.state in _MADE:
            if event.init_ms is None:
                # It would run INIT again inside an invocation, as one on demand does. It is still at saying so.
                asyncio.get_running_loop().call_soon(self._lost, fleet, event.id)
                return
            fleet.initialised[event.id] = event.init_ms
        self._check(fleet)

    def _lost(self, fleet: _Fleet, identity: str) -> None:
        """An environment could not be initialised: the others go too."""
        fleet.failed, fleet.serving = True, False
        self._dismiss(fleet, len(fleet.states))
        self._tell(fleet, 0)

    def _check(self, fleet: _Fleet) -> None:
        if not (fleet.failed or fleet.serving) and len(fleet.initialised) >= fleet.wanted:
            fleet.serving = True
            self._tell(fleet, fleet.wanted)

    def _tell(self, fleet: _Fleet, count: int) -> None:
        """How many are provisioned, for what they cost."""
        clock, version = self._services.clock, fleet.version
        took = fleet.initialised.values()
        self._services.emit(
            ev.ProvisionedChanged(
                clock.monotonic_ns(),
                clock.time(),
                version.name,
                version.version,
                version.configuration.architecture,
                version.configuration.memory_size,
                count,
                sum(took) / len(took) if took else None,
            )
        )

    def _dismiss(self, fleet: _Fleet, count: int) -> None:
        """End that many, idle ones first; one that is busy ends when it is free."""
        order = sorted(fleet.states, key=lambda identity: fleet.states[identity] is EnvironmentState.BUSY)
        for identity in order[:count]:
            del fleet.states[identity]
            fleet.initialised.pop(identity, None)
            environment = fleet.pool.members.get(identity)
            if environment is None:
                continue  # it has not begun, and will not
            if environment.state is EnvironmentState.BUSY:
                self._surrender(identity)
                environment.retire(_CHANGED)
            else:
                environment.stop(_CHANGED)


def targets(function: Function) -> Mapping[str, int]:
    """How many environments each version is to have, by its number."""
    wanted: Counter[str] = Counter()
    for qualifier, config in function.attached.provisioned.items():
        wanted.update(shares(function, qualifier, config.requested))
    return wanted


def shares(function: Function, qualifier: str, requested: int) -> dict[str, int]:
    """The versions behind a qualifier with their share of what is asked for: an alias splits it by its weights."""
    alias = function.aliases.get(qualifier)
    if alias is None:
        return {qualifier: requested} if qualifier in function.versions else {}
    split = {version: round(requested * weight) for version, weight in alias.weights.items()}
    split[alias.version] = requested - sum(split.values())
    return {version: count for version, count in split.items() if count > 0 and version in function.versions}
