"""A form: fields, what is wrong with them, what saving would do; saved, undone and said to the aws CLI alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import on, work
from textual.content import Content
from textual.widgets import Input, Select, TextArea

from workbench.model.text import sanitize
from workbench.tui.changes import Change
from workbench.tui.judged import Judgement
from workbench.tui.screens.fields import Fields


class Form(Fields[None]):
    """A subclass composes its fields in `rows` and judges them. `saved` is called after each change that was made."""

    DEFAULT_CSS = """
    Form {
        TextArea { height: 7; border: round $foreground 25%; }
        TextArea:focus { border: heavy $primary; }
    }
    """
    GO = ("Save", "saves")
    AUTO_FOCUS = "Input"

    def __init__(self, title: str, saved: Callable[[], object]) -> None:
        super().__init__(title)
        self._saved = saved
        self._busy = False

    def judge(self) -> Judgement:
        """Of what stands in the fields now."""
        raise NotImplementedError

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
        self.show(lines, bool(found.changes) and not found.problems)

    def action_go(self) -> None:
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

    def action_show_cli(self) -> None:
        from workbench.tui.screens.snippet import Snippet

        found = self.judge()
        if found.problems or not found.changes:
            self.app.bell()
            return
        text = "\n\n".join(change.cli(self.workbench.endpoint) for change in found.changes)
        self.app.push_screen(Snippet("These changes with the aws CLI", text))
