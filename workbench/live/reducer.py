"""Events in, what is there now out. Every event costs O(1); nothing here waits or does I/O."""

from __future__ import annotations

import base64
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, TypeVar

from workbench.live import metrics
from workbench.live.metrics import Figures
from workbench.live.past import PastKeeper
from workbench.live.view import (
    CELL_NS,
    CELLS,
    Cell,
    Delta,
    EnvironmentView,
    FunctionView,
    InvocationView,
    LogView,
    Past,
    PhaseView,
    Totals,
)
from workbench.model import events as ev
from workbench.model.environments import EnvironmentState
from workbench.model.functions import FunctionVersion, unchanged
from workbench.model.invocations import InvocationStatus
from workbench.model.names import LATEST
from workbench.model.text import shortened

#: Bytes of an event or a response that a view carries, and characters of a line of log.
EXCERPT = 4096
#: Characters that the lines of log hold together, whatever their number.
LOG_CHARACTERS = 8_000_000
#: Phases of an environment that stay; one that is reset again and again has no end of them.
PHASES = 100
#: Finished environments that stay to be looked at.
GONE_ENVIRONMENTS = 200
_ROUND = frozenset({EnvironmentState.IDLE, EnvironmentState.BUSY, EnvironmentState.FROZEN})

View = TypeVar("View")


class _Table(OrderedDict[str, tuple[int, Any]]):
    """Entities by key with the sequence number of their last change, the newest change last."""

    def touch(self, key: str, seq: int, value: Any) -> None:
        self[key] = (seq, value)
        self.move_to_end(key)

    def view(self, key: str) -> Any:
        found = self.get(key)
        return found[1] if found else None

    def since(self, seq: int) -> list[Any]:
        changed = []
        for at, value in reversed(self.values()):
            if at <= seq:
                break
            changed.append(value)
        changed.reverse()
        return changed


