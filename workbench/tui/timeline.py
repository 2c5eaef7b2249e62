"""An environment's life as a row of states, one for each column of a time axis that ends now. Pure."""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter

from workbench.live.past import PASSING, telling
from workbench.live.view import CELL_NS, Cell, EnvironmentView
from workbench.model.environments import EnvironmentState

_index = attrgetter("index")


def columns(view: EnvironmentView, now: int, count: int, zoom: int = 1) -> list[EnvironmentState | None]:
    """The state to show in each of `count` columns of `zoom` cells; the last one holds `now`. None is no environment.

    Columns are aligned to multiples of `zoom`, so that what a column shows does not flicker as time moves on. A state
    lasts until the next one; after a final state there is nothing.
    """
    newest = now // CELL_NS // zoom
    first = (newest - count + 1) * zoom
    cells = view.timeline
    position = bisect_left(cells, first, key=_index)
    state = _before(view, first, position)
    shown: list[EnvironmentState | None] = []
    for start in range(first, (newest + 1) * zoom, zoom):
        end = start + zoom
        if position == len(cells) or cells[position].index >= end:
            shown.append(state)
            continue
        seen: list[EnvironmentState] = []
        while position < len(cells) and cells[position].index < end:
            cell = cells[position]
            seen += cell.seen[1:] if state in PASSING and cell.seen[:1] == [state] and cell.seen[1:] else cell.seen
            state = cell.last
            position += 1
        shown.append(telling(seen, state))
        if state is not None and state.final:
            state = None
    return shown


def trail(view: EnvironmentView) -> str:
    """The glyphs of what the environment went through in its last quarter of a second with a change, oldest first."""
    if not view.timeline:
        return view.state.glyph
    cell = view.timeline[-1]
    states = [*cell.seen]
    if states[-1:] != [cell.last]:
        states.append(cell.last)
    return "".join(state.glyph for state in states)


def merge(known: list[Cell], fresh: list[Cell], keep: int) -> list[Cell]:
    """A new list: the known cells with the fresh ones over or after them, the newest `keep` of them."""
    if not fresh:
        return known
    first = fresh[0].index
    older = known if not known or known[-1].index < first else known[: bisect_left(known, first, key=_index)]
    return [*older, *fresh][-keep:]


def _before(view: EnvironmentView, first: int, position: int) -> EnvironmentState | None:
    """The state at the start of cell `first`."""
    if position > 0:
        last = view.timeline[position - 1].last
        return None if last.final else last
    if not view.timeline:
        return None if view.state.final or view.created // CELL_NS >= first else view.state
    if view.created // CELL_NS < view.timeline[0].index:
        return view.timeline[0].seen[0]  # older cells were forgotten; the first of a cell's states came from before it
    return None
