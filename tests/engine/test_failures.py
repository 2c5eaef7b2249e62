"""Invocations that fail, INITs that fail, and what becomes of their environments. On a virtual clock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.world import World, world
from workbench.model.errors import BackendError
from workbench.model.invocations import InvocationStatus
from workbench.testing.fakes import Exit, FakeEnvironment, FakeRuntime, echo


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
