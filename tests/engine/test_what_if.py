"""What if: the replay agrees with the engine itself on the same traffic, cold start for cold start."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import World, world
from workbench.model.errors import TooManyRequests
from workbench.model.forecast import Forecast, FunctionForecast, Outcome, WhatIf
from workbench.model.invocations import InvocationType
from workbench.model.names import FunctionRef
from workbench.testing.fakes import FakeRuntime

INIT, HANDLED = 0.25, (0.05, 2.0)
#: When it comes and how long it takes, in seconds, and whether it is an event.
Call = tuple[float, float, bool]


async def play(
    state: Path,
    calls: Sequence[Call],
    *,
    provisioned: int = 0,
    reserved: int | None = None,
    questions: Sequence[WhatIf] = (),
    afterwards: float = 0.0,
    changes: Sequence[tuple[float, int]] = (),
    **options: Any,
) -> tuple[FunctionForecast, list[Forecast]]:
    """The traffic on an engine; what became of it, and what the engine answers to the questions then.

    The runtime asks for its next event so many seconds `afterwards`; at the time of each of `changes` so many are
    provisioned.
    """
    made: World

    async def program(runtime: FakeRuntime) -> None:
        await made.clock.sleep(INIT)
        while True:
            event = await runtime.next()
            await made.clock.sleep(json.loads(event.payload)["s"])
            runtime.respond(event.request_id, b"{}")
            if afterwards:
                await made.clock.sleep(afterwards)

    answers: list[Any] = []

    def call(seconds: float, event: bool) -> None:
        kind = InvocationType.EVENT if event else InvocationType.REQUEST_RESPONSE
        try:
            answer = made.submit("f", "live", json.dumps({"s": seconds}).encode(), type=kind)
        except TooManyRequests:
            return
        answers.append(asyncio.ensure_future(answer))

    async def provision(count: int) -> None:
        if count:
            await made.engine.put_provisioned_concurrency(FunctionRef("f", "live"), count)
        else:
            await made.engine.delete_provisioned_concurrency(FunctionRef("f", "live"))

    async with world(state, program, **options) as made:
        await made.create(timeout=60, memory_size=1024)
        await made.engine.publish_version("f")
        await made.engine.create_alias("f", "live", "1")
        if reserved is not None:
            await made.engine.put_concurrency(FunctionRef("f"), reserved)
        if provisioned:
            await provision(provisioned)
        await made.clock.advance(1)
        for t, seconds, event in calls:
            made.clock.call_later(t, call, seconds, event)
        for t, count in changes:
            made.clock.call_later(t, lambda count=count: answers.append(asyncio.ensure_future(provision(count))))
        await made.clock.advance(max(t for t, _, _ in calls) + 60)
        await asyncio.gather(*answers)
        found = [await made.engine.what_if(question, function=FunctionRef("f")) for question in questions]
        same = await made.engine.what_if(WhatIf(reserved=900 if reserved is None else reserved))
        return same.functions[0], found


def traffic(seed: int, *, events: float = 0.0) -> list[Call]:
    """Bursts with pauses between them, some of them longer than an environment stays."""
    draw = random.Random(seed)
    calls, t = [], 0.0
    for _ in range(draw.randint(2, 6)):
        for _ in range(draw.randint(1, 12)):
            t += draw.choice((0.0007, 0.03, 0.3)) * draw.random()
            calls.append((t, draw.uniform(*HANDLED), draw.random() < events))
        t += draw.choice((0.1, 3.0, 30.0))
    return calls


def agree(foretold: Outcome, real: Outcome) -> None:
    assert (foretold.invocations, foretold.cold_starts, foretold.throttles) == (
        real.invocations,
        real.cold_starts,
        real.throttles,
    )
    assert foretold.bill.total == pytest.approx(real.bill.total, rel=0.01)
    assert foretold.bill.duration == pytest.approx(real.bill.duration, rel=0.01)
    assert foretold.p50_ms == pytest.approx(real.p50_ms, abs=1)
    assert foretold.p99_ms == pytest.approx(real.p99_ms, abs=1)


@pytest.mark.parametrize("seed", range(6))
async def test_it_agrees_with_the_engine_on_the_same_traffic(tmp_path: Path, seed: int) -> None:
    calls = traffic(seed)
    provisioned = random.Random(seed).randint(1, 8)
    question = WhatIf(provisioned=provisioned)
    before, (answer,) = await play(tmp_path / "a", calls, questions=[question], idle_stop=20.0)
    after, _ = await play(tmp_path / "b", calls, provisioned=provisioned, idle_stop=20.0)
    assert answer.notes == ()
    (foretold,) = answer.functions
    assert foretold.actual == before.actual
    agree(foretold.what_if, after.actual)
    assert before.actual.cold_starts > after.actual.cold_starts or before.actual.cold_starts == 0


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_provisioned_can_be_thought_away(tmp_path: Path, seed: int) -> None:
    calls = traffic(seed)
    before, (answer,) = await play(
        tmp_path / "a", calls, provisioned=3, questions=[WhatIf(provisioned=0)], idle_stop=20.0
    )
    after, _ = await play(tmp_path / "b", calls, idle_stop=20.0)
    assert before.actual.bill.provisioned > 0
    (foretold,) = answer.functions
    assert foretold.what_if.bill.provisioned == 0
    agree(foretold.what_if, after.actual)


@pytest.mark.parametrize("seed", range(3))
async def test_a_reservation_throttles_as_the_engine_would(tmp_path: Path, seed: int) -> None:
    calls = traffic(seed)
    question = WhatIf(reserved=4, provisioned=2)
    before, (answer,) = await play(tmp_path / "a", calls, questions=[question], idle_stop=20.0)
    after, _ = await play(tmp_path / "b", calls, reserved=4, provisioned=2, idle_stop=20.0)
    assert before.actual.throttles == 0
    agree(answer.functions[0].what_if, after.actual)


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_provisioned_is_replayed_as_it_came_and_went(tmp_path: Path, seed: int) -> None:
    """In the middle of invocations too: those that run then count like any other from there on."""
    draw = random.Random(seed)
    calls = [(draw.uniform(0, 20), draw.uniform(*HANDLED), False) for _ in range(60)]
    changes = [(4.0, 5), (8.0, 2), (12.0, 0), (16.0, 3)]
    real, (answer,) = await play(
        tmp_path, calls, provisioned=3, reserved=6, changes=changes, questions=[WhatIf(reserved=6)]
    )
    assert real.actual.throttles > 0
    assert answer.notes == ()
    assert answer.functions[0].what_if == real.actual


async def test_events_that_are_throttled_wait_for_room(tmp_path: Path) -> None:
    calls = traffic(3, events=1.0)
    _, (answer,) = await play(tmp_path / "a", calls, questions=[WhatIf(reserved=2)])
    after, (back,) = await play(tmp_path / "b", calls, reserved=2, questions=[WhatIf(reserved=100)])
    assert after.actual.throttles > 10
    foretold = answer.functions[0].what_if
    assert (foretold.invocations, foretold.cold_starts) == (after.actual.invocations, after.actual.cold_starts)
    assert foretold.throttles == pytest.approx(after.actual.throttles, rel=0.2)
    assert (back.functions[0].what_if.invocations, back.functions[0].what_if.throttles) == (len(calls), 0)


async def test_what_was_throttled_would_run_as_long_as_the_others(tmp_path: Path) -> None:
    calls: list[Call] = [(0.001 * number, 1.0, False) for number in range(5)]
    before, (answer,) = await play(tmp_path / "a", calls, reserved=2, questions=[WhatIf(reserved=5)])
    assert (before.actual.invocations, before.actual.throttles) == (2, 3)
    foretold = answer.functions[0].what_if
    assert (foretold.invocations, foretold.cold_starts, foretold.throttles) == (5, 5, 0)
    assert foretold.bill.duration == pytest.approx(before.actual.bill.duration * 2.5, rel=0.01)


@pytest.mark.parametrize(("afterwards", "cold_starts"), [(0.09, 1), (0.11, 2)])
async def test_an_environment_that_has_answered_is_waited_for_a_moment(
    tmp_path: Path, afterwards: float, cold_starts: int
) -> None:
    calls: list[Call] = [(0.0, 0.1, False), (INIT + 0.1 + 0.001, 0.1, False)]
    real, (answer,) = await play(tmp_path, calls, afterwards=afterwards, questions=[WhatIf(provisioned=0)])
    assert real.actual.cold_starts == cold_starts
    agree(answer.functions[0].what_if, real.actual)


@pytest.mark.parametrize(("pause", "cold_starts"), [(19.9, 1), (20.9, 1), (21.1, 2)])
async def test_environments_end_when_the_engine_looks(tmp_path: Path, pause: float, cold_starts: int) -> None:
    """Idle for 20 seconds; it looks once a second, and answers come at .35 of one."""
    calls: list[Call] = [(0.0, 0.1, False), (INIT + 0.1 + pause - 0.35, 0.1, False)]
    real, (answer,) = await play(tmp_path, calls, questions=[WhatIf(provisioned=0)], idle_stop=20.0)
    assert real.actual.cold_starts == cold_starts
    agree(answer.functions[0].what_if, real.actual)
