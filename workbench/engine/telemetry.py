"""Telemetry: what an environment's journal says, brought to the extensions that subscribed to it.

Each subscriber has a buffer of its own and a courier that takes one batch at a time. What was said before a
subscription, in the same INIT, is delivered too. Nothing is delivered while the environment is frozen. Source: Lambda
Developer Guide, "Accessing real-time telemetry data for extensions using the Telemetry API" and "Using the Lambda Logs
API".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from workbench.engine import report
from workbench.engine.clock import Clock, Timer
from workbench.engine.ports import Courier, Destination, TelemetryRequest
from workbench.model.errors import WorkbenchError
from workbench.model.platform import (
    Fault,
    InvokeEnd,
    LayersMoved,
    LogsDropped,
    PlatformEvent,
    PlatformStatus,
    Report,
    RuntimeDone,
)

#: From this version of the Telemetry API on, a line of a JSON log is delivered as an object.
OBJECTS_SINCE = "2022-12-13"
#: The version of the Logs API that tells of `platform.runtimeDone`.
LOGS_RUNTIME_DONE = "2021-03-18"
#: The platform events of the Logs API, and the members of their records there.
_LOGS_MEMBERS: dict[str, tuple[str, ...]] = {
    "platform.start": ("requestId", "version"),
    "platform.end": ("requestId",),
    "platform.report": ("requestId", "metrics"),
    "platform.runtimeDone": ("requestId", "status"),
    "platform.extension": ("name", "state", "events"),
    "platform.logsSubscription": ("name", "state", "types"),
    "platform.logsDropped": ("reason", "droppedRecords", "droppedBytes"),
}
#: What the Telemetry API does not tell: events of the older API, and such as AWS has no need of.
_NOT_TOLD = (InvokeEnd, Fault, LayersMoved)
_TOO_SLOW = "Some logs were dropped because the downstream consumer is slower than the logs production rate"
#: Seconds before a delivery is tried again: the first time, and at most.
_RETRY, _RETRY_MOST = 0.1, 2.0
#: Records and bytes of log lines that are kept in INIT for subscribers to come.
_BACKLOG_ITEMS, _BACKLOG_BYTES = 10_000, 1_048_576


class Buffer:
    """The records that wait for one subscriber, as bytes of JSON.

    Beyond `max_items` or `max_bytes`, log lines are dropped and counted; platform events are beyond twice as much.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self.max_items, self.max_bytes = max_items, max_bytes
        self.dropped_records = self.dropped_bytes = 0
        self._records: list[bytes] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def full(self) -> bool:
        return len(self._records) >= self.max_items or self._bytes >= self.max_bytes

    def add(self, record: bytes, line: bool) -> None:
        """Take a record in, or count it as dropped."""
        room = 1 if line else 2
        if len(self._records) >= self.max_items * room or self._bytes + len(record) > self.max_bytes * room:
            self.dropped_records += 1
            self.dropped_bytes += len(record)
            return
        self._records.append(record)
        self._bytes += len(record)

    def take(self) -> list[bytes]:
        """All that waits, in order."""
        records, self._records, self._bytes = self._records, [], 0
        return records


