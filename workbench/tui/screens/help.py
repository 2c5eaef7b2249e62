"""What each key does here, and what each glyph means."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from workbench.model.environments import EnvironmentState
from workbench.tui.commands.base import Command
from workbench.tui.screens.dialog import Dialog

_STATES = {
    EnvironmentState.CREATING: "the sandbox is being made",
    EnvironmentState.INIT: "the runtime starts and imports the function",
    EnvironmentState.IDLE: "ready for an invocation",
    EnvironmentState.BUSY: "an invocation runs",
    EnvironmentState.FROZEN: "ready, and burns no CPU until it is needed",
    EnvironmentState.STOPPING: "told to shut down",
    EnvironmentState.STOPPED: "gone",
    EnvironmentState.FAILED: "gone, and not as it should",
}

Section = tuple[str, Sequence[type[Command]]]


class Help(Dialog[None]):
    """Sections of commands, the focused widget's first."""

    DEFAULT_CSS = """
    Help > .box { width: 84; }
    Help VerticalScroll { height: auto; max-height: 100%; padding: 0 1; scrollbar-size-vertical: 1; }
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__()
        self._sections = sections

    def compose(self) -> ComposeResult:
        box = VerticalScroll(classes="box")
        box.border_title = Content("Help")
        box.border_subtitle = Content("esc closes · ctrl+p finds any command")
        with box:
            yield Static(Content("\n").join(self._lines()))

    def _lines(self) -> list[Content]:
        lines: list[Content] = []
        for title, commands in self._sections:
            lines += [Content(""), Content.styled(title, "bold $text-primary")]
            lines += [
                Content.assemble((f"  {command.shown_key:<8}", "bold"), (command.help(), "$foreground 80%"))
                for command in commands
            ]
        lines += [Content(""), Content.styled("States of an execution environment", "bold $text-primary")]
        lines += [
            Content.assemble((f"  {state.glyph}  ", "bold"), f"{state.value:<10}", (text, "$foreground 80%"))
            for state, text in _STATES.items()
        ]
        return lines
