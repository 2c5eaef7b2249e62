"""Keep-warm: a schedule of pings that holds environments on demand, the other answer to cold starts.

On AWS people build it from an EventBridge schedule and as many invocations at once as there are to be environments.
Here the engine does so: each ping is an ordinary synchronous invocation, which is admitted, billed and kept in the
history like any other.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from workbench.engine.clock import Clock, Timer
from workbench.engine.decide import Function, Tables
from workbench.engine.resources.find import find, key
from workbench.model.attached import Attached, KeepWarm
from workbench.model.errors import TooManyRequests, UsageError, WorkbenchError
from workbench.model.invocations import InvocationResult, InvokeRequest
from workbench.model.names import LATEST, FunctionRef

_log = logging.getLogger("workbench.keep-warm")


@dataclass(slots=True)
class _Schedule:
    config: KeepWarm
    timer: Timer | None = None
    #: Pings that have not ended.
    running: int = 0


class Pings:
    """`reconcile` makes the schedules follow what is attached to a function. The first pings go out at once.

    `idle_stop` is how long an idle environment stays, in seconds.
    """

    def __init__(
        self,
        tables: Tables,
        clock: Clock,
        idle_stop: float,
        submit: Callable[[InvokeRequest], asyncio.Future[InvocationResult]],
    ) -> None:
        self._tables = tables
        self._idle_stop = idle_stop
        self._clock = clock
        self._submit = submit
        self._schedules: dict[tuple[str, str], _Schedule] = {}
        #: No ping goes out while this holds: before everything is loaded, when the engine ends, in one that is short.
        self.closed = True

    def put(self, function: Function | None, ref: FunctionRef, config: KeepWarm) -> Attached:
        """What is attached with this schedule.

        Raises:
            ResourceNotFound: there is no such function, version or alias.
            UsageError: it would not keep anything warm, or its event is not JSON.
        """
        found, longest = find(self._tables.account, function, ref), self._idle_stop
        if not 1 <= config.every <= longest:
            raise UsageError(
                f"pings are 1 s to {longest:g} s apart, not {config.every:g} s: after {longest:g} s without an "
                "invocation an environment ends",
                mend="idle_stop in workbench.toml has environments stay longer",
            )
        if config.environments < 1:
            raise UsageError("at least one environment is kept warm", mend="workbench keep-warm remove ends a schedule")
        try:
            json.loads(config.event)
        except ValueError as error:
            raise UsageError(f"the event of a ping is not JSON: {error}") from error
        return replace(found.attached, keep_warm={**found.attached.keep_warm, key(ref): config})

    def delete(self, function: Function | None, ref: FunctionRef) -> Attached:
        """What is attached without the schedule; one that does not exist is no error."""
        found = find(self._tables.account, function, ref)
        kept = {name: config for name, config in found.attached.keep_warm.items() if name != key(ref)}
        return replace(found.attached, keep_warm=kept)

    def reconcile(self, name: str) -> None:
        """The function or what is attached to it may have changed."""
        if self.closed:
            return
        function = self._tables.functions.get(name)
        wanted = function.attached.keep_warm if function is not None else {}
        for place, schedule in list(self._schedules.items()):
            if place[0] == name and wanted.get(place[1]) != schedule.config:
                del self._schedules[place]
                if schedule.timer is not None:
                    schedule.timer.cancel()
        for qualifier, config in wanted.items():
            if (name, qualifier) not in self._schedules:
                self._schedules[name, qualifier] = schedule = _Schedule(config)
                self._ping(FunctionRef(name, None if qualifier == LATEST else qualifier), schedule)

    def _ping(self, ref: FunctionRef, schedule: _Schedule) -> None:
        """As many at once as there are to be environments, less those that still have the ping before."""
        if self.closed:
            return
        config = schedule.config
        schedule.timer = self._clock.call_later(config.every, self._ping, ref, schedule)
        for _ in range(config.environments - schedule.running):
            try:
                answer = self._submit(InvokeRequest(function=ref, payload=config.event.encode(), keep_warm=True))
            except TooManyRequests:
                return  # the history has it
            except WorkbenchError as error:
                _log.warning("no keep-warm ping for %s: %s", ref.name, error)
                return
            schedule.running += 1
            answer.add_done_callback(lambda ended: self._ended(schedule, ended))

    def _ended(self, schedule: _Schedule, answer: asyncio.Future[InvocationResult]) -> None:
        schedule.running -= 1
        if not answer.cancelled():
            answer.exception()  # what became of it is in the history; nobody else waits for it
