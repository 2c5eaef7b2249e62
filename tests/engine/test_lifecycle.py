"""The life of an environment, on a virtual clock."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.world import World, world
from workbench.model.environments import EnvironmentState
from workbench.model.errors import BackendError, ResourceConflict, TooManyRequests
from workbench.model.events import EnvironmentChanged, Event
from workbench.model.invocations import InvocationStatus
from workbench.testing.fakes import Exit, FakeEnvironment, FakeRuntime, echo


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


async def test_a_timeout_resets_the_environment_with_awss_payload(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        await runtime.next()
        await made.clock.sleep(3600)

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=2)
        pending = made.submit()
        await made.clock.advance(1.999)
        assert not pending.done()
        await made.clock.advance(0.002)
        result = await pending
        assert result.status is InvocationStatus.TIMEOUT
        assert result.function_error == "Unhandled"
        assert json.loads(result.payload) == {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {result.request_id} Error: Task timed out after 2.00 seconds",
        }
        assert (result.log or "").rstrip().endswith("Status: timeout")
        assert await made.states() == ["idle"]
        made.backend.program = echo
        again = await made.invoke()
        assert again.status is InvocationStatus.SUCCESS
        assert again.environment == result.environment
        assert made.backend.environments[0].calls == ["start runtime", "reset", "start runtime"]


@pytest.mark.parametrize(
    ("exit_", "status", "said", "error_type"),
    [
        (Exit(0), InvocationStatus.CRASH, "Runtime exited without providing a reason", "Runtime.ExitError"),
        (Exit(3), InvocationStatus.CRASH, "Runtime exited with error: exit status 3", "Runtime.ExitError"),
        (Exit(signal=9), InvocationStatus.CRASH, "Runtime exited with error: signal: killed", "Runtime.ExitError"),
        (
            Exit(signal=9, oom=True),
            InvocationStatus.OOM,
            "Runtime exited with error: signal: killed",
            "Runtime.OutOfMemory",
        ),
    ],
)
async def test_the_ends_of_a_runtime_are_told_apart(
    tmp_path: Path, exit_: Exit, status: InvocationStatus, said: str, error_type: str
) -> None:
    async def program(runtime: FakeRuntime) -> None:
        await runtime.next()
        runtime.print("last words")
        raise exit_

    async with world(tmp_path / "state", program) as made:
        await made.create()
        result = await made.invoke()
        assert result.status is status
        assert json.loads(result.payload) == {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {result.request_id} Error: {said}",
        }
        assert "last words\n" in (result.log or "")
        assert (result.log or "").rstrip().endswith(f"Status: error\tError Type: {error_type}")
        assert await made.states() == ["failed" if exit_.oom else "idle"]


async def test_a_function_error_keeps_the_environment(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            runtime.fail(event.request_id, b'{"errorType":"E"}', "E")

    async with world(tmp_path / "state", program) as made:
        await made.create()
        first, second = await made.invoke(), await made.invoke()
        assert first.status is second.status is InvocationStatus.ERROR
        assert first.payload == b'{"errorType":"E"}'
        assert first.environment == second.environment


async def test_a_failed_init_runs_again_inside_the_invoke_and_then_is_the_answer(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        runtime.fail_init(b'{"errorType":"ValueError","errorMessage":"no"}', "ValueError")
        raise Exit(1)

    async with world(tmp_path / "state", program) as made:
        await made.create()
        result = await made.invoke()
        assert result.status is InvocationStatus.INIT_ERROR
        assert json.loads(result.payload)["errorMessage"] == "no"
        reports = [line for line in (result.log or "").splitlines() if line.startswith("INIT_REPORT")]
        assert reports == [
            f"INIT_REPORT Init Duration: 0.00 ms\tPhase: {phase}\tStatus: error\tError Type: Runtime.Unknown"
            for phase in ("init", "invoke")
        ]
        assert made.backend.environments[0].calls.count("start runtime") == 2
        assert await made.states() == ["failed"]


async def test_an_init_that_works_the_second_time_serves_the_invocation(tmp_path: Path) -> None:
    attempts = []

    async def program(runtime: FakeRuntime) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise Exit(1)
        await echo(runtime)

    async with world(tmp_path / "state", program) as made:
        await made.create()
        result = await made.invoke()
        assert result.status is InvocationStatus.SUCCESS
        assert result.init_ms is None


async def test_init_has_ten_seconds_and_then_the_functions_timeout(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        await made.clock.sleep(3600)

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=4)
        pending = made.submit()
        await made.clock.advance(9.99)
        assert made.backend.environments[0].calls == ["start runtime"]
        await made.clock.advance(0.1)
        assert made.backend.environments[0].calls == ["start runtime", "reset", "start runtime"]
        await made.clock.advance(3.9)
        assert not pending.done()
        await made.clock.advance(0.2)
        result = await pending
        assert result.status is InvocationStatus.TIMEOUT
        assert "Task timed out after 4.00 seconds" in result.payload.decode()


async def test_a_wrong_request_id_and_a_second_answer_are_refused(tmp_path: Path) -> None:
    answers = []

    async def program(runtime: FakeRuntime) -> None:
        event = await runtime.next()
        answers.append(runtime.respond("another", b"1"))
        answers.append(runtime.respond(event.request_id, b"2"))
        answers.append(runtime.respond(event.request_id, b"3"))
        await runtime.next()

    async with world(tmp_path / "state", program) as made:
        await made.create()
        result = await made.invoke()
        assert result.payload == b"2"
        assert [(answer.status, answer.error_type) for answer in answers] == [
            (400, "InvalidRequestID"),
            (202, ""),
            (403, "InvalidStateTransition"),
        ]


async def test_a_response_that_is_too_large_is_refused_and_told(tmp_path: Path) -> None:
    answers = []

    async def program(runtime: FakeRuntime) -> None:
        event = await runtime.next()
        answers.append(runtime.respond(event.request_id, bytes(6_291_557)))
        await runtime.next()

    async with world(tmp_path / "state", program) as made:
        await made.create()
        result = await made.invoke()
        assert answers[0].status == 413
        assert json.loads(result.payload)["errorType"] == "Function.ResponseSizeTooLarge"


async def test_a_backend_that_cannot_launch_fails_only_that_invocation(engine: World) -> None:
    await engine.create()
    engine.backend.refuse = "no room"
    with pytest.raises(BackendError, match="no room"):
        await engine.invoke()
    assert await engine.states() == ["failed"]
    engine.backend.refuse = None
    assert (await engine.invoke()).status is InvocationStatus.SUCCESS


async def test_idle_environments_are_reclaimed(engine: World) -> None:
    await engine.create()
    await engine.invoke()
    await engine.clock.advance(299)
    assert await engine.states() == ["frozen"]
    await engine.clock.advance(20)
    assert await engine.states() == ["stopped"]


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


@pytest.mark.parametrize("call", ["usage", "thaw", "freeze", "stop"])
async def test_a_backend_that_raises_anything_costs_only_its_own_environment(
    engine: World, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    async def broken(self: object, *args: object) -> None:
        raise KeyError("a plugin's bug")

    await engine.create()
    with monkeypatch.context() as patch:
        patch.setattr(FakeEnvironment, call, broken)
        pending = engine.submit()
        await engine.clock.advance(1)
        assert (await pending).status is InvocationStatus.SUCCESS
        pending = engine.submit()
        await engine.clock.advance(1)
        if call == "thaw":
            with pytest.raises(BackendError, match="a plugin's bug"):
                await pending
        else:
            assert (await pending).status is InvocationStatus.SUCCESS
        for view in await engine.environments():
            if not view.state.final:
                await engine.engine.stop_environment(view.id)
        await engine.clock.advance(1)
    assert (await engine.invoke()).status is InvocationStatus.SUCCESS
    assert engine.engine._tables.concurrency == 0


async def test_a_runtime_that_failed_its_init_is_not_served(tmp_path: Path) -> None:
    answers = []

    async def program(runtime: FakeRuntime) -> None:
        runtime.fail_init(b'{"errorType":"E","errorMessage":"no"}', "E")
        answers.append(await runtime.next())
        raise Exit(1)

    async with world(tmp_path / "state", program) as made:
        await made.create()
        assert (await made.invoke()).status is InvocationStatus.INIT_ERROR
        assert {answer.error_type for answer in answers} == {"InvalidStateTransition"}


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
