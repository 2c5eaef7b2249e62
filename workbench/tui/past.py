"""A stretch of the last ten minutes that a person looks at: which one it is, and what was there then. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from workbench.live.past import STATES, UNCHANGED, ZERO, telling
from workbench.live.view import CELL_NS, EnvironmentView, Past, PastEnvironment
from workbench.model.environments import EnvironmentState


@dataclass(frozen=True, slots=True)
class Window:
    """What was there until the end of cell `end`.

    `views` are the environments that were there at any time that `past` tells of; `epoch` is the time of day, in epoch
    seconds, at which the engine's clock was 0.
    """

    past: Past
    end: int
    views: Mapping[str, EnvironmentView]
    epoch: float

    @property
    def newest(self) -> int:
        """The last cell that `past` tells of."""
        return self.past.t_mono_ns // CELL_NS

    @property
    def t(self) -> int:
        """The moment at which it ends, in nanoseconds of the engine's clock."""
        return (self.end + 1) * CELL_NS

    @property
    def wall(self) -> float:
        """The time of day of that moment, in epoch seconds."""
        return self.wall_at(self.t)

    def wall_at(self, t: int) -> float:
        return self.epoch + t / 1e9

    @property
    def known_from(self) -> float:
        """The time of day from which on everything is known."""
        return self.wall_at(self.past.begins * CELL_NS)

    def ending(self, end: int, cells: int) -> Window:
        """The one that ends there, but no part of it before what is known, if there is enough of that."""
        return replace(self, end=min(max(end, self.past.begins + cells - 1), self.newest))

    def shown(self, cells: int, function: str | None) -> list[tuple[EnvironmentView, PastEnvironment]]:
        """The environments that were there in its last `cells`, grouped by function, the oldest first."""
        first = self.end - cells + 1
        found = []
        for track in self.past.environments:
            view = self.views.get(track.id)
            if view is None or (function is not None and view.function != function):
                continue
            if track.first <= self.end and (_last(track) >= first or not _state(track.cells[-1]).final):
                found.append((view, track))
        found.sort(key=lambda one: (one[0].function, one[0].created, one[0].id))
        return found

    def unknown(self, count: int, zoom: int) -> int:
        """How many of `count` columns of `zoom` cells lie before what is known."""
        first = (self.end // zoom - count + 1) * zoom
        return max(0, min(count, (self.past.begins - first) // zoom))

    def peaks(self, count: int, zoom: int) -> tuple[int, ...]:
        """The greatest number of invocations that ran at once in each of `count` columns; 0 before what is known."""
        newest, begins, known = self.end // zoom, self.past.begins, self.past.peaks
        starts = ((column * zoom - begins) for column in range(newest - count + 1, newest + 1))
        return tuple(max(known[max(0, at) : max(0, at + zoom)], default=0) for at in starts)

    @property
    def throttled(self) -> int:
        """How many invocations had been throttled by its end."""
        return self.past.throttles[self.end - self.past.begins]


def _last(track: PastEnvironment) -> int:
    """The cell of its last change."""
    return track.first + len(track.cells) - 1


def _state(code: str) -> EnvironmentState:
    """The state at the end of a cell."""
    return STATES[(ord(code) - ZERO) % 8]


def state_at(track: PastEnvironment, cell: int) -> EnvironmentState | None:
    """The state in which it left a cell; None is no environment."""
    if cell < track.first:
        return None
    state = _state(track.cells[min(cell, _last(track)) - track.first])
    return None if state.final and cell > _last(track) else state


def columns(track: PastEnvironment, end: int, count: int, zoom: int = 1) -> list[EnvironmentState | None]:
    """The state to show in each of `count` columns of `zoom` cells; the last one holds cell `end`.

    They are those that `timeline.columns` showed then.
    """
    newest = end // zoom
    first = (newest - count + 1) * zoom
    state = state_at(track, first - 1)
    if state is not None and state.final:
        state = None
    shown: list[EnvironmentState | None] = []
    for start in range(first, (newest + 1) * zoom, zoom):
        seen = []
        for code in track.cells[max(0, start - track.first) : max(0, start + zoom - track.first)]:
            what, last = divmod(ord(code) - ZERO, 8)
            state = STATES[last]
            if what != UNCHANGED:
                seen.append(STATES[what])
        shown.append(telling(seen, state) if seen else state)
        if state is not None and state.final:
            state = None
    return shown
