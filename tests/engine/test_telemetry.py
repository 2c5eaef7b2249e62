"""Telemetry: what a subscriber gets, when, and what happens when it is slow; on the virtual clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from workbench.engine.ports import Destination, TelemetryRequest
from workbench.engine.telemetry import Buffer, Telemetry
from workbench.model import platform as pf
from workbench.testing.clock import VirtualClock

ALL = ("platform", "function", "extension")
#: Beyond what can be parsed: a line of the function like any other.
DEEP = '{"a":' * 20_000 + "1" + "}" * 20_000


class Courier:
    """Takes batches, unless it is told to refuse or to hold them."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.refusals = 0
        self.attempts: list[float] = []
        self.hold: asyncio.Future[None] | None = None
        self.closed = False

    async def send(self, records: list[bytes]) -> None:
        self.attempts.append(asyncio.get_running_loop().time())
        if self.hold is not None:
            await self.hold
        if self.refusals:
            self.refusals -= 1
            raise OSError("nobody there")
        self.batches.append([json.loads(record) for record in records])

    def close(self) -> None:
        self.closed = True

    @property
    def records(self) -> list[Any]:
        return [event["record"] for batch in self.batches for event in batch]


class World:
    def __init__(self, json_logs: bool = False) -> None:
        self.clock = VirtualClock()
        self.couriers: list[Courier] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.telemetry = Telemetry(self.clock, self.courier, self.spawn, json_logs)
        self.telemetry.open()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    def courier(self, destination: Destination) -> Courier:
        self.couriers.append(Courier())
        return self.couriers[-1]

    def subscribe(self, name: str = "e", **changes: Any) -> Courier:
        self.telemetry.subscribe(name, request(**changes))
        return self.couriers[-1]

    def say(self, stream: str, said: pf.PlatformEvent | str) -> None:
        self.telemetry.hear(self.clock.time(), stream, said)


def request(**changes: Any) -> TelemetryRequest:
    return TelemetryRequest(
        **{
            "api": "telemetry",
            "schema": "2022-12-13",
            "types": ALL,
            "destination": Destination(4000, method="POST", path="/"),
            "max_items": 1_000,
            "max_bytes": 262_144,
            "timeout_ms": 1_000,
            **changes,
        }
    )


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    made.telemetry.close()
    await made.clock.advance(10)
    assert all(task.done() for task in made.tasks)


async def test_a_batch_leaves_when_its_time_is_up(world: World) -> None:
    courier = world.subscribe(timeout_ms=100)
    world.say("function", "one")
    await world.clock.advance(0.06)
    world.say("function", "two")
    await world.clock.advance(0.039)
    assert courier.batches == []
    await world.clock.advance(0.001)
    time = "2023-11-14T22:13:20.000Z"
    assert courier.batches == [
        [
            {"time": time, "type": "function", "record": "one"},
            {"time": time.replace("20.000", "20.060"), "type": "function", "record": "two"},
        ]
    ]


async def test_a_full_buffer_leaves_at_once(world: World) -> None:
    courier = world.subscribe(max_items=1_000)
    for number in range(1_000):
        world.say("function", str(number))
    await world.clock.settle()
    assert [len(batch) for batch in courier.batches] == [1_000]
    big = world.subscribe("other", max_bytes=262_144)
    for _ in range(3):
        world.say("function", "x" * 100_000)
    await world.clock.settle()
    assert len(big.batches) == 1


async def test_only_the_types_that_were_asked_for(world: World) -> None:
    function, extension, platform = (
        world.subscribe(each, types=(each,)) for each in ("function", "extension", "platform")
    )
    world.say("function", "f")
    world.say("extension", "e")
    world.say("platform", pf.InvokeStart("id", "7", "Root=1"))
    await world.clock.advance(1)
    assert (function.records, extension.records) == (["f"], ["e"])
    assert platform.records == [
        {"requestId": "id", "version": "7", "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1"}}
    ]


async def test_what_was_said_before_in_this_init_is_delivered_too(world: World) -> None:
    world.say("function", "early")
    courier = world.subscribe()
    world.say("function", "late")
    await world.clock.advance(1)
    assert courier.records == ["early", "late"]


async def test_what_floods_init_is_bounded_and_counted(world: World) -> None:
    for _ in range(3):
        world.say("function", "x" * 500_000)
    world.say("platform", pf.InvokeStart("id", "7", ""))
    courier = world.subscribe(max_bytes=1_048_576)
    await world.clock.advance(1)
    kinds = [event["type"] for batch in courier.batches for event in batch]
    assert kinds == ["function", "function", "platform.start", "platform.logsDropped"]
    assert (courier.records[-1]["droppedRecords"], courier.records[-1]["droppedBytes"]) == (1, 500_000)


