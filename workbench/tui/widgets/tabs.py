"""The line that says which pane is shown, where there is room for one only."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class PaneTabs(Widget):
    """A number and a name each; a click goes there."""

    DEFAULT_CSS = """
    PaneTabs {
        height: 1;
        padding: 0 1;
        background: $background;
    }
    """
    ALLOW_SELECT = False
    active: reactive[int] = reactive(0)

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = names

    def render(self) -> Content:
        parts: list[tuple[str, str] | str] = []
        for index, name in enumerate(self._names):
            here = index == self.active
            parts += [(f" {index + 1} {name} ", "bold reverse" if here else "$foreground 60%"), " "]
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        x = 0
        for index, name in enumerate(self._names):
            x += len(name) + 5
            if offset.x < x:
                self.post_message(self.Chosen(index))
                return
