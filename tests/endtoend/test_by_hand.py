"""Environments of real backends that are thawed and made to fail by hand."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from tests.endtoend.test_lifecycle import BACKENDS, Stage, error, stage
from workbench.model.environments import EnvironmentState as State
from workbench.model.environments import Fault, ProcessState
from workbench.model.invocations import InvocationStatus

__all__ = ["stage"]

TURNS = """
import threading, time
def work():
    while True:
        print("turn", flush=True)
        time.sleep(0.01)
threading.Thread(target=work, daemon=True).start()
def handler(event, context):
    time.sleep(event)
"""


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await true():  # noqa: ASYNC110 - an engine changes by itself
            await asyncio.sleep(0.01)


async def state(stage: Stage, environment: str) -> State:
    delta = await stage.port.changes(0)
    return next(view.state for view in delta.environments if view.id == environment)


SLEEPER = """
import subprocess
child = subprocess.Popen(["sleep", "3600"])
def handler(event, context):
    return child.pid
"""


@pytest.mark.parametrize("backend", BACKENDS)
async def test_processes_are_told_frozen_or_not(stage: Stage) -> None:
    await stage.create(SLEEPER)
    environment = str((await stage.invoke()).environment)

    async def frozen() -> bool:
        return await state(stage, environment) is State.FROZEN

    await until(frozen)
    told = await stage.port.list_processes(environment)
    sleeper = next(process for process in told if process.command == "sleep 3600")
    assert sleeper.name == "sleep"
    runtimes = [process for process in told if process.name.startswith("python")]
    assert len(told) == 2
    assert [process.memory > 1 << 20 for process in runtimes] == [True]
    os.kill(
        sleeper.pid, signal.SIGKILL
    )  # the number is the host's; its end is seen when it is thawed, and nobody asks for it
    await stage.port.thaw_environment(environment)

    async def ended() -> bool:
        told = await stage.port.list_processes(environment)
        return [one.state for one in told if one.pid == sleeper.pid] in ([ProcessState.ENDED], [])

    await until(ended)
    await stage.port.stop_environment(environment)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_what_is_thawed_runs_on_without_an_invocation(stage: Stage) -> None:
    await stage.create(TURNS)
    environment = str((await stage.invoke(0)).environment)

    async def frozen() -> bool:
        return await state(stage, environment) is State.FROZEN

    async def turns() -> int:
        return sum(line.text.strip() == "turn" for line in (await stage.port.changes(0)).logs)

    await until(frozen)
    await stage.port.thaw_environment(environment)
    before = await turns()

    async def turned() -> bool:
        return await turns() > before + 5

    await until(turned)
    assert await state(stage, environment) is State.IDLE
    assert (await stage.invoke(0)).environment == environment
    await until(frozen)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_fault_of_one_invocation_leaves_the_function_no_time(stage: Stage) -> None:
    await stage.create("def handler(event, context):\n    print('handled', flush=True)\n    return event", timeout=1)
    for number, (fault, status, kind) in enumerate(
        (
            (Fault.CRASH, InvocationStatus.CRASH, "Runtime.ExitError"),  # in a cold start
            (Fault.STALL, InvocationStatus.TIMEOUT, "Sandbox.Timedout"),  # in an environment that was reset
            (Fault.SEGFAULT, InvocationStatus.TIMEOUT, "Sandbox.Timedout"),  # as on AWS, in Python
        )
    ):
        result = await stage.invoke(number, fault=fault)
        assert (result.status, error(result)[0]) == (status, kind)
        assert result.why.startswith(f"fault asked for: {fault.value}; ")
        assert "handled" not in (result.log or "")
    assert (await stage.invoke(7)).payload == b"7"
    warm = await stage.invoke(8, fault=Fault.CRASH)
    assert (warm.status, warm.cold) == (InvocationStatus.CRASH, False)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        (Fault.CRASH, InvocationStatus.CRASH, "Runtime.ExitError"),
        (Fault.STALL, InvocationStatus.TIMEOUT, "Sandbox.Timedout"),
    ],
)
async def test_a_fault_fails_the_invocation_and_the_next_one_works(
    stage: Stage, fault: Fault, status: InvocationStatus, kind: str
) -> None:
    await stage.create("import time\ndef handler(event, context): time.sleep(event)", timeout=2)
    environment = str((await stage.invoke(0)).environment)
    running = asyncio.ensure_future(stage.invoke(1.5))

    async def busy() -> bool:
        return await state(stage, environment) is State.BUSY

    await until(busy)
    await stage.port.inject_fault(environment, fault)
    result = await running
    assert (result.status, error(result)[0]) == (status, kind)
    assert (await stage.invoke(0)).status is InvocationStatus.SUCCESS
