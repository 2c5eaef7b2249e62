"""Phases of an environment and their time rules, on a virtual clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import World, world
from workbench.engine.engine import Options
from workbench.engine.init import init_seconds
from workbench.model.errors import BackendError
from workbench.model.invocations import InvocationStatus
from workbench.model.platform import InitializationType, InitPhase
from workbench.testing.fakes import Exit, FakeEnvironment, FakeRuntime, Program, echo


def working(made: Callable[[], World], *, init: float = 0.25, work: float = 0.1) -> Program:
    """A runtime that needs time for its INIT and for each event; by its event it fails in a way."""

    async def program(runtime: FakeRuntime) -> None:
        await made().clock.sleep(init)
        while True:
            event = await runtime.next()
            wish = json.loads(event.payload)
            await made().clock.sleep(3600 if wish == "hang" else work)
            if wish == "exit":
                raise Exit(1)
            if wish == "oom":
                raise Exit(signal=9, oom=True)
            if wish == "raise":
                runtime.fail(event.request_id, b'{"errorType":"E"}', "E")
            else:
                runtime.respond(event.request_id, b"null")

    return program


@pytest.fixture
async def stage(tmp_path: Path) -> Any:
    async with world(tmp_path / "state", working(lambda: made)) as made:
        yield made


async def fire(made: World, wish: str = "work", **more: Any) -> Any:
    pending = made.submit(payload=json.dumps(wish).encode(), **more)
    await made.clock.advance(1)
    return await pending


@pytest.mark.parametrize("wish", ["hang", "exit"])
async def test_a_reset_runs_init_inside_the_next_invocation_and_counts_it_there(stage: World, wish: str) -> None:
    await stage.create(timeout=1)
    pending = stage.submit(payload=json.dumps(wish).encode())
    await stage.clock.advance(2)
    lost = await pending
    again = await fire(stage)
    assert again.environment == lost.environment
    assert (again.duration_ms, again.init_ms, again.billed_ms) == (350.0, None, 350)
    assert "Init Duration" not in again.log
    warm = await fire(stage)
    assert (warm.duration_ms, warm.billed_ms) == (100.0, 100)
    (environment,) = stage.backend.environments
    assert [call for call in environment.calls if call not in ("freeze", "thaw")] == [
        "start runtime",
        "reset",
        "start runtime",
    ]
    assert [listener.hung_up for listener in stage.listeners.opened] == [1]


async def test_an_init_inside_an_invocation_shares_the_functions_timeout_with_the_handler(tmp_path: Path) -> None:
    deadlines = []

    async def program(runtime: FakeRuntime) -> None:
        await made.clock.sleep(0.7)
        while True:
            event = await runtime.next()
            deadlines.append(event.deadline_ms / 1000 - made.clock.time())
            await made.clock.sleep(0.7)
            if len(deadlines) == 1:
                raise Exit(1)
            runtime.respond(event.request_id, b"null")

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=1)
        first = made.submit()
        await made.clock.advance(3)
        assert (await first).status is InvocationStatus.CRASH
        second = made.submit()
        await made.clock.advance(0.99)
        assert not second.done()
        await made.clock.advance(0.02)
        assert second.done()
        assert (await second).status is InvocationStatus.TIMEOUT
        assert (await second).duration_ms == 1000.0
        assert deadlines == pytest.approx([1.0, 0.3], abs=0.002)


async def test_a_function_that_only_raises_is_not_reset(stage: World) -> None:
    await stage.create()
    raising = await fire(stage, "raise")
    assert raising.status is InvocationStatus.ERROR
    again = await fire(stage)
    assert again.environment == raising.environment
    assert (again.duration_ms, stage.backend.environments[0].calls.count("start runtime")) == (100.0, 1)


async def test_out_of_memory_ends_the_environment_for_its_tmp_is_in_the_same_memory(stage: World) -> None:
    await stage.create()
    lost = await fire(stage, "oom")
    assert lost.status is InvocationStatus.OOM
    again = await fire(stage)
    assert again.environment != lost.environment
    assert again.init_ms == 250.0


async def test_a_backend_that_cannot_reset_ends_the_environment(stage: World) -> None:
    from dataclasses import replace

    stage.backend.capabilities = replace(stage.backend.capabilities, reset=False)
    await stage.create()
    lost = await fire(stage, "exit")
    assert await stage.states() == ["failed"]
    assert (await fire(stage)).environment != lost.environment


async def test_an_environment_that_was_replaced_is_not_reset_but_ended(stage: World) -> None:
    await stage.create(timeout=1)
    pending = stage.submit(payload=b'"hang"')
    await stage.clock.advance(0.5)
    await stage.change()
    await stage.clock.advance(2)
    assert (await pending).status is InvocationStatus.TIMEOUT
    assert await stage.states() == ["stopped"]


async def test_an_environment_that_lived_long_ends_once_it_is_free(tmp_path: Path) -> None:
    assert Options().max_life == 7200
    async with world(tmp_path / "state", working(lambda: made), max_life=60.0, idle_stop=1000.0) as made:
        await made.create(timeout=100)
        first = await fire(made)
        await made.clock.advance(40)
        assert (await fire(made)).environment == first.environment
        await made.clock.advance(60)
        (view,) = await made.environments()
        assert (view.state.value, view.reason) == ("stopped", "lived 60 s")
        second = await fire(made)
        assert second.why == "cold: the last environment ended: lived 60 s"


@pytest.mark.parametrize(
    ("initialization", "phase", "timeout", "seconds"),
    [
        (InitializationType.ON_DEMAND, InitPhase.INIT, 900, 10),
        (InitializationType.ON_DEMAND, InitPhase.INVOKE, 3, 3),
        (InitializationType.PROVISIONED_CONCURRENCY, InitPhase.INIT, 3, 130),
        (InitializationType.PROVISIONED_CONCURRENCY, InitPhase.INIT, 900, 900),
        (InitializationType.SNAP_START, InitPhase.INIT, 131, 131),
        (InitializationType.PROVISIONED_CONCURRENCY, InitPhase.INVOKE, 3, 3),
    ],
)
def test_how_long_init_may_take(
    initialization: InitializationType, phase: InitPhase, timeout: int, seconds: float
) -> None:
    assert init_seconds(initialization, phase, timeout) == seconds


async def test_every_invocation_tells_why_it_got_its_environment_and_how_long_it_waited(stage: World) -> None:
    await stage.create(timeout=1)
    cold = await fire(stage)
    assert (cold.cold, cold.why, cold.wait_ms) == (True, "cold: no environment yet", 250.0)
    warm = await fire(stage)
    assert (warm.cold, warm.why, warm.wait_ms) == (False, "warm", 0.0)
    hanging = stage.submit(payload=b'"hang"')
    await stage.clock.advance(0.1)
    beside = await fire(stage)
    assert beside.why == "cold: all 1 environments busy"
    await hanging
    assert (await fire(stage)).why == "warm: reset after its last invocation, INIT runs again inside this one"
    views = {view.request_id: view for view in (await stage.engine.changes(0)).invocations}
    assert views[beside.request_id].why == beside.why
    await stage.clock.advance(400)
    assert (await fire(stage)).why == "cold: the last environment ended: idle for 300 s"


async def test_every_environment_tells_its_phases_with_their_times(stage: World) -> None:
    await stage.create(timeout=1)
    await fire(stage, "exit")
    await fire(stage)
    (view,) = await stage.environments()
    await stage.engine.stop_environment(view.id)
    await stage.clock.settle()
    (view,) = await stage.environments()
    told = [(phase.name, (phase.ended - phase.began) / 1e9, phase.status, phase.detail) for phase in view.phases]
    assert told == [
        ("create", 0.0, "success", ""),
        ("init", 0.25, "success", ""),
        ("reset", 0.0, "success", "failure"),
        ("init in invoke", 0.25, "success", ""),
        ("shutdown", 0.0, "success", "ended by hand"),
    ]


async def test_phases_tell_an_init_that_failed(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        await made.clock.sleep(3600)

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=2)
        pending = made.submit()
        await made.clock.advance(13)
        result = await pending
        (view,) = await made.environments()
        told = [(phase.name, (phase.ended - phase.began) / 1e9, phase.status) for phase in view.phases]
        assert told[:4] == [
            ("create", 0.0, "success"),
            ("init", 10.0, "timeout"),
            ("reset", 0.0, "success"),
            ("init in invoke", 2.0, "timeout"),
        ]
        reports = [line for line in (result.log or "").splitlines() if line.startswith("INIT_REPORT")]
        assert reports == [
            "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout",
            "INIT_REPORT Init Duration: 2000.00 ms\tPhase: invoke\tStatus: timeout",
        ]


async def test_a_sandbox_that_ends_while_a_failed_init_is_cleared_away_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def program(runtime: FakeRuntime) -> None:
        await made.clock.sleep(3600)

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=2)
        pending = made.submit()
        await made.clock.settle()
        (environment,) = made.backend.environments
        resetting = asyncio.Event()
        monkeypatch.setattr(environment, "reset", resetting.wait)
        await made.clock.advance(11)
        await environment.stop(0.0)
        await made.clock.settle()
        resetting.set()
        await made.clock.settle()
        with pytest.raises(BackendError, match="ended while it was reset"):
            await pending
        assert environment.calls.count("start runtime") == 1
        assert await made.states() == ["failed"]


async def test_a_deadline_is_its_own_invocation_s_whatever_comes_in_the_same_moment(tmp_path: Path) -> None:
    links = []

    async def program(runtime: FakeRuntime) -> None:
        links.append(runtime._link)
        event = await runtime.next()
        if event.payload == b"1":
            await made.clock.sleep(3600)
        while True:
            runtime.respond(event.request_id, event.payload)
            event = await runtime.next()

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=1)
        first = made.submit(payload=b"1", logs=False)
        await made.clock.settle()
        (pool,) = made.engine._pools.all()
        (busy,) = pool.members.values()
        # The deadline passes, and before the engine gets round to it, the runtime answers and another call comes.
        busy._timed_out()
        answered = links[0].respond(busy.invocation.request_id, b"late")
        second = made.submit(payload=b"2", logs=False)
        asked = links[0].next(lambda event: None)
        await made.clock.settle()
        assert ((await second).status, (await second).payload) == (InvocationStatus.SUCCESS, b"2")
        assert (await first).status is InvocationStatus.TIMEOUT
        assert (answered.status, asked.status) == (403, 403)


async def test_what_could_not_be_frozen_is_thawed(engine: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def half(self: FakeEnvironment) -> None:
        self.frozen = True
        raise BackendError("not all of it")

    monkeypatch.setattr(FakeEnvironment, "freeze", half)
    await engine.create()
    first = await engine.invoke()
    await engine.clock.advance(1)
    (environment,) = engine.backend.environments
    assert (await engine.states(), environment.frozen) == (["idle"], False)
    assert (await engine.invoke()).environment == first.environment


async def test_what_can_be_neither_frozen_nor_thawed_is_ended(engine: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: FakeEnvironment) -> None:
        raise BackendError("no")

    monkeypatch.setattr(FakeEnvironment, "freeze", broken)
    monkeypatch.setattr(FakeEnvironment, "thaw", broken)
    await engine.create()
    first = await engine.invoke()
    await engine.clock.advance(1)
    assert await engine.states() == ["failed"]
    assert (await engine.invoke()).environment != first.environment


async def test_without_extensions_shutdown_takes_no_time(engine: World) -> None:
    await engine.create()
    result = await engine.invoke()
    await engine.engine.stop_environment(str(result.environment))
    await engine.clock.settle()
    assert await engine.states() == ["stopped"]
    assert engine.backend.environments[0].calls == ["start runtime", "stop 0"]


async def test_a_runtime_whose_connection_drops_may_ask_again_on_another(tmp_path: Path) -> None:
    refused = []

    async def program(runtime: FakeRuntime) -> None:
        event = await runtime.next()
        runtime.respond(event.request_id, b"null")
        asking = asyncio.ensure_future(runtime.next())
        await made.clock.sleep(1)
        refused.append((await runtime.next()).error_type)
        runtime.drop()
        asking.cancel()
        await made.clock.sleep(5)
        await echo(runtime)

    async with world(tmp_path / "state", program, freeze_after=3600.0) as made:
        await made.create(timeout=20)
        await made.invoke()
        await made.clock.advance(2)
        between = made.submit(payload=b'"between"')  # nobody asks now: it waits until the runtime does
        await made.clock.advance(5)
        assert between.done()
        assert (await between).payload == b'"between"'
        assert (await made.invoke(payload=b'"after"')).payload == b'"after"'
        assert len(made.backend.environments) == 1
    assert refused == ["InvalidStateTransition"]


async def test_a_python_runtime_that_segfaults_is_a_timeout_as_on_aws(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        await runtime.next()
        raise Exit(signal=11)

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=3)
        pending = made.submit()
        await made.clock.advance(2.9)
        assert not pending.done()
        await made.clock.advance(0.2)
        result = await pending
        assert result.status is InvocationStatus.TIMEOUT
        assert "segmentation fault" in (result.log or "")
        made.backend.program = echo
        assert (await made.invoke()).environment == result.environment


async def test_a_runtime_that_reports_a_failed_init_and_stays_is_ended(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        runtime.fail_init(b'{"errorType":"E","errorMessage":"no"}', "E")
        await made.clock.sleep(3600)

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=100)
        pending = made.submit()
        await made.clock.advance(0.5)
        assert pending.done()
        assert (await pending).status is InvocationStatus.INIT_ERROR
        assert await made.states() == ["failed"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [(bytes(6_291_557), "Function.ResponseSizeTooLarge"), (None, "Runtime.TruncatedResponse")],
)
async def test_telemetry_names_the_errors_that_the_platform_finds(
    tmp_path: Path, body: bytes | None, kind: str
) -> None:
    async def program(runtime: FakeRuntime) -> None:
        event = await runtime.next()
        if body is None:
            runtime.stream(event.request_id).lost()
        else:
            runtime.respond(event.request_id, body)
        await runtime.next()

    async with world(tmp_path / "state", program) as made:
        await made.create(settings={"LoggingConfig": {"LogFormat": "JSON"}})
        records = [json.loads(line) for line in ((await made.invoke()).log or "").splitlines()]
        (ended,) = [record["record"] for record in records if record["type"] == "platform.runtimeDone"]
        assert (ended["status"], ended["errorType"]) == ("error", kind)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Runtime.ImportModuleError", "Runtime.ImportModuleError"),
        ("Function.Mine", "Function.Mine"),
        ("Function.", "Function.Unknown"),
        ("Function.mine", "Function.Unknown"),
        ("ValueError", "Runtime.Unknown"),
        ("", "Runtime.Unknown"),
    ],
)
async def test_error_types_as_logs_show_them(tmp_path: Path, said: str, shown: str) -> None:
    error = b'{"errorType":"whatever","errorMessage":"the caller has it as it is"}'

    async def program(runtime: FakeRuntime) -> None:
        event = await runtime.next()
        runtime.fail(event.request_id, error, said)
        await runtime.next()

    async with world(tmp_path / "state", program) as made:
        await made.create(settings={"LoggingConfig": {"LogFormat": "JSON"}})
        result = await made.invoke()
        records = [json.loads(line) for line in (result.log or "").splitlines()]
        types = [record["record"]["errorType"] for record in records if "errorType" in record["record"]]
        assert (set(types), result.payload) == ({shown}, error)


async def test_what_is_killed_while_it_is_reset_is_not_kept(stage: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.create(timeout=1)
    pending = stage.submit(payload=b'"hang"')
    await stage.clock.settle()
    (environment,) = stage.backend.environments
    resetting = asyncio.Event()
    monkeypatch.setattr(environment, "reset", resetting.wait)
    await stage.clock.advance(1.5)
    assert not pending.done()
    await stage.engine.stop_environment(environment.id)
    resetting.set()
    await stage.clock.settle()
    assert (await pending).status is InvocationStatus.TIMEOUT
    assert await stage.states() == ["stopped"]


async def test_a_reset_that_fails_ends_the_environment(stage: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> None:
        raise KeyError("a plugin's bug")

    await stage.create(timeout=1)
    pending = stage.submit(payload=b'"hang"')
    await stage.clock.settle()
    (environment,) = stage.backend.environments
    monkeypatch.setattr(environment, "reset", broken)
    await stage.clock.advance(1.5)
    result = await pending
    assert result.status is InvocationStatus.TIMEOUT
    assert "a plugin's bug" in (result.log or "")
    assert (await fire(stage)).environment != result.environment
