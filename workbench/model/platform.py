"""Platform events: what Lambda tells about the life of an execution environment, with the fields that AWS documents.

Each passes once through an environment's journal; log lines and telemetry records are made from it there. Source:
Lambda Developer Guide, "Lambda Telemetry API Event schema reference", and "Lambda Logs API" for `platform.end`,
`platform.fault`. Durations are in milliseconds, memory in MB; attributes that end in `_ns` are of the engine's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class InitializationType(StrEnum):
    """Why an environment was initialised; the same for its whole life (`AWS_LAMBDA_INITIALIZATION_TYPE`)."""

    ON_DEMAND = "on-demand"
    PROVISIONED_CONCURRENCY = "provisioned-concurrency"
    SNAP_START = "snap-start"


class InitPhase(StrEnum):
    """Where INIT ran: before any invocation, or again inside one."""

    INIT = "init"
    INVOKE = "invoke"


class PlatformStatus(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    TIMEOUT = "timeout"


@dataclass(slots=True)
class InitStart:
    initialization_type: InitializationType
    phase: InitPhase
    function: str
    version: str
    runtime_version: str
    runtime_version_arn: str
    #: The log stream's name stands for the instance, as in AWS's records.
    instance_id: str
    instance_max_memory: int


@dataclass(slots=True)
class InitRuntimeDone:
    initialization_type: InitializationType
    phase: InitPhase
    status: PlatformStatus
    error_type: str | None = None


@dataclass(slots=True)
class InitReport:
    initialization_type: InitializationType
    phase: InitPhase
    status: PlatformStatus
    duration_ms: float
    error_type: str | None = None


@dataclass(slots=True)
class InvokeStart:
    request_id: str
    version: str
    trace_id: str


@dataclass(slots=True)
class RuntimeDone:
    """The runtime has done with an invocation: it asked for the next one, or it is gone.

    `started_ns` is when it got the event, `responded_ns` when it began to answer, `answered_ns` when it had answered.
    `wall` is the epoch time of `started_ns`, in seconds.
    """

    request_id: str
    status: PlatformStatus
    error_type: str | None
    started_ns: int
    ended_ns: int
    wall: float
    responded_ns: int | None
    answered_ns: int | None
    produced_bytes: int
    trace_id: str


@dataclass(slots=True)
class InvokeEnd:
    """Only in text logs and the Logs API."""

    request_id: str


@dataclass(slots=True)
class Report:
    """`extensions_ms` is the time from the runtime's end to that of the last extension, if there was any.

    `reported` says that the error is one that the function itself reported: records name it, a text log does not.
    """

    request_id: str
    status: PlatformStatus
    error_type: str | None
    duration_ms: float
    billed_ms: int
    memory_size: int
    max_memory_mb: int
    init_ms: float | None
    trace_id: str
    reported: bool = False
    extensions_ms: float | None = None
    #: Epoch seconds.
    ended: float = 0.0


@dataclass(slots=True)
class ExtensionState:
    """An extension registered (`Ready`), or failed to (`LaunchError`, `InitError`, `ExitError` …)."""

    name: str
    state: str
    events: tuple[str, ...]
    error_type: str | None = None


@dataclass(slots=True)
class Subscription:
    """An extension subscribed to telemetry; `api` is `telemetry` or `logs`."""

    api: str
    name: str
    types: tuple[str, ...]
    state: str = "Subscribed"


@dataclass(slots=True)
class LogsDropped:
    reason: str
    dropped_records: int
    dropped_bytes: int


@dataclass(slots=True)
class LayersMoved:
    """The layers are not at /opt but in this folder: the backend has no mounts. AWS has no such event."""

    folder: str


@dataclass(slots=True)
class Fault:
    """Something broke that no other event tells."""

    text: str


PlatformEvent = (
    InitStart
    | InitRuntimeDone
    | InitReport
    | InvokeStart
    | RuntimeDone
    | InvokeEnd
    | Report
    | ExtensionState
    | Subscription
    | LogsDropped
    | LayersMoved
    | Fault
)
