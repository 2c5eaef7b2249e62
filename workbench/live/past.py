"""The last ten minutes, kept small: what each environment went through, and how many invocations ran at once.

An environment costs one byte for each cell of time, whatever happened in it; a count two to four.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from workbench.live.view import CELL_NS, Cell, Delta, EnvironmentView, Past, PastEnvironment
from workbench.model.environments import EnvironmentState

#: A state, or None where there is no environment.
State = TypeVar("State", EnvironmentState, EnvironmentState | None)

#: Cells that are kept: ten minutes.
KEPT = 2_400
#: Environments that are kept beyond those that the live view has: what ended first goes first.
ENDED = 2_000
#: Functions whose counts are kept.
FUNCTIONS = 1_000
#: Bytes that a row may be too long, so that it is not cut with every cell.
_SLACK = 256

#: What a span of time that saw several states shows: the first of these, else the state at its end.
TELLING = (
    EnvironmentState.FAILED,
    EnvironmentState.STOPPED,
    EnvironmentState.STOPPING,
    EnvironmentState.CREATING,
    EnvironmentState.INIT,
    EnvironmentState.BUSY,
)
#: States that only lead somewhere: carried into a cell from the one before, they give way to what they led to.
PASSING = frozenset({EnvironmentState.CREATING, EnvironmentState.INIT, EnvironmentState.STOPPING})
#: A cell is `8 * what it shows + the state at its end`, each by its place here; what shows `UNCHANGED` had no change.
STATES = tuple(EnvironmentState)
UNCHANGED = len(STATES)
_PLACE = {state: place for place, state in enumerate(STATES)}
#: The character of code 0 in the text of an answer; the others follow it.
ZERO = ord("0")
_TEXT = bytes((ZERO + code) % 256 for code in range(256))


def telling(seen: Iterable[EnvironmentState], last: State) -> EnvironmentState | State:
    """What a span of time shows that saw these states and ended in `last`."""
    for state in TELLING:
        if state in seen:
            return state
    return last


class Track:
    """One environment: a code for each cell from `first` on. After the newest one its state goes on."""

    __slots__ = ("cells", "first")

    def __init__(self) -> None:
        self.first = 0
        self.cells = bytearray()

    def add(self, cell: Cell) -> None:
        """Take the next cell, or the newest one again; older ones are known."""
        cells = self.cells
        if not cells:
            self.first = cell.index
        gap = cell.index - self.first - len(cells)
        if gap < -1:
            return
        if gap == -1:
            del cells[-1]
        elif gap:
            quiet = bytes((8 * UNCHANGED + cells[-1] % 8,))
            if gap >= KEPT:  # nothing before it is in the ten minutes
                cells.clear()
            cells.extend(quiet * min(gap, KEPT))
            self.first = cell.index - len(cells)
        cells.append(_code(cell, STATES[cells[-1] % 8] if cells else None))
        if len(cells) > KEPT + _SLACK:
            del cells[:-KEPT]
            self.first = cell.index + 1 - KEPT

    @property
    def newest(self) -> int:
        """The index of the last cell with a change."""
        return self.first + len(self.cells) - 1

    def since(self, first: int) -> tuple[int, str]:
        """The cells from `first` on as text, and the index of the first of them."""
        cells = self.cells
        if first <= self.first:
            return self.first, cells.translate(_TEXT).decode("ascii")
        rest = cells[first - self.first :] or bytes((8 * UNCHANGED + cells[-1] % 8,))
        return first, rest.translate(_TEXT).decode("ascii")


def _code(cell: Cell, carried: EnvironmentState | None) -> int:
    seen = cell.seen
    if carried in PASSING and seen[0] is carried and len(seen) > 1:
        seen = seen[1:]
    return 8 * _PLACE[telling(seen, cell.last)] + _PLACE[cell.last]


class Peaks:
    """A count: the greatest one of each cell from `first` on. After the newest cell `count` goes on."""

    __slots__ = ("count", "first", "peaks")

    def __init__(self) -> None:
        self.first = 0
        self.peaks = array("I")
        self.count = 0

    def note(self, cell: int, count: int) -> None:
        """From somewhere in this cell on it is another count."""
        peaks = self.peaks
        if not peaks:
            self.first = cell
        gap = cell - self.first - len(peaks)
        if gap >= 0:
            if gap:
                if gap >= KEPT:
                    del peaks[:]
                peaks.extend(array("I", (self.count,)) * min(gap, KEPT))
                self.first = cell - len(peaks)
            peaks.append(max(count, self.count))
            if len(peaks) > KEPT + _SLACK:
                del peaks[:-KEPT]
                self.first = cell + 1 - KEPT
        elif count > peaks[-1]:
            peaks[-1] = count
        self.count = count

    @property
    def newest(self) -> int:
        """The last cell with a change."""
        return self.first + len(self.peaks) - 1

    def between(self, first: int, last: int) -> list[int]:
        """The greatest count of each cell from `first` to `last`; before anything was noted it is 0."""
        known = self.peaks[max(0, first - self.first) : max(0, last + 1 - self.first)].tolist() if self.peaks else []
        before = min(max(0, self.first - first), last + 1 - first) if self.peaks else 0
        after = last + 1 - first - before - len(known)
        return [0] * before + known + [self.count] * after


class Counts:
    """A count of the account and of each function. Bounded: of the functions those that changed last are kept."""

    __slots__ = ("account", "dropped", "functions")

    def __init__(self) -> None:
        self.account = Peaks()
        #: By function, the one that changed last at the end.
        self.functions: OrderedDict[str, Peaks] = OrderedDict()
        #: The last cell in which a function changed whose counts are not kept.
        self.dropped = -1

    def note(self, t: int, count: int) -> None:
        """It is another count from this moment on, in clock nanoseconds."""
        self.account.note(t // CELL_NS, count)

    def note_of(self, t: int, function: str, count: int) -> None:
        """That of one function is."""
        functions = self.functions
        peaks = functions.get(function)
        if peaks is None:
            if len(functions) >= FUNCTIONS:
                _, gone = functions.popitem(last=False)
                self.dropped = gone.newest
            peaks = functions[function] = Peaks()
        else:
            functions.move_to_end(function)
        peaks.note(t // CELL_NS, count)

    def of(self, function: str | None) -> Peaks:
        """The counts of one function, or of all."""
        return self.account if function is None else self.functions.get(function) or Peaks()

    def known_from(self, function: str, begins: int, now: int) -> int:
        """The cell from which those of a function are known, if those of all are from `begins` on."""
        peaks = self.of(function)
        if not peaks.peaks or peaks.first > begins:  # it may be one that was dropped before
            return max(begins, min(self.dropped + 1, now))
        return begins


class PastKeeper:
    """What happened from `begins` on, in cells. Everything in it is bounded."""

    def __init__(self, begins: int | None = None) -> None:
        #: The cell from which everything is known; None while nothing is.
        self.begins = begins
        self._tracks: dict[str, Track] = {}
        self._ended: deque[tuple[EnvironmentView, Track]] = deque()
        #: How many invocations run at once, and how many were throttled so far.
        self.running = Counts()
        self.throttles = Counts()

    def cell(self, environment: str, cell: Cell) -> None:
        """A cell of an environment that lives."""
        track = self._tracks.get(environment)
        if track is None:
            track = self._tracks[environment] = Track()
        track.add(cell)

    def forget(self, view: EnvironmentView) -> None:
        """The live view has this environment no longer: keep it here, without its timeline."""
        track = self._tracks.pop(view.id, None)
        if track is None:
            return
        self._ended.append((replace(view, timeline=[]), track))
        oldest = track.newest - KEPT - _SLACK
        while len(self._ended) > ENDED or (self._ended and self._ended[0][1].newest < oldest):
            _, gone = self._ended.popleft()
            if self.begins is None or gone.newest >= self.begins:
                self.begins = gone.newest + 1  # what was there before is no longer known whole

    def deleted(self, t: int, function: str) -> None:
        """There is no such function any more; what still runs of it counts for none."""
        for counts in (self.running, self.throttles):
            if function in counts.functions:
                counts.note_of(t, function, 0)

    def told(self, t: int, function: str | None, living: Iterable[EnvironmentView]) -> Past:
        """The past at a moment of the clock, of one function or of all; `living` are the live view's environments."""
        now = t // CELL_NS
        begins = max(now + 1 - KEPT, now if self.begins is None else min(self.begins, now))
        if function is not None:
            begins = max(counts.known_from(function, begins, now) for counts in (self.running, self.throttles))
        found = []
        for view, track in self._ended:
            if (function is None or view.function == function) and track.newest >= begins:
                found.append(PastEnvironment(view.id, *track.since(begins), view))
        for view in living:
            known = self._tracks.get(view.id) if function is None or view.function == function else None
            if known is not None and (not view.state.final or known.newest >= begins):
                found.append(PastEnvironment(view.id, *known.since(begins)))
        peaks, throttles = (counts.of(function).between(begins, now) for counts in (self.running, self.throttles))
        return Past(t_mono_ns=t, begins=begins, peaks=peaks, throttles=throttles, environments=found)


