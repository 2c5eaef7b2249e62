"""Asynchronous invocations: durable before they are answered, retried as AWS retries, on a virtual clock."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.world import InlineThread, World, world
from workbench.engine.decide import Tables
from workbench.engine.endings import MAX_AGE_SECONDS, Rules
from workbench.engine.queue import EventQueue
from workbench.model.errors import (
    BackendError,
    ResourceConflict,
    ResourceNotFound,
    StateError,
    TooManyRequests,
    WorkbenchError,
)
from workbench.model.events import Metric
from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType, InvokeRequest, QueuedEvent
from workbench.model.names import Account, FunctionRef
from workbench.model.outcomes import Ending
from workbench.testing.clock import VirtualClock
from workbench.testing.fakes import FakeRuntime

EVENT = InvocationType.EVENT


class Function:
    """A program that notes when it had which event, and answers as told; `fails` counts down."""

    def __init__(self, fails: int = 0) -> None:
        self.world: World | None = None
        self.fails = fails
        self.had: list[tuple[float, str, bytes]] = []
        self.hold: asyncio.Event | None = None

    async def __call__(self, runtime: FakeRuntime) -> None:
        assert self.world is not None
        while True:
            event = await runtime.next()
            self.had.append((self.world.clock.monotonic_ns() / 1e9, event.request_id, event.payload))
            if self.hold is not None:
                await self.hold.wait()
            if self.fails > 0:
                self.fails -= 1
                runtime.fail(event.request_id, b'{"errorType":"Oops"}', "Oops")
            else:
                runtime.respond(event.request_id, b"null")

    @property
    def times(self) -> list[float]:
        return [time for time, _, _ in self.had]


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
async def made(tmp_path: Path, function: Function) -> AsyncIterator[World]:
    async with world(tmp_path / "state", function) as opened:
        function.world = opened
        await opened.create()
        yield opened


def rows(tmp_path: Path) -> list[str]:
    """The request ids that are durable now, read by somebody else."""
    database = sqlite3.connect(tmp_path / "state" / "state.db")
    try:
        return [row[0] for row in database.execute("SELECT request_id FROM events ORDER BY rowid")]
    finally:
        database.close()


# -- acceptance
async def test_an_event_is_durable_before_it_is_answered(made: World, function: Function, tmp_path: Path) -> None:
    answer = await made.event(payload=b'{"n":7}')
    assert rows(tmp_path) == [answer.request_id]
    assert (answer.status, answer.payload, answer.executed_version) == (InvocationStatus.WAITING, b"", None)
    assert answer.trace_id
    assert function.had == []
    await made.clock.settle()
    assert function.had == [(0.0, answer.request_id, b'{"n":7}')]
    assert rows(tmp_path) == []


async def test_an_event_that_cannot_be_written_is_refused_and_not_delivered(
    made: World, function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(event: QueuedEvent) -> None:
        raise StateError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(made.engine._store, "put_event", full)
        with pytest.raises(StateError, match="disk is full"):
            await made.event()
    await made.clock.advance(1000)
    await made.engine.drained()
    assert (function.had, rows(tmp_path)) == ([], [])


@pytest.mark.parametrize("ref", [FunctionRef("nobody"), FunctionRef("f", "live"), FunctionRef("f", "7")], ids=str)
async def test_an_event_for_nobody_is_refused(made: World, tmp_path: Path, ref: FunctionRef) -> None:
    with pytest.raises(ResourceNotFound):
        await made.engine.invoke(InvokeRequest(function=ref, type=EVENT))
    assert rows(tmp_path) == []


async def test_an_event_runs_the_version_of_its_qualifier(made: World, function: Function) -> None:
    await made.engine.publish_version("f")
    await made.engine.create_alias("f", "live", "1")
    await made.engine.invoke(InvokeRequest(function=FunctionRef("f", "live"), type=EVENT))
    await made.clock.settle()
    (view,) = (await made.engine.changes(0)).invocations
    assert (view.version, view.qualifier, view.status) == ("1", "live", InvocationStatus.SUCCESS)


# -- retries
async def test_a_function_error_is_retried_after_one_minute_and_two_then_given_up(
    made: World, function: Function, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    function.fails = 99
    answer = await made.event(payload=b'{"n":7}')
    await made.clock.advance(59.999)
    assert function.times == [0]
    await made.clock.advance(0.001)
    assert function.times == [0, 60]
    await made.clock.advance(119.999)
    assert rows(tmp_path) == [answer.request_id]
    await made.clock.advance(3600)
    assert function.had == [(at, answer.request_id, b'{"n":7}') for at in (0, 60, 180)]
    assert rows(tmp_path) == []
    assert f"event {answer.request_id} for f given up after 3 attempts" in caplog.text
    await made.engine.drained()


@pytest.mark.parametrize(("fails", "times"), [(0, [0]), (1, [0, 60]), (2, [0, 60, 180])])
async def test_a_success_ends_the_retries(
    made: World, function: Function, tmp_path: Path, fails: int, times: list[float]
) -> None:
    function.fails = fails
    await made.event()
    await made.clock.advance(MAX_AGE_SECONDS)
    assert (function.times, rows(tmp_path)) == (times, [])


async def test_events_do_not_wait_for_one_another(made: World, function: Function) -> None:
    function.fails = 1
    first = await made.event(payload=b"1")
    await made.clock.settle()
    second = await made.event(payload=b"2")
    await made.clock.advance(60)
    assert [request_id for _, request_id, _ in function.had] == [
        first.request_id,
        second.request_id,
        first.request_id,
    ]


async def test_an_event_whose_function_is_deleted_is_dropped(made: World, function: Function, tmp_path: Path) -> None:
    function.fails = 9
    await made.event()
    await made.clock.advance(1)
    await made.engine.delete_function(FunctionRef("f"))
    await made.clock.advance(60)
    await made.engine.drained()
    assert (function.times, rows(tmp_path)) == ([0], [])


async def test_a_retry_runs_the_code_of_its_time(made: World, function: Function) -> None:
    function.fails = 1
    await made.event()
    await made.clock.settle()
    await made.change()
    await made.clock.advance(60)
    assert len(function.had) == 2
    tasks = [environment.spec.task.joinpath("app.py").read_text() for environment in made.backend.environments]
    assert tasks == ["1", "2"]


# -- throttles and broken backends
async def test_a_throttled_event_backs_off_and_uses_no_attempt_up(tmp_path: Path, function: Function) -> None:
    async with world(tmp_path / "state", function, concurrency_limit=1) as made:
        function.world = made
        await made.create(timeout=900)
        function.hold = asyncio.Event()
        blocking = made.submit()
        await made.clock.settle()
        function.had.clear()
        await made.event()
        await made.clock.advance(40)
        refused = [view for view in (await made.engine.changes(0)).invocations if view.status.value == "throttled"]
        assert len(refused) == 1  # one entry an event, however often it is refused
        assert (await made.engine.changes(0)).totals.throttles == 6  # at 0, 1, 3, 7, 15, 31
        function.fails = 3
        function.hold.set()
        await made.clock.settle()
        assert (await blocking).function_error == "Unhandled"
        await made.clock.advance(23)
        assert function.times == [63]
        await made.clock.advance(600)
        assert function.times == [63, 123, 243]  # one of the three failures was the blocking one's
        assert rows(tmp_path) == []


async def test_throttled_events_follow_one_another_as_soon_as_there_is_room(tmp_path: Path, function: Function) -> None:
    async with world(tmp_path / "state", function, concurrency_limit=2) as made:
        function.world = made
        await made.create()
        await made.create("g")
        for number in range(100):
            await made.event("fg"[number % 2], payload=b"%d" % number)
        await made.clock.settle()
        await asyncio.wait_for(made.engine.drained(), 5)
    assert sorted(int(payload) for _, _, payload in function.had) == list(range(100))
    assert set(function.times) == {0}


async def test_a_backend_that_does_not_work_uses_no_attempt_up(made: World, function: Function, tmp_path: Path) -> None:
    made.backend.refuse = "no sandbox today"
    await made.event()
    await made.clock.advance(30)
    made.backend.refuse = None
    function.fails = 9
    await made.clock.advance(3600)
    assert function.times == [31, 91, 211]
    assert rows(tmp_path) == []


# -- restarts
async def test_an_event_is_delivered_by_the_next_engine_with_its_attempts_kept(
    tmp_path: Path, function: Function
) -> None:
    function.fails = 99
    async with world(tmp_path / "state", function) as made:
        function.world = made
        await made.create()
        answer = await made.event(payload=b'{"n":7}')
        await made.clock.advance(1)
        assert function.times == [0]
    assert rows(tmp_path) == [answer.request_id]
    async with world(tmp_path / "state", function) as made:
        function.world = made
        await made.clock.advance(59)
        assert function.times == [0]
        await made.clock.advance(3600)
    assert function.had == [(at, answer.request_id, b'{"n":7}') for at in (0, 60, 180)]
    assert rows(tmp_path) == []


async def test_an_event_that_was_running_when_the_engine_ended_runs_again(tmp_path: Path, function: Function) -> None:
    function.hold = asyncio.Event()
    async with world(tmp_path / "state", function) as made:
        function.world = made
        await made.create()
        answer = await made.event()
        await made.clock.settle()
    function.hold = None
    async with world(tmp_path / "state", function) as made:
        function.world = made
        await made.clock.settle()
        await asyncio.wait_for(made.engine.drained(), 5)
    assert function.had == [(0, answer.request_id, b"{}")] * 2
    assert rows(tmp_path) == []


async def test_many_events_survive_together(tmp_path: Path, function: Function) -> None:
    function.hold = asyncio.Event()
    async with world(tmp_path / "state", function) as made:
        function.world = made
        await made.create()
        accepted = [(await made.event(payload=b"%d" % number)).request_id for number in range(50)]
    assert rows(tmp_path) == accepted
    function.hold = None
    function.had.clear()
    async with world(tmp_path / "state", function) as made:
        function.world = made
        await made.clock.advance(5)
        await asyncio.wait_for(made.engine.drained(), 5)
    assert sorted(payload for _, _, payload in function.had) == sorted(b"%d" % number for number in range(50))


# -- drained
async def test_drained_waits_for_every_event(made: World, function: Function) -> None:
    await made.engine.drained()
    function.fails = 1
    await made.event()
    await made.event()
    waiting = asyncio.ensure_future(made.engine.drained())
    await made.clock.advance(59)
    assert not waiting.done()
    await made.clock.advance(1)
    assert waiting.done()
    await made.event()
    again = asyncio.ensure_future(made.engine.drained())
    await made.clock.settle()
    assert again.done()


async def test_drained_is_not_held_up_by_a_store_that_fails(
    made: World, function: Function, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> None:
        raise StateError("disk I/O error")

    function.fails = 1
    await made.event()
    monkeypatch.setattr(made.engine._store, "put_event", fail)
    monkeypatch.setattr(made.engine._store, "delete_event", fail)
    await made.clock.advance(61)
    assert function.times == [0, 60]
    await made.engine.drained()
    assert caplog.text.count("the queue cannot be written: disk I/O error") == 2


# -- the queue alone, against a model of the rules
class Memory:
    """A store that forgets."""

    def __init__(self) -> None:
        self.events: dict[str, QueuedEvent] = {}

    def put_event(self, event: QueuedEvent) -> None:
        self.events[event.request_id] = event

    def delete_event(self, request_id: str) -> None:
        self.events.pop(request_id, None)

    def close(self) -> None:
        """Nothing to close."""


class Alone:
    """A queue whose deliveries end as the outcomes say; the last one repeats."""

    def __init__(self, outcomes: list[str]) -> None:
        self.clock = VirtualClock()
        self.store = Memory()
        self.outcomes = outcomes
        self.times: list[float] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.rule = Rules()
        self.told: list[Ending] = []
        store: Any = self.store
        endings: Any = self
        thread = InlineThread(store)
        self.queue = EventQueue(
            Tables(Account()), self.clock, store, thread, self.submit, self.spawn, endings, self.count
        )

    def rules(self, event: QueuedEvent) -> Rules:
        return self.rule

    async def tell(self, ending: Ending) -> None:
        self.told.append(ending)

    def count(self, function: str, qualifier: str | None, metric: Metric, value: float) -> None:
        """Whose metrics they are is the engine's business."""

    def submit(self, request: InvokeRequest, request_id: str) -> asyncio.Future[InvocationResult]:
        outcome = self.outcomes[min(len(self.times), len(self.outcomes) - 1)]
        self.times.append(self.clock.monotonic_ns() / 1e9)
        if outcome == "throttle":
            raise TooManyRequests("ConcurrentInvocationLimitExceeded")
        answer: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        if outcome == "system":
            answer.set_exception(BackendError("broken"))
        elif outcome == "conflict":
            answer.set_exception(ResourceConflict("Pending"))
        else:
            failed = "Unhandled" if outcome == "error" else None
            answer.set_result(InvocationResult(request_id="e", status=InvocationStatus.SUCCESS, function_error=failed))
        return answer

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    def event(self, **more: Any) -> QueuedEvent:
        values = {"request_id": "e", "function": "f", "qualifier": None, "payload": b"", "trace_id": "t"}
        return QueuedEvent(**{**values, "backend": None, "accepted": self.clock.time(), **more})


