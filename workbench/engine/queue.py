"""Asynchronous invocations: accepted durably, then delivered with AWS's retries.

Source: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation": two retries after
a function error, one minute and then two minutes later; throttles and errors of the system are retried with back-off,
from 1 second to 5 minutes, and use no attempt up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from workbench.engine.clock import Clock
from workbench.engine.ports import Store, StoreThread
from workbench.model.errors import ResourceNotFound, StateError, TooManyRequests, WorkbenchError
from workbench.model.invocations import InvocationResult, QueuedEvent

RETRY_SECONDS = (60.0, 120.0)
MAX_AGE_SECONDS = 6 * 3600.0
_BACK_OFF_FIRST, _BACK_OFF_LAST = 1.0, 300.0
_log = logging.getLogger("workbench.queue")


class EventQueue:
    """Every accepted event is in the store until it has been delivered or given up."""

    def __init__(
        self,
        clock: Clock,
        store: Store,
        thread: StoreThread,
        submit: Callable[[QueuedEvent], asyncio.Future[InvocationResult]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._clock = clock
        self._store = store
        self._thread = thread
        self._submit = submit
        self._spawn = spawn
        self._pending = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self.closed = False

    def load(self, events: list[QueuedEvent]) -> None:
        """Take up again what an earlier engine had accepted."""
        for event in events:
            self._begin(event)

    async def put(self, event: QueuedEvent) -> None:
        """Accept an event; it is durable when this returns."""
        await self._thread.run(self._store.put_event, event)
        self._begin(event)

    async def drained(self) -> None:
        """Wait until nothing is queued."""
        await self._empty.wait()

    def _begin(self, event: QueuedEvent) -> None:
        self._pending += 1
        self._empty.clear()
        self._spawn(self._deliver(event))

    async def _deliver(self, event: QueuedEvent) -> None:
        back_off = _BACK_OFF_FIRST
        while not self.closed:
            # Nothing is ever due later than the longest pause; a clock that was set back must not make it so.
            wait = min(event.due - self._clock.time(), _BACK_OFF_LAST)
            if wait > 0:
                await self._clock.sleep(wait)
            try:
                result = await self._submit(event)
            except ResourceNotFound as error:
                _log.warning("event %s dropped: %s", event.request_id, error)
                break
            except WorkbenchError as error:  # the function never had it
                if not isinstance(error, TooManyRequests):
                    _log.warning("event %s will be tried again: %s", event.request_id, error)
                event = replace(event, due=self._clock.time() + back_off)
                back_off = min(back_off * 2, _BACK_OFF_LAST)
            else:
                if result.function_error is None:
                    break
                event = self._again(event)
            if self.closed:
                return
            if event.attempts > len(RETRY_SECONDS) or event.due - event.accepted > MAX_AGE_SECONDS:
                _log.warning(
                    "event %s for %s given up after %d attempts", event.request_id, event.function, event.attempts
                )
                break
            await self._write(self._store.put_event, event)
        else:
            return
        await self._write(self._store.delete_event, event.request_id)
        self._pending -= 1
        if self._pending == 0:
            self._empty.set()

    async def _write(self, call: Callable[[Any], None], argument: Any) -> None:
        """Keep the store up to date. If it fails the event goes on as it should; only an engine that starts later
        delivers it once more than it had to."""
        try:
            await self._thread.run(call, argument)
        except StateError as error:
            _log.error("the queue cannot be written: %s", error)

    def _again(self, event: QueuedEvent) -> QueuedEvent:
        delay = RETRY_SECONDS[min(event.attempts, len(RETRY_SECONDS) - 1)]
        return replace(event, attempts=event.attempts + 1, due=self._clock.time() + delay)
