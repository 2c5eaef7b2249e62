"""A question with a few answers, each with its key."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Key
from textual.widgets import Button, Static

from workbench.model.text import sanitize
from workbench.tui.screens.dialog import Dialog


@dataclass(frozen=True, slots=True)
class Answer:
    """`name` is what the dialog returns. A grave answer ends something."""

    name: str
    key: str
    label: str
    grave: bool = False


class Question(Dialog[str]):
    """Returns the name of the answer, or None for esc."""

    DEFAULT_CSS = """
    Question > .box { width: 76; }
    Question .question { height: auto; margin-top: 1; }
    """

    def __init__(self, title: str, text: str, *answers: Answer) -> None:
        super().__init__()
        self._heading = title
        self._text = text
        self._answers = (*answers, Answer("", "escape", "Cancel"))

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        box.border_title = Content(sanitize(self._heading))
        with box:
            yield Static(Content(sanitize(self._text)), classes="question")
            with Horizontal(classes="buttons"):
                for answer in self._answers:
                    key = "esc" if answer.key == "escape" else answer.key
                    label = Content.assemble((key, "bold underline"), f" {answer.label}")
                    yield Button(
                        label,
                        id=f"answer-{answer.name or 'cancel'}",
                        variant="error" if answer.grave else "default",
                        compact=True,
                    )

    def on_mount(self) -> None:
        self.query(Button).last().focus()

    def on_key(self, event: Key) -> None:
        for answer in self._answers:
            if answer.name and event.key == answer.key:
                event.stop()
                self.dismiss(answer.name)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        name = (event.button.id or "").removeprefix("answer-")
        self.dismiss(None if name == "cancel" else name)
