"""Rows drawn line by line: fixed columns, named styles, and nothing drawn that is not visible."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.cache import FIFOCache
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style

from workbench.tui.format import fit
from workbench.tui.widgets.columns import GAP, Column, Placed, place
from workbench.tui.widgets.framed_lines import FramedLines

Item = TypeVar("Item")
#: A piece of a row: its text and the name of its style.
Piece = tuple[str, str]
#: Cells before the first column: the mark of the selected row and a blank.
MARKER = 2


class DrawnRows(ScrollView, Generic[Item]):
    """Subclasses say how to name a row (`key`), how to draw a column of it (`piece`) and which columns there are.

    The first line is the heading. All text goes through `fit`, which makes it harmless.
    """

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    #: What teaches when there is nothing to show.
    EMPTY: ClassVar[str] = ""
    ALLOW_SELECT = False

    #: The named styles. They are no component classes: Textual matches each of those against the whole stylesheet
    #: whenever the focus moves.
    STYLES: ClassVar[Mapping[str, str]] = {
        "": "",
        "header": "$foreground 45%",
        "dim": "$foreground 60%",
        "faint": "$foreground 35%",
        "strong": "bold",
        "good": "$text-success",
        "warn": "$text-warning",
        "bad": "bold $text-error",
        "cold": "$text-accent",
        "busy": "$success",
        "run": "bold $text-success",
        "accent": "$text-primary",
    }
    CURSOR: ClassVar[str] = "bold on $primary 35%"
    CURSOR_BLURRED: ClassVar[str] = "on $foreground 9%"

    DEFAULT_CSS = """
    DrawnRows {
        background: $background;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        scrollbar-color: $foreground 20%;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.items: Sequence[Item] = ()
        self.cursor: Hashable = None
        self._placed: tuple[Placed, ...] = ()
        self._width = -1
        self._styles_of: dict[tuple[str, str], RichStyle] = {}
        self._drawn_upon: tuple[Style, str] | None = None
        self._restyled = True
        self._strips: FIFOCache[Hashable, Strip] = FIFOCache(512)
        self._styles_cache = FramedLines()

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

    def empty(self) -> str:
        """What to say when there is no row."""
        return self.EMPTY

    def text_of_empty(self) -> str:
        """What stands in the place of rows."""
        return self.empty()

    # -- drawing
    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._restyled = True

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
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
        if self._restyled:
            self._restyle()
        if not self.items:
            return self._line_of_empty(y, width)
        if y == 0:
            return self._header(width)
        index = self.scroll_offset.y + y - 1
        if index >= len(self.items):
            return Strip.blank(width, self._style("", ""))
        return self._row(self.items[index], width)

    def _row(self, item: Item, width: int) -> Strip:
        here = self.key(item) == self.cursor
        back = (self.CURSOR if self.has_focus else self.CURSOR_BLURRED) if here else ""
        stamp = self.stamp(item)
        if stamp is not None and (strip := self._strips.get((stamp, back))) is not None:
            return strip
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
            self._strips[(stamp, back)] = strip
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
            *(
                line
                for part in self.text_of_empty().split("\n")
                for line in textwrap.wrap(part, max(8, width - 4)) or [""]
            ),
        ]
        text = "  " + lines[y] if y < len(lines) else ""
        return Strip([Segment(text, style)]).adjust_cell_length(width, style)

    def _restyle(self) -> None:
        """Start the styles and strips anew if the widget's own style, which all are drawn upon, is another."""
        own, theme = self.visual_style, self.app.theme
        if (own, theme) != self._drawn_upon:
            self._drawn_upon = (own, theme)
            self._styles_of.clear()
            self._strips.clear()
        self._restyled = False

    def _style(self, name: str, back: str) -> RichStyle:
        """A named style upon the background of a row."""
        style = self._styles_of.get((name, back))
        if style is None:
            own = self.visual_style
            style = (own + Style.parse(self.STYLES[name])).rich_style
            if back:
                cursor = (own + Style.parse(back)).rich_style
                style = style + RichStyle(bgcolor=cursor.bgcolor, bold=cursor.bold or style.bold)
            self._styles_of[(name, back)] = style
        return style
