"""What differs between two versions: settings, then files; and the lines of the selected one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from textual.content import Content

from workbench.client.version_diff import Change, FileChange, SettingChange
from workbench.model.text import one_line
from workbench.tui.commands import moves
from workbench.tui.commands.base import bindings
from workbench.tui.format import plural, size
from workbench.tui.widgets.columns import Column
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.rows import Edge, RowList

STYLE = {Change.ADDED: "good", Change.REMOVED: "bad", Change.CHANGED: "warn"}
#: Cells that one step to the left or right moves long lines.
STEP = 16


class ChangeList(RowList[SettingChange | FileChange]):
    """One setting or file a row."""

    NAME = "What differs"
    NUMBER = 1
    EDGE = Edge.NONE
    COLUMNS = (
        Column("sign", "", 1, keep=110),
        Column("name", "NAME", 14, keep=100, flex=3, most=48),
        Column("what", "FROM → TO", 16, keep=90, flex=4),
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.note = ""

    def key(self, item: SettingChange | FileChange) -> Hashable:
        return (isinstance(item, FileChange), item.path if isinstance(item, FileChange) else item.name)

    def piece(self, item: SettingChange | FileChange, column: str, width: int) -> Piece | list[Piece]:
        style = STYLE[item.change]
        if column == "sign":
            return (item.change.value, style)
        if isinstance(item, SettingChange):
            if column == "name":
                return (item.name, "strong")
            return (_from_to(item.before, item.after), "dim")
        if column == "name":
            return (item.path, style)
        before = size(item.before) if item.change is not Change.ADDED else None
        after = size(item.after) if item.change is not Change.REMOVED else None
        return (_from_to(before, after), "dim")

    def empty(self) -> str:
        return self.note or "The two versions are the same: settings and code."

    def subtitle(self) -> Content:
        files = sum(isinstance(item, FileChange) for item in self.items)
        text = f"{plural(len(self.items) - files, 'setting')} · {plural(files, 'file')}"
        return Content.styled(f"{text}{' · ' if self.note else ''}{one_line(self.note)}", "$foreground 50%")


def _from_to(before: str | None, after: str | None) -> str:
    return f"{'–' if before is None else before} → {'–' if after is None else after}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a difference, with its sign."""

    number: int
    text: str


class LineList(RowList[Line]):
    """The difference of one file, line by line; long lines move sideways."""

    NAME = "Lines"
    NUMBER = 2
    EDGE = Edge.NONE
    COLUMNS = (Column("text", "", 20, flex=1),)
    BINDINGS = bindings(*moves.SIDEWAYS)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.of = ""
        self._shift = 0

    def write(self, of: str, lines: list[str]) -> None:
        """Show the difference of this file or setting."""
        self.of, self._shift = of, 0
        self._strips.clear()
        self.select(None)
        self.show([Line(number, text) for number, text in enumerate(lines, 1)])

    def key(self, item: Line) -> Hashable:
        return item.number

    def piece(self, item: Line, column: str, width: int) -> Piece | list[Piece]:
        text = one_line(item.text)
        style = {"+": "good", "-": "bad", "@": "accent"}.get(text[:1], "dim")
        return ("…" + text[self._shift + 1 :] if self._shift and text else text, style)

    def empty(self) -> str:
        return "Select a file or a setting."

    def action_shift(self, step: int) -> None:
        longest = max((len(line.text) for line in self.items), default=0)
        self._shift = max(0, min(self._shift + step * STEP, longest - STEP))
        self.redraw()

    def title(self) -> Content:
        return Content.assemble(self.name_of_list(), (f"  {one_line(self.of)}", "$text-primary"))
