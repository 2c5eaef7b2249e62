"""A list drawn line by line: fixed columns, one selected row, nothing drawn that is not visible."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Sequence
from enum import Enum
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from workbench.tui.commands import moves
from workbench.tui.commands.base import bindings
from workbench.tui.format import fit, number
from workbench.tui.widgets.columns import GAP, Column, Placed, place

Item = TypeVar("Item")
#: A piece of a row: its text and the name of its style.
Piece = tuple[str, str]
MARKER = 2


class Edge(Enum):
    """Where new rows come in. A list that follows stays there; None has rows that stay."""

    NONE = 0
    TOP = 1
    BOTTOM = 2


class RowList(ScrollView, Generic[Item], can_focus=True):
    """Subclasses say how to name a row (`key`), how to draw a column of it (`piece`) and which columns there are.

    A row that is selected, or the first visible one when the person has scrolled, stays where it is on the screen
    while rows come and go. Without either the list follows its edge.
    """

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    EDGE: ClassVar[Edge] = Edge.NONE
    NAME: ClassVar[str] = ""
    NUMBER: ClassVar[int] = 0
    #: What teaches when there is nothing to show.
    EMPTY: ClassVar[str] = ""
    ALLOW_SELECT = False

    STYLES: ClassVar[tuple[str, ...]] = ("dim", "faint", "strong", "good", "warn", "bad", "cold", "busy", "accent")
    COMPONENT_CLASSES = {
        "rows--cursor",
        "rows--cursor-blurred",
        "rows--header",
        *(f"rows--{name}" for name in STYLES),
    }
    DEFAULT_CSS = """
    RowList {
        background: $background;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        scrollbar-color: $foreground 20%;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
        & > .rows--header { color: $foreground 45%; }
        & > .rows--cursor { background: $primary 35%; text-style: bold; }
        & > .rows--cursor-blurred { background: $foreground 9%; }
        & > .rows--dim { color: $foreground 60%; }
        & > .rows--faint { color: $foreground 35%; }
        & > .rows--strong { text-style: bold; }
        & > .rows--good { color: $text-success; }
        & > .rows--warn { color: $text-warning; }
        & > .rows--bad { color: $text-error; text-style: bold; }
        & > .rows--cold { color: $text-accent; }
        & > .rows--busy { color: $success; }
        & > .rows--accent { color: $text-primary; }
    }
    """
    BINDINGS = bindings(*moves.ROWS)

    paused: var[bool] = var(False)
    #: What is shown is the last that was known; nothing new comes in.
    stale: var[bool] = var(False)

    class Selected(Message):
        """Another row is selected."""

        def __init__(self, rows: RowList[Any]) -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> RowList[Any]:
            return self.rows

    class Opened(Selected):
        """The selected row was clicked twice."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.items: Sequence[Item] = ()
        self.cursor: Hashable = None
        self.following = True
        self._waiting: Sequence[Item] = ()
        self._placing = False
        self._placed: tuple[Placed, ...] = ()
        self._width = -1
        self._styles_of: dict[tuple[str, str], Style] = {}
        self._strips: LRUCache[Hashable, Strip] = LRUCache(512)
        self._titles: tuple[Content, Content] | None = None

    # -- what a subclass says
    def key(self, item: Item) -> Hashable:
        """What names the row for as long as it lives."""
        raise NotImplementedError

    def piece(self, item: Item, column: str, width: int) -> Piece | list[Piece]:
        """The text of one column and its style; a list of pieces must be exactly `width` cells wide."""
        raise NotImplementedError

    def stamp(self, item: Item) -> Hashable:
        """What the row's strip may be kept under; None for a row that can change any time."""
        return None

    def heading(self, column: Placed) -> str:
        """What stands above a column."""
        return column.title

    def title(self) -> Content:
        """What the upper border says."""
        return self.name_of_list()

    def subtitle(self) -> Content:
        """What the lower border says."""
        return Content("")

    def empty(self) -> str:
        """What to say when there is no row."""
        return self.EMPTY

    # -- rows in
    def show(self, items: Sequence[Item]) -> None:
        """Show these rows from now on; a paused list only remembers them."""
        self._waiting = items
        if not self.paused:
            self._take(items)
        self.retitle()

    def _take(self, items: Sequence[Item]) -> None:
        anchor = self._anchor()
        before = self.cursor_index
        self.items = items
        if before is not None and self.cursor_index is None:
            self.cursor = None
            if items and self.EDGE is Edge.NONE:
                self.cursor = self.key(items[min(before, len(items) - 1)])
        if self.cursor is None and items and self.EDGE is Edge.NONE:
            self.cursor = self.key(items[0])
        size = Size(0, len(items) + 1 if items else 0)
        if size != self.virtual_size:
            self.virtual_size = size
        self._hold(anchor)
        self.refresh()

    def _anchor(self) -> tuple[Hashable, int] | None:
        """A row and the line of the screen on which it is to stay."""
        if self.following or not self.items:
            return None
        top = self.scroll_offset.y
        index = self.cursor_index
        if index is None or not top <= index < top + self.page:
            index = min(top, len(self.items) - 1)
        return (self.key(self.items[index]), index - top)

    def _hold(self, anchor: tuple[Hashable, int] | None) -> None:
        if anchor is None:
            self._follow()
            return
        index = self.find(anchor[0])
        if index is not None:
            self._scroll(index - anchor[1])

    def _follow(self) -> None:
        if self.EDGE is Edge.TOP:
            self._scroll(0)
        elif self.EDGE is Edge.BOTTOM:
            self._scroll(self.max_scroll_y)

    def _scroll(self, y: int) -> None:
        self._placing = True
        try:
            self.scroll_to(y=max(0, y), animate=False, force=True, immediate=True)
        finally:
            self._placing = False

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self._placing:
            self.following = self.cursor is None and self._at_edge()
            self.retitle()

    def _at_edge(self) -> bool:
        if self.EDGE is Edge.TOP:
            return self.scroll_y <= 0
        return self.EDGE is Edge.BOTTOM and self.scroll_y >= self.max_scroll_y

    def on_resize(self, event: events.Resize) -> None:
        if self.following:
            self._follow()

    # -- the cursor
    @property
    def page(self) -> int:
        """Rows that are visible at once."""
        return max(1, self.size.height - 1)

    @property
    def cursor_index(self) -> int | None:
        return None if self.cursor is None else self.find(self.cursor)

    @property
    def selected(self) -> Item | None:
        """The row under the cursor; where none is, the newest of a list that follows."""
        index = self.cursor_index
        if index is not None:
            return self.items[index]
        if not self.items or self.EDGE is Edge.NONE:
            return None
        return self.items[0 if self.EDGE is Edge.TOP else -1]

    def find(self, key: Hashable) -> int | None:
        """Where the row of this key is."""
        for index, item in enumerate(self.items):
            if self.key(item) == key:
                return index
        return None

    def select(self, index: int | None) -> None:
        """Select a row and bring it into view; None lets go, and the list follows its edge again."""
        old = self.cursor
        if index is None or not self.items:
            self.cursor = None
            self.following = True
            self._follow()
        else:
            index = max(0, min(index, len(self.items) - 1))
            self.cursor = self.key(self.items[index])
            self.following = False
            top = self.scroll_offset.y
            if index < top:
                self._scroll(index)
            elif index >= top + self.page:
                self._scroll(index - self.page + 1)
        self.refresh()
        self.retitle()
        if self.cursor != old:
            self.post_message(self.Selected(self))

    def action_move(self, step: int) -> None:
        index = self.cursor_index
        if index is None:
            if self.EDGE is Edge.BOTTOM:
                self.select(len(self.items) - 1 if step < 0 else None)
            else:
                self.select(self.scroll_offset.y if step > 0 else None)
        elif (self.EDGE is Edge.TOP and index + step < 0) or (
            self.EDGE is Edge.BOTTOM and index + step >= len(self.items)
        ):
            self.select(None)
        else:
            self.select(index + step)

    def action_page(self, step: int) -> None:
        index = self.cursor_index
        if index is None:
            index = len(self.items) if self.EDGE is Edge.BOTTOM else 0
        self.select(index + step * self.page)

    def action_first(self) -> None:
        self.select(None if self.EDGE is Edge.TOP else 0)

    def action_last(self) -> None:
        self.select(None if self.EDGE is Edge.BOTTOM else len(self.items) - 1)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or offset.y == 0:
            return
        index = offset.y - 1 + self.scroll_offset.y
        if index < len(self.items):
            self.select(index)
            if event.chain == 2:
                self.post_message(self.Opened(self))

    # -- pausing
    def watch_stale(self) -> None:
        self.retitle()

    def watch_paused(self, paused: bool) -> None:
        if not paused:
            self._take(self._waiting)
        self.retitle()

    # -- titles
    def retitle(self) -> None:
        """Bring the border's texts up to date; costs nothing while they stay."""
        titles = (self.title(), self.subtitle())
        if titles != self._titles:
            self._titles = titles
            self.framed.border_title, self.framed.border_subtitle = titles

    @property
    def framed(self) -> Widget:
        """Whose border carries the titles."""
        return self

    def name_of_list(self) -> Content:
        """The name, after the key that leads here."""
        key = f"{self.NUMBER} " if self.NUMBER else ""
        return Content.assemble((key, "$foreground 50%"), (self.NAME, "bold"))

    def state_of_list(self) -> Content:
        """Live, paused, or how much is newer than what is shown."""
        if self.paused:
            new = len(self._waiting) - len(self.items)
            more = f"  {number(new)} more" if new > 0 else ""
            return Content.styled(f"  ‖ paused{more}", "bold $text-warning")
        if self.stale:
            return Content.styled("  ○ last known", "$text-warning")
        if self.following or self.EDGE is Edge.NONE:
            return Content.styled("  ● live", "$text-success")
        top = self.scroll_offset.y
        newer = top if self.EDGE is Edge.TOP else max(0, len(self.items) - top - self.page)
        return Content.styled(f"  ○ held{f', {number(newer)} newer' if newer else ''}", "$foreground 60%")

    # -- drawing
    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles_of.clear()
        self._strips.clear()

    def on_focus(self) -> None:
        self._strips.clear()
        self.refresh()

    def on_blur(self) -> None:
        self._strips.clear()
        self.refresh()

    def redraw(self) -> None:
        """Forget what is drawn and draw again."""
        self._strips.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if width != self._width:
            self._width = width
            self._strips.clear()
            self._placed = place(self.COLUMNS, max(1, width - MARKER))
        if not self.items:
            return self._line_of_empty(y, width)
        if y == 0:
            return self._header(width)
        index = self.scroll_offset.y + y - 1
        if index >= len(self.items):
            return Strip.blank(width, self.rich_style)
        return self._row(self.items[index], width)

    def _row(self, item: Item, width: int) -> Strip:
        here = self.key(item) == self.cursor
        stamp = self.stamp(item)
        if stamp is not None and (strip := self._strips.get((stamp, here))) is not None:
            return strip
        back = ("rows--cursor" if self.has_focus else "rows--cursor-blurred") if here else ""
        pieces: list[Piece] = [("▸" if here else " ", "")]
        used = 1
        for column in self._placed:
            piece = self.piece(item, column.name, column.width)
            pieces.append((" ", pieces[-1][1]))  # in its neighbour's style, so that the two become one segment
            if isinstance(piece, tuple):
                pieces.append((fit(piece[0], column.width, right=column.right), piece[1]))
            else:
                pieces += piece
            used += column.width + GAP
        pieces.append((" " * (width - used), pieces[-1][1]))
        segments = [
            Segment("".join(text for text, _ in run), self._style(name, back))
            for name, run in groupby(pieces, key=itemgetter(1))
        ]
        strip = Strip(segments, max(used, width)).crop(0, width)
        if stamp is not None:
            self._strips[(stamp, here)] = strip
        return strip

    def _header(self, width: int) -> Strip:
        titles = (" " * GAP).join(
            fit(self.heading(column), column.width, right=column.right) for column in self._placed
        )
        style = self._style("header", "")
        return Strip([Segment(" " * MARKER + titles, style)]).adjust_cell_length(width, style)

    def _line_of_empty(self, y: int, width: int) -> Strip:
        style = self._style("dim", "")
        lines = [
            "",
            *(line for part in self.empty().split("\n") for line in textwrap.wrap(part, max(8, width - 4)) or [""]),
        ]
        text = "  " + lines[y] if y < len(lines) else ""
        return Strip([Segment(text, style)]).adjust_cell_length(width, style)

    def _style(self, name: str, back: str) -> Style:
        """A named style upon the background of a row."""
        style = self._styles_of.get((name, back))
        if style is None:
            style = self.rich_style
            if name:
                style = self.get_component_rich_style(f"rows--{name}")
            if back:
                cursor = self.get_component_rich_style(back)
                style = style + Style(bgcolor=cursor.bgcolor, bold=cursor.bold or style.bold)
            self._styles_of[(name, back)] = style
        return style
