"""The command line: a verb and its object, completed while they are typed."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from workbench.model.text import one_line
from workbench.tui.commands.line import Call, Candidate, candidates, read
from workbench.tui.format import fit
from workbench.tui.screens.dialog import Dialog

#: Candidates that are shown at once, and cells of their names at most.
SHOWN = 8
_NAME = 34


class CommandLine(Dialog[Call]):
    """Returns the call, or None for esc. Tab takes the marked candidate over."""

    DEFAULT_CSS = """
    CommandLine {
        align: center bottom;
        background: $background 30%;
        & > .box { width: 100%; padding: 0 1; border: round $primary; }
        #candidates { height: auto; }
        Input { border: none; height: 1; padding: 0; background: $surface; }
        #problem { height: auto; color: $text-error; display: none; }
    }
    """
    BINDINGS = [
        Binding("tab", "complete", "Complete", priority=True),
        Binding("down", "mark(1)", "Next", priority=True, show=False),
        Binding("up", "mark(-1)", "Previous", priority=True, show=False),
    ]
    AUTO_FOCUS = "Input"

    def __init__(self) -> None:
        super().__init__()
        self._candidates: list[Candidate] = []
        self._marked = 0
        #: The first candidate that is in view.
        self._top = 0

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        box.border_title = Content(": command")
        box.border_subtitle = Content("tab completes · ↑↓ choose · ⏎ does it · esc back")
        with box:
            yield Static(id="candidates")
            yield Static(id="problem")
            yield Input(compact=True, placeholder="function, fire, environments, invocation …")

    def on_mount(self) -> None:
        self._offer()

    @on(Input.Changed)
    def _offer(self) -> None:
        self._candidates = candidates(self.query_one(Input).value, self.workbench.mirror)
        self._marked = self._top = 0
        self.query_one("#problem", Static).display = False
        self._draw()

    def _draw(self) -> None:
        self._top = max(self._marked - SHOWN + 1, min(self._top, self._marked))
        seen = self._candidates[self._top : self._top + SHOWN]
        name = min(_NAME, max((len(candidate.text) for candidate in seen), default=0) + 2)
        lines = []
        for index, candidate in enumerate(seen, self._top):
            here = index == self._marked
            lines.append(
                Content.assemble(
                    ("▸ " if here else "  ", "bold"),
                    (fit(candidate.text, name), "bold" if here else ""),
                    (fit(one_line(candidate.help), max(8, self.size.width - name - 8)), "$foreground 55%"),
                )
            )
        self.query_one("#candidates", Static).update(Content("\n").join(lines))
        more = len(self._candidates) > len(seen)
        place = f" {self._marked + 1} of {len(self._candidates)}" if more else ""
        self.query_one(".box").border_title = Content.assemble(": command", (place, "$foreground 55%"))

    def action_mark(self, step: int) -> None:
        if self._candidates:
            self._marked = (self._marked + step) % len(self._candidates)
            self._draw()

    def action_complete(self) -> None:
        if self._candidates:
            field = self.query_one(Input)
            field.value = self._candidates[self._marked].text
            field.cursor_position = len(field.value)

    @on(Input.Submitted)
    def _do(self, event: Input.Submitted) -> None:
        text = event.value
        if self._marked:  # chosen with the arrows
            text = self._candidates[self._marked].text
        found = read(text, self.workbench.mirror)
        if isinstance(found, Call):
            self.dismiss(found)
            return
        problem = self.query_one("#problem", Static)
        problem.update(Content(f"✗ {one_line(found)}"))
        problem.display = True