async def test_subscribing_again_is_no_second_subscription(world: World) -> None:
    courier = world.subscribe()
    world.subscribe()
    world.say("function", "one")
    await world.clock.advance(1)
    assert (len(world.couriers), courier.records) == (1, ["one"])
    assert world.telemetry.api_of("e") == "telemetry"
    other = world.subscribe(types=("extension",))
    assert courier.closed
    world.say("function", "two")
    world.say("extension", "three")
    await world.clock.advance(1)
    assert (courier.records, other.records) == (["one"], ["three"])


async def test_after_init_nobody_subscribes(world: World) -> None:
    world.telemetry.close_subscription()
    assert not world.telemetry.is_open


async def test_a_failed_delivery_is_tried_again_with_growing_pauses(world: World) -> None:
    courier = world.subscribe(timeout_ms=25)
    courier.refusals = 3
    world.say("function", "one")
    await world.clock.advance(0.025)
    counts = [len(courier.attempts)]
    for pause in (0.1, 0.2, 0.4):
        await world.clock.advance(pause - 0.001)
        counts.append(len(courier.attempts))
        await world.clock.advance(0.001)
        counts.append(len(courier.attempts))
    assert counts == [1, 1, 2, 2, 3, 3, 4]
    assert courier.records == ["one"]


async def test_a_slow_subscriber_loses_lines_and_is_told(world: World) -> None:
    courier = world.subscribe(timeout_ms=25, max_bytes=262_144)
    courier.hold = asyncio.get_running_loop().create_future()
    world.say("function", "first")
    await world.clock.advance(0.03)
    for _ in range(10):
        world.say("function", "x" * 100_000)
    world.say("platform", pf.InvokeEnd("id"))
    world.say("platform", pf.InvokeStart("id", "7", ""))
    courier.hold.set_result(None)
    await world.clock.advance(1)
    kinds = [[event["type"] for event in batch] for batch in courier.batches]
    assert kinds == [["function"], ["function", "function", "platform.start", "platform.logsDropped"]]
    dropped = courier.records[-1]
    assert dropped["droppedRecords"] == 8
    assert dropped["droppedBytes"] > 800_000
    assert dropped["reason"].startswith("Some logs were dropped because the downstream consumer is slower")
    world.say("function", "after")
    await world.clock.advance(1)
    assert courier.records[-1] == "after"


async def test_nothing_is_delivered_while_frozen(world: World) -> None:
    courier = world.subscribe(timeout_ms=25)
    world.say("function", "one")
    world.telemetry.pause()
    await world.clock.advance(60)
    assert courier.attempts == []
    world.telemetry.resume()
    await world.clock.settle()
    assert courier.records == ["one"]


async def test_flush_waits_for_delivery_and_not_for_longer_than_told(world: World) -> None:
    quick, slow = world.subscribe("quick"), world.subscribe("slow")
    slow.hold = asyncio.get_running_loop().create_future()
    world.say("function", "one")
    flushing = asyncio.get_running_loop().create_task(world.telemetry.flush(0.3))
    await world.clock.settle()
    assert quick.records == ["one"]
    assert not flushing.done()
    await world.clock.advance(0.3)
    assert flushing.done()
    slow.hold.set_result(None)
    again = asyncio.get_running_loop().create_task(world.telemetry.flush(0.3))
    await world.clock.settle()
    assert again.done()


async def test_what_comes_during_a_delivery_is_flushed_too(world: World) -> None:
    courier = world.subscribe(timeout_ms=25)
    courier.hold = asyncio.get_running_loop().create_future()
    world.say("function", "one")
    await world.clock.advance(0.03)
    world.say("function", "two")
    flushing = asyncio.get_running_loop().create_task(world.telemetry.flush(1))
    await world.clock.settle()
    courier.hold.set_result(None)
    await world.clock.settle()
    assert flushing.done()
    assert courier.records == ["one", "two"]


