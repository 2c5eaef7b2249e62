"""What each key does here, and what each glyph means."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from workbench.model.environments import EnvironmentState
from workbench.tui.commands.base import Command
from workbench.tui.commands.main import CommandLine
from workbench.tui.commands.verbs import VERBS
from workbench.tui.screens.dialog import Dialog

_LAST = "What an environment went through in its last quarter of a second with a change."
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
            yield Static(self._table())

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=9, no_wrap=True)
        table.add_column()
        for title, commands in self._sections:
            table.add_row()
            table.add_row(Text("", style="bold"), Text(title, style="bold"))
            for command in commands:
                table.add_row(
                    Text(self.workbench.keys_of(command), style="bold", justify="right"), Text(command.help())
                )
        table.add_row()
        key = self.workbench.keys_of(CommandLine)
        table.add_row(Text(key, style="bold", justify="right"), Text("What can be typed there", style="bold"))
        for verb in VERBS.values():
            table.add_row(Text(""), Text.assemble((f"{verb.word} {verb.wants}".strip(), "bold"), f"  {verb.help}"))
        table.add_row()
        table.add_row(Text(""), Text("The states of an execution environment", style="bold"))
        for state, text in _STATES.items():
            table.add_row(Text(state.glyph, style="bold", justify="right"), Text(f"{state.value}: {text}"))
        table.add_row()
        table.add_row(Text("LAST", justify="right"), Text(_LAST))
        return table
