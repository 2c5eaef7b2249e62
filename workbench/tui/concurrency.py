"""How many invocations ran at once, over the last minutes: of the account, and of each function. No I/O."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from workbench.live.view import CELL_NS, FunctionView, Totals

#: Cells of a quarter of a second that are kept: ten minutes of constant change.
KEPT = 2_400


class Series:
    """A count that changes now and then; between changes the last one goes on."""

    def __init__(self) -> None:
        #: Of each cell with a change: its index, the greatest count in it, and the one at its end. Arrays, for there is
        #: a series of every function that runs.
        self._cells, self._peaks, self._lasts = array("Q"), array("I"), array("I")

    def __len__(self) -> int:
        """Cells with a change that are kept."""
        return len(self._cells)

    @property
    def now(self) -> int:
        return self._lasts[-1] if self._lasts else 0

    def add(self, t: int, count: int) -> None:
        """The count at a moment, in nanoseconds of the engine's clock."""
        cell = t // CELL_NS
        if self._cells and self._cells[-1] == cell:
            self._peaks[-1] = max(self._peaks[-1], count)
            self._lasts[-1] = count
        elif not self._cells or self.now != count:
            self._peaks.append(max(self.now, count))
            self._cells.append(cell)
            self._lasts.append(count)
            if len(self._cells) > KEPT + KEPT // 4:  # not at each: what is left moves up
                for column in (self._cells, self._peaks, self._lasts):
                    del column[:-KEPT]

    def peaks(self, now: int, columns: int, zoom: int) -> list[int]:
        """The greatest count in each of `columns` columns of `zoom` cells; the last one holds `now`."""
        newest = now // CELL_NS // zoom
        first = (newest - columns + 1) * zoom
        found = [0] * columns
        carried, filled = 0, 0
        for cell, peak, last in zip(self._cells, self._peaks, self._lasts, strict=True):
            if cell < first:
                carried = last
                continue
            column = min(columns - 1, (cell - first) // zoom)
            for index in range(filled, column + 1):
                found[index] = max(found[index], carried)
            filled = column
            found[column] = max(found[column], peak)
            carried = last
            filled = column + 1
        for index in range(filled, columns):
            found[index] = max(found[index], carried)
        return found


class Concurrency:
    """The series of the account and of every function that ran."""

    def __init__(self) -> None:
        self.account = Series()
        self._functions: dict[str, Series] = {}

    def clear(self) -> None:
        self.account = Series()
        self._functions.clear()

    def add(self, t: int, totals: Totals, functions: Iterable[FunctionView]) -> None:
        """Take a delta in: the totals, and the functions that it touched."""
        self.account.add(t, totals.running)
        for view in functions:
            series = self._functions.get(view.name)
            if series is None:
                if not view.running:
                    continue
                series = self._functions[view.name] = Series()
            series.add(t, view.running)

    def forget(self, function: str) -> None:
        self._functions.pop(function, None)

    def of(self, function: str | None) -> Series:
        """The series of a function, or of the account."""
        return self.account if function is None else self._functions.get(function, Series())
