"""A bordered box of text that scrolls."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static


class Panel(VerticalScroll, can_focus=True):
    """`write` replaces the text; the same text again costs nothing."""

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="panel")
        self.border_title = Content.styled(title, "bold")
        self._content = Content("")

    def compose(self) -> ComposeResult:
        yield Static(self._content)

    @property
    def room(self) -> int:
        """Cells of a line of text beside the scroll bar; a guess while the panel is hidden."""
        return self.content_size.width - 3 if self.content_size.width > 3 else 72

    def write(self, content: Content, subtitle: str = "") -> None:
        if content != self._content:
            self._content = content
            self.query_one(Static).update(content)
        self.border_subtitle = Content(subtitle)
