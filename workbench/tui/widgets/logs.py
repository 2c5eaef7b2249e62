"""The log lines of all environments, or of one function; the newest last."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.content import Content

from workbench.live.view import LogView
from workbench.model.text import one_line
from workbench.tui.commands import main as commands
from workbench.tui.commands import moves
from workbench.tui.commands.base import Command, bindings
from workbench.tui.format import clock_ms, environment_id, number, plural, version
from workbench.tui.mirror import Changed, Gap, Mirror
from workbench.tui.widgets.columns import Column
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.rows import Edge, RowList

#: Cells that one step to the left or right moves long lines.
STEP = 16
#: Characters of a line that are looked at; the rest cannot be scrolled to.
REACH = 4_000
_BAD = re.compile(r"\b(?:ERROR|FATAL|CRITICAL|Traceback|Exception)\b")
_WARN = re.compile(r"\bWARN(?:ING)?\b")


class LogList(RowList[LogView | Gap]):
    """A tail. Lines that were lost on the way are one row that counts them."""

    NAME = "Logs"
    NUMBER = 4
    EDGE = Edge.BOTTOM
    EMPTY = "No lines yet.\n\nWhat functions print, and START, END and REPORT of each invocation, appears here."
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("time", "TIME", 12, keep=60),
        Column("function", "FUNCTION", 10, keep=50, flex=1, most=18),
        Column("version", "VER", 3, keep=40),
        Column("environment", "ENV", 7, keep=30),
        Column("text", "LINE", 44, flex=12),
    )
    OFFERS: ClassVar[tuple[type[Command], ...]] = (commands.Open, commands.Pause, commands.Only)
    BINDINGS = bindings(*OFFERS, *moves.SIDEWAYS)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.only: str | None = None
        self._shift = 0
        self._total = 0
        self._missed = 0

    def sync(self, mirror: Mirror, changed: Changed) -> None:
        """Take the lines over when there are new ones."""
        if not changed.logs:
            return
        self._total, self._missed = mirror.totals.log_lines, mirror.missed_logs
        self.show(self.listed(mirror))

    def listed(self, mirror: Mirror) -> Sequence[LogView | Gap]:
        """The lines to show, oldest first."""
        if self.only is not None:
            return [line for line in mirror.logs if isinstance(line, LogView) and line.function == self.only]
        return list(mirror.logs)

    def key(self, item: LogView | Gap) -> Hashable:
        return item.n

    def find(self, key: Hashable) -> int | None:
        if not isinstance(key, int):
            return None
        index = bisect_left(self.items, key, key=lambda item: item.n)
        return index if index < len(self.items) and self.items[index].n == key else None

    def stamp(self, item: LogView | Gap) -> Hashable:
        return item.n

    def piece(self, item: LogView | Gap, column: str, width: int) -> Piece | list[Piece]:
        if isinstance(item, Gap):
            return (f"… {plural(item.lines, 'line')} not kept …", "warn") if column == "text" else ("", "")
        match column:
            case "time":
                return (clock_ms(item.wall), "faint")
            case "function":
                return (item.function, "dim")
            case "version":
                return (version(item.version), "faint")
            case "environment":
                return (environment_id(item.environment), "faint")
            case _:
                return self._text(item)

    def _text(self, line: LogView) -> Piece:
        text = one_line(line.text[:REACH])
        head = text[:120]
        if line.stream == "platform":
            style = "dim"
        elif _BAD.search(head):
            style = "bad"
        else:
            style = "warn" if _WARN.search(head) else ""
        return ("…" + text[self._shift + 1 :] if self._shift and text else text, style)

    def action_shift(self, step: int) -> None:
        top = self.scroll_offset.y
        seen = self.items[top : top + self.page]
        longest = max((len(item.text[:REACH]) for item in seen if isinstance(item, LogView)), default=0)
        self._shift = max(0, min(self._shift + step * STEP, longest - STEP))
        self.redraw()
        self.retitle()

    @property
    def shifted(self) -> str:
        """How far the lines are moved to the left."""
        return f"  from column {self._shift + 1}" if self._shift else ""

    def title(self) -> Content:
        of = f"  {one_line(self.only)}" if self.only else "  all functions"
        return Content.assemble(self.name_of_list(), (of, "$text-primary"), self.state_of_list(), self.shifted)

    def subtitle(self) -> Content:
        return Content.styled(f"{plural(self._total, 'line')} · {number(self._missed)} dropped", "$foreground 50%")
