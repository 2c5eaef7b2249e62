"""What INIT and INVOKE of one environment work with."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import dataclass

from workbench.engine.clock import Clock
from workbench.engine.extensions import Extensions, ShutdownReason
from workbench.engine.invocation import exited, signal_name
from workbench.engine.journal import Journal
from workbench.engine.sandbox import Sandbox
from workbench.model.functions import FunctionVersion
from workbench.model.invocations import InvocationStatus
from workbench.model.names import Account
from workbench.model.platform import InitializationType

#: The runtime's part of the time that SHUTDOWN has.
_RUNTIME_SHARE = 0.3
_FATAL = re.compile(r"(?:Runtime|Function)\.[A-Z][a-zA-Z]+")


@dataclass(slots=True, kw_only=True)
class Parts:
    """The parts of one environment, and what takes several of them."""

    id: str
    version: FunctionVersion
    initialization: InitializationType
    account: Account
    clock: Clock
    journal: Journal
    sandbox: Sandbox
    extensions: Extensions

    async def shut_down(self, reason: ShutdownReason) -> None:
        """SHUTDOWN: SIGTERM for the runtime, then the event for extensions; nothing where no extension registered.

        Raises:
            WorkbenchError: the backend could not.
        """
        budget = self.extensions.budget
        if budget <= 0:
            return
        begun = self.clock.monotonic_ns()
        if self.sandbox.alive:
            await self.extensions.flush()
        await self.sandbox.signal_runtime(signal.SIGTERM)
        give_up = self.clock.monotonic_ns() + int(budget * _RUNTIME_SHARE * 1e9)
        while self.sandbox.alive and self.clock.monotonic_ns() < give_up:
            await self.clock.sleep(0.005)
        await self.sandbox.signal_runtime(signal.SIGKILL)
        await self.extensions.shutdown(reason, budget - (self.clock.monotonic_ns() - begun) / 1e9)

    async def measure(self, seconds: float) -> None:
        """Bring the figure of the memory up to date, if that can be had in so many seconds."""
        try:
            await self.sandbox.measure(seconds)
        except Exception as error:  # a plugin's figure is not worth an invocation, whatever it raises
            self.journal.fault(f"memory could not be measured: {error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an invocation, or an INIT, cannot go on. `payload` is what the caller gets.

    `keep` says that the sandbox may serve again once its processes are gone.
    """

    status: InvocationStatus
    error_type: str | None
    payload: bytes
    reason: str
    keep: bool = True


def normal_error_type(given: str) -> str:
    """The error type as logs and telemetry show it (AWS's runtime interface emulator, `fatalerror`)."""
    found = _FATAL.search(given)
    if found:
        return found.group()
    return "Function.Unknown" if given.startswith("Function.") else "Runtime.Unknown"


def error_type_of(payload: bytes) -> str:
    """The `errorType` in an error's JSON, if it has one: a runtime may send anything."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    return str(found.get("errorType", "")) if isinstance(found, dict) else ""


def process_failure(request_id: str, code: int | None, number: int | None, *, oom: bool) -> Failure:
    """The failure of a runtime whose process ended, with an exit code or by a signal."""
    name = None if number is None else signal_name(number)
    if oom:
        return Failure(
            status=InvocationStatus.OOM,
            error_type="Runtime.OutOfMemory",
            payload=exited(request_id, code, name),
            reason="out of memory",
            keep=False,  # what is in /tmp is charged to the same memory
        )
    return Failure(
        status=InvocationStatus.CRASH,
        error_type="Runtime.ExitError",
        payload=exited(request_id, code, name),
        reason=f"runtime exited: {name or f'status {code}'}",
    )
