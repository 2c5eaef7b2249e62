"""The first screen: functions, environments, invocations and logs, all live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.events import DescendantFocus, Resize
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Input

from workbench.live.view import FunctionView
from workbench.tui.commands import main as commands
from workbench.tui.commands import moves
from workbench.tui.commands.base import Command, bindings
from workbench.tui.link import LinkState
from workbench.tui.mirror import Changed
from workbench.tui.widgets.banner import Banner
from workbench.tui.widgets.environments import EnvironmentList
from workbench.tui.widgets.functions import FunctionList, FunctionsPane
from workbench.tui.widgets.header import Header
from workbench.tui.widgets.invocations import InvocationList
from workbench.tui.widgets.logs import LogList
from workbench.tui.widgets.rows import RowList
from workbench.tui.widgets.tabs import NAMES, PaneTabs

if TYPE_CHECKING:
    from workbench.tui.app import WorkbenchApp

#: The smallest terminal that shows all panes at once.
WIDE, TALL = 110, 30


class MainScreen(Screen[None]):
    """Four panes. It hands the mirror down to them and turns their messages into commands of the app."""

    BINDINGS = bindings(*commands.SCREEN)
    AUTO_FOCUS = "FunctionList"

    def compose(self) -> ComposeResult:
        yield Header()
        yield Banner()
        yield PaneTabs()
        with Container(id="panes"):
            yield FunctionsPane(id="functions", classes="pane -active")
            yield EnvironmentList(id="environments").add_class("pane")
            yield InvocationList(id="invocations").add_class("pane")
            yield LogList(id="logs").add_class("pane")
        yield Footer()

    def on_mount(self) -> None:
        self.functions.deployable = self.workbench.deploy is not None
        for rows in self.lists:
            rows.retitle()
        self.sync(Changed.everything())

    # -- parts
    @property
    def workbench(self) -> WorkbenchApp:
        """The app with its type."""
        return cast("WorkbenchApp", self.app)

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
        mirror, link = self.workbench.mirror, self.workbench.link
        self.query_one(Header).sync(mirror, link, changed)
        if changed.link:
            self.query_one(Banner).sync(link)
        for rows in self.lists:
            if changed.link:
                rows.waiting = link.status is None
                rows.stale = link.state is LinkState.LOST
                rows.redraw()
            rows.sync(mirror, changed)

    # -- layout
    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < WIDE or event.size.height < TALL, "-single")

    @on(DescendantFocus)
    def _activate(self, event: DescendantFocus) -> None:
        """The pane with the focus is the one that a small terminal shows."""
        for index, pane in enumerate(self.query(".pane")):
            here = event.widget in pane.walk_children(with_self=True)
            pane.set_class(here, "-active")
            if here:
                self.query_one(PaneTabs).active = index

    @on(PaneTabs.Chosen)
    def _choose(self, event: PaneTabs.Chosen) -> None:
        self.action_pane(event.index)

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

    # -- commands
    def palette_commands(self) -> Sequence[type[Command]]:
        """What the palette offers here."""
        return [
            command
            for command in commands.ALL
            if command.palette and (command is not commands.Deploy or self.workbench.deploy is not None)
        ]

    def help_sections(self) -> list[tuple[str, Sequence[type[Command]]]]:
        """Keys for the help: of the focused pane, then of the screen."""
        sections: list[tuple[str, Sequence[type[Command]]]] = []
        rows = self._focused_list()
        if rows is not None:
            bound = {binding.action for binding in rows.BINDINGS if not isinstance(binding, tuple)}
            mine = [command for command in commands.PANES if command.action in bound]
            sideways = moves.SIDEWAYS if isinstance(rows, LogList) else ()
            sections.append((rows.NAME, [*mine, *moves.ROWS, *sideways]))
        shown = [command for command in commands.SCREEN if self.check_action(command.action.partition(".")[2], ())]
        return [*sections, ("Everywhere", [*shown, *commands.APP])]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While the filter is typed, its own keys are all there are; nothing is deployed where there is nothing."""
        if action == "deploy":
            return self.workbench.deploy is not None
        return action == "back" or not isinstance(self.focused, Input)

    def _focused_list(self) -> FunctionList | EnvironmentList | InvocationList | LogList | None:
        return next((rows for rows in self.lists if rows is self.focused), None)

    def action_pane(self, index: int) -> None:
        widget: Widget = self.lists[index]
        for at, pane in enumerate(self.query(".pane")):
            pane.set_class(at == index, "-active")
        self.query_one(PaneTabs).active = index
        # At once, so that the next key already belongs to the new pane.
        self.set_focus(widget)

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
        elif isinstance(rows, LogList):
            request = getattr(rows.selected, "request_id", None)
            if request:
                self.workbench.open_invocation(request)

    def action_fire(self) -> None:
        if self.function is not None:
            self.workbench.open_fire(self.function.name)
        else:
            self.workbench.say_nothing_to_fire()

    def action_fire_again(self) -> None:
        if self.function is not None:
            self.workbench.fire_again(self.function.name)
        else:
            self.workbench.say_nothing_to_fire()

    def action_kill(self) -> None:
        if self.environments.selected:
            self.workbench.ask_kill(self.environments.selected.id)

    def action_deploy(self) -> None:
        self.workbench.start_deploy()
