"""Runtimes: what this machine can run, which version functions take, and what is being rolled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from workbench.model.runtimes import RuntimeOverview
from workbench.tui.changes import RuntimePublication
from workbench.tui.commands import moves
from workbench.tui.commands import runtimes as commands
from workbench.tui.commands.base import Command, bindings
from workbench.tui.format import plural
from workbench.tui.mirror import Changed
from workbench.tui.screens.live import LiveScreen
from workbench.tui.screens.question import Answer, Question
from workbench.tui.widgets.banner import Banner
from workbench.tui.widgets.crumb import Crumb
from workbench.tui.widgets.header import Header
from workbench.tui.widgets.keys import KeyLine
from workbench.tui.widgets.rows import RowList
from workbench.tui.widgets.runtime_lists import (
    RuntimeFunctionList,
    RuntimeList,
    RuntimeVersionList,
    runtime_rows,
    version_rows,
)
from workbench.tui.widgets.tabs import PaneTabs

NAMES = ("Runtimes", "Versions", "Functions on it")


class RuntimesScreen(LiveScreen):
    """The catalogue is asked for once, and again after each publication: to look for programs takes seconds."""

    WIDE, TALL = 100, 26
    OFFERS = commands.SCREEN
    BINDINGS = bindings(*OFFERS)
    AUTO_FOCUS = "RuntimeList"
    DEFAULT_CSS = """
    RuntimesScreen {
        #panes { height: 1fr; layout: grid; grid-size: 1 3; grid-rows: 1fr 8 8; }
        &.-single #panes { grid-size: 1 1; grid-rows: 1fr; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._overviews: Sequence[RuntimeOverview] = ()

    def compose(self) -> ComposeResult:
        yield Header()
        yield Banner()
        yield Crumb("Runtimes")
        yield PaneTabs(NAMES)
        with Container(id="panes"):
            yield RuntimeList(id="runtimes").add_class("pane", "-active")
            yield RuntimeVersionList(id="versions").add_class("pane")
            yield RuntimeFunctionList(id="functions").add_class("pane")
        yield KeyLine()

    def on_mount(self) -> None:
        self.sync(Changed.everything())
        self._ask()

    # -- parts
    @property
    def runtimes(self) -> RuntimeList:
        return self.query_one(RuntimeList)

    @property
    def versions(self) -> RuntimeVersionList:
        return self.query_one(RuntimeVersionList)

    @property
    def functions(self) -> RuntimeFunctionList:
        return self.query_one(RuntimeFunctionList)

    @property
    def _overview(self) -> RuntimeOverview | None:
        row = self.runtimes.selected
        return row.overview if row is not None else None

    def targets(self) -> Sequence[Widget]:
        return (self.runtimes, self.versions, self.functions)

    # -- state down
    def sync(self, changed: Changed) -> None:
        super().sync(changed)
        if changed.functions or changed.link:
            self._draw()
        now = self.workbench.mirror.wall
        if changed.tick and any(one.moves is not None and one.moves < now for one in self._overviews):
            self._overviews = [replace(one, moves=None) for one in self._overviews]  # asked once
            self._ask()

    def _draw(self) -> None:
        if self.was_left:
            return
        views = self.workbench.mirror.functions.values()
        self.runtimes.show(runtime_rows(self._overviews, views))
        overview = self._overview
        self.versions.show(version_rows(overview))
        mine = [view for view in views if overview is not None and view.runtime == overview.id]
        self.functions.sync_rows(sorted(mine, key=lambda view: view.name))
        here = sum(bool(one.versions) for one in self._overviews)
        mend = overview.mend if overview is not None and not overview.versions else None
        count = f"{here} of {len(self._overviews)} run here" if self._overviews else ""
        self.query_one(Crumb).show([("", count, ""), ("mend:", mend or "", "bold")])

    @work(group="runtimes", exclusive=True)
    async def _ask(self) -> None:
        try:
            self._overviews = await self.workbench.link.port.list_runtimes()
        except Exception as error:
            self.workbench.say_error(error)
            return
        self._draw()

    # -- messages up
    @on(RowList.Selected)
    def _selected(self, event: RowList.Selected) -> None:
        if event.rows is self.runtimes:
            self._draw()

    @on(RowList.Opened)
    def _opened(self, event: RowList.Opened) -> None:
        if event.rows is self.versions:
            self.action_publish()
        elif event.rows is self.functions:
            self.action_open()
        else:
            self.action_pane(1)

    # -- commands
    def pane_commands(self) -> Sequence[tuple[Widget, str, Sequence[type[Command]]]]:
        return [
            (self.runtimes, "Runtimes", moves.ROWS),
            (self.versions, "Versions", [*commands.VERSIONS, *moves.ROWS]),
            (self.functions, "Functions on it", [*commands.FUNCTIONS, *moves.ROWS]),
        ]

    def action_back(self) -> None:
        self.dismiss()

    def action_reload(self) -> None:
        self._ask()

    def action_open(self) -> None:
        if (view := self.functions.selected) is not None:
            self.workbench.open_function(view.name)

    @work(group="edits")
    async def action_mode(self) -> None:
        if (view := self.functions.selected) is not None:
            await self.workbench.open_runtime(view.name, "$LATEST", self._ask)

    def action_publish(self) -> None:
        row, overview = self.versions.selected, self._overview
        if row is None or overview is None:
            return
        if row.published:
            self.workbench.say(f"{row.installed.version} is the published one already.", title=overview.id)
            return
        modes = [view.runtime_mode for view in self.functions.items]
        text = (
            f"{plural(modes.count('Auto'), 'function')} in Auto: at the next update, else when the roll-out ends.\n"
            f"{plural(modes.count('FunctionUpdate'), 'function')} in FunctionUpdate: at the next update only.\n"
            f"{plural(modes.count('Manual'), 'function')} in Manual: never.\n"
            "Environments of the older version end when they are free. "
            f"{self.workbench.key(commands.Undo)} takes it back."
        )
        question = Question(
            f"Publish {overview.id} {row.installed.version}?", text, Answer("publish", "p", "Publish it")
        )
        change = RuntimePublication(overview.id, overview.published, row.installed.arn, row.installed.version)

        def answered(answer: str | None) -> None:
            if answer:
                self._publish(change)

        self.app.push_screen(question, answered)

    def action_show_cli(self) -> None:
        from workbench.tui.screens.snippet import Snippet

        row, overview = self.versions.selected, self._overview
        if row is not None and overview is not None:
            change = RuntimePublication(overview.id, overview.published, row.installed.arn, row.installed.version)
            self.app.push_screen(Snippet("Publishing this version", change.cli(self.workbench.endpoint)))

    @work(group="edits")
    async def _publish(self, change: RuntimePublication) -> None:
        try:
            await self.workbench.edits.make(self.workbench.link.port, change)
        except Exception as error:
            self.workbench.say_error(error)
            return
        self.workbench.say(f"{change}   {self.workbench.key(commands.Undo)} takes it back", title="✓ Published")
        self._ask()

    @work(group="edits")
    async def action_undo(self) -> None:
        overview = self._overview
        if overview is None:
            return
        try:
            said = await self.workbench.edits.undo(self.workbench.link.port, overview.id)
        except Exception as error:
            self.workbench.say_error(error)
            return
        self.workbench.say(said or f"Nothing of {overview.id} was published here.", title="Undo")
        self._ask()
