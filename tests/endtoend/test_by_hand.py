"""Environments of real backends that are thawed and made to fail by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.endtoend.test_lifecycle import BACKENDS, Stage, error, stage
from workbench.model.environments import EnvironmentState as State
from workbench.model.environments import Fault
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