class Telemetry:
    """The subscribers of one environment, from one INIT to the reset or shutdown that ends it.

    `hear` is a subscriber of the environment's journal; `courier` makes who delivers to a destination.
    """

    def __init__(
        self,
        clock: Clock,
        courier: Callable[[Destination], Courier],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        json_logs: bool,
    ) -> None:
        self._clock = clock
        self._courier = courier
        self._spawn = spawn
        self._json_logs = json_logs
        self._subscribers: dict[str, Subscriber] = {}
        #: What was said in this INIT; None before it and after.
        self._backlog: list[tuple[float, str, PlatformEvent | str]] | None = None
        self._backlog_bytes = 0
        self._missed = LogsDropped(_TOO_SLOW, 0, 0)

    def __bool__(self) -> bool:
        """Has somebody subscribed?"""
        return bool(self._subscribers)

    def open(self) -> None:
        """INIT begins, and extensions may subscribe."""
        self._backlog = []

    @property
    def is_open(self) -> bool:
        """May extensions subscribe?"""
        return self._backlog is not None

    def api_of(self, extension: str) -> str | None:
        """The API that an extension has subscribed with."""
        subscriber = self._subscribers.get(extension)
        return subscriber.request.api if subscriber is not None else None

    def hear(self, wall: float, stream: str, said: PlatformEvent | str) -> None:
        """The journal said something: an event of stream `platform`, or a line of `function` or `extension`."""
        if self._backlog is not None:
            self._keep(wall, stream, said)
        for subscriber in self._subscribers.values():
            subscriber.hear(wall, stream, said)

    def _keep(self, wall: float, stream: str, said: PlatformEvent | str) -> None:
        assert self._backlog is not None
        if isinstance(said, str):
            size = len(said)
            if len(self._backlog) >= _BACKLOG_ITEMS or self._backlog_bytes + size > _BACKLOG_BYTES:
                self._missed.dropped_records += 1
                self._missed.dropped_bytes += size
                return
            self._backlog_bytes += size
        self._backlog.append((wall, stream, said))

    def subscribe(self, extension: str, request: TelemetryRequest) -> None:
        """An extension wants to hear; once more replaces what it wanted before."""
        known = self._subscribers.get(extension)
        if known is not None and known.request == request:
            return
        if known is not None:
            known.close()
        courier = self._courier(request.destination)
        subscriber = Subscriber(self._clock, courier, self._spawn, request, self._json_logs)
        self._subscribers[extension] = subscriber
        for wall, stream, said in self._backlog or ():
            subscriber.hear(wall, stream, said)
        if self._missed.dropped_records and ("function" in request.types or "extension" in request.types):
            subscriber.hear(self._clock.time(), "platform", self._missed)

    def close_subscription(self) -> None:
        """INIT is over: whoever comes now is too late."""
        self._backlog = None

    def pause(self) -> None:
        """The environment is frozen."""
        for subscriber in self._subscribers.values():
            subscriber.paused = True

    def resume(self) -> None:
        """It is not any more."""
        for subscriber in self._subscribers.values():
            subscriber.resume()

    async def flush(self, seconds: float) -> None:
        """Deliver what there is now, or as much of it as can be in `seconds`."""
        waiting = [subscriber.flushed() for subscriber in self._subscribers.values()]
        if not waiting:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._clock.call_later(seconds, _settle, done)
        left = len(waiting)

        def one_less(_: asyncio.Future[None]) -> None:
            nonlocal left
            left -= 1
            if not left:
                _settle(done)

        for each in waiting:
            each.add_done_callback(one_less)
        await done
        timer.cancel()

    def close(self) -> None:
        """The processes are gone, or about to go."""
        self._backlog = None
        for subscriber in self._subscribers.values():
            subscriber.close()
        self._subscribers.clear()


