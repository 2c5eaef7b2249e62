"""Two versions of a function side by side: which settings and files differ, and how."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Mapping, Sequence

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Label, Select

from workbench.client import version_diff
from workbench.client.version_diff import CodeDiff, FileChange, SettingChange
from workbench.model.errors import WorkbenchError
from workbench.model.functions import FunctionVersion
from workbench.model.names import LATEST
from workbench.model.text import one_line
from workbench.tui.commands import diff as commands
from workbench.tui.commands import moves
from workbench.tui.commands.base import Command, bindings
from workbench.tui.screens.live import LiveScreen
from workbench.tui.widgets.banner import Banner
from workbench.tui.widgets.changes import ChangeList, LineList
from workbench.tui.widgets.crumb import Crumb
from workbench.tui.widgets.header import Header
from workbench.tui.widgets.keys import KeyLine
from workbench.tui.widgets.rows import RowList
from workbench.tui.widgets.tabs import PaneTabs


class DiffScreen(LiveScreen):
    """The archives are fetched and compared off the screen's own thread; nothing of them is unpacked."""

    WIDE, TALL = 100, 18
    OFFERS = commands.SCREEN
    BINDINGS = bindings(*OFFERS)
    AUTO_FOCUS = "ChangeList"
    DEFAULT_CSS = """
    DiffScreen {
        #panes { height: 1fr; layout: grid; grid-size: 2 1; grid-columns: 2fr 3fr; }
        &.-single #panes { grid-size: 1 1; grid-columns: 1fr; }
        #which { height: 1; padding: 0 1; }
        #which Label { color: $foreground 55%; margin: 0 1 0 0; }
        #which Select { width: 14; margin: 0 2 0 0; }
        #which Select:focus > SelectCurrent { background: $primary 35%; }
        Select > SelectOverlay { border: round $foreground 25%; }
    }
    """

    def __init__(self, function: str, versions: Mapping[str, FunctionVersion], before: str, after: str) -> None:
        super().__init__()
        self._function = function
        self._versions = versions
        self._before, self._after = before, after
        self._archives: dict[str, bytes] = {}

    def compose(self) -> ComposeResult:
        names = sorted(self._versions, key=lambda name: (name != LATEST, -len(name), name), reverse=False)
        options = [(Content(one_line(name)), name) for name in names]
        yield Header()
        yield Banner()
        yield Crumb("Functions", self._function, "compare")
        with Horizontal(id="which"):
            yield Label("from")
            yield Select(options, value=self._before, allow_blank=False, compact=True, id="before")
            yield Label("to")
            yield Select(options, value=self._after, allow_blank=False, compact=True, id="after")
        yield PaneTabs(("What differs", "Lines"))
        with Container(id="panes"):
            yield ChangeList(id="changes").add_class("pane", "-active")
            yield LineList(id="lines").add_class("pane")
        yield KeyLine()

    def on_mount(self) -> None:
        for rows in self.query(RowList):
            rows.retitle()
        self._compare()

    def targets(self) -> Sequence[Widget]:
        return (self.query_one(ChangeList), self.query_one(LineList))

    def pane_commands(self) -> Sequence[tuple[Widget, str, Sequence[type[Command]]]]:
        changes, lines = self.targets()
        return [(changes, "What differs", moves.ROWS), (lines, "Lines", [*moves.ROWS, *moves.SIDEWAYS])]

    # -- comparing
    @on(Select.Changed)
    def _choose_version(self, event: Select.Changed) -> None:
        before = self.query_one("#before", Select).value
        after = self.query_one("#after", Select).value
        if (before, after) != (self._before, self._after):
            self._before, self._after = str(before), str(after)
            self._compare()

    @property
    def _pair(self) -> tuple[FunctionVersion, FunctionVersion]:
        return self._versions[self._before], self._versions[self._after]

    @work(group="compare", exclusive=True)
    async def _compare(self) -> None:
        before, after = self._pair
        changes = self.query_one(ChangeList)
        settings = version_diff.settings(before, after)
        self.query_one(LineList).write("", [])
        changes.note = "reading the code …"
        changes.show(settings)
        try:
            code = await self._compare_code(before, after)
        except (WorkbenchError, OSError, zipfile.BadZipFile) as error:
            changes.note = f"the code cannot be compared: {error}"
            self.workbench.say_error(error)
            changes.show(settings)
            return
        changes.note = code.note
        changes.show([*settings, *code.files])
        self._show_lines()

    async def _compare_code(self, before: FunctionVersion, after: FunctionVersion) -> CodeDiff:
        if before.code.sha256 == after.code.sha256:
            return CodeDiff()
        return await asyncio.to_thread(version_diff.files, await self._archive(before), await self._archive(after))

    async def _archive(self, version: FunctionVersion) -> bytes:
        if version.code.image is not None:
            return b""
        sha256 = version.code.sha256
        if sha256 not in self._archives:
            self._archives[sha256] = await self.workbench.link.port.code(sha256)
        return self._archives[sha256]

    @on(RowList.Selected)
    def _selected(self, event: RowList.Selected) -> None:
        if isinstance(event.rows, ChangeList):
            self._show_lines()

    @work(group="lines", exclusive=True)
    async def _show_lines(self) -> None:
        change = self.query_one(ChangeList).selected
        lines = self.query_one(LineList)
        if isinstance(change, SettingChange):
            found = [
                f"{sign} {value}" for sign, value in (("-", change.before), ("+", change.after)) if value is not None
            ]
            lines.write(change.name, found)
        elif isinstance(change, FileChange):
            before, after = self._pair
            try:
                archives = await self._archive(before), await self._archive(after)
            except (WorkbenchError, OSError) as error:
                self.workbench.say_error(error)
                return
            lines.write(change.path, await asyncio.to_thread(version_diff.lines, change, *archives))

    # -- commands
    def action_swap(self) -> None:
        self._before, self._after = self._after, self._before
        with self.prevent(Select.Changed):
            self.query_one("#before", Select).value = self._before
            self.query_one("#after", Select).value = self._after
        self._compare()

    def action_back(self) -> None:
        self.dismiss()