def expected(outcomes: list[str]) -> list[float]:
    """When deliveries happen, by the rules for asynchronous invocation."""
    now, attempts, back_off, times = 0.0, 0, 1.0, []
    while True:
        outcome = outcomes[min(len(times), len(outcomes) - 1)]
        times.append(now)
        if outcome == "success":
            return times
        if outcome == "error":
            if attempts == 2:
                return times
            now += (60.0, 120.0)[attempts]
            attempts += 1
        else:
            now += back_off
            back_off = min(back_off * 2, 300.0)
        if now > MAX_AGE_SECONDS:
            return times


@settings(max_examples=60, deadline=None)
@given(
    outcomes=st.lists(st.sampled_from(["error", "throttle", "throttle", "system", "conflict"]), max_size=20),
    last=st.sampled_from(["success", "error", "throttle"]),
)
def test_deliveries_happen_when_the_rules_say(outcomes: list[str], last: str) -> None:
    async def run() -> None:
        alone = Alone([*outcomes, last])
        await alone.queue.put(alone.event())
        await alone.clock.advance(MAX_AGE_SECONDS + 1000)
        assert alone.times == pytest.approx(expected([*outcomes, last]))
        assert alone.store.events == {}
        await alone.queue.drained()

    logging.disable(logging.CRITICAL)
    try:
        asyncio.run(run())
    finally:
        logging.disable(logging.NOTSET)


