"""Many invocations: how they are begun, what is counted of them, and the words in an event that change."""

import asyncio
import json
from itertools import pairwise
from math import inf
from random import Random

import pytest

from tests.tui.fake_port import FakeEngine
from workbench.client.placeholders import fill, has_any
from workbench.model.errors import EngineGone, ResourceNotFound, TooManyRequests
from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType
from workbench.tui.load import Class, Load, Plan, histogram, percentiles
from workbench.tui.order import Order
from workbench.tui.widgets.load_facts import load_facts


def order(event: str = "{}", qualifier: str | None = None) -> Order:
    return Order("hello", qualifier, event, InvocationType.REQUEST_RESPONSE)


async def test_it_counts_what_comes_back():
    engine = FakeEngine()
    engine.function("hello")

    async def answer(request):
        number = json.loads(request.payload)["n"]
        if number == 3:
            raise TooManyRequests("ConcurrentInvocationLimitExceeded")
        if number == 4:
            raise ResourceNotFound("Function not found")
        failed = number == 5
        return InvocationResult(
            request_id="r",
            status=InvocationStatus.TIMEOUT if failed else InvocationStatus.SUCCESS,
            function_error="Unhandled" if failed else None,
            duration_ms=number + 1,
            executed_version="8" if number % 2 else "7",
            cold=number == 0,
        )

    engine.answer = answer
    load = Load(Plan(order('{"n": {{seq}}}', "live"), count=10, concurrency=3))
    await load.run(engine)
    assert (load.done, load.succeeded, load.throttled, load.cold) == (10, 7, 1, 1)
    assert load.failures == {"ResourceNotFoundException": 1, "timeout": 1}
    assert load.versions == {"7": 4, "8": 4}
    assert sorted(load.durations) == [1, 2, 3, 6, 7, 8, 9, 10]
    assert {str(request.function) for request in engine.requests} == {"hello:live"}
    assert not load.running


async def test_so_many_are_under_way_at_once_and_no_more():
    engine, most, now = FakeEngine(), 0, 0

    async def answer(request):
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return InvocationResult(request_id="r", status=InvocationStatus.SUCCESS)

    engine.answer = answer
    await Load(Plan(order(), count=40, concurrency=7)).run(engine)
    assert most == 7


async def test_a_rate_spaces_them(monkeypatch):
    slept = []
    time = [100.0]

    async def sleep(seconds):
        slept.append(seconds)
        time[0] += seconds

    monkeypatch.setattr("workbench.tui.load.asyncio.sleep", sleep)
    engine = FakeEngine()
    load = Load(Plan(order(), count=5, concurrency=1, rate=10), now=lambda: time[0])
    await load.run(engine)
    assert load.seconds == pytest.approx(0.4)
    assert len(engine.requests) == 5


async def test_stopped_it_begins_nothing_more():
    engine = FakeEngine()
    load = Load(Plan(order(), count=1000, concurrency=4))

    async def answer(request):
        if len(engine.requests) == 8:
            load.stop()
        await asyncio.sleep(0)
        return InvocationResult(request_id="r", status=InvocationStatus.SUCCESS)

    engine.answer = answer
    await load.run(engine)
    assert load.stopped
    assert 8 <= load.done <= 12
    assert load.done == len(engine.requests)


async def test_a_lost_engine_ends_it():
    engine = FakeEngine()
    engine.raises = EngineGone("gone")
    load = Load(Plan(order(), count=1000, concurrency=4))
    with pytest.raises(EngineGone):
        await load.run(engine)
    assert not load.running
    assert len(engine.requests) <= 4


def test_percentiles_are_values_that_were_seen():
    assert percentiles([], 50) == []
    assert percentiles([3.0], 50, 99, 100) == [3.0, 3.0, 3.0]
    assert percentiles([float(n) for n in range(100, 0, -1)], 50, 95, 100) == [51.0, 96.0, 100.0]


def test_a_histogram_has_every_duration_in_one_of_few_classes():
    assert histogram([]) == []
    assert histogram([3.0]) == [Class(2.5, 5.0, 1)]
    assert histogram([2.5, 4.9, 5.0]) == [Class(2.5, 5.0, 2), Class(5.0, 10.0, 1)]
    assert histogram([0.0]) == [Class(0.0, 0.01, 1)]
    assert histogram([9e9]) == [Class(500_000.0, inf, 1)]
    random = Random(1)
    durations = [10 ** random.uniform(-3, 7) for _ in range(1000)]
    classes = histogram(durations)
    assert len(classes) <= 8
    assert sum(found.count for found in classes) == 1000
    assert classes[0].count
    assert classes[-1].count
    for found in classes:
        assert found.count == sum(found.low <= duration < found.high for duration in durations)
    assert all(one.high == other.low for one, other in pairwise(classes))


@pytest.mark.parametrize(
    ("width", "ran"),
    [
        (74, ["ran   p50 888 ms  p95 1m01s  p99 1m01s  max 1m01s"]),
        (42, ["ran   p50 888 ms  p95 1m01s", "      p99 1m01s  max 1m01s"]),
        (16, ["ran   p50 888 ms", "      p95 1m01s", "      p99 1m01s", "      max 1m01s"]),
    ],
)
def test_figures_go_on_below_one_another_where_there_is_no_room(width, ran):
    load = Load(Plan(order(), count=4))
    load.durations = [3.0, 888.0, 888.0, 61_000.0]
    lines = load_facts(load, width).plain.splitlines()
    begins = lines.index(ran[0])
    assert lines[begins : begins + len(ran) + 1] == [*ran, ""]


def test_words_in_double_braces_are_filled_anew_each_time():
    text = '{"a": {{seq}}, "b": "{{uuid}}", "c": {{ now_ms }}, "d": {{rand 6 1}}, "e": "{{name}}"}'
    assert has_any(text)
    one = json.loads(fill(text, 7, 1234, Random(1)))
    other = json.loads(fill(text, 8, 1234, Random(2)))
    assert (one["a"], other["a"], one["c"], one["e"]) == (7, 8, 1234, "{{name}}")
    assert one["b"] != other["b"]
    assert len(one["b"]) == 36
    assert {json.loads(fill("{{rand 1 3}}", 0, 0, Random(seed))) for seed in range(50)} == {1, 2, 3}
    assert not has_any("{{}} {{x}} {seq}")
