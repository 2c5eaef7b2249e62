"""One invocation inside the engine, from admission to its report."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections import deque
from typing import TYPE_CHECKING

from workbench.engine.report import billed
from workbench.model.events import InvocationAccepted
from workbench.model.functions import FunctionVersion
from workbench.model.invocations import InvocationResult, InvocationStatus, InvokeRequest

if TYPE_CHECKING:
    from workbench.engine.stream import Stream

#: Lines and characters of log that an invocation keeps for a caller who asked for them.
_MAX_LINES = 10_000
_MAX_CHARS = 1_000_000
#: Seeded by the operating system, and ten times as quick as asking it each time.
_random = random.Random()


class Invocation:
    """What is known of an invocation while it runs. Times are nanoseconds of the engine's clock."""

    __slots__ = (
        "_chars",
        "_dropped",
        "accepted",
        "arn",
        "cold",
        "content_type",
        "delivered",
        "environment",
        "function_error",
        "future",
        "init_ms",
        "lines",
        "payload",
        "placed",
        "provisioned",
        "request",
        "request_id",
        "responded",
        "started",
        "status",
        "stream",
        "streaming",
        "trace_id",
        "version",
        "wall",
        "why",
    )

    def __init__(
        self,
        request: InvokeRequest,
        request_id: str,
        version: FunctionVersion,
        arn: str,
        accepted: int,
        wall: float,
        trace_id: str,
        stream: Stream | None = None,
    ) -> None:
        self.request = request
        self.request_id = request_id
        self.version = version
        self.arn = arn
        self.trace_id = trace_id
        self.accepted = accepted
        #: The same moment in epoch seconds.
        self.wall = wall
        #: The record of its placement until that is final and emitted: on the warm path, after the event has left.
        self.placed: InvocationAccepted | None = None
        #: Whether it runs on provisioned concurrency, and so takes nothing of what is shared.
        self.provisioned = False
        self.started = 0
        #: When its event left for the runtime; `started` is earlier where an INIT belongs to it.
        self.delivered = accepted
        self.responded: int | None = None
        self.environment = ""
        #: Why it got the environment that it got, and whether that was made for it.
        self.why = ""
        self.cold = False
        self.status = InvocationStatus.WAITING
        self.payload = b""
        self.function_error: str | None = None
        self.init_ms: float | None = None
        self.future: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        self.lines: deque[str] | None = deque() if request.logs else None
        self._chars = 0
        self._dropped = 0
        self.content_type: str | None = None
        #: Whether the runtime has begun to answer piece by piece, and where a caller reads who wants that.
        self.streaming = False
        self.stream = stream
        if stream is not None:
            stream.belong(self)

    def log(self, text: str) -> None:
        """Keep a line for a caller who asked for the log; the newest lines win, and what is dropped is counted."""
        if self.lines is None:
            return
        self.lines.append(text)
        self._chars += len(text) + 1
        while (self._chars > _MAX_CHARS or len(self.lines) > _MAX_LINES) and len(self.lines) > 1:
            self._chars -= len(self.lines.popleft()) + 1
            self._dropped += 1

    def _log(self) -> str | None:
        """The log as the caller gets it; it begins with a mark if it is not the whole."""
        if self.lines is None:
            return None
        mark = f"… {self._dropped} earlier lines were not kept\n" if self._dropped else ""
        return mark + "".join(f"{line}\n" for line in self.lines)

    def respond(self, status: InvocationStatus, payload: bytes, function_error: str | None, now: int) -> None:
        """The outcome is known. A caller who did not ask for logs has it now, without waiting for the report."""
        self.status, self.payload, self.function_error, self.responded = status, payload, function_error, now
        if self.stream is not None:
            if function_error is None and not self.streaming:
                self.stream.begin(self.content_type)
                self.stream.put(payload)
            self.stream.end()
        if self.lines is None and not self.future.done():
            self.future.set_result(self.result((now - self.started) / 1e6, 0))

    def result(self, duration_ms: float, max_memory_mb: int) -> InvocationResult:
        return InvocationResult(
            request_id=self.request_id,
            status=self.status,
            payload=self.payload,
            executed_version=self.version.version,
            function_error=self.function_error,
            environment=self.environment,
            cold=self.cold,
            why=self.why,
            wait_ms=max(self.delivered - self.accepted, 0) / 1e6,
            duration_ms=duration_ms,
            init_ms=self.init_ms,
            billed_ms=billed(duration_ms, self.init_ms),
            memory_size=self.version.configuration.memory_size,
            ephemeral_storage=self.version.configuration.ephemeral_storage,
            architecture=self.version.configuration.architecture,
            provisioned=self.provisioned,
            max_memory_mb=max_memory_mb,
            trace_id=self.trace_id,
            content_type=self.content_type,
            log=self._log(),
        )

    def finish(self, duration_ms: float, max_memory_mb: int) -> None:
        """Everything is known and logged: answer whoever still waits."""
        if not self.future.done():
            self.future.set_result(self.result(duration_ms, max_memory_mb))

    def abort(self, error: Exception) -> None:
        """No environment ever had it."""
        if not self.future.done():
            self.future.set_exception(error)


def new_request_id() -> str:
    """A UUID of version 4. Nothing rests on its being hard to guess: each environment has a listener of its own."""
    noise = f"{_random.getrandbits(128):032x}"
    return f"{noise[:8]}-{noise[8:12]}-4{noise[13:16]}-{'89ab'[int(noise[16], 16) & 3]}{noise[17:20]}-{noise[20:]}"


def new_trace_id() -> str:
    """An X-Ray trace header, not sampled (X-Ray Developer Guide, "Tracing header")."""
    noise = f"{_random.getrandbits(160):040x}"
    return f"Root=1-{int(time.time()):08x}-{noise[:24]};Parent={noise[24:]};Sampled=0"


def timed_out(request_id: str, seconds: float) -> bytes:
    """The caller's payload after a timeout."""
    return error_payload(
        "Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    )


def exited(request_id: str, code: int | None, signal_name: str | None) -> bytes:
    """The caller's payload when the runtime's process ended during the invocation."""
    if signal_name:
        return error_payload(
            "Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: signal: {signal_name}"
        )
    if code:
        return error_payload(
            "Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: exit status {code}"
        )
    return error_payload(
        "Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited without providing a reason"
    )


def too_large(limit: int) -> bytes:
    """The caller's payload when the response has more bytes than it may."""
    return error_payload(
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({limit} bytes).",
    )


def signal_name(number: int) -> str:
    """As Go prints it, which is what AWS's messages hold."""
    if number == signal.SIGKILL:
        return "killed"
    if number == signal.SIGSEGV:
        return "segmentation fault"
    return (signal.strsignal(number) or str(number)).lower()


def error_payload(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}, separators=(",", ":")).encode()
