"""Invocations: what was asked, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from workbench.model.environments import Fault
from workbench.model.names import FunctionRef


class InvocationType(StrEnum):
    REQUEST_RESPONSE = "RequestResponse"
    EVENT = "Event"
    DRY_RUN = "DryRun"


class InvocationStatus(StrEnum):
    """How an invocation ended; `RUNNING` and `WAITING` are the two ways of not having ended."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    CRASH = "crash"
    OOM = "oom"
    INIT_ERROR = "init-error"
    THROTTLED = "throttled"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self not in (InvocationStatus.WAITING, InvocationStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokeRequest:
    """One call of Invoke. `payload` is the event's bytes; an empty one reaches the handler as `{}`.

    `arn` is what the caller addressed, kept for `context.invoked_function_arn`. `backend` overrides the engine's
    default backend. `logs` asks for the invocation's log lines in the result; the answer then waits for REPORT.
    `keep_warm` marks a ping of a keep-warm schedule. `fault` makes the runtime fail in the place of handling
    the event; it is for a RequestResponse only, and nothing of AWS's API leads to it.
    """

    function: FunctionRef
    payload: bytes = b"{}"
    type: InvocationType = InvocationType.REQUEST_RESPONSE
    logs: bool = False
    client_context: str | None = None
    trace_id: str | None = None
    tenant_id: str | None = None
    backend: str | None = None
    keep_warm: bool = False
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationResult:
    """The outcome of one Invoke.

    `function_error` is AWS's `X-Amz-Function-Error` (`Unhandled`) or None. Durations are in milliseconds, memory and
    storage in MB. `init_ms` is there only when this invocation caused a cold start. `content_type` is what the runtime
    called the payload, if it did. `why` says why it got the environment that it got (`warm`, `cold: …`), `provisioned`
    whether that was made ahead, `wait_ms` how long it was until its event was handed over, a cold start included. `log`
    is the whole bounded log of the invocation when it was asked for.
    """

    request_id: str
    status: InvocationStatus
    payload: bytes = b""
    executed_version: str | None = None
    function_error: str | None = None
    environment: str | None = None
    duration_ms: float = 0.0
    init_ms: float | None = None
    cold: bool = False
    why: str = ""
    wait_ms: float = 0.0
    billed_ms: int = 0
    memory_size: int = 0
    max_memory_mb: int = 0
    ephemeral_storage: int = 512
    architecture: str = "x86_64"
    provisioned: bool = False
    trace_id: str | None = None
    content_type: str | None = None
    log: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedEvent:
    """An accepted asynchronous invocation. Times in epoch seconds."""

    request_id: str
    function: str
    qualifier: str | None
    payload: bytes
    trace_id: str
    backend: str | None
    accepted: float
    attempts: int = 0
    due: float = 0.0
    tenant_id: str | None = None
