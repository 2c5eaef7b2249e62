"""Which runtime version functions take, and how a newly published one reaches those that there are.

A roll-out has two phases. From the moment of publication, functions take the new version when their code or
configuration is created or updated; later, the versions in Auto that nobody touched are moved. FunctionUpdate knows
only the first phase, Manual none.
Source: Lambda Developer Guide, "Understanding how Lambda manages runtime version updates".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from workbench.engine.clock import Clock
from workbench.engine.decide import Tables
from workbench.engine.ports import Runtimes, Store, StoreThread
from workbench.model.attached import UpdateRuntimeOn
from workbench.model.errors import InvalidParameterValue, UsageError
from workbench.model.functions import FunctionVersion
from workbench.model.runtimes import RuntimeOverview, RuntimeRollout, RuntimeVersion

Move = Callable[[str, str, str, str, Collection[UpdateRuntimeOn]], Coroutine[Any, Any, None]]
_PHASE_TWO = (UpdateRuntimeOn.AUTO,)
_GONE = (UpdateRuntimeOn.AUTO, UpdateRuntimeOn.FUNCTION_UPDATE)


class Rollouts:
    """What is published, written through.

    `move` gives a version of a function another runtime version: it gets the function, the version, the runtime, the
    ARN, and the modes in which that may happen.
    """

    def __init__(
        self,
        tables: Tables,
        clock: Clock,
        store: Store,
        thread: StoreThread,
        runtimes: Runtimes,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        move: Move,
        seconds: float,
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._store = store
        self._thread = thread
        self._runtimes = runtimes
        self._spawn = spawn
        self._move = move
        self._seconds = seconds
        self._records: dict[str, RuntimeRollout] = {}
        self._lock = asyncio.Lock()

    def load(self, records: list[RuntimeRollout]) -> None:
        """What was published before; a roll-out that was under way goes on."""
        for record in records:
            self._records[record.id] = record
            if not record.done:
                self._spawn(self._finish(record))

    async def current(self, runtime: str) -> str:
        """The ARN of the runtime version that functions take when they are created or updated.

        What is taken first stays until another one is published, or until it is gone from the machine.
        """
        record = self._records.get(runtime)
        if record is not None and await self._runtimes.has(runtime, record.published):
            return record.published
        async with self._lock:
            if self._records.get(runtime) is not record:
                return self._records[runtime].published
            first = await self._runtimes.first(runtime)
            if first is None:
                return self._runtimes.nowhere(runtime)
            await self._begin(RuntimeRollout(id=runtime, published=first.arn, since=self._clock.time()), record)
            return first.arn

    def settled(self, runtime: str) -> str | None:
        """The ARN that every function in Auto has by now; None while a roll-out is under way, and before any."""
        record = self._records.get(runtime)
        return record.published if record is not None and record.done else None

    async def publish(self, runtime: str, version: str) -> RuntimeOverview:
        """Make a version that is on the machine the one that functions take.

        Raises:
            UsageError: there is no such runtime, or no such version here.
        """
        if runtime not in self._runtimes.known():
            raise UsageError(f"there is no runtime '{runtime}'; workbench runtimes list shows those that there are")
        installed = await self._runtimes.installed(runtime)
        found = next((one for one in installed if version in (one.version, one.arn)), None)
        if found is None:
            here = ", ".join(one.version for one in installed) or "none"
            raise UsageError(f"there is no version {version} of '{runtime}' on this machine; there is: {here}")
        if await self.current(runtime) != found.arn:
            async with self._lock:
                record = RuntimeRollout(id=runtime, published=found.arn, since=self._clock.time())
                await self._begin(record, self._records.get(runtime))
        return await self.overview(runtime)

    async def overview(self, runtime: str) -> RuntimeOverview:
        """One runtime as people are shown it; what is installed is looked for again."""
        record, deprecation = self._records.get(runtime), self._runtimes.deprecation(runtime)
        today = self._today()
        versions, found = await self._runtimes.installed(runtime), self._runtimes.look(runtime)
        first = await self._runtimes.first(runtime) if record is None else None
        return RuntimeOverview(
            id=runtime,
            versions=versions,
            published=record.published if record is not None else first.arn if first is not None else None,
            moves=record.since + self._seconds if record is not None and not record.done else None,
            deprecation=deprecation.isoformat() if deprecation is not None else None,
            deprecated=deprecation is not None and deprecation <= today,
            blocked=self._runtimes.blocked(runtime, today),
            mend=found[1] or None if found is not None else None,
        )

    async def overviews(self) -> tuple[RuntimeOverview, ...]:
        """The runtimes that Workbench can run, in the catalogue's order."""
        return tuple(
            [
                await self.overview(runtime)
                for runtime in self._runtimes.known()
                if self._runtimes.look(runtime) is not None
            ]
        )

    def check(self, runtime: str, *, update: bool = False) -> None:
        """May a function be given this runtime, or with `update` be updated while it keeps it? An image has none.

        Raises:
            UsageError: there is no such runtime.
            InvalidParameterValue: it is too old.
        """
        known = self._runtimes.known()
        if not runtime or (update and runtime not in known):
            return
        if runtime not in known:
            raise UsageError(f"there is no runtime '{runtime}'; known: {', '.join(known)}")
        if self._runtimes.blocked(runtime, self._today(), update=update):
            raise InvalidParameterValue(
                f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda "
                "functions. We recommend you use a supported runtime while creating or updating functions."
            )

    async def boot(self, version: FunctionVersion) -> RuntimeVersion:
        """The runtime version that an environment of a function's version gets.

        One that is gone from the machine is replaced by the current one, unless it was pinned.

        Raises:
            RuntimeUnavailable: there is none.
        """
        runtime = version.configuration.runtime
        had = version.runtime_version
        function = self._tables.functions.get(version.name)
        mode = function.attached.runtime_of(version.version).update_runtime_on if function is not None else None
        if had is not None and (mode is UpdateRuntimeOn.MANUAL or await self._runtimes.has(runtime, had)):
            return await self._runtimes.resolve(runtime, had)
        arn = await self.current(runtime)
        if arn != had:
            self._spawn(self._move(version.name, version.version, runtime, arn, _GONE))
        return await self._runtimes.resolve(runtime, arn)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock.time(), UTC).date()

    async def _begin(self, record: RuntimeRollout, before: RuntimeRollout | None) -> None:
        """Write a record, and roll it out unless no function can have had another version."""
        if before is None:
            record = replace(record, done=True)
        await self._thread.run(self._store.put_record, record)
        self._records[record.id] = record
        if not record.done:
            self._spawn(self._finish(record))

    async def _finish(self, record: RuntimeRollout) -> None:
        """Phase two, when its time has come, if nothing was published since."""
        await self._clock.sleep(max(record.since + self._seconds - self._clock.time(), 0.0))
        # A function's lock is taken for each move, and who has one may wait for ours.
        for name, function in list(self._tables.functions.items()):
            for number in list(function.versions):
                if self._records.get(record.id) is not record:
                    return
                await self._move(name, number, record.id, record.published, _PHASE_TWO)
        async with self._lock:
            if self._records.get(record.id) is record:
                done = replace(record, done=True)
                await self._thread.run(self._store.put_record, done)
                self._records[record.id] = done
