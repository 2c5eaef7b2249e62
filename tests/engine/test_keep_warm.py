"""Keep-warm schedules: pings that hold environments on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine.world import World, world
from workbench.model.attached import KeepWarm
from workbench.model.errors import ResourceNotFound, UsageError
from workbench.model.invocations import InvocationStatus
from workbench.model.names import FunctionRef
from workbench.testing.fakes import FakeRuntime

DEFAULT = b'{"source":"workbench.keep-warm"}'
F = FunctionRef("f")


class Program:
    """Notes when it had which event; `held` ones wait to be let go."""

    def __init__(self) -> None:
        self.had: list[tuple[float, bytes]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.world: World | None = None

    async def __call__(self, runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            assert self.world is not None
            self.had.append((self.world.clock.monotonic_ns() / 1e9 - self.since, event.payload))
            await self.go.wait()
            runtime.respond(event.request_id, event.payload)

    def begin(self, made: World) -> None:
        self.world, self.since = made, made.clock.monotonic_ns() / 1e9
        self.had.clear()

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.had]


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
async def made(tmp_path: Path, program: Program) -> AsyncIterator[World]:
    async with world(tmp_path / "state", program) as opened:
        await opened.create(timeout=900)
        program.begin(opened)
        yield opened
        program.go.set()
        await opened.clock.settle()


async def alive(made: World) -> set[str]:
    return {view.id for view in await made.environments() if not view.state.final}


async def test_as_many_environments_as_asked_for_are_warm_from_now_on(made: World, program: Program) -> None:
    await made.engine.put_keep_warm(F, KeepWarm(every=300, environments=3))
    await made.clock.settle()
    kept = await alive(made)
    assert (len(kept), program.had) == (3, [(0, DEFAULT)] * 3)
    await made.clock.advance(3000)
    assert await alive(made) == kept
    assert program.times == [number * 300 for number in range(11) for _ in range(3)]
    result = await made.invoke()
    assert (result.environment in kept, result.why) == (True, "warm")


async def test_a_ping_is_an_invocation_and_the_history_tells_it_from_others(made: World) -> None:
    await made.engine.put_keep_warm(F, KeepWarm(every=60, event='{"ping":1}'))
    await made.clock.settle()
    await made.invoke(payload=b"1")
    await made.clock.advance(60)
    past = await made.engine.list_invocations()
    assert [one.why for one in past] == ["keep-warm ping; warm", "warm", "keep-warm ping; cold: no environment yet"]
    assert (await made.engine.get_invocation(past[0].request_id)).event == b'{"ping":1}'
    assert all(one.billed_ms >= 0 and one.status is InvocationStatus.SUCCESS for one in past)


async def test_without_its_schedule_an_environment_ends(made: World, program: Program) -> None:
    await made.engine.put_keep_warm(F, KeepWarm(every=60))
    await made.clock.advance(90)
    await made.engine.delete_keep_warm(F)
    await made.clock.advance(600)
    assert (program.times, await alive(made)) == ([0, 60], set())
    await made.engine.delete_keep_warm(F)
    assert (await made.engine.get_attached("f")).keep_warm == {}


async def test_another_schedule_takes_the_place_of_the_first(made: World, program: Program) -> None:
    await made.engine.put_keep_warm(F, KeepWarm(every=60))
    await made.clock.advance(30)
    await made.engine.put_keep_warm(F, KeepWarm(every=100))
    await made.engine.put_concurrency(F, 5)  # what does not touch the schedule does not begin it anew
    await made.clock.advance(250)
    assert program.times == [0, 30, 130, 230]


async def test_a_schedule_is_of_a_qualifier_and_ends_with_it(made: World, program: Program) -> None:
    await made.engine.publish_version("f")
    await made.engine.create_alias("f", "live", "1")
    await made.engine.put_keep_warm(FunctionRef("f", "live"), KeepWarm(every=60))
    await made.clock.settle()
    assert [view.version for view in await made.environments()] == ["1"]
    await made.engine.delete_alias("f", "live")
    await made.engine.create_alias("f", "live", "1")  # another one of that name is not pinged
    await made.clock.advance(120)
    assert program.times == [0]


async def test_a_schedule_ends_with_its_function(made: World, program: Program) -> None:
    await made.engine.put_keep_warm(F, KeepWarm(every=60))
    await made.clock.settle()
    await made.engine.delete_function(F)
    await made.create()
    await made.clock.advance(120)
    assert program.times == [0]


async def test_the_next_engine_goes_on(tmp_path: Path, program: Program) -> None:
    async with world(tmp_path / "state", program) as made:
        program.begin(made)
        await made.create()
        await made.engine.put_keep_warm(F, KeepWarm(every=60, environments=2))
        await made.clock.settle()
    program.had.clear()
    async with world(tmp_path / "state", program) as made:
        program.begin(made)
        await made.clock.advance(61)
        assert program.times == [0, 0, 60, 60]


async def test_pings_do_not_pile_up(made: World, program: Program) -> None:
    program.go.clear()
    await made.engine.put_keep_warm(F, KeepWarm(every=60, environments=2))
    await made.clock.advance(200)
    assert program.times == [0, 0]
    program.go.set()
    await made.clock.advance(60)
    assert program.times == [0, 0, 240, 240]


async def test_a_ping_that_is_refused_is_told_and_the_next_one_comes(made: World, program: Program) -> None:
    await made.engine.put_concurrency(F, 0)
    await made.engine.put_keep_warm(F, KeepWarm(every=60, environments=2))
    await made.clock.settle()
    (refused,) = await made.engine.list_invocations()
    assert refused.why == "keep-warm ping; ReservedFunctionConcurrentInvocationLimitExceeded"
    await made.engine.put_concurrency(F, None)
    await made.clock.advance(60)
    assert program.times == [60, 60]


async def test_a_ping_that_fails_is_kept_and_the_next_one_comes(made: World, program: Program) -> None:
    made.backend.refuse = "no sandbox today"
    await made.engine.put_keep_warm(F, KeepWarm(every=60))
    await made.clock.settle()
    (failed,) = await made.engine.list_invocations()
    assert failed.status is InvocationStatus.FAILED
    made.backend.refuse = None
    await made.clock.advance(60)
    assert program.times == [60]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (KeepWarm(every=301), "pings are 1 s to 300 s apart, not 301 s"),
        (KeepWarm(every=0.5), "pings are 1 s to 300 s apart, not 0.5 s"),
        (KeepWarm(every=60, environments=0), "at least one environment"),
        (KeepWarm(every=60, event="{"), "is not JSON"),
    ],
)
async def test_what_would_keep_nothing_warm_is_refused(
    made: World, program: Program, config: KeepWarm, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        await made.engine.put_keep_warm(F, config)
    with pytest.raises(ResourceNotFound):
        await made.engine.put_keep_warm(FunctionRef("f", "no"), KeepWarm(every=60))
    await made.clock.settle()
    assert program.had == []
