"""The pools of environments on demand: where an invocation looks for one, and when they end.

Provisioned ones have pools of their own, in `provisioned`.
"""

from __future__ import annotations

from workbench.engine.clock import Clock
from workbench.engine.decide import Pool, Tables
from workbench.engine.environment import ExecutionEnvironment
from workbench.model.functions import FunctionVersion

#: Name, version, revision, runtime version, backend, and the tenant where a function keeps tenants apart: no
#: environment serves two of any.
PoolKey = tuple[str, str, str, str | None, str, str | None]


def pool_key(version: FunctionVersion, backend: str, tenant: str | None) -> PoolKey:
    """The pool of a version's environments on a backend."""
    return version.name, version.version, version.revision_id, version.runtime_version, backend, tenant


class Pools:
    """A pool is kept while it has environments.

    `idle_stop` is after how many seconds without an invocation an environment ends, and `max_life` how old one gets.
    """

    def __init__(self, tables: Tables, clock: Clock, idle_stop: float, max_life: float) -> None:
        self._tables = tables
        self._clock = clock
        self._idle_stop = idle_stop
        self._max_life = max_life
        self._pools: dict[PoolKey, Pool[ExecutionEnvironment]] = {}
        #: Why the last environment of a function's version ended.
        self._last_ends: dict[tuple[str, str], str] = {}

    def get(self, key: PoolKey) -> Pool[ExecutionEnvironment]:
        """The pool of this key, to look for an environment in."""
        return self._pools.get(key) or Pool()

    def keep(self, key: PoolKey) -> Pool[ExecutionEnvironment]:
        """The pool of this key, to make an environment in at once: one that stays empty is not forgotten."""
        return self._pools.setdefault(key, Pool())

    def all(self) -> list[Pool[ExecutionEnvironment]]:
        """Those that are kept."""
        return list(self._pools.values())

    def last_end(self, version: FunctionVersion) -> str | None:
        """Why the version's last environment ended, if it had one."""
        return self._last_ends.get(version.key)

    def retire(self, name: str, version: str | None, reason: str) -> None:
        """End the environments of a replaced or deleted version; running invocations finish on what they began with."""
        for key, pool in list(self._pools.items()):
            if key[0] != name or version not in (None, key[1]):
                continue
            for environment in list(pool.members.values()):
                environment.retire(reason)

    def ended(self, environment: ExecutionEnvironment) -> None:
        """A pool without environments is forgotten; the next invocation makes another."""
        if environment.version.name in self._tables.functions:
            self._last_ends[environment.version.key] = environment.reason
        else:
            self._last_ends.pop(environment.version.key, None)
        for key, pool in list(self._pools.items()):
            if pool is environment.pool and not pool.members:
                del self._pools[key]

    def sweep(self) -> None:
        """End environments that have been idle for long, and those that have lived long once they are free."""
        born = self._clock.monotonic_ns() - int(self._max_life * 1e9)
        horizon = self._clock.monotonic_ns() - int(self._idle_stop * 1e9)
        for pool in self.all():
            for environment in [member for member in pool.members.values() if member.created <= born]:
                environment.retire(f"lived {self._max_life:g} s")
            for environment in list(pool.ready):
                if environment.idle_since <= horizon and environment.state.placeable:
                    environment.stop(f"idle for {self._idle_stop:g} s")