class PastOfDeltas:
    """The past as the deltas of a recording tell it; counts are those at the moments of deltas."""

    def __init__(self) -> None:
        self._keeper = PastKeeper()
        self._living: dict[str, EnvironmentView] = {}
        #: Functions that were seen to run.
        self._ran: set[str] = set()

    def take(self, delta: Delta) -> None:
        """Take the next delta. One that is full begins anew."""
        if delta.full:
            self._keeper = PastKeeper(delta.t_mono_ns // CELL_NS)
            self._living.clear()
        keeper = self._keeper
        keeper.running.note(delta.t_mono_ns, delta.totals.running)
        keeper.throttles.note(delta.t_mono_ns, delta.totals.throttles)
        for function in delta.functions:
            if function.throttles:
                keeper.throttles.note_of(delta.t_mono_ns, function.name, function.throttles)
            if function.running or function.name in self._ran:
                self._ran.add(function.name)
                keeper.running.note_of(delta.t_mono_ns, function.name, function.running)
        for view in delta.environments:
            self._living[view.id] = view
            for cell in view.timeline:
                keeper.cell(view.id, cell)
        for id in delta.gone.get("environments", ()):
            if (gone := self._living.pop(id, None)) is not None:
                keeper.forget(gone)

    def told(self, t: int, function: str | None) -> Past:
        """The past at a moment of the recording's clock."""
        return self._keeper.told(t, function, self._living.values())
