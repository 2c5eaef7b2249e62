"""What is done to an environment by hand: frozen, thawed, made to fail."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.world import World, world
from workbench.model.environments import EnvironmentState, Fault, Process, ProcessState
from workbench.model.errors import BackendError, ResourceConflict, ResourceNotFound, UsageError
from workbench.model.invocations import InvocationStatus, InvocationType
from workbench.testing.fakes import FakeEnvironment, FakeRuntime


async def only(engine: World) -> str:
    (view,) = await engine.environments()
    return view.id


async def test_an_idle_one_is_frozen_before_its_time_and_thawed_until_it_was_used(engine: World) -> None:
    await engine.create()
    await engine.invoke()
    environment = await only(engine)
    assert await engine.states() == ["idle"]
    await engine.engine.freeze_environment(environment)
    assert await engine.states() == ["frozen"]
    with pytest.raises(ResourceConflict, match="is frozen: only one that is idle"):
        await engine.engine.freeze_environment(environment)
    await engine.engine.thaw_environment(environment)
    assert await engine.states() == ["idle"]
    await engine.clock.advance(1)
    assert await engine.states() == ["idle"]  # it is not frozen again by itself
    with pytest.raises(ResourceConflict, match="is idle: only one that is frozen"):
        await engine.engine.thaw_environment(environment)
    result = await engine.invoke()
    assert (result.environment, result.cold) == (environment, False)
    await engine.clock.advance(1)
    assert await engine.states() == ["frozen"]
    assert (await engine.invoke()).environment == environment


async def test_a_busy_one_is_neither_frozen_nor_thawed(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        await runtime.next()
        await made.clock.sleep(3600)

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=60)
        pending = made.submit()
        await made.clock.settle()
        environment = await only(made)
        for change in (made.engine.freeze_environment, made.engine.thaw_environment):
            with pytest.raises(ResourceConflict, match="is busy"):
                await change(environment)
        await made.engine.stop_environment(environment)
        await made.clock.settle()
        assert (await pending).status is InvocationStatus.CRASH


async def test_its_processes_are_told_while_they_run(engine: World) -> None:
    await engine.create()
    await engine.invoke()
    environment = await only(engine)
    (process,) = await engine.engine.list_processes(environment)
    assert (process.command, process.state) == ("fake runtime", ProcessState.SLEEPING)
    await engine.engine.freeze_environment(environment)
    assert await engine.engine.list_processes(environment) == (process,)
    await engine.engine.stop_environment(environment)
    await engine.clock.settle()
    with pytest.raises(ResourceNotFound, match="no running environment"):
        await engine.engine.list_processes(environment)


async def test_a_backend_that_cannot_tell_processes_or_lies_of_them_is_named(
    engine: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.create()
    await engine.invoke()
    environment = await only(engine)

    async def lies(self: object) -> tuple[Process, ...]:
        return (Process(pid=1, name=b"x", command="", state=ProcessState.RUNNING, memory=1, cpu_seconds=0.0),)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeEnvironment, "processes", lies)
    with pytest.raises(BackendError, match=r"answered processes\.name with something of type bytes, not with str"):
        await engine.engine.list_processes(environment)
    engine.backend.capabilities = replace(engine.backend.capabilities, processes=False)
    with pytest.raises(BackendError, match="cannot tell here which processes"):
        await engine.engine.list_processes(environment)


async def test_what_is_not_there_is_not_found(engine: World) -> None:
    await engine.create()
    with pytest.raises(ResourceNotFound, match="no running environment 'e-nobody'"):
        await engine.engine.freeze_environment("e-nobody")
    with pytest.raises(ResourceNotFound):
        await engine.engine.thaw_environment("e-nobody")
    with pytest.raises(ResourceNotFound):
        await engine.engine.inject_fault("e-nobody", Fault.CRASH)


@pytest.mark.parametrize(
    ("fault", "number"),
    [(Fault.CRASH, signal.SIGKILL), (Fault.SEGFAULT, signal.SIGSEGV), (Fault.STALL, signal.SIGSTOP)],
)
async def test_a_fault_is_a_signal_to_the_runtime_and_a_frozen_one_is_thawed_for_it(
    engine: World, fault: Fault, number: int
) -> None:
    await engine.create()
    await engine.invoke()
    environment = await only(engine)
    await engine.engine.freeze_environment(environment)
    await engine.engine.inject_fault(environment, fault)
    calls = engine.backend.environments[0].calls
    assert calls.index("thaw") < calls.index(f"signal 1 {int(number)}"), calls


@pytest.mark.parametrize(
    ("fault", "number", "status", "error"),
    [
        (Fault.CRASH, signal.SIGKILL, InvocationStatus.CRASH, b"signal: killed"),
        (Fault.SEGFAULT, signal.SIGSEGV, InvocationStatus.TIMEOUT, b"timed out after 3.00 seconds"),
        (Fault.STALL, signal.SIGSTOP, InvocationStatus.TIMEOUT, b"timed out after 3.00 seconds"),
    ],
)
@pytest.mark.parametrize("before", ["cold", "warm", "frozen"])
async def test_a_fault_of_one_invocation_meets_it_wherever_it_is_placed(
    tmp_path: Path, before: str, fault: Fault, number: int, status: InvocationStatus, error: bytes
) -> None:
    async with world(tmp_path / "state") as made:
        await made.create(timeout=3)
        if before != "cold":
            await made.invoke()
        if before == "frozen":
            await made.clock.advance(1)
            assert await made.states() == ["frozen"]
        pending = made.submit(fault=fault)
        await made.clock.advance(4)
        result = await pending
        assert (result.status, result.function_error) == (status, "Unhandled")
        assert error in result.payload
        assert result.why.startswith(f"fault asked for: {fault.value}; {'cold' if before == 'cold' else 'warm'}")
        assert f"a fault that was asked for: {fault.value}" in (result.log or "")
        assert f"signal 1 {int(number)}" in made.backend.environments[0].calls
        assert (await made.invoke()).status is InvocationStatus.SUCCESS


async def test_a_fault_leaves_nothing_to_an_environment_that_is_killed_meanwhile(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await made.create(timeout=3)
        await made.invoke()
        pending = made.submit(fault=Fault.STALL)
        await made.engine.stop_environment(await only(made))
        await made.clock.settle()
        assert (await pending).status is InvocationStatus.CRASH
        assert (await made.invoke()).status is InvocationStatus.SUCCESS


@pytest.mark.parametrize("type", [InvocationType.EVENT, InvocationType.DRY_RUN])
async def test_a_fault_is_for_one_attempt_that_somebody_waits_for(engine: World, type: InvocationType) -> None:
    await engine.create()
    with pytest.raises(UsageError, match=f"not with {type.value}"):
        await engine.submit(type=type, fault=Fault.CRASH)


async def test_one_that_is_being_made_has_no_runtime_to_fail(engine: World) -> None:
    await engine.create()
    engine.backend.hold = asyncio.Event()
    pending = engine.submit()
    await engine.clock.settle()
    environment = await only(engine)
    with pytest.raises(ResourceConflict, match="is creating: no runtime runs in it"):
        await engine.engine.inject_fault(environment, Fault.CRASH)
    engine.backend.hold.set()
    await engine.clock.settle()
    assert (await pending).status is InvocationStatus.SUCCESS
    (view,) = await engine.environments()
    assert view.state is EnvironmentState.IDLE