async def test_throttles_back_off_from_a_second_to_five_minutes_for_six_hours() -> None:
    alone = Alone(["throttle"])
    await alone.queue.put(alone.event())
    await alone.clock.advance(24 * 3600)
    pauses = [after - before for before, after in zip(alone.times, alone.times[1:], strict=False)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, *[300] * (len(pauses) - 9)]
    assert alone.times[-1] <= MAX_AGE_SECONDS < alone.times[-1] + 300
    assert alone.store.events == {}


async def test_what_is_durable_counts_the_attempts_and_says_when_it_is_due() -> None:
    alone = Alone(["throttle", "error", "error", "success"])
    await alone.queue.put(alone.event())
    seen = []
    for _ in range(4):
        await alone.clock.settle()
        event = alone.store.events.get("e")
        seen.append(event and (event.attempts, event.due - event.accepted))
        await alone.clock.advance(60)
    assert seen == [(0, 1), (1, 61), (2, 181), (2, 181)]
    await alone.clock.advance(60)
    assert alone.store.events == {}


@pytest.mark.parametrize("hours", [1, 24, 24 * 365])
async def test_a_clock_that_was_set_back_does_not_hold_an_event_up(hours: int) -> None:
    alone = Alone(["success"])
    alone.queue.load([alone.event(due=alone.clock.time() + hours * 3600)])
    await alone.clock.advance(300)
    assert alone.times == [300]
    await alone.queue.drained()


