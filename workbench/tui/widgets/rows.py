"""A list that lives: rows come and go, one is selected, and what a person looks at stays where it is."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from enum import Enum
from typing import Any, ClassVar

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.widget import Widget

from workbench.tui.commands import moves
from workbench.tui.commands.base import Command, bindings
from workbench.tui.format import number
from workbench.tui.widgets.drawn_rows import DrawnRows, Item


class Edge(Enum):
    """Where new rows come in. A list that follows stays there; None has rows that stay."""

    NONE = 0
    TOP = 1
    BOTTOM = 2


class RowList(DrawnRows[Item], can_focus=True):
    """Moves a cursor over its rows, follows new ones, pauses.

    A row that is selected, or the first visible one when the person has scrolled, stays where it is on the screen
    while rows come and go. Without either the list follows its edge.
    """

    EDGE: ClassVar[Edge] = Edge.NONE
    NAME: ClassVar[str] = ""
    NUMBER: ClassVar[int] = 0
    #: The commands of this list beside the moves.
    OFFERS: ClassVar[tuple[type[Command], ...]] = ()

    BINDINGS = bindings(*moves.ROWS)

    paused: var[bool] = var(False)
    #: No engine has answered yet, so that nothing can be said.
    waiting: var[bool] = var(False)
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
        self.following = True
        self._waiting: Sequence[Item] = ()
        self._placing = False
        self._titles: tuple[Content, Content] | None = None

    def title(self) -> Content:
        """What the upper border says."""
        return self.name_of_list()

    def subtitle(self) -> Content:
        """What the lower border says."""
        return Content("")

    def text_of_empty(self) -> str:
        return "Waiting for the engine …" if self.waiting else self.empty()

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
    def watch_waiting(self) -> None:
        self.refresh()

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
        if self.waiting:
            return Content("")
        if self.stale:
            return Content.styled("  ○ last known", "$text-warning")
        if self.following or self.EDGE is Edge.NONE:
            return Content.styled("  ● live", "$text-success")
        top = self.scroll_offset.y
        newer = top if self.EDGE is Edge.TOP else max(0, len(self.items) - top - self.page)
        return Content.styled(f"  ○ held{f', {number(newer)} newer' if newer else ''}", "$foreground 60%")
