"""A choice among a few: Textual's own, in one line, moved through by vim's keys too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.events import Key
from textual.widgets import Select
from textual.widgets._select import SelectCurrent, SelectOverlay


class _Options(SelectOverlay):
    """j and k move; any other letter or figure looks for an option that has it."""

    async def on_key(self, event: Key) -> None:
        if event.key in ("j", "k"):
            event.stop()
            event.prevent_default()
            if event.key == "j":
                self.action_cursor_down()
            else:
                self.action_cursor_up()

    def _find_search_match(self, query: str) -> int | None:
        """Textual's passes over prompts that are `Content`."""
        places = [str(option.prompt).lower().find(query.lower()) for option in self._options]
        found = [index for index, place in enumerate(places) if place >= 0]
        return min(found, key=lambda index: places[index], default=None)


class Choice(Select[Any]):
    """One of its options, each a text and what it stands for, is always chosen."""

    DEFAULT_CSS = """
    Choice > SelectOverlay { border: round $foreground 25%; }
    Choice.-textual-compact > SelectCurrent { padding: 0 1; }
    """
    BINDINGS = [Binding("j,k", "show_overlay", "Choose", show=False)]

    def __init__(self, options: Iterable[tuple[str, Any]], *, value: Any = Select.NULL, id: str | None = None) -> None:
        named = [(Content(text), chosen) for text, chosen in options]
        super().__init__(named, value=value, allow_blank=False, compact=True, id=id)

    def focus(self, scroll_visible: bool = True) -> Self:
        """At once: of the keys that follow a choice none goes to the list that has just closed."""
        self.screen.set_focus(self, scroll_visible)
        return self

    def compose(self) -> ComposeResult:
        yield SelectCurrent(self.prompt)
        yield _Options(type_to_search=True).data_bind(compact=Select.compact)
