"""What a function's configuration says about its events: how often they are tried again, and who hears how they ended.

Source: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation", "Capturing records
of Lambda asynchronous invocations", "Adding a dead-letter queue".
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from workbench.engine.decide import Tables, route
from workbench.engine.lineage import lengthened
from workbench.engine.ports import Sender
from workbench.model.errors import ApiError, ResourceNotFound, WorkbenchError
from workbench.model.events import Metric
from workbench.model.invocations import InvocationResult, InvocationType, InvokeRequest, QueuedEvent
from workbench.model.names import LATEST, FunctionRef, parse_function_ref
from workbench.model.outcomes import Condition, Ending, Message, dead_letter, record

MAX_RETRIES = 2
MAX_AGE_SECONDS = 6 * 3600.0
_log = logging.getLogger("workbench.queue")


@dataclass(frozen=True, slots=True)
class Rules:
    """How long an event is tried. `off` says that the function has no concurrency at all."""

    retries: int = MAX_RETRIES
    max_age: float = MAX_AGE_SECONDS
    off: bool = False


class Endings:
    """Looks a function's configuration up when it is needed: what holds is what it says by then."""

    def __init__(
        self,
        tables: Tables,
        sender: Sender | None,
        invoke: Callable[[InvokeRequest], Awaitable[InvocationResult]],
        count: Callable[[str, str | None, Metric], None],
    ) -> None:
        self._tables = tables
        self._sender = sender
        self._invoke = invoke
        self._count = count

    def rules(self, event: QueuedEvent) -> Rules:
        """The rules of the qualifier that was called."""
        function = self._tables.functions.get(event.function)
        if function is None:
            return Rules()
        off = function.attached.reserved == 0
        config = function.attached.event_invoke.get(event.qualifier or LATEST)
        if config is None:
            return Rules(off=off)
        retries, age = config.maximum_retry_attempts, config.maximum_event_age
        return Rules(MAX_RETRIES if retries is None else retries, MAX_AGE_SECONDS if age is None else age, off)

    def dropped(self, event: QueuedEvent) -> None:
        """The function will never have dealt with it."""
        self._count(event.function, event.qualifier, Metric.ASYNC_EVENTS_DROPPED)

    async def tell(self, ending: Ending) -> None:
        """Send what is to be sent. A message that nobody takes is lost, as on AWS, and the log says so."""
        event = ending.event
        function = self._tables.functions.get(event.function)
        if function is None:
            return
        # Who hears of it is called on behalf of this invocation.
        event = replace(event, trace_id=lengthened(event.trace_id, event.function)[0])
        ending = replace(ending, event=event)
        failed = ending.condition is not Condition.SUCCESS
        if failed:
            self.dropped(event)
        letters = self._dead_letters(event) if failed else None
        if letters:
            message = dead_letter(ending)
            await self._deliver(letters, event, Metric.DEAD_LETTER_ERRORS, lambda: self._send(letters, message))
        config = function.attached.event_invoke.get(event.qualifier or LATEST)
        target = config and (config.on_failure if failed else config.on_success)
        if target:
            message = record(ending, self._tables.account.function_arn(event.function, event.qualifier or LATEST))
            if target.split(":")[2:3] == ["lambda"]:
                call = partial(self._call, target, message.body, event.trace_id)
            else:
                call = partial(self._send, target, message)
            await self._deliver(target, event, Metric.DESTINATION_DELIVERY_FAILURES, call)

    def _dead_letters(self, event: QueuedEvent) -> str | None:
        try:
            version = route(self._tables, FunctionRef(event.function, event.qualifier), 0.0)
        except ApiError:
            return None
        target = version.configuration.settings.get("DeadLetterConfig", {}).get("TargetArn")
        return target if isinstance(target, str) else None

    async def _send(self, target: str, message: Message) -> None:
        if self._sender is None:
            raise ResourceNotFound(f"{target} cannot be reached from here")
        await self._sender.send(target, message)

    async def _call(self, target: str, body: str, trace_id: str) -> None:
        ref = parse_function_ref(target, None, self._tables.account)
        await self._invoke(
            InvokeRequest(function=ref, payload=body.encode(), type=InvocationType.EVENT, trace_id=trace_id)
        )

    async def _deliver(
        self, target: str, event: QueuedEvent, failure: Metric, send: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            await send()
        except WorkbenchError as error:
            self._count(event.function, event.qualifier, failure)
            _log.error(
                "the end of event %s of %s is not told to %s: %s", event.request_id, event.function, target, error
            )