@pytest.mark.parametrize(
    ("schema", "json_logs", "line", "record"),
    [
        ("2022-12-13", True, '{"level":"INFO","message":"m"}', {"level": "INFO", "message": "m"}),
        ("2025-01-29", True, '{"a":1}', {"a": 1}),
        ("2022-07-01", True, '{"a":1}', '{"a":1}'),
        ("2022-12-13", False, '{"a":1}', '{"a":1}'),
        ("2022-12-13", True, "plain", "plain"),
        ("2022-12-13", True, "{broken", "{broken"),
        ("2022-12-13", True, "[1]", "[1]"),
        ("2022-12-13", True, '{"a":NaN}', '{"a":NaN}'),
        pytest.param("2022-12-13", True, DEEP, DEEP, id="deep"),
    ],
)
async def test_lines_of_a_json_log_are_objects_from_the_second_schema_on(
    schema: str, json_logs: bool, line: str, record: Any
) -> None:
    world = World(json_logs)
    courier = world.subscribe(schema=schema)
    world.say("function", line)
    await world.clock.advance(1)
    assert courier.records == [record]
    world.telemetry.close()


def done(status: pf.PlatformStatus, error_type: str | None) -> pf.RuntimeDone:
    return pf.RuntimeDone("id", status, error_type, 0, 2_000_000, 1_700_000_000.0, 500_000, 1_000_000, 4, "Root=1")


def report(status: pf.PlatformStatus, error_type: str | None) -> pf.Report:
    return pf.Report("id", status, error_type, 2.5, 3, 128, 40, None, "Root=1")


METRICS = {"durationMs": 2.5, "billedDurationMs": 3, "memorySizeMB": 128, "maxMemoryUsedMB": 40}
FAULT = "RequestId: id Status: error\tErrorType: Runtime.ExitError"


@pytest.mark.parametrize(
    ("event", "old", "new"),
    [
        (pf.InvokeStart("id", "7", "Root=1"), [("platform.start", {"requestId": "id", "version": "7"})], None),
        (pf.InvokeEnd("id"), [("platform.end", {"requestId": "id"})], None),
        (pf.InitReport(pf.InitializationType.ON_DEMAND, pf.InitPhase.INIT, pf.PlatformStatus.SUCCESS, 1.0), [], None),
        (report(pf.PlatformStatus.SUCCESS, None), [("platform.report", {"requestId": "id", "metrics": METRICS})], None),
        (
            report(pf.PlatformStatus.ERROR, "Runtime.ExitError"),
            [("platform.fault", FAULT), ("platform.report", {"requestId": "id", "metrics": METRICS})],
            None,
        ),
        (
            done(pf.PlatformStatus.SUCCESS, None),
            [],
            [("platform.runtimeDone", {"requestId": "id", "status": "success"})],
        ),
        (
            done(pf.PlatformStatus.ERROR, "Runtime.ExitError"),
            [],
            [("platform.runtimeDone", {"requestId": "id", "status": "failure"})],
        ),
        (
            done(pf.PlatformStatus.TIMEOUT, None),
            [],
            [("platform.runtimeDone", {"requestId": "id", "status": "timeout"})],
        ),
        (
            pf.ExtensionState("e", "Ready", ("INVOKE",)),
            [("platform.extension", {"name": "e", "state": "Ready", "events": ["INVOKE"]})],
            None,
        ),
        (
            pf.Subscription("logs", "e", ("function",)),
            [("platform.logsSubscription", {"name": "e", "state": "Subscribed", "types": ["function"]})],
            None,
        ),
    ],
)
async def test_the_older_api_has_its_own_events(event: pf.PlatformEvent, old: Any, new: Any) -> None:
    for schema, expected in (("2020-08-15", old), ("2021-03-18", old if new is None else new)):
        world = World()
        courier = world.subscribe(api="logs", schema=schema)
        world.say("platform", event)
        await world.clock.advance(1)
        assert [(said["type"], said["record"]) for batch in courier.batches for said in batch] == expected
        world.telemetry.close()


@pytest.mark.parametrize("event", [pf.InvokeEnd("id"), pf.Fault("broken"), pf.LayersMoved("/there")])
async def test_what_the_newer_api_does_not_have(world: World, event: pf.PlatformEvent) -> None:
    courier = world.subscribe()
    world.say("platform", event)
    await world.clock.advance(2)
    assert courier.batches == []


def test_platform_events_have_twice_the_room() -> None:
    buffer = Buffer(2, 1_000)
    for line in (True, True, True, False, False, False):
        buffer.add(b"x", line)
    assert (len(buffer), buffer.dropped_records, buffer.dropped_bytes) == (4, 2, 2)
    assert (buffer.take(), len(buffer)) == ([b"x"] * 4, 0)
