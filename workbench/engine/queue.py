"""Asynchronous invocations: accepted durably, then delivered with AWS's retries.

Source: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation": two retries after
a function error, one minute and then two minutes later; throttles are retried with back-off from 1 second to 5 minutes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from workbench.engine.clock import Clock
from workbench.engine.ports import Store, StoreThread
from workbench.model.errors import ResourceNotFound, TooManyRequests, WorkbenchError
from workbench.model.invocations import InvocationResult, QueuedEvent

RETRY_SECONDS = (60.0, 120.0)
MAX_AGE_SECONDS = 6 * 3600.0
_THROTTLE_FIRST, _THROTTLE_LAST = 1.0, 300.0
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
        back_off = _THROTTLE_FIRST
        while not self.closed:
            wait = event.due - self._clock.time()
            if wait > 0:
                await self._clock.sleep(wait)
            try:
                result = await self._submit(event)
            except TooManyRequests:
                event = replace(event, due=self._clock.time() + back_off)
                back_off = min(back_off * 2, _THROTTLE_LAST)
            except ResourceNotFound as error:
                _log.warning("event %s dropped: %s", event.request_id, error)
                break
            except WorkbenchError as error:
                _log.warning("event %s will be tried again: %s", event.request_id, error)
                event = self._again(event)
            else:
                if result.function_error is None:
                    break
                event = self._again(event)
            if self.closed:
                return
            exhausted = event.attempts > len(RETRY_SECONDS)
            if exhausted or self._clock.time() - event.accepted > MAX_AGE_SECONDS:
                _log.warning(
                    "event %s for %s given up after %d attempts", event.request_id, event.function, event.attempts
                )
                break
            await self._thread.run(self._store.put_event, event)
        if self.closed:
            return
        await self._thread.run(self._store.delete_event, event.request_id)
        self._pending -= 1
        if self._pending == 0:
            self._empty.set()

    def _again(self, event: QueuedEvent) -> QueuedEvent:
        delay = RETRY_SECONDS[min(event.attempts, len(RETRY_SECONDS) - 1)]
        return replace(event, attempts=event.attempts + 1, due=self._clock.time() + delay)
