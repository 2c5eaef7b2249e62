"""The life of an environment, on a virtual clock."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.world import World, world
from workbench.model.invocations import InvocationStatus
from workbench.testing.fakes import FakeRuntime, echo


async def test_a_cold_start_answers_and_logs_in_awss_words(engine: World) -> None:
    await engine.create(memory_size=256)

    result = await engine.invoke(payload=b'{"name":"Ada"}')

    assert result.payload == b'{"name":"Ada"}'
    assert result.status is InvocationStatus.SUCCESS
    assert result.executed_version == "$LATEST"
    assert result.function_error is None
    assert result.log is not None
    lines = result.log.splitlines()
    assert lines[0].startswith("INIT_START Runtime Version: python:3.12.v1\tRuntime Version ARN: arn:aws:lambda:")
    assert lines[1:3] == [
        f"START RequestId: {result.request_id} Version: $LATEST",
        f"END RequestId: {result.request_id}",
    ]
    assert lines[3] == (
        f"REPORT RequestId: {result.request_id}\tDuration: 0.00 ms\tBilled Duration: 0 ms\tMemory Size: 256 MB\t"
        "Max Memory Used: 40 MB\tInit Duration: 0.00 ms\t"
    )


async def test_the_second_invocation_reuses_the_environment_and_has_no_init(engine: World) -> None:
    await engine.create()
    first = await engine.invoke()
    second = await engine.invoke()
    assert (first.environment, first.init_ms) == (second.environment, 0.0)
    assert second.init_ms is None
    assert "Init Duration" not in (second.log or "")


async def test_it_goes_through_creating_init_busy_idle_frozen(engine: World) -> None:
    await engine.create()
    await engine.invoke()
    await engine.clock.advance(0.004)
    assert await engine.states() == ["idle"]
    await engine.clock.advance(0.002)
    assert await engine.states() == ["frozen"]
    (view,) = await engine.environments()
    assert [state.value for _, state, _ in view.history] == ["creating", "init", "busy"]
    (environment,) = engine.backend.environments
    assert environment.calls == ["start runtime", "freeze"]

    await engine.invoke()
    assert environment.calls == ["start runtime", "freeze", "thaw"]
    assert not environment.frozen


async def test_the_boost_of_init_ends_with_it(engine: World) -> None:
    engine.backend.capabilities = replace(engine.backend.capabilities, boost=True)
    await engine.create()
    ready = asyncio.Event()

    async def slow_to_boot(runtime: FakeRuntime) -> None:
        await ready.wait()
        await echo(runtime)

    engine.backend.program = slow_to_boot
    pending = engine.submit()
    await engine.clock.settle()
    (environment,) = engine.backend.environments
    assert environment.calls == ["start runtime"]
    ready.set()
    await engine.clock.settle()
    await pending
    assert environment.calls == ["start runtime", "settle"]


async def test_an_invocation_that_comes_while_it_freezes_finds_it_thawed(
    engine: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.create()
    await engine.invoke()
    (environment,) = engine.backend.environments
    freezing = asyncio.Event()

    async def slowly() -> None:
        environment.frozen = True
        await freezing.wait()

    monkeypatch.setattr(environment, "freeze", slowly)
    await engine.clock.advance(0.005)
    pending = engine.submit()
    freezing.set()
    await engine.clock.settle()
    assert not environment.frozen
    assert (await pending).environment == environment.id


async def test_durations_count_init_and_invoke_apart(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        await made.clock.sleep(0.25)
        while True:
            event = await runtime.next()
            await made.clock.sleep(0.1)
            runtime.respond(event.request_id, b"null")

    async with world(tmp_path / "state", program) as made:
        await made.create()
        pending = made.submit()
        await made.clock.advance(1)
        cold = await pending
        pending = made.submit()
        await made.clock.advance(1)
        warm = await pending
    assert (cold.duration_ms, cold.init_ms, cold.billed_ms) == (100.0, 250.0, 350)
    assert (warm.duration_ms, warm.init_ms, warm.billed_ms) == (100.0, None, 100)


async def test_logs_are_stamped_with_their_own_invocation(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            runtime.print(f"working on {event.request_id}")
            runtime.respond(event.request_id, b"null")

    async with world(tmp_path / "state", program) as made:
        await made.create()
        for _ in range(5):
            result = await made.invoke()
            assert f"working on {result.request_id}\n" in (result.log or "")
        lines = [line for line in (await made.engine.changes(0)).logs if line.stream == "function"]
        assert len(lines) == 5
        assert all(line.text == f"working on {line.request_id}" for line in lines)


async def test_a_flood_of_lines_ends_and_long_lines_are_cut_for_the_live_view(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        event = await runtime.next()
        for _ in range(20):
            runtime.print("\n" * 1000)
            await asyncio.sleep(0)
        runtime.print("x" * 10_000)
        runtime.respond(event.request_id, b"null")
        await runtime.next()

    async with world(tmp_path / "state", program) as made:
        await made.create()
        pending = made.submit()
        while not pending.done():
            await made.clock.settle()
        assert (await pending).status is InvocationStatus.SUCCESS
        longest = max(len(line.text) for line in (await made.engine.changes(0)).logs)
        assert longest < 5000
