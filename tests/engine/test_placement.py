"""Which environment an invocation gets, and which invocation gets none. On a virtual clock."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.engine.world import World, world
from workbench.model.environments import EnvironmentState
from workbench.model.errors import ResourceConflict, TooManyRequests
from workbench.model.events import EnvironmentChanged, Event
from workbench.model.invocations import InvocationStatus
from workbench.testing.fakes import FakeRuntime


async def test_concurrent_invocations_get_environments_of_their_own(engine: World) -> None:
    await engine.create()
    pending = [engine.submit() for _ in range(5)]
    await engine.clock.advance(1)
    results = [await one for one in pending]
    assert len({result.environment for result in results}) == 5
    again = await engine.invoke()
    assert again.environment in {result.environment for result in results}


async def test_aliases_of_a_version_share_its_environments_and_other_versions_do_not(engine: World) -> None:
    await engine.create()
    await engine.engine.publish_version("f")
    for alias in ("live", "canary"):
        await engine.engine.create_alias("f", alias, "1")
    await engine.clock.settle()
    latest, live, canary, one = [await engine.invoke(qualifier=each) for each in (None, "live", "canary", "1")]
    assert latest.environment != live.environment == canary.environment == one.environment
    assert (canary.executed_version, latest.executed_version) == ("1", "$LATEST")
    assert f"START RequestId: {canary.request_id} Version: 1\n" in (canary.log or "")


async def test_the_most_recently_used_environment_is_taken(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            await made.clock.sleep(json.loads(event.payload))
            runtime.respond(event.request_id, b"null")

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=60)
        slow, quick = made.submit(payload=b"2"), made.submit(payload=b"1")
        await made.clock.advance(3)
        newest = (await slow).environment
        assert newest != (await quick).environment
        for _ in range(3):
            pending = made.submit(payload=b"0")
            await made.clock.advance(0.001)
            assert (await pending).environment == newest


async def test_a_caller_in_a_row_waits_for_the_finishing_environment_instead_of_a_cold_start(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            runtime.respond(event.request_id, b"null")
            await made.clock.sleep(0.09)

    async with world(tmp_path / "state", program) as made:
        await made.create()
        first = await made.invoke(logs=False)
        second = made.submit(logs=False)
        await made.clock.advance(0.095)
        assert (await second).environment == first.environment
        assert len(made.backend.environments) == 1


async def test_an_environment_that_takes_too_long_to_finish_is_not_waited_for(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            runtime.respond(event.request_id, b"null")
            await made.clock.sleep(1)

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=30)
        first = await made.invoke(logs=False)
        second = made.submit(logs=False)
        await made.clock.advance(0.11)
        assert (await second).environment != first.environment
        assert (await made.engine.changes(0)).totals.invocations == 2


async def test_environments_that_are_asked_for_while_the_last_one_ends_are_reclaimed_too(
    engine: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.create()
    last = await engine.invoke()
    end = (last.environment, EnvironmentState.STOPPED)
    apply, answers = engine.engine.live.apply, []

    def submit() -> None:
        answers.append(engine.submit())

    def at_its_end(event: Event) -> None:
        apply(event)
        if isinstance(event, EnvironmentChanged) and (event.id, event.state) == end:
            asyncio.get_running_loop().call_soon(submit)  # before the environment that the other asks for is begun
            submit()

    monkeypatch.setattr(engine.engine.live, "apply", at_its_end)
    await engine.engine.stop_environment(last.environment)
    await engine.clock.settle()
    assert {(await answer).status for answer in answers} == {InvocationStatus.SUCCESS}
    assert await engine.states() == ["stopped", "idle", "idle"]
    await engine.clock.advance(400)
    assert await engine.states() == ["stopped"] * 3


async def test_the_account_limit_refuses_and_counts(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            await made.clock.sleep(1)
            runtime.respond(event.request_id, b"null")

    async with world(tmp_path / "state", program, concurrency_limit=2) as made:
        await made.create()
        running = [made.submit(), made.submit()]
        with pytest.raises(TooManyRequests) as refused:
            await made.invoke()
        assert refused.value.reason == "ConcurrentInvocationLimitExceeded"
        await made.clock.advance(2)
        for one in running:
            await one
        pending = made.submit()
        await made.clock.advance(2)
        assert (await pending).status is InvocationStatus.SUCCESS
        assert (await made.engine.changes(0)).totals.throttles == 1


async def test_a_pending_function_is_not_invoked(engine: World) -> None:
    from tests.engine.world import archive, configured
    from workbench.model.functions import FunctionState, NewFunction

    version = await engine.engine.create_function(
        NewFunction(name="f", configuration=configured(), code=archive({"app.py": ""}))
    )
    assert version.state is FunctionState.PENDING
    with pytest.raises(ResourceConflict, match="Pending"):
        await engine.invoke()
    await engine.clock.settle()
    assert (await engine.invoke()).status is InvocationStatus.SUCCESS


async def test_an_invocation_that_is_placed_again_after_an_update_leaves_no_old_code_behind(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            runtime.respond(event.request_id, b"null")
            await made.clock.sleep(1)

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=30)
        await made.invoke(logs=False)
        claiming = made.submit(logs=False)
        newest = await made.change()
        await made.clock.advance(0.11)
        old = (await claiming).environment
        await made.clock.advance(5)
        assert (await made.invoke(logs=False)).environment != old
        assert made.backend.environments[-1].spec.task.name == newest.code.sha256
        await made.clock.advance(5)
        states = {view.id: view.state.value for view in await made.environments()}
        assert states[old or ""] == "stopped"
