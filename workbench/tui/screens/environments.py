"""All execution environments: how many invocations run at once, each one's life, and the selected one in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.events import Resize
from textual.widget import Widget

from workbench.live.view import CELL_NS, EnvironmentView
from workbench.model.environments import EnvironmentState as State
from workbench.tui.commands import environments as commands
from workbench.tui.commands import moves
from workbench.tui.commands.base import Command, bindings
from workbench.tui.format import clock, number
from workbench.tui.mirror import Changed
from workbench.tui.past import Window, state_at
from workbench.tui.screens.live import LiveScreen
from workbench.tui.widgets.banner import Banner
from workbench.tui.widgets.concurrency import Chart, ConcurrencyChart
from workbench.tui.widgets.crumb import Crumb
from workbench.tui.widgets.header import Header
from workbench.tui.widgets.invocation_facts import environment_story
from workbench.tui.widgets.keys import KeyLine
from workbench.tui.widgets.lifecycles import Lifecycles
from workbench.tui.widgets.panel import Panel
from workbench.tui.widgets.rows import RowList
from workbench.tui.widgets.tabs import PaneTabs

NAMES = ("Concurrency", "Lifecycles", "The selected one")
#: Seconds of the chart that an export has.
_SECONDS = 600


class EnvironmentsScreen(LiveScreen):
    """The list is the main screen's, with the room to see it; the chart follows the list's scope.

    Both can be moved back in time. The engine, which keeps the last ten minutes, is asked for them only then.
    """

    WIDE, TALL = 90, 26
    OFFERS = commands.SCREEN
    BINDINGS = bindings(*OFFERS)
    AUTO_FOCUS = "Lifecycles"
    DEFAULT_CSS = """
    EnvironmentsScreen {
        #panes { height: 1fr; layout: grid; grid-size: 1 3; grid-rows: 9 1fr 9; }
        &.-single #panes { grid-size: 1 1; grid-rows: 1fr; }
    }
    """

    def __init__(self, only: str | None = None) -> None:
        super().__init__()
        self._only = only
        #: The cell up to which a person wants to see the past; None is now.
        self._end: int | None = None

    def compose(self) -> ComposeResult:
        yield Header()
        yield Banner()
        yield Crumb("Environments")
        yield PaneTabs(NAMES)
        with Container(id="panes"):
            yield ConcurrencyChart(id="chart").add_class("pane")
            yield Lifecycles(id="environments").add_class("pane", "-active")
            yield Panel("3 The selected one", id="detail").add_class("pane")
        yield KeyLine()

    def on_mount(self) -> None:
        self.rows.only = self._only
        self.rows.retitle()
        self.sync(Changed.everything())

    @property
    def rows(self) -> Lifecycles:
        return self.query_one(Lifecycles)

    def targets(self) -> Sequence[Widget]:
        return (self.query_one(ConcurrencyChart), self.rows, self.query_one(Panel))

    # -- state down
    def sync(self, changed: Changed) -> None:
        super().sync(changed)
        self.rows.sync(self.workbench.mirror, changed)
        moved = changed.functions or changed.environments
        if changed.tick or changed.link or (moved and self.rows.window is None):  # the past stays as it is
            self._draw()

    def on_resize(self, event: Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._resized)

    def show_pane(self, index: int) -> None:
        super().show_pane(index)
        self.call_after_refresh(self._draw)

    def _resized(self) -> None:
        if self.rows.window is not None:
            self._look(self.rows.window)
        else:
            self._draw()

    def _draw(self) -> None:
        if self.was_left:
            return
        if self.rows.window is not None:
            self._draw_past(self.rows.window)
            return
        mirror, only = self.workbench.mirror, self.rows.only
        states = Counter(view.state for view in mirror.environments.values() if only is None or view.function == only)
        self.query_one(Crumb).show(
            [("", f"{state.glyph} {states[state]} {state.value}", "") for state in State if states[state]]
        )
        if not self.rows.paused:
            self._draw_chart(states)
        self._draw_detail()

    def _draw_detail(self, note: str = "") -> None:
        mirror, view = self.workbench.mirror, self.rows.selected
        panel = self.query_one(Panel)
        if view is None:
            panel.write(Content.styled("None is selected.", "$foreground 50%"))
            return
        ran = [other for other in mirror.invocations.values() if other.environment == view.id]
        panel.write(environment_story(None, view, ran, mirror), note)

    def _draw_chart(self, states: Counter[State]) -> None:
        mirror, only = self.workbench.mirror, self.rows.only
        chart = self.query_one(ConcurrencyChart)
        series = mirror.concurrency.of(only)
        function = mirror.functions.get(only) if only is not None else None
        starting = states[State.CREATING] + states[State.INIT]
        throttles = function.throttles if function is not None else mirror.totals.throttles
        figures = [
            ("in use", number(series.now), "bold $text-success" if series.now else ""),
            ("ready", number(states[State.IDLE] + states[State.FROZEN]), ""),
            ("starting", number(starting), "bold $text-accent" if starting else ""),
            ("throttled", number(throttles), "bold $text-warning" if throttles else ""),
        ]
        reserved = function.reserved if function is not None else None
        provisioned = sum(function.provisioned.values()) if function is not None else 0
        if function is not None:
            figures.append(("┄ reserved", "none" if reserved is None else number(reserved), ""))
            figures.append(("╌ provisioned", number(provisioned) if provisioned else "none", ""))
        peaks = tuple(series.peaks(mirror.now, chart.columns, self.rows.zoom))
        chart.show(Chart(peaks, self.rows.zoom, reserved, provisioned, tuple(figures)), only)

    def _draw_past(self, window: Window) -> None:
        mirror, rows = self.workbench.mirror, self.rows
        chart = self.query_one(ConcurrencyChart)
        states = Counter(state_at(track, window.end) for track in rows.tracks)
        shown = [("", f"{state.glyph} {states[state]} {state.value}", "") for state in State if states[state]]
        self.query_one(Crumb).show([("", f"as of {clock(window.wall)}", "bold $text-warning"), *shown])
        peaks = window.peaks(chart.columns, rows.zoom)
        figures = [
            ("in use", number(peaks[-1]), ""),
            ("ready", number(states[State.IDLE] + states[State.FROZEN]), ""),
            ("starting", number(states[State.CREATING] + states[State.INIT]), ""),
            ("throttled", number(window.throttled), "bold $text-warning" if window.throttled else ""),
        ]
        function = mirror.functions.get(rows.only) if rows.only is not None else None
        if function is not None:
            figures.append(("", "limits: now", "$foreground 55%"))
        chart.show(
            Chart(
                peaks,
                rows.zoom,
                function.reserved if function is not None else None,
                sum(function.provisioned.values()) if function is not None else 0,
                tuple(figures),
                window.unknown(chart.columns, rows.zoom),
                rows.ends(chart.columns),
                rows.mark,
            ),
            rows.only,
        )
        self._draw_detail("as it is now")

    def document(self) -> dict[str, Any]:
        mirror, only, window = self.workbench.mirror, self.rows.only, self.rows.window
        second = 1_000_000_000 // CELL_NS
        if window is None:
            wall, peaks = mirror.wall, mirror.concurrency.of(only).peaks(mirror.now, _SECONDS, second)
        else:
            wall, peaks = window.wall, list(window.peaks(_SECONDS, second))
        concurrency = {"FunctionName": only, "Until": round(wall, 3), "PeaksOfSeconds": peaks}
        return super().document() | {"Concurrency": concurrency}

    # -- the past
    def available(self, action: str) -> bool:
        return self._end is not None if action in ("later", "now") else True

    def action_scrub(self, quarters: int) -> None:
        self._scrub(quarters)

    def action_later(self, quarters: int) -> None:
        self._scrub(quarters)

    @on(ConcurrencyChart.Scrubbed)
    def _wheeled(self, event: ConcurrencyChart.Scrubbed) -> None:
        if event.step < 0 or self._end is not None:
            self._scrub(event.step)

    def _scrub(self, quarters: int) -> None:
        rows = self.rows
        columns = max(1, rows.span // rows.zoom // 4)
        self._go((rows.end if self._end is None else self._end) + quarters * columns * rows.zoom)

    def action_oldest(self) -> None:
        self._go(0)

    def action_now(self) -> None:
        self._end = None
        self.rows.look_at(None)
        self.rows.paused = False
        self.sync(Changed.everything())
        self.rows.redraw()
        self.refresh_bindings()

    def _go(self, end: int) -> None:
        """Show what was until the end of this cell; what is not before now is now."""
        if end >= self.workbench.mirror.now // CELL_NS:
            self.action_now()
            return
        self._end, window = end, self.rows.window
        if window is None or end >= window.newest:
            self._ask()
        else:
            self._look(window, end)

    @work(group="past", exclusive=True)
    async def _ask(self) -> None:
        """Have the engine tell what it knows, and look at the moment that is wanted by then."""
        rows, mirror, only = self.rows, self.workbench.mirror, self.rows.only
        try:
            past = await self.workbench.link.port.past(only)
        except Exception as error:
            self.workbench.say_error(error)
            self._end = rows.window.end if rows.window is not None else None
            return
        if self._end is None or only != rows.only:
            return
        views = {track.id: track.view or mirror.environments.get(track.id) for track in past.environments}
        known = {id: view for id, view in views.items() if view is not None}
        self._look(Window(past, self._end, known, mirror.wall - mirror.now / 1e9))

    def _look(self, window: Window, end: int | None = None) -> None:
        span = self.rows.span
        window = window.ending(window.end if end is None else end, span)
        if window.past.begins + span > window.newest:
            self.workbench.say(f"All that is known is in view: it began at {clock(window.known_from)}.", title="Past")
            self.action_now()
            return
        self._end = window.end
        self.rows.look_at(window, self.workbench.mirror.wall)
        self._draw()
        self.refresh_bindings()

    # -- messages up
    @on(RowList.Selected)
    def _selected(self) -> None:
        self._draw()

    @on(RowList.Opened)
    def _opened(self, event: RowList.Opened) -> None:
        event.rows.focus()
        self.action_open()

    # -- commands
    def pane_commands(self) -> Sequence[tuple[Widget, str, Sequence[type[Command]]]]:
        return [(self.rows, "Lifecycles", [*self.rows.OFFERS, *moves.ROWS])]

    @property
    def _view(self) -> EnvironmentView | None:
        return self.rows.selected

    def action_open(self) -> None:
        if self._view is not None:
            self.workbench.open_environment(self._view.id, self._view)

    def action_function(self) -> None:
        if self._view is not None:
            self.workbench.open_function(self._view.function)

    def action_kill(self) -> None:
        if self._view is not None:
            self.workbench.ask_kill(self._view.id)

    def action_freeze(self) -> None:
        if self._view is not None:
            self.workbench.freeze_or_thaw(self._view.id)

    def action_fault(self) -> None:
        if self._view is not None:
            self.workbench.ask_fault(self._view.id)

    def action_pause(self) -> None:
        if self._end is not None:
            self.action_now()
            return
        self.rows.paused = not self.rows.paused

    def action_zoom(self, step: int) -> None:
        self.rows.change_zoom(step)
        self._resized()

    def action_only(self) -> None:
        if self.rows.only is None and self._view is None:
            return
        self._scope(self._view.function if self.rows.only is None and self._view is not None else None)

    def action_back(self) -> None:
        if self._end is not None:
            self.action_now()
        elif self.rows.paused:
            self.rows.paused = False
        elif self.rows.only is not None and self.rows.only != self._only:
            self._scope(self._only)
        else:
            self.dismiss()

    def _scope(self, function: str | None) -> None:
        self.rows.only = function
        if self._end is not None:
            self._ask()
            return
        self.rows.redraw()
        self.sync(Changed.everything())
