"""Asynchronous invocations: accepted durably, then delivered with AWS's retries.

Source: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation": two retries after
a function error, one minute and then two minutes later, or fewer if the function's configuration says so; throttles and
errors of the system are retried with back-off, from 1 second to 5 minutes, and use no attempt up. AWS reads a long
queue as fast as there is room: throttled events follow one another here, each as soon as one before it has ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from workbench.engine.clock import Clock
from workbench.engine.decide import Tables, check_tenant, route
from workbench.engine.endings import Endings
from workbench.engine.invocation import new_request_id, new_trace_id
from workbench.engine.ports import Store, StoreThread
from workbench.model.errors import (
    ApiError,
    RecursiveInvocation,
    ResourceNotFound,
    StateError,
    TooManyRequests,
    WorkbenchError,
)
from workbench.model.events import Metric
from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType, InvokeRequest, QueuedEvent
from workbench.model.names import FunctionRef
from workbench.model.outcomes import Condition, Ending

RETRY_SECONDS = (60.0, 120.0)
BACK_OFF_FIRST, BACK_OFF_LAST = 1.0, 300.0
_log = logging.getLogger("workbench.queue")


class EventQueue:
    """Every accepted event is in the store until it has been delivered or given up.

    `submit` begins an invocation under a request id, or raises why it cannot; `count` tells of a metric.
    """

    def __init__(
        self,
        tables: Tables,
        clock: Clock,
        store: Store,
        thread: StoreThread,
        submit: Callable[[InvokeRequest, str], asyncio.Future[InvocationResult]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        endings: Endings,
        count: Callable[[str, str | None, Metric, float], None],
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._store = store
        self._thread = thread
        self._submit = submit
        self._spawn = spawn
        self._endings = endings
        self._count = count
        self._pending = 0
        #: Throttled events by function, the one that has waited longest first.
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self.closed = False

    def load(self, events: list[QueuedEvent]) -> None:
        """Take up again what an earlier engine had accepted."""
        for event in events:
            self._begin(event)

    async def accept(self, request: InvokeRequest) -> InvocationResult:
        """Make an event of an asynchronous invocation, and `put` it.

        Raises:
            ResourceNotFound, ResourceConflict, InvalidParameterValue: it leads to no version that can be invoked.
            StateError: it cannot be written.
        """
        ref = request.function
        check_tenant(route(self._tables, ref, 0.0), request.tenant_id)
        event = QueuedEvent(
            request_id=new_request_id(),
            function=ref.name,
            qualifier=ref.qualifier,
            payload=request.payload,
            trace_id=request.trace_id or new_trace_id(),
            backend=request.backend,
            tenant_id=request.tenant_id,
            accepted=self._clock.time(),
        )
        await self.put(event)
        self._count(ref.name, ref.qualifier, Metric.ASYNC_EVENTS_RECEIVED, 1)
        return InvocationResult(request_id=event.request_id, status=InvocationStatus.WAITING, trace_id=event.trace_id)

    async def put(self, event: QueuedEvent) -> None:
        """Take an event; it is durable when this returns."""
        await self._thread.run(self._store.put_event, event)
        self._begin(event)

    def made_room(self, function: str) -> None:
        """An event's invocation is over: one that was throttled need not wait any longer, best of the same function."""
        line = self._lines.get(function) or next(filter(None, self._lines.values()), None)
        if line:
            _pass(line.popleft())

    async def _room(self, function: str, seconds: float) -> None:
        """Wait that long, or until another event has made room."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._lines.setdefault(function, deque())
        line.append(turn)
        timer = self._clock.call_later(seconds, _pass, turn)
        try:
            await turn
        finally:
            timer.cancel()
            if turn in line:
                line.remove(turn)
            if not line:
                self._lines.pop(function, None)

    async def drained(self) -> None:
        """Wait until nothing is queued."""
        await self._empty.wait()

    def _begin(self, event: QueuedEvent) -> None:
        self._pending += 1
        self._empty.clear()
        self._spawn(self._deliver(event))

    async def _deliver(self, event: QueuedEvent) -> None:
        back_off = BACK_OFF_FIRST
        result: InvocationResult | None = None
        refusal: tuple[int, str] | None = None
        throttled = False
        while not self.closed:
            # Nothing is ever due later than the longest pause; a clock that was set back must not make it so.
            wait = min(event.due - self._clock.time(), BACK_OFF_LAST)
            if wait > 0:
                await (self._room(event.function, wait) if throttled else self._clock.sleep(wait))
                if self.closed:
                    return
            rules = self._endings.rules(event)
            condition = None
            try:
                if rules.off:
                    raise TooManyRequests("ReservedFunctionConcurrentInvocationLimitExceeded")
                result, refusal = await self._invoke(event), None
            except ResourceNotFound as error:
                _log.warning("event %s dropped: %s", event.request_id, error)
                self._endings.dropped(event)
                break
            except WorkbenchError as error:  # the function never had it
                throttled = isinstance(error, TooManyRequests)
                refusal = (error.status, error.message) if isinstance(error, ApiError) else (500, str(error))
                if rules.off:
                    condition = Condition.ZERO_RESERVED_CONCURRENCY
                elif isinstance(error, RecursiveInvocation):
                    condition = Condition.RETRIES_EXHAUSTED
                    _log.warning("event %s: %s", event.request_id, error)
                elif not throttled:
                    _log.warning("event %s will be tried again: %s", event.request_id, error)
                event = replace(event, due=self._clock.time() + back_off)
                back_off = min(back_off * 2, BACK_OFF_LAST)
            else:
                if result.function_error is None:
                    await self._end(event, Condition.SUCCESS, event.attempts + 1, result, None)
                    break
                event, throttled = self._again(event), False
                if event.attempts > rules.retries:
                    condition = Condition.RETRIES_EXHAUSTED
            if self.closed:
                return
            if condition is None and event.due - event.accepted > rules.max_age:
                condition = Condition.EVENT_AGE_EXCEEDED
            if condition is not None:
                _log.warning(
                    "event %s for %s given up after %d attempts", event.request_id, event.function, event.attempts
                )
                await self._end(event, condition, event.attempts, result, refusal)
                break
            await self._write(self._store.put_event, event)
        else:
            return
        await self._write(self._store.delete_event, event.request_id)
        self._pending -= 1
        if self._pending == 0:
            self._empty.set()

    def _invoke(self, event: QueuedEvent) -> asyncio.Future[InvocationResult]:
        request = InvokeRequest(
            function=FunctionRef(event.function, event.qualifier),
            payload=event.payload,
            type=InvocationType.EVENT,
            trace_id=event.trace_id,
            backend=event.backend,
            tenant_id=event.tenant_id,
        )
        answer = self._submit(request, event.request_id)
        age = (self._clock.time() - event.accepted) * 1000
        self._count(event.function, event.qualifier, Metric.ASYNC_EVENT_AGE, age)
        return answer

    async def _end(
        self,
        event: QueuedEvent,
        condition: Condition,
        attempts: int,
        result: InvocationResult | None,
        refusal: tuple[int, str] | None,
    ) -> None:
        """Tell who is to hear of it; the event is in the store until they have."""
        await self._endings.tell(
            Ending(
                event=event,
                condition=condition,
                attempts=attempts,
                at=self._clock.time(),
                result=result,
                refusal=refusal,
            )
        )

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


def _pass(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
