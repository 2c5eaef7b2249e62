"""Execution environments as live timelines: one row each, one glyph a column of time."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import groupby

from textual.content import Content

from workbench.live.view import CELL_NS, EnvironmentView
from workbench.model.environments import EnvironmentState as State
from workbench.model.text import one_line
from workbench.tui import timeline
from workbench.tui.commands import main as commands
from workbench.tui.commands.base import bindings
from workbench.tui.format import NOTHING, age, environment_id, number, short, version
from workbench.tui.mirror import Changed, Mirror
from workbench.tui.widgets.columns import Column, Placed
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.rows import Edge, RowList

#: Seconds for which an environment that ended stays in the list.
LINGER = 60
#: Cells of a quarter of a second that one column of the timeline stands for.
ZOOMS = (1, 2, 4, 8)
STYLE_OF = {
    State.CREATING: "cold",
    State.INIT: "cold",
    State.IDLE: "accent",
    State.BUSY: "busy",
    State.FROZEN: "dim",
    State.STOPPING: "warn",
    State.STOPPED: "dim",
    State.FAILED: "bad",
}


class EnvironmentList(RowList[EnvironmentView]):
    """Grouped by function, the oldest first. Those that ended linger for a minute."""

    NAME = "Environments"
    NUMBER = 2
    EDGE = Edge.NONE
    EMPTY = (
        "No environments yet.\n\nOne is created when a function is fired and none is free: watch its bar grow through "
        "creating, init and busy."
    )
    COLUMNS = (
        Column("id", "ENV", 7, keep=90),
        Column("function", "FUNCTION", 10, keep=80, flex=1, most=22),
        Column("version", "VER", 3, keep=50),
        Column("state", "STATE", 8, keep=110),
        Column("trail", "LAST", 5, keep=20),
        Column("timeline", "", 16, keep=100, flex=4, most=240),
        Column("invocations", "INV", 4, keep=85, right=True),
        Column("memory", "MEM", 5, keep=40, right=True),
        Column("age", "AGE", 5, keep=60, right=True),
    )
    OFFERS = (
        commands.Open,
        commands.Kill,
        commands.Freeze,
        commands.Fault,
        commands.Pause,
        commands.Only,
        commands.ZoomIn,
        commands.ZoomOut,
    )
    BINDINGS = bindings(*OFFERS)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.only: str | None = None
        self._zoom = 0
        self._now = 0

    @property
    def zoom(self) -> int:
        """Cells in a column."""
        return ZOOMS[self._zoom]

    def change_zoom(self, step: int) -> None:
        self._zoom = max(0, min(self._zoom + step, len(ZOOMS) - 1))
        self.redraw()
        self.retitle()

    def sync(self, mirror: Mirror, changed: Changed) -> None:
        """Take the environments over when one changed, and move the axis of time once a quarter of a second."""
        if self.paused and self.items:
            if changed.environments:
                self.show(self._listed(mirror))
            return
        if not (changed.environments or (changed.tick and mirror.environments)):
            return
        self._now = mirror.now
        self.show(self._listed(mirror))

    def _listed(self, mirror: Mirror) -> list[EnvironmentView]:
        oldest = mirror.now - LINGER * 1_000_000_000
        views = [
            view
            for view in mirror.environments.values()
            if (not view.state.final or view.since > oldest or view.id == self.cursor)
            and (self.only is None or view.function == self.only)
        ]
        views.sort(key=lambda view: (view.function, view.created, view.id))
        return views

    def key(self, item: EnvironmentView) -> Hashable:
        return item.id

    def stamp(self, item: EnvironmentView) -> Hashable:
        return (item.id, self._now)

    def piece(self, item: EnvironmentView, column: str, width: int) -> Piece | list[Piece]:
        match column:
            case "id":
                return (environment_id(item.id), "dim" if item.state.final else "")
            case "function":
                return (item.function, "dim" if item.state.final else "strong")
            case "version":
                return (version(item.version), "dim")
            case "state":
                return (item.state.value, STYLE_OF[item.state])
            case "trail":
                return (timeline.trail(item), "dim")
            case "timeline":
                return self._timeline(item, width)
            case "invocations":
                return (short(item.invocations), "" if item.invocations else "faint")
            case "memory":
                return (f"{item.max_memory_mb}M" if item.max_memory_mb else NOTHING, "dim")
            case _:
                end = item.since if item.state.final else self._now
                return (age((end - item.created) / 1e9), "dim")

    def _timeline(self, item: EnvironmentView, width: int) -> list[Piece]:
        states = timeline.columns(item, self._now, width, self.zoom)
        return [
            (glyph * len(list(run)), style)
            for (glyph, style), run in groupby((s.glyph, STYLE_OF[s]) if s else (" ", "") for s in states)
        ]

    def heading(self, column: Placed) -> str:
        """The timeline's heading is its axis."""
        if column.name != "timeline":
            return column.title
        seconds = column.width * self.zoom * CELL_NS / 1e9
        start = f"-{seconds:.0f} s"
        return start + "now".rjust(column.width - len(start))

    def title(self) -> Content:
        of = f"  {one_line(self.only)}" if self.only else ""
        return Content.assemble(
            self.name_of_list(),
            (f"  {number(sum(not view.state.final for view in self.items))} alive", "$foreground 60%"),
            (of, "$text-primary"),
            self.state_of_list(),
        )

    def subtitle(self) -> Content:
        return Content.styled(" ".join(f"{state.glyph} {state.value}" for state in State), "$foreground 50%")
