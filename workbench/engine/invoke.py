"""INVOKE: one invocation in an environment, from the moment its event is handed to the runtime.

Source: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle" (Invoke phase).
"""

from __future__ import annotations

from collections.abc import Callable

from workbench.engine import report
from workbench.engine.answers import INVALID_REQUEST_ID, entity_too_large, forbidden
from workbench.engine.clock import Timer
from workbench.engine.invocation import Invocation, too_large
from workbench.engine.parts import Failure, Parts, error_type_of, normal_error_type
from workbench.engine.ports import ACCEPTED, Answer, NextEvent, ResponseSink
from workbench.engine.stream import MAX_RESPONSE, StreamSink
from workbench.model import events as ev
from workbench.model.invocations import InvocationStatus
from workbench.model.platform import InvokeEnd, InvokeStart, PlatformStatus, Report, RuntimeDone

_STATUSES = {InvocationStatus.SUCCESS: PlatformStatus.SUCCESS, InvocationStatus.TIMEOUT: PlatformStatus.TIMEOUT}


class Invoke:
    """The invocation that an environment has. `answered` is called when the runtime has given its outcome."""

    def __init__(
        self, parts: Parts, invocation: Invocation, emit: Callable[[ev.Event], None], answered: Callable[[], None]
    ) -> None:
        self.invocation = invocation
        self.runtime_done: int | None = None
        self._parts = parts
        self._emit = emit
        self._answered = answered
        self._timer: Timer | None = None
        self._delivered: int | None = None
        #: The type of an error that the function reported, and when its response began.
        self._error_type: str | None = None
        self._began: int | None = None
        self._lost = False

    def deliver(self, reply: Callable[[NextEvent], None], began: int | None, expired: Callable[[], None]) -> None:
        """Hand the event over. `began` is when an INIT inside this invocation began: it counts as the invocation's."""
        parts, invocation = self._parts, self.invocation
        now = self._delivered = invocation.delivered = parts.clock.monotonic_ns()
        remaining = float(parts.version.configuration.timeout)
        if began is None:
            invocation.started = now
        else:
            invocation.started = began
            remaining -= (now - began) / 1e9
        invocation.status = InvocationStatus.RUNNING
        event = NextEvent(
            invocation.request_id,
            int((parts.clock.time() + remaining) * 1000),
            invocation.arn,
            invocation.trace_id,
            invocation.request.client_context,
            invocation.request.payload or b"{}",
            invocation.request.tenant_id,
        )
        # The event leaves first: the books are kept while the runtime is already at work.
        reply(event)
        parts.extensions.invoke(event)
        self._timer = parts.clock.call_later(remaining, expired)
        if invocation.placed is not None:
            self._emit(invocation.placed)
            invocation.placed = None

    def begun(self) -> None:
        """Write down that it runs; after the environment has entered `busy`."""
        invocation = self.invocation
        parts = self._parts
        parts.journal.platform(InvokeStart(invocation.request_id, parts.version.version, invocation.trace_id))
        why = invocation.why if invocation.cold else None
        at = self._delivered if self._delivered is not None else parts.clock.monotonic_ns()
        self._emit(ev.InvocationStarted(at, invocation.request_id, why))

    # -- the runtime's outcome
    def respond(self, request_id: str, body: bytes, content_type: str) -> Answer:
        """The function's result."""
        refused = self._refusal(request_id)
        if refused is not None:
            return refused
        if len(body) > MAX_RESPONSE:
            self._outcome(self.invocation, InvocationStatus.ERROR, too_large(MAX_RESPONSE))
            return entity_too_large(MAX_RESPONSE)
        self.invocation.content_type = content_type or None
        self._outcome(self.invocation, InvocationStatus.SUCCESS, body)
        return ACCEPTED

    def stream(self, request_id: str, content_type: str, resume: Callable[[], None]) -> ResponseSink | Answer:
        """The function's result begins."""
        refused = self._refusal(request_id)
        if refused is not None:
            return refused
        self._began = self._parts.clock.monotonic_ns()
        return StreamSink(self.invocation, content_type, resume, self._outcome)

    def fail(self, request_id: str, error_type: str, body: bytes) -> Answer:
        """The function's error."""
        refused = self._refusal(request_id)
        if refused is not None:
            return refused
        self._error_type = normal_error_type(error_type)
        self._outcome(self.invocation, InvocationStatus.ERROR, body)
        return ACCEPTED

    def _refusal(self, request_id: str) -> Answer | None:
        """Why a runtime may not answer now, if it may not."""
        invocation = self.invocation
        if invocation.request_id != request_id:
            return INVALID_REQUEST_ID
        return forbidden("response") if invocation.responded is not None or invocation.streaming else None

    def _outcome(self, invocation: Invocation, status: InvocationStatus, payload: bytes) -> None:
        if self._lost:
            return
        self._parts.sandbox.drain()
        error = None if status is InvocationStatus.SUCCESS else "Unhandled"
        if error is not None and self._error_type is None:
            self._error_type = normal_error_type(error_type_of(payload))
        now = self._parts.clock.monotonic_ns()
        self._began = self._began or now
        invocation.respond(status, payload, error, now)
        self._answered()

    # -- its end
    def runtime_asked(self) -> None:
        """The runtime asked for the next event: its part is over."""
        self.runtime_done = self._parts.clock.monotonic_ns()
        invocation = self.invocation
        status = PlatformStatus.ERROR if invocation.function_error else PlatformStatus.SUCCESS
        self._tell_runtime_done(self.runtime_done, status, self._error_type)

    @property
    def settled(self) -> bool:
        """Have the runtime and every extension asked for their next event?"""
        return self.runtime_done is not None and self._parts.extensions.ready

    def cancel(self) -> None:
        """No deadline any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def finish(self, ended: int) -> None:
        """Everybody has done: report."""
        status = PlatformStatus.ERROR if self.invocation.function_error else PlatformStatus.SUCCESS
        self._report(ended, status, self._error_type, reported=True)
        self._record(ended, None)

    def lost(self, failure: Failure, ended: int) -> None:
        """The runtime went, or was ended, with the invocation: what the runtime's part in it was."""
        self._lost = True
        if self.runtime_done is None:
            status = _STATUSES.get(failure.status, PlatformStatus.ERROR)
            self._tell_runtime_done(ended, status, failure.error_type)

    def report_failure(self, failure: Failure, ended: int) -> None:
        """Report an invocation that takes its environment's processes with it."""
        self._report(ended, _STATUSES.get(failure.status, PlatformStatus.ERROR), failure.error_type, reported=False)

    def record_failure(self, failure: Failure, ended: int) -> None:
        """They are gone: the caller hears."""
        self._record(ended, failure.error_type)

    def _tell_runtime_done(self, ended: int, status: PlatformStatus, error_type: str | None) -> None:
        invocation, parts = self.invocation, self._parts
        if not parts.journal.detailed:
            return
        parts.journal.platform(
            RuntimeDone(
                invocation.request_id,
                status,
                error_type,
                invocation.started,
                ended,
                parts.clock.time() - (parts.clock.monotonic_ns() - invocation.started) / 1e9,
                self._began,
                invocation.responded,
                len(invocation.payload),
                invocation.trace_id,
            )
        )

    def _report(self, ended: int, status: PlatformStatus, error_type: str | None, *, reported: bool) -> None:
        invocation, parts = self.invocation, self._parts
        duration_ms = round((ended - invocation.started) / 1e6, 2)
        max_memory_mb = parts.sandbox.max_memory_mb
        billed_ms = report.billed(duration_ms, invocation.init_ms)
        parts.journal.platform(InvokeEnd(invocation.request_id))
        parts.journal.platform(
            Report(
                invocation.request_id,
                status,
                error_type,
                duration_ms,
                billed_ms,
                parts.version.configuration.memory_size,
                max_memory_mb,
                invocation.init_ms,
                invocation.trace_id,
                reported,
                self._extensions_ms(ended),
                parts.clock.time(),
            )
        )

    def _extensions_ms(self, ended: int) -> float | None:
        """How long extensions went on after the runtime, if there are any."""
        if self.runtime_done is None or not self._parts.extensions.any:
            return None
        return (ended - self.runtime_done) / 1e6

    def _record(self, ended: int, error_type: str | None) -> None:
        invocation, parts = self.invocation, self._parts
        duration_ms = round((ended - invocation.started) / 1e6, 2)
        max_memory_mb = parts.sandbox.max_memory_mb
        self._emit(
            ev.InvocationFinished(
                parts.clock.monotonic_ns(),
                invocation.request_id,
                invocation.status,
                invocation.payload,
                duration_ms,
                report.billed(duration_ms, invocation.init_ms),
                invocation.init_ms,
                max_memory_mb,
                error_type,
                invocation.responded,
                self._extensions_ms(ended),
            )
        )
        invocation.finish(duration_ms, max_memory_mb)