async def test_a_success_while_the_engine_ends_is_not_delivered_again() -> None:
    alone = Alone(["success"])
    await alone.queue.put(alone.event())
    alone.queue.closed = False
    real = alone.submit

    def closing(request: InvokeRequest, request_id: str) -> asyncio.Future[InvocationResult]:
        alone.queue.closed = True
        return real(request, request_id)

    alone.queue._submit = closing
    await alone.clock.settle()
    assert alone.store.events == {}


@pytest.mark.parametrize("outcome", ["error", "throttle", "system"])
async def test_what_failed_while_the_engine_ended_is_kept_as_it_was(outcome: str) -> None:
    alone = Alone([outcome])
    event = alone.event(attempts=1)
    alone.store.put_event(event)
    real = alone.submit

    def closing(request: InvokeRequest, request_id: str) -> asyncio.Future[InvocationResult]:
        alone.queue.closed = True
        return real(request, request_id)

    alone.queue._submit = closing
    alone.queue.load([event])
    await alone.clock.advance(600)
    assert alone.store.events == {"e": event}
    assert alone.times == [0]


async def test_an_error_of_a_kind_of_its_own_is_one_of_the_system() -> None:
    class Strange(WorkbenchError):
        pass

    alone = Alone(["success"])
    real = alone.submit

    def strange(request: InvokeRequest, request_id: str) -> asyncio.Future[InvocationResult]:
        if not alone.times:
            alone.times.append(0)
            raise Strange("what?")
        return real(request, request_id)

    alone.queue._submit = strange
    await alone.queue.put(alone.event())
    await alone.clock.advance(1)
    assert alone.times == [0, 1]
