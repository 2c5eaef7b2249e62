"""Invocations that have ended, as the history keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.model.invocations import InvocationStatus, InvocationType

#: Bounds of the history by default: invocations, and bytes of its file.
MAX_INVOCATIONS, MAX_BYTES = 100_000, 1_000_000_000
#: Characters of log that are kept of one invocation.
MAX_LOG = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PastInvocation:
    """One invocation that ended, without its bodies.

    `n` counts what the history has taken, oldest first. An asynchronous event that is tried again keeps its request id,
    and `attempt` counts. `wall` is the time of its acceptance in epoch seconds; `started_ms` and `finished_ms` count
    from there, as does `responded_ms`, when the caller had its answer; `started_ms` is None when no runtime was ever
    handed the event. Durations are in milliseconds, memory in MB, sizes in bytes. `why` says why it got the environment
    that it got, or none; `provisioned`, whether that was one made ahead. `revision` is the version's, and `engine` is
    when the engine that ran it had started, in epoch seconds: no environment serves two of either.
    """

    n: int = 0
    request_id: str
    attempt: int = 1
    function: str
    qualifier: str | None
    #: The version that was executed; empty when it was refused before one was chosen.
    version: str
    type: InvocationType
    status: InvocationStatus
    wall: float
    started_ms: float | None = None
    finished_ms: float = 0.0
    init_ms: float | None = None
    duration_ms: float = 0.0
    billed_ms: int = 0
    memory_size: int = 0
    max_memory_mb: int = 0
    environment: str | None = None
    backend: str | None = None
    cold: bool = False
    why: str = ""
    error_type: str | None = None
    trace_id: str | None = None
    client_context: str | None = None
    responded_ms: float | None = None
    architecture: str = "x86_64"
    ephemeral_storage: int = 512
    provisioned: bool = False
    revision: str = ""
    tenant: str | None = None
    engine: float = 0.0
    event_size: int = 0
    response_size: int = 0


@dataclass(frozen=True, slots=True)
class PastLine:
    """A line of log, `ms` after the acceptance. `stream` as in the live view, or `dropped`: lines are missing."""

    ms: float
    stream: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRecord(PastInvocation):
    """One invocation that ended, with everything: the whole event, the whole response and its log.

    `log` has the first lines and the last ones, half of `MAX_LOG` each, those of a cold start's INIT among them;
    `log_dropped` counts what is missing in between, where a line of stream `dropped` says so.
    """

    event: bytes = b""
    response: bytes = b""
    log: tuple[PastLine, ...] = ()
    log_dropped: int = 0
