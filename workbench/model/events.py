"""Event records: every step of the engine, typed. `live` reduces them to what is now, the recorder to what was.

All `t` are nanoseconds of the engine's monotonic clock; `wall` is epoch seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from workbench.model.attached import Attached
from workbench.model.environments import EnvironmentState
from workbench.model.functions import Alias, FunctionVersion
from workbench.model.invocations import InvocationStatus, InvocationType


@dataclass(slots=True)
class FunctionChanged:
    """A version was created or changed; `$LATEST` included."""

    t: int
    version: FunctionVersion


@dataclass(slots=True)
class FunctionDeleted:
    """A version, or the whole function when `version` is None, is gone."""

    t: int
    function: str
    version: str | None = None


@dataclass(slots=True)
class AliasChanged:
    t: int
    alias: Alias


@dataclass(slots=True)
class AliasDeleted:
    t: int
    function: str
    name: str


@dataclass(slots=True)
class AttachedChanged:
    """What is attached to a function was changed: concurrency, runtime management, URLs and the like."""

    t: int
    function: str
    attached: Attached


@dataclass(slots=True)
class ProvisionedChanged:
    """So many environments are provisioned for a version from now on; 0 from when none is, or they could not be made.

    `init_ms` is the mean of their INIT once all are there.
    """

    t: int
    wall: float
    function: str
    version: str
    architecture: str
    memory_size: int
    count: int
    init_ms: float | None = None


@dataclass(slots=True)
class EnvironmentChanged:
    """An environment entered `state`. The descriptive fields are set when it is created and repeated after."""

    t: int
    id: str
    state: EnvironmentState
    reason: str
    function: str
    version: str
    backend: str
    memory_size: int
    pid: int | None = None
    max_memory_mb: int = 0
    init_ms: float | None = None
    #: `spare`, or `fresh: …` with why; empty until that is known.
    road: str = ""


@dataclass(slots=True)
class EnvironmentPhase:
    """A phase of an environment's life is over: `create`, `init`, `init in invoke`, `reset` or `shutdown`.

    `status` is `success`, `error`, `timeout` or `failure`; `detail` an error type or a reason.
    """

    t: int
    id: str
    name: str
    began: int
    status: str
    detail: str = ""


@dataclass(slots=True)
class InvocationAccepted:
    """Routed, admitted and placed. `why` says why it got the environment it got: `warm`, or `cold: …`."""

    t: int
    request_id: str
    function: str
    qualifier: str | None
    version: str
    type: InvocationType
    environment: str
    cold: bool
    why: str
    payload: bytes
    wall: float
    backend: str = ""
    memory_size: int = 0
    trace_id: str | None = None
    client_context: str | None = None
    architecture: str = "x86_64"
    ephemeral_storage: int = 512
    provisioned: bool = False
    revision: str = ""
    tenant: str | None = None
    #: On demand, since all of its version's provisioned environments are taken.
    spilled: bool = False


@dataclass(slots=True)
class InvocationStarted:
    """The runtime was handed the event. `why` replaces what was said at acceptance, where more is known by now."""

    t: int
    request_id: str
    why: str | None = None


@dataclass(slots=True)
class InvocationFinished:
    t: int
    request_id: str
    status: InvocationStatus
    payload: bytes
    duration_ms: float
    billed_ms: int
    init_ms: float | None
    max_memory_mb: int
    error_type: str | None = None
    #: When the caller had its answer.
    responded: int | None = None
    #: How long extensions went on after the runtime, where there are any.
    extensions_ms: float | None = None


@dataclass(slots=True)
class InvocationRefused:
    """Throttled, or failed before any environment had it."""

    t: int
    request_id: str
    function: str
    qualifier: str | None
    type: InvocationType
    reason: str
    wall: float
    status: InvocationStatus = InvocationStatus.THROTTLED
    payload: bytes = b""
    trace_id: str | None = None
    client_context: str | None = None


class Metric(StrEnum):
    """Metrics of CloudWatch that no other event tells of, each by its name there."""

    ASYNC_EVENTS_RECEIVED = "AsyncEventsReceived"
    #: Milliseconds from an event's acceptance to an invocation with it.
    ASYNC_EVENT_AGE = "AsyncEventAge"
    ASYNC_EVENTS_DROPPED = "AsyncEventsDropped"
    DEAD_LETTER_ERRORS = "DeadLetterErrors"
    DESTINATION_DELIVERY_FAILURES = "DestinationDeliveryFailures"
    RECURSIVE_INVOCATIONS_DROPPED = "RecursiveInvocationsDropped"


@dataclass(slots=True)
class Counted:
    """Something for a metric of a function, called under `qualifier`."""

    t: int
    function: str
    qualifier: str | None
    metric: Metric
    value: float = 1


@dataclass(slots=True)
class LogLine:
    """One line of an environment's log. `stream` is `function` (the runtime's stdout and stderr, in order), `extension`
    (that of an external extension) or `platform`.
    """

    t: int
    wall: float
    environment: str
    function: str
    version: str
    request_id: str | None
    stream: str
    text: str


Event = (
    FunctionChanged
    | FunctionDeleted
    | AliasChanged
    | AliasDeleted
    | AttachedChanged
    | ProvisionedChanged
    | EnvironmentChanged
    | EnvironmentPhase
    | InvocationAccepted
    | InvocationStarted
    | InvocationFinished
    | InvocationRefused
    | Counted
    | LogLine
)
