"""INIT of an environment: extensions, then the runtime, then the function's own code.

Source: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle" (Init phase, failures during
the Init phase).
"""

from __future__ import annotations

from collections.abc import Callable

from workbench.backends.api import ProcessExited
from workbench.engine.answers import forbidden
from workbench.engine.clock import Timer
from workbench.engine.extensions import ExtensionFailed
from workbench.engine.invocation import error_payload, timed_out
from workbench.engine.parts import Failure, Parts, normal_error_type, process_failure
from workbench.engine.ports import ACCEPTED, Answer
from workbench.engine.variables import log_stream
from workbench.model.invocations import InvocationStatus
from workbench.model.platform import (
    InitializationType,
    InitPhase,
    InitReport,
    InitRuntimeDone,
    InitStart,
    LayersMoved,
    PlatformStatus,
)

ON_DEMAND_SECONDS = 10.0
#: An INIT that no invocation waits for has this time, or the function's timeout if that is longer.
AHEAD_SECONDS = 130.0
#: A runtime that has reported an error of its INIT has this time to exit by itself.
EXIT_SECONDS = 0.2


def init_seconds(initialization: InitializationType, phase: InitPhase, timeout: int) -> float:
    """How long an INIT may take."""
    if phase is InitPhase.INVOKE:
        return float(timeout)
    if initialization is InitializationType.ON_DEMAND:
        return ON_DEMAND_SECONDS
    return max(AHEAD_SECONDS, float(timeout))


class Init:
    """One attempt. Either `done` or `failed` is called, once, on the engine's loop."""

    def __init__(
        self,
        parts: Parts,
        phase: InitPhase,
        request_id: str,
        done: Callable[[Init], None],
        failed: Callable[[Init, Failure], None],
        exited: Callable[[Init, ProcessExited], None],
    ) -> None:
        self.phase = phase
        self.started = parts.clock.monotonic_ns()
        self.over = False
        self._parts = parts
        self._request_id = request_id
        self._done = done
        self._failed = failed
        self._exited = exited
        self._runtime_ready = False
        self._error: tuple[str, bytes] | None = None
        self._timer: Timer | None = None

    @property
    def elapsed_ms(self) -> float:
        return (self._parts.clock.monotonic_ns() - self.started) / 1e6

    async def run(self) -> None:
        """Start extensions and runtime.

        Raises:
            WorkbenchError: the backend could not.
        """
        parts = self._parts
        version, runtime = parts.version, parts.sandbox.runtime
        assert runtime is not None
        parts.extensions.init_begins()
        parts.journal.platform(
            InitStart(
                parts.initialization,
                self.phase,
                version.name,
                version.version,
                runtime.label,
                runtime.arn,
                log_stream(version, parts.id, parts.clock.time()),
                version.configuration.memory_size,
            )
        )
        if self.phase is InitPhase.INIT and parts.sandbox.opt_inside not in ("", "/opt"):
            parts.journal.platform(LayersMoved(parts.sandbox.opt_inside))
        seconds = init_seconds(parts.initialization, self.phase, version.configuration.timeout)
        self._timer = parts.clock.call_later(seconds, self._expired)
        try:
            await parts.extensions.launch()
        except ExtensionFailed as error:
            self.extension_failed(error.error_type, str(error))
        if not self.over:
            await parts.sandbox.start_runtime(
                parts.account, parts.initialization, parts.journal.function, lambda ended: self._exited(self, ended)
            )

    # -- the runtime's part
    @property
    def may_ask(self) -> bool:
        """May the runtime ask for its first event?"""
        return not self.over and self._error is None

    def runtime_ready(self) -> None:
        """The runtime asked for its first event."""
        if not self._runtime_ready:
            self._runtime_ready = True
            self._runtime_done(PlatformStatus.SUCCESS, None)
        self.settle()

    def settle(self) -> None:
        """Somebody became ready."""
        if self._runtime_ready and not self.over and self._parts.extensions.ready:
            self._end(PlatformStatus.SUCCESS, None)
            self._done(self)

    def fail(self, error_type: str, body: bytes) -> Answer:
        """The runtime says that it cannot. If it does not exit then, as the official client does, it is ended."""
        if not self.may_ask or self._runtime_ready:
            return forbidden("init/error")
        self._error = (normal_error_type(error_type), body)
        self._cancel()
        self._timer = self._parts.clock.call_later(EXIT_SECONDS, self._give_up)
        return ACCEPTED

    # -- its ends
    def process_ended(self, ended: ProcessExited) -> None:
        """The runtime's process is gone."""
        failure = process_failure(self._request_id, ended.code, ended.signal, oom=ended.oom)
        if self._error is not None:
            self._give_up()
        else:
            self._fail(PlatformStatus.ERROR, failure.error_type, failure.payload, failure.keep)

    def extension_failed(self, error_type: str, message: str) -> None:
        """An extension could not be started, or ended."""
        payload = error_payload(error_type, f"RequestId: {self._request_id} Error: {message}")
        self._fail(PlatformStatus.ERROR, error_type, payload)

    def cancel(self) -> None:
        """The environment ends for another reason."""
        self.over = True
        self._cancel()

    def _give_up(self) -> None:
        assert self._error is not None
        error_type, payload = self._error
        self._fail(PlatformStatus.ERROR, error_type, payload)

    def _expired(self) -> None:
        timeout = self._parts.version.configuration.timeout
        self._fail(PlatformStatus.TIMEOUT, None, timed_out(self._request_id, timeout))

    def _fail(self, status: PlatformStatus, error_type: str | None, payload: bytes, keep: bool = True) -> None:
        if self.over:
            return
        if not self._runtime_ready:
            self._runtime_done(status, error_type)
        self._end(status, error_type)
        outcome = InvocationStatus.TIMEOUT if status is PlatformStatus.TIMEOUT else InvocationStatus.INIT_ERROR
        reason = f"INIT failed: {error_type or status}"
        self._failed(self, Failure(status=outcome, error_type=error_type, payload=payload, reason=reason, keep=keep))

    def _runtime_done(self, status: PlatformStatus, error_type: str | None) -> None:
        parts = self._parts
        parts.journal.platform(InitRuntimeDone(parts.initialization, self.phase, status, error_type))

    def _end(self, status: PlatformStatus, error_type: str | None) -> None:
        self.over = True
        self._cancel()
        parts = self._parts
        parts.sandbox.drain()
        parts.extensions.init_ends()
        parts.journal.platform(InitReport(parts.initialization, self.phase, status, self.elapsed_ms, error_type))

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
