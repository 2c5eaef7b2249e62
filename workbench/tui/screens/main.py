"""The first screen: functions, environments, invocations and logs, all live."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from workbench.live.view import FunctionView, LogView
from workbench.model.names import LATEST
from workbench.tui.commands import main as commands
from workbench.tui.commands import moves
from workbench.tui.commands.base import Command, bindings
from workbench.tui.mirror import Changed
from workbench.tui.screens.live import LiveScreen
from workbench.tui.widgets.banner import Banner
from workbench.tui.widgets.environments import EnvironmentList
from workbench.tui.widgets.functions import FunctionList, FunctionsPane
from workbench.tui.widgets.header import Header
from workbench.tui.widgets.invocations import InvocationList
from workbench.tui.widgets.keys import KeyLine
from workbench.tui.widgets.logs import LogList
from workbench.tui.widgets.rows import RowList
from workbench.tui.widgets.tabs import PaneTabs

#: What the tabs of a small terminal say.
NAMES = ("Functions", "Environments", "Invocations", "Logs")


class MainScreen(LiveScreen):
    """Four panes. It hands the mirror down to them and turns their messages into commands of the app."""

    OFFERS = commands.SCREEN
    BINDINGS = bindings(*OFFERS)
    AUTO_FOCUS = "FunctionList"

    def compose(self) -> ComposeResult:
        yield Header()
        yield Banner()
        yield PaneTabs(NAMES)
        with Container(id="panes"):
            yield FunctionsPane(id="functions", classes="pane -active")
            yield EnvironmentList(id="environments").add_class("pane")
            yield InvocationList(id="invocations").add_class("pane")
            yield LogList(id="logs").add_class("pane")
        yield KeyLine()

    def on_mount(self) -> None:
        self.functions.deployable = self.workbench.deploy is not None
        for rows in self.lists:
            rows.retitle()
        self.sync(Changed.everything())

    # -- parts
    def targets(self) -> Sequence[Widget]:
        return self.lists

    @property
    def functions(self) -> FunctionList:
        return self.query_one(FunctionList)

    @property
    def environments(self) -> EnvironmentList:
        return self.query_one(EnvironmentList)

    @property
    def invocations(self) -> InvocationList:
        return self.query_one(InvocationList)

    @property
    def logs(self) -> LogList:
        return self.query_one(LogList)

    @property
    def lists(self) -> tuple[FunctionList, EnvironmentList, InvocationList, LogList]:
        return (self.functions, self.environments, self.invocations, self.logs)

    @property
    def function(self) -> FunctionView | None:
        """The selected function."""
        return self.functions.selected

    # -- state down
    def sync(self, changed: Changed) -> None:
        """Hand a frame's changes to the widgets; each draws only what is its own."""
        super().sync(changed)
        if changed.link and self.workbench.link.attached:
            self.workbench.tell_of_tour()
        for rows in self.lists:
            rows.sync(self.workbench.mirror, changed)

    # -- messages up
    @on(RowList.Selected)
    def _selected(self, event: RowList.Selected) -> None:
        if event.rows is self.functions:
            self._rescope()

    @on(RowList.Opened)
    def _opened(self, event: RowList.Opened) -> None:
        event.rows.focus()
        self.action_open()

    def _rescope(self) -> None:
        """Lists that follow the selected function take the new one."""
        for rows in (self.environments, self.invocations, self.logs):
            if rows.only is not None and self.function is not None and rows.only != self.function.name:
                self._scope(rows, self.function.name)

    def _scope(self, rows: EnvironmentList | InvocationList | LogList, function: str | None) -> None:
        rows.only = function
        rows.select(None)
        rows.redraw()
        rows.sync(self.workbench.mirror, Changed.everything())

    def let_run(self) -> None:
        """Every list shows all there is, and follows its edge."""
        for rows in (self.environments, self.invocations, self.logs):
            rows.paused = False
            if rows.only is not None:
                self._scope(rows, None)
            rows.select(None)

    def show_newest(self, function: str) -> None:
        """Bring the newest execution environment of a function into view."""
        rows = self.environments
        mine = [index for index, view in enumerate(rows.items) if view.function == function]
        if mine:
            rows.select(max(mine, key=lambda index: rows.items[index].created))

    # -- commands
    def pane_commands(self) -> Sequence[tuple[Widget, str, Sequence[type[Command]]]]:
        """A list's own commands and the moves in it."""
        return [
            (rows, rows.NAME, [*rows.OFFERS, *moves.ROWS, *(moves.SIDEWAYS if isinstance(rows, LogList) else ())])
            for rows in self.lists
        ]

    def available(self, action: str) -> bool:
        """Nothing is deployed where there is nothing to deploy."""
        return action != "deploy" or self.workbench.deploy is not None

    def _focused_list(self) -> FunctionList | EnvironmentList | InvocationList | LogList | None:
        return next((rows for rows in self.lists if rows is self.focused), None)

    def action_filter(self) -> None:
        self.action_pane(NAMES.index("Functions"))
        self.query_one(FunctionsPane).open_filter()

    def action_pause(self) -> None:
        rows = self._focused_list()
        if rows is not None and rows is not self.functions:
            rows.paused = not rows.paused

    def action_only(self) -> None:
        rows = self._focused_list()
        if rows is None or isinstance(rows, FunctionList):
            return
        name = self.function.name if self.function and rows.only is None else None
        self._scope(rows, name)

    def action_zoom(self, step: int) -> None:
        self.environments.change_zoom(step)

    def action_back(self) -> None:
        rows = self._focused_list()
        if rows is None or isinstance(rows, FunctionList):
            self.query_one(FunctionsPane).clear_filter()
        elif rows.paused:
            rows.paused = False
        elif rows.only is not None:
            self._scope(rows, None)
        else:
            rows.select(None)

    def action_open(self) -> None:
        rows = self._focused_list()
        if isinstance(rows, FunctionList) and rows.selected:
            self.workbench.open_function(rows.selected.name)
        elif isinstance(rows, EnvironmentList) and rows.selected:
            self.workbench.open_environment(rows.selected.id)
        elif isinstance(rows, InvocationList) and rows.selected:
            self.workbench.open_invocation(rows.selected.request_id)
        elif isinstance(rows, LogList) and isinstance(rows.selected, LogView):
            if rows.selected.request_id:
                self.workbench.open_invocation(rows.selected.request_id)
            else:
                self.workbench.open_line(rows.selected)

    def _aim(self) -> tuple[str, str | None]:
        """What is fired: the function, and the qualifier, of the row that the focus is on; else the selected function.

        Without any the name is empty.
        """
        rows = self._focused_list()
        if isinstance(rows, EnvironmentList) and rows.selected:
            return rows.selected.function, rows.selected.version
        if isinstance(rows, InvocationList) and rows.selected:
            return rows.selected.function, rows.selected.qualifier or LATEST
        if isinstance(rows, LogList) and isinstance(rows.selected, LogView):
            return rows.selected.function, rows.selected.version
        return (self.function.name if self.function is not None else ""), None

    def action_fire(self) -> None:
        name, qualifier = self._aim()
        if name:
            self.workbench.open_fire(name, qualifier)
        else:
            self.workbench.say_nothing_to_fire()

    def action_fire_again(self) -> None:
        name, _ = self._aim()
        if name:
            self.workbench.fire_again(name)
        else:
            self.workbench.say_nothing_to_fire()

    def action_kill(self) -> None:
        if self.environments.selected:
            self.workbench.ask_kill(self.environments.selected.id)

    def action_freeze(self) -> None:
        if self.environments.selected:
            self.workbench.freeze_or_thaw(self.environments.selected.id)

    def action_fault(self) -> None:
        if self.environments.selected:
            self.workbench.ask_fault(self.environments.selected.id)

    def action_environments(self) -> None:
        self.workbench.open_environments(self.environments.only)

    def action_events(self) -> None:
        name, _ = self._aim()
        self.workbench.open_events(name)

    def action_runtimes(self) -> None:
        self.workbench.open_runtimes()

    def action_layers(self) -> None:
        self.workbench.open_layers()

    def action_settings(self) -> None:
        self.workbench.open_settings()

    def action_doctor(self) -> None:
        self.workbench.open_doctor()

    def action_deploy(self) -> None:
        self.workbench.start_deploy()
