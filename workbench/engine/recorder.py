"""From event records to the history: each invocation is put together while it runs, and written when it has ended.

The loop only collects; records are made and written in batches by the history's own thread, so no invocation waits for
the disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from workbench.engine.clock import Clock, Timer
from workbench.engine.ports import History, StoreThread
from workbench.model import events as ev
from workbench.model.cost import Allocation, Used
from workbench.model.errors import StateError
from workbench.model.history import MAX_LOG, InvocationRecord, PastInvocation, PastLine
from workbench.model.invocations import InvocationStatus
from workbench.model.text import shortened

#: Seconds that an invocation which has ended may wait for others to be written with.
BATCH_SECONDS = 0.2
#: Seconds between two looks at what is provisioned.
BEAT_SECONDS = 60.0
#: What may wait for the disk: invocations, and bytes of their bodies and logs.
MAX_WAITING, MAX_WAITING_BYTES = 20_000, 64_000_000
#: What a line counts beyond its text, as CloudWatch Logs counts ("PutLogEvents": 26 bytes an event).
_LINE = 26
_log = logging.getLogger("workbench.history")


class Recorder:
    """Takes every event of the engine; what it has not written yet, it writes before it answers."""

    def __init__(self, clock: Clock, history: History, thread: StoreThread) -> None:
        self._clock = clock
        self._history = history
        self._thread = thread
        self._began = clock.time()
        self._open: dict[str, _Open] = {}
        #: The invocation that each environment has now: lines of its INIT bear no request id.
        self._inside: dict[str, _Open] = {}
        self._batch: list[Callable[[], InvocationRecord]] = []
        self._batch_bytes = 0
        self._dropped = 0
        self._timer: Timer | None = None
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        #: What is provisioned now, by function and version, and what has been since it was written last.
        self._provisioned: dict[tuple[str, str], Allocation] = {}
        self._past_allocations: list[Allocation] = []
        self._beat: Timer | None = None
        #: Why the last write failed; empty while all is well.
        self.trouble = ""
        self._apply: dict[type, Callable[[Any], None]] = {
            ev.InvocationAccepted: self._accepted,
            ev.InvocationStarted: self._started,
            ev.InvocationFinished: self._finished,
            ev.InvocationRefused: self._refused,
            ev.LogLine: self._line,
            ev.ProvisionedChanged: self._allocated,
        }

    def apply(self, event: ev.Event) -> None:
        """Take one event in."""
        take = self._apply.get(event.__class__)
        if take is not None:
            take(event)

    def _accepted(self, event: ev.InvocationAccepted) -> None:
        self._open[event.request_id] = self._inside[event.environment] = _Open(event)

    def _started(self, event: ev.InvocationStarted) -> None:
        found = self._open.get(event.request_id)
        if found is not None:
            found.started = event.t
            found.why = event.why or found.why

    def _line(self, event: ev.LogLine) -> None:
        found = self._inside.get(event.environment)
        if found is not None:
            found.add(event)

    def _finished(self, event: ev.InvocationFinished) -> None:
        found = self._open.pop(event.request_id, None)
        if found is not None:
            if self._inside.get(found.accepted.environment) is found:
                del self._inside[found.accepted.environment]
            size = len(found.accepted.payload) + len(event.payload) + found.log_size
            self._ended(partial(_record, found, event, self._began), size)

    def _refused(self, event: ev.InvocationRefused) -> None:
        self._ended(partial(_refused, event, self._began), len(event.payload))

    def _allocated(self, event: ev.ProvisionedChanged) -> None:
        key = (event.function, event.version)
        present = self._provisioned.get(key)
        if present is not None and present.count == event.count:
            self._provisioned[key] = replace(present, init_ms=event.init_ms or present.init_ms)
            return
        if present is not None:
            self._past_allocations.append(replace(self._provisioned.pop(key), until=event.wall))
        if event.count:
            self._provisioned[key] = Allocation(
                function=event.function,
                version=event.version,
                architecture=event.architecture,
                memory_size=event.memory_size,
                count=event.count,
                since=event.wall,
                until=event.wall,
                init_ms=event.init_ms or (present.init_ms if present is not None else None),
            )
        if self._timer is None:
            self._timer = self._clock.call_later(BATCH_SECONDS, self._due)

    def _ended(self, record: Callable[[], InvocationRecord], size: int) -> None:
        if len(self._batch) == MAX_WAITING or self._batch_bytes + size > MAX_WAITING_BYTES:
            self._dropped += 1
            return
        self._batch.append(record)
        self._batch_bytes += size
        if self._timer is None:
            self._timer = self._clock.call_later(BATCH_SECONDS, self._due)

    # -- writing
    def _due(self) -> None:
        task = asyncio.get_running_loop().create_task(self.flush())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def flush(self) -> None:
        """Write what has ended. What the disk does not take is lost, and that is told once."""
        async with self._writing:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            batch, self._batch, self._batch_bytes = self._batch, [], 0
            dropped, self._dropped = self._dropped, 0
            now = self._clock.time()
            allocations, self._past_allocations = self._past_allocations, []
            allocations += [replace(one, until=now) for one in self._provisioned.values()]
            self._watch()
            if not (batch or allocations):
                return
            try:
                if batch:
                    await self._thread.run(self._history.append, _Batch(batch))
                if allocations:
                    await self._thread.run(self._history.allocate, allocations)
            except StateError as error:
                if not self.trouble:
                    _log.warning("invocations are missing from the history: %s", error)
                self.trouble = str(error)
            else:
                self.trouble = ""
            if dropped:
                _log.warning("%d invocations are missing from the history: the disk was too slow", dropped)

    def _watch(self) -> None:
        """While something is provisioned, write now and then how long: an engine that is killed cannot say when."""
        if self._beat is not None:
            self._beat.cancel()
        self._beat = self._clock.call_later(BEAT_SECONDS, self._due) if self._provisioned else None

    async def aclose(self) -> None:
        """Write the rest, and close the file."""
        await self.flush()
        if self._beat is not None:
            self._beat.cancel()
        await asyncio.gather(*self._tasks)
        await self._thread.aclose()

    # -- reading
    async def get(self, request_id: str) -> InvocationRecord:
        await self.flush()
        return await self._thread.run(self._history.get, request_id)

    async def newest(
        self, function: str | None, status: InvocationStatus | None, limit: int, before: int | None
    ) -> tuple[PastInvocation, ...]:
        await self.flush()

        def look() -> tuple[PastInvocation, ...]:
            return self._history.newest(function=function, status=status, limit=limit, before=before)

        return await self._thread.run(look)

    async def used(self) -> Used:
        await self.flush()
        return await self._thread.run(self._history.used)


class _Open:
    """An invocation that has not ended: its first lines and its last ones, as many as `MAX_LOG` has room for."""

    __slots__ = ("accepted", "dropped", "first", "first_room", "last", "last_room", "started", "why")

    def __init__(self, accepted: ev.InvocationAccepted) -> None:
        self.accepted = accepted
        self.why = accepted.why
        self.started: int | None = None
        self.first: list[ev.LogLine] = []
        self.last: deque[ev.LogLine] | None = None
        self.first_room = self.last_room = MAX_LOG // 2
        self.dropped = 0

    def add(self, line: ev.LogLine) -> None:
        size = len(line.text) + _LINE
        if self.last is None:
            if size <= self.first_room:
                self.first_room -= size
                self.first.append(line)
                return
            self.last = deque()
        self.last.append(line)
        self.last_room -= size
        while self.last_room < 0 and len(self.last) > 1:
            self.last_room += len(self.last.popleft().text) + _LINE
            self.dropped += 1

    @property
    def log_size(self) -> int:
        return MAX_LOG - self.first_room - self.last_room

    def log(self) -> tuple[PastLine, ...]:
        lines = list(map(self._past, self.first))
        if self.last:
            rest = list(map(self._past, self.last))
            if self.dropped:
                lines.append(PastLine(rest[0].ms, "dropped", f"… {self.dropped} lines more …"))
            lines += rest
        return tuple(lines)

    def _past(self, line: ev.LogLine) -> PastLine:
        return PastLine((line.t - self.accepted.t) / 1e6, line.stream, shortened(line.text, MAX_LOG // 2))


class _Batch:
    """Makes its records while they are taken."""

    def __init__(self, ended: list[Callable[[], InvocationRecord]]) -> None:
        self._ended = ended

    def __iter__(self) -> Iterator[InvocationRecord]:
        return (record() for record in self._ended)


def _record(begun: _Open, finished: ev.InvocationFinished, engine: float) -> InvocationRecord:
    accepted = begun.accepted
    return InvocationRecord(
        request_id=accepted.request_id,
        function=accepted.function,
        qualifier=accepted.qualifier,
        version=accepted.version,
        type=accepted.type,
        status=finished.status,
        wall=accepted.wall,
        started_ms=None if begun.started is None else (begun.started - accepted.t) / 1e6,
        finished_ms=(finished.t - accepted.t) / 1e6,
        init_ms=finished.init_ms,
        duration_ms=finished.duration_ms,
        billed_ms=finished.billed_ms,
        memory_size=accepted.memory_size,
        max_memory_mb=finished.max_memory_mb,
        environment=accepted.environment,
        backend=accepted.backend,
        cold=accepted.cold,
        why=begun.why,
        error_type=finished.error_type or _error_type(finished),
        trace_id=accepted.trace_id,
        client_context=accepted.client_context,
        responded_ms=None if finished.responded is None else (finished.responded - accepted.t) / 1e6,
        architecture=accepted.architecture,
        ephemeral_storage=accepted.ephemeral_storage,
        provisioned=accepted.provisioned,
        revision=accepted.revision,
        tenant=accepted.tenant,
        engine=engine,
        event_size=len(accepted.payload),
        response_size=len(finished.payload),
        event=accepted.payload,
        response=finished.payload,
        log=begun.log(),
        log_dropped=begun.dropped,
    )


def _error_type(finished: ev.InvocationFinished) -> str | None:
    """What a function's error calls itself."""
    if finished.status is not InvocationStatus.ERROR or len(finished.payload) > MAX_LOG:
        return None
    try:
        named = json.loads(finished.payload)["errorType"]
    except (ValueError, TypeError, KeyError, RecursionError):  # a runtime may post anything
        return None
    return named if isinstance(named, str) else None


def _refused(event: ev.InvocationRefused, engine: float) -> InvocationRecord:
    return InvocationRecord(
        request_id=event.request_id,
        function=event.function,
        qualifier=event.qualifier,
        version="",
        type=event.type,
        status=event.status,
        wall=event.wall,
        why=event.reason,
        trace_id=event.trace_id,
        client_context=event.client_context,
        engine=engine,
        event_size=len(event.payload),
        event=event.payload,
    )
