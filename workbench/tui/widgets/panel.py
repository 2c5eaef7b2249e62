"""A bordered box of text that scrolls."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static


class Panel(VerticalScroll, can_focus=True):
    """`write` replaces the text, `draw` one that depends on the width; the same text again costs nothing."""

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="panel")
        self.border_title = Content.styled(title, "bold")
        self._content = Content("")
        self._make: Callable[[int], Content] | None = None

    def compose(self) -> ComposeResult:
        yield Static(self._content)

    def draw(self, make: Callable[[int], Content], subtitle: str = "") -> None:
        """Replace the text by what `make` makes of the cells of a line, and again when the panel's width changes."""
        self._make = make
        self._put(make(self._room))
        self.border_subtitle = Content(subtitle)

    def on_resize(self) -> None:
        if self._make is not None:
            self._put(self._make(self._room))

    @property
    def _room(self) -> int:
        """Cells beside the scroll bar; while the panel is hidden, as many as one is likely to have."""
        return self.content_size.width - 2 if self.content_size.width > 2 else 72

    def write(self, content: Content, subtitle: str = "") -> None:
        self._make = None
        self._put(content)
        self.border_subtitle = Content(subtitle)

    @property
    def text(self) -> str:
        """What it shows, without its style."""
        return self._content.plain

    def _put(self, content: Content) -> None:
        if not content.is_same(self._content):  # `==` compares the text alone, not its style
            self._content = content
            self.query_one(Static).update(content)
