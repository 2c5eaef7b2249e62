"""What a person does by hand: freeze an environment, thaw it, make its runtime fail, or that of one invocation.

AWS has no such thing.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from workbench.model.environments import EnvironmentState, Fault
from workbench.model.errors import ResourceConflict

if TYPE_CHECKING:
    from workbench.engine.environment import ExecutionEnvironment

#: What makes a runtime fail so.
SIGNALS = {Fault.CRASH: signal.SIGKILL, Fault.SEGFAULT: signal.SIGSEGV, Fault.STALL: signal.SIGSTOP}


async def freeze(environment: ExecutionEnvironment) -> None:
    """Raises ResourceConflict when it is not idle, or its backend cannot freeze it."""
    if environment.state is not EnvironmentState.IDLE:
        raise _conflict(environment, "only one that is idle can be frozen")
    if not await environment.freeze_now():
        raise ResourceConflict(f"the environment {environment.id} was not frozen: see its log, or its backend cannot")


async def thaw(environment: ExecutionEnvironment) -> None:
    """Raises ResourceConflict when it is not frozen."""
    if environment.state is not EnvironmentState.FROZEN:
        raise _conflict(environment, "only one that is frozen can be thawed")
    await environment.thaw_now("thawed by hand")


async def fail(environment: ExecutionEnvironment, fault: Fault) -> None:
    """Raises ResourceConflict when no runtime runs in it."""
    if environment.state is EnvironmentState.FROZEN:
        await environment.thaw_now(f"thawed for a fault: {fault.value}")  # what is frozen can do nothing, not even die
    if not await environment.signal_runtime(SIGNALS[fault]):
        raise _conflict(environment, "no runtime runs in it")


def _conflict(environment: ExecutionEnvironment, why: str) -> ResourceConflict:
    return ResourceConflict(f"the environment {environment.id} is {environment.state.value}: {why}")
