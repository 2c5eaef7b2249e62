"""A text to read whole, or to take away: then it is in the clipboard already where the terminal allows that."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content

from workbench.model.text import one_line, sanitize
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.panel import Panel


class Snippet(Dialog[None]):
    """Copies by OSC 52, which works over ssh and in tmux where it is switched on; else the mouse can select it."""

    DEFAULT_CSS = """
    Snippet {
        & > .box { width: 110; padding: 0; background: $background; }
        .panel { height: auto; max-height: 24; padding: 1 2; &, &:focus { border: none; } }
    }
    """
    BINDINGS = [Binding("y,c", "copy", "Copy", key_display="y")]
    AUTO_FOCUS = "Panel"

    def __init__(self, title: str, text: str, *, copied: bool = True) -> None:
        super().__init__()
        self._copied = copied
        self._heading = title
        self._snippet = sanitize(text)

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        box.border_title = Content(one_line(self._heading))
        box.border_subtitle = Content(f"{'copied · y copies again' if self._copied else 'y copies'} · esc back")
        with box:
            yield Panel("")

    def on_mount(self) -> None:
        self.query_one(Panel).write(Content(self._snippet))
        if self._copied:
            self.action_copy()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._snippet)