class Live:
    """The reduced state. `apply` takes one event; `changes` answers one delta, `past` what was before.

    `began` is when the engine did, in clock nanoseconds; without it, with the first event.
    """

    def __init__(self, *, logs: int = 10_000, invocations: int = 2_000, began: int | None = None) -> None:
        self.seq = 0
        self.totals = Totals()
        self._functions = _Table()
        self._environments = _Table()
        self._invocations = _Table()
        #: Invocations that have not ended, each with its function's view and figures, and whether it is on provisioned
        #: concurrency; the others in the order in which they ended.
        self._open: dict[str, tuple[FunctionView, Figures, bool] | None] = {}
        self._closed: OrderedDict[str, None] = OrderedDict()
        self._keep = invocations
        self._versions: dict[str, dict[str, FunctionVersion]] = {}
        self._logs: deque[LogView] = deque(maxlen=logs)
        self._log_seqs: deque[int] = deque(maxlen=logs)
        self._log_chars = 0
        self._gone: deque[tuple[int, str, str]] = deque(maxlen=10_000)
        self._gone_floor = 0
        self._ended: deque[str] = deque()
        self._cell_seqs: dict[str, deque[int]] = {}
        self._past = PastKeeper(None if began is None else began // CELL_NS)
        self._apply: dict[type, Callable[[Any], None]] = {
            ev.FunctionChanged: self._function_changed,
            ev.FunctionDeleted: self._function_deleted,
            ev.AliasChanged: self._alias_changed,
            ev.AliasDeleted: self._alias_deleted,
            ev.AttachedChanged: self._attached_changed,
            ev.ProvisionedChanged: lambda event: None,  # for the history; here it is told by what is attached
            ev.EnvironmentChanged: self._environment_changed,
            ev.EnvironmentPhase: self._environment_phase,
            ev.InvocationAccepted: self._accepted,
            ev.InvocationStarted: self._started,
            ev.InvocationFinished: self._finished,
            ev.InvocationRefused: self._refused,
            ev.Counted: self._counted,
            ev.LogLine: self._log,
        }

    def apply(self, event: ev.Event) -> None:
        """Take one event in."""
        self.seq += 1
        if self._past.begins is None:
            self._past.begins = event.t // CELL_NS
        self._apply[event.__class__](event)

    # -- functions
    def _function(self, name: str) -> FunctionView | None:
        view: FunctionView | None = self._functions.view(name)
        if view is not None:
            self._functions.touch(name, self.seq, view)
        return view

    def _function_changed(self, event: ev.FunctionChanged) -> None:
        version = event.version
        configuration = version.configuration
        view = self._functions.view(version.name)
        if view is None:
            view = FunctionView(
                name=version.name,
                runtime=configuration.runtime,
                handler=configuration.handler,
                memory_size=configuration.memory_size,
                timeout=configuration.timeout,
                state=version.state,
            )
        if version.version == LATEST:
            view.runtime, view.handler = configuration.runtime, configuration.handler
            view.memory_size, view.timeout = configuration.memory_size, configuration.timeout
            view.state = version.state
        elif version.version not in view.versions:
            view.versions.append(version.version)
        self._versions.setdefault(version.name, {})[version.version] = version
        view.dirty = self._dirty(view)
        self._functions.touch(version.name, self.seq, view)

    def _dirty(self, view: FunctionView) -> bool:
        known = self._versions[view.name]
        latest, newest = known.get(LATEST), known.get(view.versions[-1]) if view.versions else None
        return latest is None or newest is None or not unchanged(newest, latest)

    def _function_deleted(self, event: ev.FunctionDeleted) -> None:
        if event.version is None:
            self._versions.pop(event.function, None)
            self._past.deleted(event.t, event.function)
            if self._functions.pop(event.function, None):
                self._forget("functions", event.function)
        elif view := self._function(event.function):
            view.versions = [version for version in view.versions if version != event.version]
            self._versions[event.function].pop(event.version, None)
            view.dirty = self._dirty(view)

    def _alias_changed(self, event: ev.AliasChanged) -> None:
        if view := self._function(event.alias.function):
            rest = 1.0 - sum(event.alias.weights.values())
            view.aliases[event.alias.name] = {event.alias.version: rest, **event.alias.weights}

    def _alias_deleted(self, event: ev.AliasDeleted) -> None:
        if view := self._function(event.function):
            view.aliases.pop(event.name, None)

    def _attached_changed(self, event: ev.AttachedChanged) -> None:
        if view := self._function(event.function):
            attached = event.attached
            view.reserved = attached.reserved
            view.provisioned = {qualifier: config.requested for qualifier, config in attached.provisioned.items()}
            view.runtime_mode = attached.runtime_of().update_runtime_on.value

    # -- environments
    def _environment_changed(self, event: ev.EnvironmentChanged) -> None:
        view = self._environments.view(event.id)
        if view is None:
            view = EnvironmentView(
                id=event.id,
                function=event.function,
                version=event.version,
                backend=event.backend,
                memory_size=event.memory_size,
                state=event.state,
                reason=event.reason,
                created=event.t,
                since=event.t,
            )
            self.totals.environments += 1
            self._cell_seqs[event.id] = deque(maxlen=CELLS)
        previous = view.state
        view.state, view.reason, view.since = event.state, event.reason, event.t
        view.pid = event.pid if event.pid is not None else view.pid
        view.init_ms = event.init_ms if event.init_ms is not None else view.init_ms
        view.max_memory_mb = max(view.max_memory_mb, event.max_memory_mb)
        view.road = event.road or view.road
        if event.state is EnvironmentState.BUSY:
            view.invocations += 1
        if event.state not in _ROUND or previous not in _ROUND:
            view.history.append((event.t, event.state, event.reason))
        self._mark(view, event.t, previous)
        self._environments.touch(event.id, self.seq, view)
        if event.state.final:
            self.totals.environments -= 1
            self._ended.append(event.id)
            if len(self._ended) > GONE_ENVIRONMENTS:
                old = self._ended.popleft()
                if (forgotten := self._environments.pop(old, None)) is not None:
                    self._past.cell(old, forgotten[1].timeline[-1])
                    self._past.forget(forgotten[1])
                self._cell_seqs.pop(old, None)
                self._forget("environments", old)

    def _environment_phase(self, event: ev.EnvironmentPhase) -> None:
        view = self._environments.view(event.id)
        if view is not None:
            view.phases.append(PhaseView(event.name, event.began, event.t, event.status, event.detail))
            if len(view.phases) > PHASES:
                del view.phases[1]  # the first tells how it was made
            self._environments.touch(event.id, self.seq, view)

    def _mark(self, view: EnvironmentView, t: int, previous: EnvironmentState) -> None:
        index = t // CELL_NS
        seqs = self._cell_seqs[view.id]
        if view.timeline and view.timeline[-1].index == index:
            cell = view.timeline[-1]
            if view.state not in cell.seen:
                cell.seen.append(view.state)
            cell.last = view.state
            seqs[-1] = self.seq
            return
        if view.timeline:
            self._past.cell(view.id, view.timeline[-1])
        seen = [view.state] if previous is view.state else [previous, view.state]
        view.timeline.append(Cell(index, seen, view.state))
        seqs.append(self.seq)
        if len(view.timeline) > CELLS:
            del view.timeline[0]

    # -- invocations
    def _accepted(self, event: ev.InvocationAccepted) -> None:
        text, size = _excerpt(event.payload)
        view = InvocationView(
            request_id=event.request_id,
            function=event.function,
            qualifier=event.qualifier,
            version=event.version,
            type=event.type,
            status=InvocationStatus.WAITING,
            wall=event.wall,
            accepted=event.t,
            environment=event.environment,
            cold=event.cold,
            why=event.why,
            memory_size=event.memory_size,
            event=text,
            event_size=size,
        )
        function = self._function(event.function)
        self._closed.pop(event.request_id, None)  # of an earlier attempt
        self._invocations.touch(event.request_id, self.seq, view)
        self.totals.invocations += 1
        self.totals.running += 1
        self._past.running.note(event.t, self.totals.running)
        self.totals.cold_starts += event.cold
        if function is not None:
            function.invocations += 1
            function.running += 1
            self._past.running.note_of(event.t, function.name, function.running)
            function.cold_starts += event.cold
            function.executed[event.version] = function.executed.get(event.version, 0) + 1
            found = metrics.figures(function, event.qualifier, event.version)
            metrics.accepted(found, event)
            self._open[event.request_id] = (function, found, event.provisioned)
        else:
            self._open[event.request_id] = None
        self._trim()

    def _started(self, event: ev.InvocationStarted) -> None:
        view = self._invocations.view(event.request_id)
        if view is not None:
            view.started, view.status = event.t, InvocationStatus.RUNNING
            view.why = event.why or view.why
            self._invocations.touch(event.request_id, self.seq, view)

    def _finished(self, event: ev.InvocationFinished) -> None:
        failed = event.status is not InvocationStatus.SUCCESS
        view = self._invocations.view(event.request_id)
        if view is None or event.request_id not in self._open:
            return
        begun = self._open.pop(event.request_id)
        self.totals.running -= 1
        self._past.running.note(event.t, self.totals.running)
        self.totals.errors += failed
        self.totals.billed_ms += event.billed_ms
        view.status, view.finished = event.status, event.t
        view.duration_ms, view.billed_ms, view.init_ms = event.duration_ms, event.billed_ms, event.init_ms
        view.max_memory_mb, view.error_type = event.max_memory_mb, event.error_type
        view.response, view.response_size = _excerpt(event.payload)
        self._invocations.touch(event.request_id, self.seq, view)
        # A function that was deleted meanwhile, and perhaps made anew, does not count what it did not run.
        if begun is not None and self._functions.view(view.function) is begun[0]:
            function, found, provisioned = begun
            function.running -= 1
            self._past.running.note_of(event.t, function.name, function.running)
            function.errors += failed
            function.duration_ms += event.duration_ms
            function.billed_ms += event.billed_ms
            metrics.finished(found, event, provisioned)
            self._functions.touch(view.function, self.seq, function)
        self._closed[event.request_id] = None

    def _refused(self, event: ev.InvocationRefused) -> None:
        view = InvocationView(
            request_id=event.request_id,
            function=event.function,
            qualifier=event.qualifier,
            version="",
            type=event.type,
            status=event.status,
            wall=event.wall,
            accepted=event.t,
            finished=event.t,
            why=event.reason,
        )
        self._invocations.touch(event.request_id, self.seq, view)
        self.totals.throttles += 1
        self._past.throttles.note(event.t, self.totals.throttles)
        if function := self._function(event.function):
            function.throttles += 1
            self._past.throttles.note_of(event.t, function.name, function.throttles)
            metrics.figures(function, event.qualifier, "").throttles += 1
        self._closed[event.request_id] = None
        self._closed.move_to_end(event.request_id)
        self._trim()

    def _counted(self, event: ev.Counted) -> None:
        if function := self._function(event.function):
            metrics.counted(metrics.figures(function, event.qualifier, ""), event)

    def _trim(self) -> None:
        """Forget the invocations that ended first beyond the bound; running ones always stay."""
        while len(self._closed) > self._keep:
            key, _ = self._closed.popitem(last=False)
            del self._invocations[key]
            self._forget("invocations", key)
            self.totals.invocations_dropped += 1

    # -- logs
    def _log(self, event: ev.LogLine) -> None:
        self.totals.log_lines += 1
        logs, text = self._logs, shortened(event.text, EXCERPT)
        if len(logs) == logs.maxlen:
            self.totals.log_dropped += 1
            self._log_chars -= len(logs[0].text)
        self._log_chars += len(text)
        if self._log_chars > LOG_CHARACTERS:
            self._drop_logs()
        logs.append(
            LogView(
                self.totals.log_lines,
                event.t,
                event.wall,
                event.environment,
                event.function,
                event.version,
                event.request_id,
                event.stream,
                text,
            )
        )
        self._log_seqs.append(self.seq)

    def _drop_logs(self) -> None:
        """Make room for a line that is not there yet, by what they hold together."""
        while self._logs and self._log_chars > LOG_CHARACTERS:
            self._log_seqs.popleft()
            self._log_chars -= len(self._logs.popleft().text)
            self.totals.log_dropped += 1

    def _forget(self, kind: str, key: str) -> None:
        if len(self._gone) == self._gone.maxlen:
            self._gone_floor = self._gone[0][0]
        self._gone.append((self.seq, kind, key))

    # -- what faces read
    def functions(self) -> list[FunctionView]:
        """Every function that there is."""
        return self._functions.since(0)

    def changes(self, since: int, t: int, wall: float) -> Delta:
        """One delta from `since` to now. A face that is too far behind gets everything, marked `full`."""
        full = since <= 0 or since < self._gone_floor or since > self.seq
        if full:
            since = 0
        delta = Delta(seq=self.seq, t_mono_ns=t, wall=wall, full=full, totals=self.totals)
        delta.functions = self._functions.since(since)
        delta.environments = [self._since(view, since) for view in self._environments.since(since)]
        delta.invocations = self._invocations.since(since)
        for at, line in zip(reversed(self._log_seqs), reversed(self._logs), strict=True):
            if at <= since:
                break
            delta.logs.append(line)
        delta.logs.reverse()
        if not full:
            tables = {
                "functions": self._functions,
                "environments": self._environments,
                "invocations": self._invocations,
            }
            for at, kind, key in reversed(self._gone):
                if at <= since:
                    break
                if key not in tables[kind]:  # it may have come back
                    delta.gone.setdefault(kind, []).append(key)
        return delta

    def past(self, function: str | None, t: int) -> Past:
        """The ten minutes before a moment of the clock, of one function or of all."""
        living = [view for _, view in self._environments.values()]
        for view in living:
            self._past.cell(view.id, view.timeline[-1])
        return self._past.told(t, function, living)

    def _since(self, view: EnvironmentView, since: int) -> EnvironmentView:
        cells = 0
        for at in reversed(self._cell_seqs[view.id]):
            if at <= since:
                break
            cells += 1
        return EnvironmentView(
            **{name: getattr(view, name) for name in EnvironmentView.__slots__ if name != "timeline"},
            timeline=view.timeline[len(view.timeline) - cells :],
        )


def _excerpt(payload: bytes) -> tuple[str, int]:
    part = payload[:EXCERPT]
    try:
        return part.decode("utf-8"), len(payload)
    except UnicodeDecodeError as error:
        if error.start > EXCERPT - 4 and len(payload) > EXCERPT:
            return part[: error.start].decode("utf-8"), len(payload)
        return base64.b64encode(part).decode("ascii"), len(payload)
