"""What a face sees: entities and deltas. docs/live.md describes them as JSON; the field names are that contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.live.metrics import Figures
from workbench.model.environments import EnvironmentState
from workbench.model.functions import FunctionState
from workbench.model.invocations import InvocationStatus, InvocationType

#: Version of the delta format.
FORMAT = 1
#: Width of one cell of an environment's timeline, in nanoseconds of the engine's clock.
CELL_NS = 250_000_000
#: Cells that the engine keeps of each environment: one minute.
CELLS = 240


@dataclass(slots=True)
class FunctionView:
    """A function with its aliases and running totals. `versions` lists the published ones, oldest first.

    `reserved` is its reserved concurrency, None without; `provisioned` the provisioned concurrency asked for, by
    qualifier; `runtime_mode` how the runtime of `$LATEST` is managed: `Auto`, `FunctionUpdate` or `Manual`. `metrics`
    are by the qualifier that was called, empty without one, and by the version that ran, empty where none did.
    """

    name: str
    runtime: str
    handler: str
    memory_size: int
    timeout: int
    state: FunctionState
    versions: list[str] = field(default_factory=list)
    aliases: dict[str, dict[str, float]] = field(default_factory=dict)
    dirty: bool = True
    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    cold_starts: int = 0
    running: int = 0
    duration_ms: float = 0.0
    billed_ms: int = 0
    executed: dict[str, int] = field(default_factory=dict)
    reserved: int | None = None
    provisioned: dict[str, int] = field(default_factory=dict)
    runtime_mode: str = "Auto"
    metrics: dict[str, dict[str, Figures]] = field(default_factory=dict)


@dataclass(slots=True)
class Cell:
    """A quarter of a second of an environment: the states that it was in, and the one at its end."""

    index: int
    seen: list[EnvironmentState]
    last: EnvironmentState


@dataclass(slots=True)
class PhaseView:
    """A phase of an environment's life, `began` and `ended` in clock nanoseconds (see `events.EnvironmentPhase`)."""

    name: str
    began: int
    ended: int
    status: str
    detail: str = ""


@dataclass(slots=True)
class EnvironmentView:
    """An environment. `since` is when it entered its state; `history` its states but for the idle-busy-frozen round.

    `road` says how it was made: `spare`, or `fresh: …` with why it was not made of a spare.
    """

    id: str
    function: str
    version: str
    backend: str
    memory_size: int
    state: EnvironmentState
    reason: str
    created: int
    since: int
    pid: int | None = None
    invocations: int = 0
    max_memory_mb: int = 0
    init_ms: float | None = None
    road: str = ""
    phases: list[PhaseView] = field(default_factory=list)
    history: list[tuple[int, EnvironmentState, str]] = field(default_factory=list)
    timeline: list[Cell] = field(default_factory=list)


@dataclass(slots=True)
class InvocationView:
    """One invocation. `accepted`, `started`, `finished` are clock nanoseconds, `wall` epoch seconds at acceptance.

    `event` and `response` are the first kilobytes of each as text; `event_size` and `response_size` count bytes.
    """

    request_id: str
    function: str
    qualifier: str | None
    version: str
    type: InvocationType
    status: InvocationStatus
    wall: float
    accepted: int
    environment: str | None = None
    cold: bool = False
    why: str = ""
    started: int | None = None
    finished: int | None = None
    duration_ms: float = 0.0
    billed_ms: int = 0
    init_ms: float | None = None
    memory_size: int = 0
    max_memory_mb: int = 0
    error_type: str | None = None
    event: str = ""
    event_size: int = 0
    response: str = ""
    response_size: int = 0


@dataclass(slots=True)
class LogView:
    """A line of log. `n` counts all lines since the engine started, so a gap shows what was dropped."""

    n: int
    t: int
    wall: float
    environment: str
    function: str
    version: str
    request_id: str | None
    stream: str
    text: str


@dataclass(slots=True)
class Totals:
    """Counters since the engine started, and what is there now."""

    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    cold_starts: int = 0
    billed_ms: int = 0
    log_lines: int = 0
    log_dropped: int = 0
    invocations_dropped: int = 0
    running: int = 0
    environments: int = 0


@dataclass(slots=True)
class Delta:
    """What changed since a sequence number.

    Functions, environments and invocations replace what the face has under their key, but for an environment's
    `timeline`, which holds only the cells that changed. `logs` are appended. `gone` names what to forget. `full` says
    that the engine no longer knows what the face has: forget everything first.
    """

    seq: int
    t_mono_ns: int
    wall: float
    v: int = FORMAT
    full: bool = False
    functions: list[FunctionView] = field(default_factory=list)
    environments: list[EnvironmentView] = field(default_factory=list)
    invocations: list[InvocationView] = field(default_factory=list)
    logs: list[LogView] = field(default_factory=list)
    gone: dict[str, list[str]] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)

    @property
    def empty(self) -> bool:
        return not (self.full or self.functions or self.environments or self.invocations or self.logs or self.gone)


@dataclass(slots=True)
class PastEnvironment:
    """An environment in the past: a character for each cell from `first` on, until its last change (docs/live.md).

    `view` is there if the live view has this environment no longer; it has no timeline.
    """

    id: str
    first: int
    cells: str
    view: EnvironmentView | None = None


@dataclass(slots=True, kw_only=True)
class Past:
    """The last ten minutes before `t_mono_ns`, or as much of them as is known.

    `begins` is the first cell that is known. For each cell from there to now, `peaks` has the greatest number of
    invocations that ran at once, and `throttles` how many had been throttled by its end. `environments` are those that
    were there at any time since.
    """

    t_mono_ns: int
    begins: int
    peaks: list[int]
    throttles: list[int]
    environments: list[PastEnvironment]


#: What the faces may show of the engine itself.
@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """The engine as faces name it. `backend_why` says in a sentence why this backend; `isolated` is its boundary."""

    version: str
    pid: int
    state_dir: str
    project: str
    backend: str
    backend_why: str
    isolated: bool
    urls: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    started: float = 0.0
    #: What waits for cold starts, a line for each kind of environment.
    spares: tuple[str, ...] = ()