class Subscriber:
    """One subscription: what it wants to hear, its buffer, its deliveries."""

    def __init__(
        self,
        clock: Clock,
        courier: Courier,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        request: TelemetryRequest,
        json_logs: bool,
    ) -> None:
        self.request = request
        self.paused = False
        self._clock = clock
        self._courier = courier
        self._spawn = spawn
        self._buffer = Buffer(request.max_items, request.max_bytes)
        self._objects = json_logs and request.api == "telemetry" and request.schema >= OBJECTS_SINCE
        self._timer: Timer | None = None
        self._delivering = False
        self._due = False
        self._resumed: asyncio.Future[None] | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._closed = False

    def hear(self, wall: float, stream: str, said: PlatformEvent | str) -> None:
        """Take in what it wants of what was said."""
        dropped = isinstance(said, LogsDropped)
        if stream not in self.request.types and not dropped:
            return
        for kind, record in self._records(stream, said):
            self._add(wall, kind, record, line=stream != "platform")

    def _add(self, wall: float, kind: str, record: str, line: bool) -> None:
        self._buffer.add(_encode(wall, kind, record), line)
        if self._buffer.full:
            self._deliver()
        elif self._timer is None and not self._due:
            self._timer = self._clock.call_later(self.request.timeout_ms / 1000, self._deliver)

    def _records(self, stream: str, said: PlatformEvent | str) -> list[tuple[str, str]]:
        """The type and record, as JSON, of each telemetry event that this is to this subscriber."""
        if isinstance(said, str):
            return [(stream, said if self._objects and _is_object(said) else _json(said))]
        if self.request.api == "logs":
            events = _logs_api(said, self.request.schema)
        else:
            events = [] if isinstance(said, _NOT_TOLD) else [report.record(said)]
        return [(kind, _json(record)) for kind, record in events]

    # -- deliveries
    def flushed(self) -> asyncio.Future[None]:
        """Deliver now; done when all that was said until now has been taken."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._closed or not (len(self._buffer) or self._delivering):
            waiter.set_result(None)
        else:
            self._waiters.append(waiter)
            self._deliver()
        return waiter

    def resume(self) -> None:
        self.paused = False
        if self._resumed is not None:
            _settle(self._resumed)

    def close(self) -> None:
        self._closed = True
        self._cancel_timer()
        self._courier.close()
        self._let_go()
        self.resume()

    def _deliver(self) -> None:
        """A batch is due: now, or when the one that is under way has been taken."""
        self._cancel_timer()
        self._due = True
        if not self._delivering and not self._closed:
            self._delivering = True
            self._spawn(self._deliveries())

    async def _deliveries(self) -> None:
        while self._due and not self._closed:
            self._due = False
            batch = self._batch()
            if batch:
                await self._bring(batch)
        self._delivering = False
        self._let_go()
        if len(self._buffer) and self._timer is None and not self._closed:
            self._timer = self._clock.call_later(self.request.timeout_ms / 1000, self._deliver)

    def _batch(self) -> list[bytes]:
        buffer = self._buffer
        batch = buffer.take()
        if buffer.dropped_records:
            dropped = LogsDropped(_TOO_SLOW, buffer.dropped_records, buffer.dropped_bytes)
            buffer.dropped_records = buffer.dropped_bytes = 0
            kind, record = report.record(dropped)
            batch.append(_encode(self._clock.time(), kind, _json(record)))
        return batch

    async def _bring(self, batch: list[bytes]) -> None:
        """Try until it is taken."""
        pause = _RETRY
        while not self._closed:
            if self.paused:
                self._resumed = asyncio.get_running_loop().create_future()
                await self._resumed
                continue
            try:
                await self._courier.send(batch)
                return
            except (OSError, WorkbenchError):
                await self._clock.sleep(pause)
                pause = min(pause * 2, _RETRY_MOST)

    def _let_go(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            _settle(waiter)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _logs_api(event: PlatformEvent, schema: str) -> list[tuple[str, Any]]:
    """The older API has fewer events, with fewer members, and one of its own for what broke an environment."""
    if isinstance(event, Fault):
        return [("platform.fault", event.text)]
    if isinstance(event, RuntimeDone) and schema < LOGS_RUNTIME_DONE:
        return []
    kind, record = report.record(event)
    members = _LOGS_MEMBERS.get(kind)
    if members is None:
        return []
    shown = {name: record[name] for name in members if name in record}
    found: list[tuple[str, Any]] = []
    if isinstance(event, RuntimeDone) and shown["status"] == "error":
        shown["status"] = PlatformStatus.FAILURE.value
    if isinstance(event, Report) and event.error_type and not event.reported:
        fault = f"RequestId: {event.request_id} Status: {event.status}\tErrorType: {event.error_type}"
        found.append(("platform.fault", fault))
    return [*found, (kind, shown)]


def _is_object(line: str) -> bool:
    """Is a line of a JSON log an object? It is delivered as it stands then; anything else is a string."""
    if not line.startswith("{"):
        return False
    try:
        _decoder.decode(line)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_no_constant)


def _json(record: Any) -> str:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def _encode(wall: float, kind: str, record: str) -> bytes:
    """An event whose record is JSON already."""
    return f'{{"time":"{report.timestamp(wall)}","type":"{kind}","record":{record}}}'.encode("utf-8", "replace")


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
