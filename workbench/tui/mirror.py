"""What the engine has, as the face knows it: deltas in, dictionaries and bounded rings out. No I/O, no widget."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from workbench.live.view import CELL_NS, CELLS, Delta, EnvironmentView, FunctionView, InvocationView, LogView, Totals
from workbench.model.invocations import InvocationStatus
from workbench.tui.concurrency import Concurrency
from workbench.tui.rates import Rates
from workbench.tui.timeline import merge

#: Lines of log and invocations that the face keeps, whatever the engine does.
LOGS = 10_000
INVOCATIONS = 4_000


@dataclass(slots=True)
class Gap:
    """Lines that never reached this face; `n` is the number of the last of them."""

    n: int
    lines: int


@dataclass(slots=True)
class Changed:
    """What a delta touched; `tick` says that a new quarter of a second has begun."""

    functions: bool = False
    environments: bool = False
    invocations: bool = False
    logs: bool = False
    tick: bool = False
    link: bool = False

    @classmethod
    def everything(cls) -> Changed:
        return cls(True, True, True, True, True, True)


class Mirror:
    """The engine's state as of the last delta.

    Functions are by name. Invocations are in the order in which they were accepted, which is the order of the
    dictionary. `now` is the engine's monotonic clock, `wall` its time of day; between deltas both stand still.
    The mirror takes over the objects of a delta.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.now = 0
        self.wall = 0.0
        self.functions: dict[str, FunctionView] = {}
        self.environments: dict[str, EnvironmentView] = {}
        self.invocations: dict[str, InvocationView] = {}
        self.logs: deque[LogView | Gap] = deque(maxlen=LOGS)
        self.missed_logs = 0
        self.totals = Totals()
        self.rates = Rates()
        self.concurrency = Concurrency()
        self._last_log = 0

    def apply(self, delta: Delta, *, outlived: bool = False) -> Changed:
        """Take a delta in and say what it changed.

        `outlived`: it is the first one of another engine. What is known of the invocations of the last one stays.
        """
        changed = Changed(tick=delta.t_mono_ns // CELL_NS != self.now // CELL_NS)
        if delta.full:
            past = self._ended() if outlived else {}
            self._forget()
            self.invocations.update(past)
            changed = Changed.everything()
            changed.link = False
        self.seq, self.now, self.wall = delta.seq, delta.t_mono_ns, delta.wall
        self.totals = replace(delta.totals)
        self.rates.add(self.now, self.totals)
        self.concurrency.add(self.now, self.totals, delta.functions)
        if delta.functions:
            changed.functions = True
            self.functions.update((view.name, view) for view in delta.functions)
        if delta.environments:
            changed.environments = True
            self._take_environments(delta.environments)
        if delta.invocations:
            changed.invocations = True
            self._take_invocations(delta.invocations)
        if delta.logs:
            changed.logs = True
            self._take_logs(delta.logs)
        for kind, keys in delta.gone.items():
            self._drop(kind, keys, changed)
        return changed

    def wall_at(self, t: int) -> float:
        """The time of day, in epoch seconds, at a moment of the engine's monotonic clock."""
        return self.wall - (self.now - t) / 1e9

    def logs_of(self, request_id: str) -> list[LogView]:
        """The kept lines of one invocation, oldest first."""
        return [line for line in self.logs if isinstance(line, LogView) and line.request_id == request_id]

    def living(self, function: str, version: str) -> list[EnvironmentView]:
        """The environments of a function's version that have not ended."""
        views = self.environments.values()
        return [view for view in views if (view.function, view.version) == (function, version) and not view.state.final]

    def warm(self, function: str) -> int:
        """How many environments of a function an invocation could be placed in now."""
        return sum(view.function == function and view.state.placeable for view in self.environments.values())

    def _ended(self) -> dict[str, InvocationView]:
        """The invocations, those that ran when the engine ended having failed with it."""
        return {
            id: view
            if view.status.ended
            else replace(view, status=InvocationStatus.FAILED, finished=self.now, error_type="the engine ended")
            for id, view in self.invocations.items()
        }

    # -- taking in
    def _forget(self) -> None:
        self.functions.clear()
        self.environments.clear()
        self.invocations.clear()
        self.logs.clear()
        self.rates.clear()
        self.concurrency.clear()
        self.missed_logs = 0
        self._last_log = 0

    def _take_environments(self, views: list[EnvironmentView]) -> None:
        for view in views:
            known = self.environments.get(view.id)
            view.timeline = merge(known.timeline if known else [], view.timeline, CELLS)
            self.environments[view.id] = view

    def _take_invocations(self, views: list[InvocationView]) -> None:
        fresh = []
        for view in views:
            known = self.invocations.get(view.request_id)
            if known is not None and known.accepted == view.accepted:
                self.invocations[view.request_id] = view
            else:  # new, or accepted again: a retry keeps its request id
                self.invocations.pop(view.request_id, None)
                fresh.append(view)
        fresh.sort(key=lambda view: view.accepted)  # a delta lists them by their last change
        self.invocations.update((view.request_id, view) for view in fresh)
        excess = len(self.invocations) - INVOCATIONS
        if excess > 0:
            ended = (key for key, view in self.invocations.items() if view.status.ended)
            for key in [key for key, _ in zip(ended, range(excess), strict=False)]:
                del self.invocations[key]

    def _take_logs(self, lines: list[LogView]) -> None:
        missing = lines[0].n - self._last_log - 1
        if missing > 0:
            self.missed_logs += missing
            self.logs.append(Gap(lines[0].n - 1, missing))
        self.logs.extend(lines)
        self._last_log = lines[-1].n

    def _drop(self, kind: str, keys: list[str], changed: Changed) -> None:
        tables: dict[str, dict[str, FunctionView] | dict[str, EnvironmentView] | dict[str, InvocationView]] = {
            "functions": self.functions,
            "environments": self.environments,
            "invocations": self.invocations,
        }
        table = tables.get(kind)
        if table is None:
            return
        for key in keys:
            table.pop(key, None)
            if kind == "functions":
                self.concurrency.forget(key)
        setattr(changed, kind, True)
