"""A form: fields, what is wrong with them, what saving would do; saved, undone and said to the aws CLI alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Select, Static, TextArea

from workbench.model.text import one_line, sanitize
from workbench.tui.changes import Change
from workbench.tui.judged import Judgement
from workbench.tui.screens.dialog import Dialog


class Form(Dialog[None]):
    """A subclass composes its fields in `rows` and judges them. `saved` is called after each change that was made."""

    DEFAULT_CSS = """
    Form {
        & > .box { width: 88; padding: 0 1; background: $surface; }
        .row { height: 1; }
        #first { height: 1; }
        .row Label { width: 14; color: $foreground 60%; margin: 0 1 0 1; }
        .row Input { width: 1fr; border: none; height: 1; padding: 0 1; background: $background; }
        .row Input:focus { background: $primary 25%; }
        .row Choice { width: 1fr; }
        .row .unit { width: auto; margin: 0 1; color: $foreground 50%; }
        TextArea { height: 7; border: round $foreground 25%; }
        TextArea:focus { border: heavy $primary; }
        #judgement { height: auto; max-height: 8; margin: 1 1 0 1; }
        .buttons { margin-top: 1; height: 1; }
    }
    """
    BINDINGS = [
        Binding("ctrl+s", "save", "Save", key_display="^s"),
        Binding("f2", "show_cli", "aws CLI", key_display="F2"),
    ]
    AUTO_FOCUS = "Input"

    def __init__(self, title: str, saved: Callable[[], object]) -> None:
        super().__init__()
        self._heading = title
        self._saved = saved
        self._busy = False

    def rows(self) -> ComposeResult:
        """The fields."""
        raise NotImplementedError

    def judge(self) -> Judgement:
        """Of what stands in the fields now."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        box.border_title = Content(one_line(self._heading))
        box.border_subtitle = Content("^s saves · F2 aws CLI · tab next field · esc back")
        with box:
            yield Static(id="first")
            yield from self.rows()
            yield Static(id="judgement")
            with Horizontal(classes="buttons"):
                for id, key, text in (("save", "^s", "Save"), ("cli", "F2", "aws CLI"), ("cancel", "esc", "Cancel")):
                    yield Button(
                        Content.assemble((key, "bold underline"), f" {text}"),
                        id=id,
                        variant="primary" if id == "save" else "default",
                        compact=True,
                    )

    @staticmethod
    def row(label: str, *widgets: Widget) -> Horizontal:
        """A field with its name."""
        return Horizontal(Label(label), *widgets, classes="row")

    def on_mount(self) -> None:
        self._show()

    @on(Input.Changed)
    @on(Select.Changed)
    @on(TextArea.Changed)
    def _changed(self) -> None:
        self._show()

    def _show(self) -> None:
        found = self.judge()
        lines = [Content.styled(f"✗ {sanitize(text)}", "$text-error") for text in found.problems]
        lines += [Content.assemble((sanitize(str(change)), "bold")) for change in found.changes]
        lines += [Content.styled(f"→ {sanitize(text)}", "$text-warning") for text in found.effects]
        if not lines:
            lines = [Content.styled("Nothing is changed yet.", "$foreground 50%")]
        self.query_one("#judgement", Static).update(Content("\n").join(lines))
        able = bool(found.changes) and not found.problems
        for id in ("#save", "#cli"):
            self.query_one(id, Button).disabled = not able

    @on(Input.Submitted)
    @on(Button.Pressed, "#save")
    def action_save(self) -> None:
        found = self.judge()
        if found.problems or not found.changes or self._busy:
            self.app.bell()
            return
        self._busy = True
        self._save(found.changes)

    @work(group="edits")
    async def _save(self, changes: Sequence[Change]) -> None:
        made = await self.workbench.make(changes)
        if made:
            self._saved()
        self._busy = False
        if made == len(changes):
            self.dismiss(None)

    @on(Button.Pressed, "#cli")
    def action_show_cli(self) -> None:
        from workbench.tui.screens.snippet import Snippet

        found = self.judge()
        if found.problems or not found.changes:
            self.app.bell()
            return
        text = "\n\n".join(change.cli(self.workbench.endpoint) for change in found.changes)
        self.app.push_screen(Snippet("These changes with the aws CLI", text))

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)
