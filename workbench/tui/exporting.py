"""The part of the app that writes what is shown to files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.screen import Screen

from workbench.model.errors import UsageError
from workbench.tui import exported
from workbench.tui.exported import Format
from workbench.tui.format import plural
from workbench.tui.screens.dialog import Dialog
from workbench.tui.screens.live import LiveScreen
from workbench.tui.shell import Shell
from workbench.tui.widgets.rows import RowList


class Exporting(Shell):
    """The rows of the list with the focus, or else all that its screen shows."""

    def action_export(self) -> None:
        """Ask in which format."""
        from workbench.tui.screens.question import Answer, Question

        rows = _rows(self.screen)
        answers = [Answer(Format.JSON.value, "j", "JSON"), Answer(Format.SVG.value, "s", "SVG picture")]
        what = "all that this screen shows; CSV takes the rows of a list that has the focus"
        if rows is not None:
            answers.insert(0, Answer(Format.CSV.value, "c", "CSV"))
            what = f"{rows.NAME}: {plural(len(rows.items), 'row')}, with whole values"
        text = f"JSON has {what}.\nA new file in {Path.cwd()}."
        self.push_screen(Question("Export", text, *answers), lambda answer: self.export(answer) if answer else None)

    def export(self, format: str) -> None:
        """Write what is shown to a new file in the folder from which Workbench was started, and say where."""
        screen = self.screen
        try:
            stem, text = self._exported(screen, Format(format))
        except UsageError as error:
            self.say_error(error)
            return

        async def work() -> None:
            try:
                path = await asyncio.to_thread(lambda: exported.write_new(Path.cwd(), stem, Format(format), text()))
            except OSError as error:
                self.say_error(error)
            else:
                self.say(str(path), title="✓ Exported")

        self.run_worker(work(), group="export")

    def _exported(self, screen: Screen[Any], format: Format) -> tuple[str, Callable[[], str]]:
        """A name for the file, and what makes its text; that may take a while and needs no screen any more."""
        rows = _rows(screen)
        if format is Format.SVG:
            self.hush()
            picture = self.export_screenshot(title=f"{self.title} · {_name(screen)}")
            return _name(screen), lambda: picture
        if rows is not None:
            name, items = rows.NAME, list(rows.items)
            if format is Format.CSV:
                return name, lambda: exported.csv_text(items)
            return name, lambda: exported.json_text(exported.record(items))
        if format is Format.CSV:
            raise UsageError("CSV takes the rows of a list, and none has the focus", mend="its number leads to a list")
        if not isinstance(screen, (LiveScreen, Dialog)):
            raise UsageError("nothing here can be exported as JSON", mend="esc goes back to the screen below")
        content = screen.document()
        return _name(screen), lambda: exported.json_text(exported.record(content))


def _rows(screen: Screen[Any]) -> RowList[Any] | None:
    """The list that has the focus."""
    return screen.focused if isinstance(screen.focused, RowList) else None


def _name(screen: Screen[Any]) -> str:
    return type(screen).__name__.removesuffix("Screen")
