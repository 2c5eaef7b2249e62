"""How environments end: reclaimed, replaced, killed, and with the engine. On a virtual clock."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.engine.world import World, world
from workbench.backends.api import Exited
from workbench.engine.backend_host import BackendHost
from workbench.model.environments import EnvironmentState
from workbench.model.errors import EngineGone
from workbench.model.invocations import InvocationStatus
from workbench.testing.fakes import FakeRuntime


async def test_idle_environments_are_reclaimed(engine: World) -> None:
    await engine.create()
    await engine.invoke()
    await engine.clock.advance(299)
    assert await engine.states() == ["frozen"]
    await engine.clock.advance(20)
    assert await engine.states() == ["stopped"]


async def test_an_update_retires_idle_environments_and_lets_running_ones_finish(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            await made.clock.sleep(json.loads(event.payload))
            runtime.respond(event.request_id, b"null")

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=60)
        idle, running = made.submit(payload=b"0"), made.submit(payload=b"5")
        await made.clock.advance(0.01)
        await idle
        await made.change()
        await made.clock.advance(0.01)
        assert sorted(await made.states()) == ["busy", "stopped"]
        await made.clock.advance(6)
        assert (await running).status is InvocationStatus.SUCCESS
        assert sorted(await made.states()) == ["stopped", "stopped"]


async def test_killing_an_environment_fails_its_invocation(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        await runtime.next()
        await made.clock.sleep(3600)

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=60)
        pending = made.submit()
        await made.clock.settle()
        (view,) = await made.environments()
        await made.engine.stop_environment(view.id)
        await made.clock.settle()
        assert "signal: killed" in (await pending).payload.decode()


async def test_killing_an_environment_that_is_being_made_answers_and_leaves_nothing(engine: World) -> None:
    await engine.create()
    engine.backend.hold = asyncio.Event()
    pending = engine.submit()
    await engine.clock.settle()
    (view,) = await engine.environments()
    assert view.state is EnvironmentState.CREATING
    await engine.engine.stop_environment(view.id)
    await engine.clock.settle()
    assert "signal: killed" in (await pending).payload.decode()
    engine.backend.hold.set()
    await engine.clock.settle()
    assert [environment.calls for environment in engine.backend.environments] == [["stop 0"]]
    engine.backend.hold = None
    assert (await engine.invoke()).status is InvocationStatus.SUCCESS


async def test_killing_an_environment_while_it_thaws_answers(engine: World) -> None:
    await engine.create()
    await engine.invoke()
    await engine.clock.advance(1)
    assert await engine.states() == ["frozen"]
    pending = engine.submit()
    (view,) = await engine.environments()
    await engine.engine.stop_environment(view.id)
    await engine.clock.settle()
    assert (await pending).status is InvocationStatus.CRASH
    assert await engine.states() == ["failed"]


async def test_stopping_the_engine_answers_every_invocation(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        if json.loads(runtime.env.get("SLOW_INIT", "false")):
            await made.clock.sleep(5)
        await runtime.next()
        await made.clock.sleep(3600)

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=60)
        await made.create("g", timeout=60, environment={"SLOW_INIT": "true"})
        busy, initialising = made.submit(), made.submit("g")
        await made.clock.settle()
        made.backend.hold = asyncio.Event()
        creating = made.submit()
        await made.clock.settle()
        assert sorted(await made.states()) == ["busy", "creating", "init"]
        made.backend.hold.set()
    for pending in (busy, initialising, creating):
        assert (await pending).status is InvocationStatus.CRASH
    assert made.engine._tables.concurrency == 0


async def test_an_environment_whose_backend_opens_while_the_engine_ends_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = asyncio.Event()

    async def open_late(name: str) -> BackendHost:
        await opened.wait()
        return BackendHost(name, made.backend)

    async with world(tmp_path / "state") as made:
        await made.create()
        await made.invoke()
        (first,) = made.backend.environments
        stop = first.stop

        async def stop_late(grace: float) -> Exited:
            opened.set()
            await made.clock.sleep(1)
            return await stop(grace)

        monkeypatch.setattr(first, "stop", stop_late)
        monkeypatch.setattr(made.engine._backends, "_make", open_late)
        waiting = made.submit(backend="late")
    with pytest.raises(EngineGone):
        await waiting
    assert made.backend.environments == [first]
