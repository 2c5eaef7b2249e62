"""A question whose answer is typed."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from workbench.model.text import one_line, sanitize
from workbench.tui.screens.dialog import Dialog


class Ask(Dialog[str]):
    """Returns what was typed, or None for esc. `problem` says what is wrong with a text, or is empty."""

    DEFAULT_CSS = """
    Ask {
        & > .box { width: 76; padding: 1 2; }
        Input { margin: 1 0 0 0; border: none; height: 1; padding: 0 1; background: $background; }
        #problem { height: 1; color: $text-error; }
    }
    """
    AUTO_FOCUS = "Input"

    def __init__(self, title: str, text: str, value: str, problem: Callable[[str], str]) -> None:
        super().__init__()
        self._heading = title
        self._text = text
        self._typed = value
        self._problem = problem

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        box.border_title = Content(one_line(self._heading))
        box.border_subtitle = Content("⏎ takes it · esc back")
        with box:
            yield Static(Content(sanitize(self._text)))
            yield Input(one_line(self._typed), compact=True)
            yield Static(id="problem")

    @on(Input.Changed)
    def _judge(self, event: Input.Changed) -> None:
        self.query_one("#problem", Static).update(Content(self._problem(event.value)))

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        if self._problem(event.value):
            self.app.bell()
        else:
            self.dismiss(event.value)
