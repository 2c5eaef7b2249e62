"""Spares: how many of which kind wait, and which cold start gets one.

A kind is what is fixed when an environment is launched. As many spares of a kind are kept as it had cold starts lately,
within a bound and while there is memory; they are made one at a time, when nothing else is. A function that a booted
runtime would run otherwise than a fresh one gets a fresh one, and is told why.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.backends.api import Exited
from workbench.engine import trees
from workbench.engine.backend_host import BackendHost
from workbench.engine.clock import Clock
from workbench.engine.entrypoint import ahead_of
from workbench.engine.farms import Farms
from workbench.engine.ports import ListenerFactory, RuntimeLink, SparesAt, StoreThread
from workbench.engine.sandbox import Contents, Sandbox
from workbench.engine.spare import Kind, Spare
from workbench.engine.trees import Tree
from workbench.engine.variables import read_at_start
from workbench.model.errors import WorkbenchError
from workbench.model.functions import FunctionVersion
from workbench.model.runtimes import RuntimeVersion

#: Seconds in which cold starts count as demand at the same time.
DEMAND_SECONDS = 60.0
#: A cold start keeps spares from being made for so long, but not for longer than so many times.
PAUSE_SECONDS, PAUSES = 0.1, 20
#: After a spare that could not be made, none of its kind is tried for so long.
RETRY_SECONDS = 60.0
#: Of so many functions is remembered that spares are not for them.
_UNFIT = 1000
#: And the names in the code of so many.
_TREES = 256
OFF = "spares are off"
NONE_WAITS = "no spare was waiting"

_log = logging.getLogger("workbench.spares")


@dataclass(slots=True)
class _Pool:
    """The spares of a kind. `demand` is when cold starts of it were, `last` the last of them; nanoseconds."""

    runtime: RuntimeVersion
    host: BackendHost
    waiting: list[Spare] = field(default_factory=list)
    demand: deque[int] = field(default_factory=deque)
    last: int = 0
    filling: bool = False
    #: Why there are fewer than wanted, and until when nothing is tried.
    trouble: str = ""
    retry: int = 0


class Spares:
    """`take` gives a spare to a cold start, or says why not; `started` tells of each cold start.

    `most` bounds the spares of a kind that wait, 0 makes none. `idle` is after how many seconds without a cold start
    nothing is kept, and `life` how old a spare gets.
    """

    def __init__(
        self,
        *,
        most: int,
        at: SparesAt | None,
        idle: float,
        life: float,
        clock: Clock,
        thread: StoreThread,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        listeners: ListenerFactory,
        hosts: Mapping[str, BackendHost],
    ) -> None:
        self._most = most if at is not None else 0
        self._farms = Farms(at.folder, at.disk) if at is not None else None
        self._room = at.room if at is not None else lambda: False
        self._idle_ns, self._life_ns = int(idle * 1e9), int(life * 1e9)
        self._clock = clock
        self._thread = thread
        self._spawn = spawn
        self._listeners = listeners
        self._hosts = hosts
        self._pools: dict[Kind, _Pool] = {}
        self._runtimes: dict[str, RuntimeVersion] = {}
        #: Why some code is not for spares, as was found when one was taken for it.
        self._unfit: dict[tuple[str, ...], str] = {}
        #: What is in folders that are named after their content.
        self._trees: dict[Path, Tree] = {}
        #: What was made and is nobody's yet: waiting, taken, or being made.
        self._own: set[Spare] = set()
        self._making = asyncio.Lock()
        self._last_start = 0
        self.closed = False

    @property
    def on(self) -> bool:
        return self._most > 0 and not self.closed

    @property
    def any(self) -> bool:
        """Is there a kind that is kept?"""
        return bool(self._pools)

    # -- cold starts
    def take(self, version: FunctionVersion, backend: str) -> Spare | str:
        """A spare for a cold start of the version, to be adopted; or why there is none."""
        if not self.on:
            return OFF
        host, runtime = self._hosts.get(backend), self._runtimes.get(version.runtime_version or "")
        if host is not None and not host.capabilities.late_code:
            return f"backend '{backend}' takes no code late"
        if runtime is not None and runtime.ahead and (name := read_at_start(version.configuration)) is not None:
            return f"{name} is read when the runtime starts"
        if version.code.image is not None:
            return "no environment is made ahead for a container image"
        if (why := self._unfit.get(_content(version, backend))) is not None:
            return why
        if host is None or runtime is None:
            return NONE_WAITS
        pool = self._pools.get(_kind(host, runtime, version))
        if pool is None or not pool.waiting:
            return f"{NONE_WAITS} ({pool.trouble})" if pool is not None and pool.trouble else NONE_WAITS
        return pool.waiting.pop()

    async def adopt(
        self,
        spare: Spare,
        version: FunctionVersion,
        prepared: Awaitable[Contents],
        sandbox: Sandbox,
        link: RuntimeLink,
        on_gone: Callable[[Exited], None],
    ) -> Contents | str:
        """Make a spare that was taken the sandbox of the version; or say why that cannot be, and then nothing has
        happened to that sandbox."""
        try:
            contents = await prepared
            code = await self._look(contents.task)
            layers = await self._look(contents.opt) if contents.opt is not None else None
            if why := self._why_unfit(spare, version, contents, code, layers):
                self._give_back(spare)
                return why
            await sandbox.adopt(spare, contents, code, layers, link, on_gone)
        except (WorkbenchError, OSError) as error:
            self._drop(spare)
            return f"the spare failed: {error}"
        self._own.discard(spare)  # it is an environment now
        return contents

    async def _look(self, root: Path) -> Tree:
        if (tree := self._trees.get(root)) is None:
            if len(self._trees) >= _TREES:
                self._trees.clear()
            tree = self._trees[root] = await self._thread.run(trees.look, root)
        return tree

    def _why_unfit(
        self, spare: Spare, version: FunctionVersion, contents: Contents, code: Tree, layers: Tree | None
    ) -> str:
        """Why a spare cannot be what a fresh environment with these contents would be; empty when it can."""
        runtime = contents.runtime
        if runtime.arn != spare.runtime.arn:
            return "the runtime version has changed"
        if contents.file_systems:
            return "its file systems are mounted when it is made"
        backend = spare.kind.backend
        mounts = self._hosts[backend].capabilities.mounts
        why = trees.unfit(code, layers, runtime.language_version, spare.loaded, mounts=mounts)
        if why:
            if len(self._unfit) >= _UNFIT:
                self._unfit.clear()
            self._unfit[_content(version, backend)] = why
        return why

    def _give_back(self, spare: Spare) -> None:
        """It was taken and not touched."""
        pool = self._pools.get(spare.kind)
        if pool is None or spare.dead or self.closed:
            self._drop(spare)
        else:
            pool.waiting.append(spare)

    def _drop(self, spare: Spare) -> None:
        """It is of no use: end it."""
        self._spawn(self._close(spare))

    def started(self, version: FunctionVersion, host: BackendHost, contents: Contents) -> None:
        """A cold start of the version takes place, on whatever road: there may soon be another of its kind."""
        now = self._last_start = self._clock.monotonic_ns()
        runtime = contents.runtime
        if not self.on or not host.capabilities.late_code or contents.file_systems or runtime.image is not None:
            return
        if runtime.ahead and read_at_start(version.configuration) is not None:
            return
        if _content(version, host.name) in self._unfit:
            return
        self._runtimes[runtime.arn] = runtime
        kind = _kind(host, runtime, version)
        pool = self._pools.setdefault(kind, _Pool(runtime, host))
        pool.demand.append(now)
        pool.last = now
        self._fill(kind, pool)

    # -- keeping them
    def _wanted(self, pool: _Pool) -> int:
        now = self._clock.monotonic_ns()
        if now - pool.last > self._idle_ns:
            return 0
        while pool.demand and now - pool.demand[0] > DEMAND_SECONDS * 1e9:
            pool.demand.popleft()
        return min(self._most, max(len(pool.demand), 1))

    def _fill(self, kind: Kind, pool: _Pool) -> None:
        if not pool.filling and self.on and len(pool.waiting) < self._wanted(pool):
            pool.filling = True
            self._spawn(self._fill_up(kind, pool))

    async def _fill_up(self, kind: Kind, pool: _Pool) -> None:
        try:
            while await self._quiet() and len(pool.waiting) < self._wanted(pool):
                async with self._making:
                    if not await self._make(kind, pool):
                        return
            await self._prepare()
        finally:
            pool.filling = False

    async def _prepare(self) -> None:
        if self._farms is not None and self.on:
            async with self._making:
                try:
                    await self._farms.prepare()
                except OSError as error:  # what is not ready is linked when it is needed
                    _log.warning("code cannot be linked ahead: %s", error)

    async def _quiet(self) -> bool:
        """Wait until no cold start is just taking place; False when nothing is to be made any more."""
        for _ in range(PAUSES):
            await self._clock.sleep(PAUSE_SECONDS)
            if not self.on or self._clock.monotonic_ns() - self._last_start >= PAUSE_SECONDS * 1e9:
                break
        return self.on

    async def _make(self, kind: Kind, pool: _Pool) -> bool:
        if self._clock.monotonic_ns() < pool.retry or self.closed:
            return False
        if not self._room():
            pool.trouble = "there is too little memory for one"
            return False
        assert self._farms is not None
        spare = Spare(f"s-{uuid.uuid4().hex[:8]}", kind, pool.runtime, pool.host, self._clock, self._farms, self._died)
        self._own.add(spare)
        try:
            await spare.boot(self._listeners)
        except (WorkbenchError, OSError) as error:
            await self._close(spare)
            if not self.closed:
                self._failed(pool, str(error))
            return False
        if self.closed or self._pools.get(kind) is not pool:
            await self._close(spare)
            return False
        pool.trouble = ""
        pool.waiting.append(spare)
        return True

    def _failed(self, pool: _Pool, why: str) -> None:
        pool.trouble = f"one could not be made: {why}"
        pool.retry = self._clock.monotonic_ns() + int(RETRY_SECONDS * 1e9)
        _log.warning("no spare of %s: %s", pool.runtime.label, why)

    def _died(self, spare: Spare) -> None:
        """One that waited has ended by itself."""
        pool = self._pools.get(spare.kind)
        if pool is None or spare not in pool.waiting:
            return  # taken: whoever has it finds out
        pool.waiting.remove(spare)
        _log.warning("a spare of %s has ended: %s", pool.runtime.label, spare.dead)
        self._spawn(self._close(spare))
        self._fill(spare.kind, pool)

    def sweep(self) -> None:
        """End those that nobody has wanted for long, and those that are old."""
        now = self._clock.monotonic_ns()
        for kind, pool in list(self._pools.items()):
            keep = self._wanted(pool)
            for spare in [spare for spare in pool.waiting if now - spare.born >= self._life_ns] + pool.waiting[keep:]:
                if spare in pool.waiting:
                    pool.waiting.remove(spare)
                    self._drop(spare)
            if keep == 0:
                if not pool.waiting and not pool.filling:
                    del self._pools[kind]
            else:
                self._fill(kind, pool)
        if not self._pools and self._farms is not None:
            self._farms.forget()
            self._spawn(self._prepare())

    def keep(self, arns: Collection[str | None]) -> None:
        """End the spares of runtime versions that no function has any more."""
        for kind, pool in list(self._pools.items()):
            if kind.arn not in arns:
                del self._pools[kind]
                for spare in pool.waiting:
                    self._drop(spare)
                pool.waiting.clear()

    async def _close(self, spare: Spare) -> None:
        try:
            await spare.close()
        except WorkbenchError as error:
            _log.warning("a spare cannot be ended cleanly: %s", error)
        finally:
            self._own.discard(spare)

    async def aclose(self) -> None:
        """End them all, whoever has them, but those that were adopted."""
        self.closed = True
        self._pools.clear()
        await asyncio.gather(*map(self._close, list(self._own)))
        async with self._making:  # one that was just being made has gone, too
            return

    async def clear_away(self) -> None:
        """The environments that were spares have ended, too: remove the rest of what was on the disk."""
        if self._farms is not None:
            await self._farms.aclose()

    def lines(self) -> tuple[str, ...]:
        """What waits, for people: a line for each kind."""
        return tuple(
            f"{pool.runtime.runtime} on {kind.backend}: {len(pool.waiting)} of {self._wanted(pool)} waiting"
            + (f" ({pool.trouble})" if pool.trouble else "")
            for kind, pool in self._pools.items()
        )


def _content(version: FunctionVersion, backend: str) -> tuple[str, ...]:
    """What decides, with a function's variables, whether a spare can be it."""
    return backend, version.runtime_version or "", version.code.sha256, *(layer.sha256 for layer in version.layers)


def _kind(host: BackendHost, runtime: RuntimeVersion, version: FunctionVersion) -> Kind:
    configuration = version.configuration
    return Kind(
        host.name,
        runtime.arn,
        host.network(version.name),
        configuration.ephemeral_storage,
        ahead_of(runtime, configuration),
    )
