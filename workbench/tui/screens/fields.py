"""What dialogs of fields share: a row for each, what is judged of them, and what can be done then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Static

from workbench.model.text import one_line
from workbench.tui.screens.dialog import Dialog

Result = TypeVar("Result")


class Fields(Dialog[Result]):
    """A subclass composes its fields in `rows`, and tells by `show` what would come of them whenever they change."""

    DEFAULT_CSS = """
    Fields {
        & > .box { width: 88; padding: 0 1; background: $surface; }
        .row { height: 1; }
        #first { height: 1; }
        .row Label { width: 14; color: $foreground 60%; margin: 0 1 0 1; }
        .row Input { width: 1fr; border: none; height: 1; padding: 0 1; background: $background; }
        .row Input:focus { background: $primary 25%; }
        .row Choice { width: 1fr; }
        .row .unit { width: auto; margin: 0 1; color: $foreground 50%; }
        #judgement { height: auto; max-height: 8; margin: 1 1 0 1; }
        .buttons { margin-top: 1; height: 1; }
    }
    """
    BINDINGS = [
        Binding("ctrl+s", "go", "Do it", key_display="^s"),
        Binding("f2", "show_cli", "aws CLI", key_display="F2"),
    ]
    #: What the button that does it says, and what a sentence says of its key.
    GO: ClassVar[tuple[str, str]]

    def __init__(self, heading: str) -> None:
        super().__init__()
        self._heading = heading

    def rows(self) -> ComposeResult:
        """The fields."""
        raise NotImplementedError

    def action_go(self) -> None:
        """Do what the fields say, if nothing is wrong with them."""
        raise NotImplementedError

    def action_show_cli(self) -> None:
        """Show it as a call of the aws CLI, if nothing is wrong with them."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        word, does = self.GO
        box = Vertical(classes="box")
        box.border_title = Content(one_line(self._heading))
        box.border_subtitle = Content(f"^s {does} · F2 aws CLI · tab next field · esc back")
        with box:
            yield Static(id="first")
            yield from self.rows()
            yield Static(id="judgement")
            with Horizontal(classes="buttons"):
                for id, key, text in (("go", "^s", word), ("cli", "F2", "aws CLI"), ("cancel", "esc", "Cancel")):
                    yield Button(
                        Content.assemble((key, "bold underline"), f" {text}"),
                        id=id,
                        variant="primary" if id == "go" else "default",
                        compact=True,
                    )

    @staticmethod
    def row(label: str, *widgets: Widget) -> Horizontal:
        """A field with its name."""
        return Horizontal(Label(label), *widgets, classes="row")

    def show(self, lines: Sequence[Content], able: bool) -> None:
        """What is judged of the fields; `able` if they can be acted upon."""
        self.query_one("#judgement", Static).update(Content("\n").join(lines))
        for id in ("#go", "#cli"):
            self.query_one(id, Button).disabled = not able

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        self.action_go()

    @on(Button.Pressed, "#cli")
    def _show_cli(self) -> None:
        self.action_show_cli()

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)
