"""Invocations as they come, the newest first."""

from __future__ import annotations

from collections.abc import Hashable

from textual.content import Content

from workbench.live.view import InvocationView
from workbench.model.invocations import InvocationStatus as Status
from workbench.model.invocations import InvocationType
from workbench.model.text import one_line
from workbench.tui.commands import main as commands
from workbench.tui.commands.base import bindings
from workbench.tui.format import NOTHING, clock_ms, environment_id, milliseconds, number, plural, request_id, version
from workbench.tui.mirror import Changed, Mirror
from workbench.tui.shell import key_of
from workbench.tui.widgets.columns import Column, Placed
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.rows import Edge, RowList

TYPES = {InvocationType.REQUEST_RESPONSE: "sync", InvocationType.EVENT: "async", InvocationType.DRY_RUN: "dry"}
#: A sign, a word and a style for each status: the sign and the word tell it without the colour.
STATUSES = {
    Status.WAITING: ("○ waiting", "dim"),
    Status.RUNNING: ("▸ running", "run"),
    Status.SUCCESS: ("✓ ok", "good"),
    Status.ERROR: ("✗ error", "bad"),
    Status.TIMEOUT: ("✗ timeout", "bad"),
    Status.CRASH: ("✗ crash", "bad"),
    Status.OOM: ("✗ oom", "bad"),
    Status.INIT_ERROR: ("✗ init", "bad"),
    Status.THROTTLED: ("! throttle", "warn"),
    Status.FAILED: ("✗ failed", "bad"),
}


def address(view: InvocationView) -> str:
    """The function as the caller wrote it, with its qualifier."""
    return f"{view.function}:{version(view.qualifier)}" if view.qualifier else view.function


def elapsed_ms(view: InvocationView, now: int) -> float | None:
    """The duration, or how long it has been running; None before it started."""
    if view.status.ended:
        return view.duration_ms if view.started is not None else None
    return None if view.started is None else (now - view.started) / 1e6


class InvocationList(RowList[InvocationView]):
    """One invocation a row. Running ones count their time."""

    NAME = "Invocations"
    NUMBER = 3
    EDGE = Edge.TOP
    COLUMNS = (
        Column("time", "TIME", 12, keep=75),
        Column("request", "REQUEST", 8, keep=50),
        Column("function", "FUNCTION:QUALIFIER", 12, flex=2, most=26),
        Column("version", "VER", 3, keep=45),
        Column("environment", "ENV", 7, keep=40),
        Column("type", "TYPE", 5, keep=35),
        Column("status", "STATUS", 10, keep=110),
        Column("init", "INIT", 7, keep=80, right=True),
        Column("duration", "DUR", 8, keep=100, right=True),
        Column("memory", "MEM", 8, keep=55, right=True),
        Column("why", "WHY", 8, keep=30, flex=3),
    )
    OFFERS = (commands.Open, commands.Pause, commands.Only)
    BINDINGS = bindings(*OFFERS)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.only: str | None = None
        self._now = 0
        self._total = 0
        self._dropped = 0
        self._counting = False

    def sync(self, mirror: Mirror, changed: Changed) -> None:
        """Take the invocations over when one changed; running ones are drawn anew each quarter of a second."""
        if changed.invocations:
            if not self.paused:
                self._now = mirror.now
            self._total = mirror.totals.invocations + mirror.totals.throttles
            self._dropped = mirror.totals.invocations_dropped
            listed = list(mirror.invocations.values())
            if self.only is not None:
                listed = [view for view in listed if view.function == self.only]
            listed.reverse()
            self._counting = mirror.totals.running > 0
            self.show(listed)
        elif changed.tick and self._counting and not self.paused:
            self._now = mirror.now
            self.refresh()

    def empty(self) -> str:
        fire, again = key_of(self, commands.Fire), key_of(self, commands.FireAgain)
        return f"Nothing ran yet.\n\nSelect a function and press {fire} to fire it, or {again} to fire it at once."

    def key(self, item: InvocationView) -> Hashable:
        return item.request_id

    def stamp(self, item: InvocationView) -> Hashable:
        return (item.request_id, item.finished) if item.status.ended else None  # a retry has the same request id

    def piece(self, item: InvocationView, column: str, width: int) -> Piece | list[Piece]:
        match column:
            case "time":
                return (clock_ms(item.wall), "dim")
            case "request":
                return (request_id(item.request_id), "dim")
            case "function":
                return (address(item), "strong")
            case "version":
                return (version(item.version) or NOTHING, "dim")
            case "environment":
                return (environment_id(item.environment) if item.environment else NOTHING, "dim")
            case "type":
                return (TYPES[item.type], "dim")
            case "status":
                return STATUSES[item.status]
            case "init":
                return (milliseconds(item.init_ms), "faint" if item.init_ms is None else "cold")
            case "duration":
                return (milliseconds(elapsed_ms(item, self._now)), "")
            case "memory":
                used = f"{item.max_memory_mb}/{item.memory_size}" if item.max_memory_mb else NOTHING
                return (used, "dim")
            case _:
                return (item.error_type or item.why, "bad" if item.error_type else "dim")

    def heading(self, column: Placed) -> str:
        return "FUNCTION" if column.name == "function" and len(column.title) > column.width else column.title

    def title(self) -> Content:
        of = f"  {one_line(self.only)}" if self.only else ""
        return Content.assemble(self.name_of_list(), (of, "$text-primary"), self.state_of_list())

    def subtitle(self) -> Content:
        dropped = f" · {number(self._dropped)} older ones dropped" if self._dropped else ""
        if len(self.items) > self._total:  # an engine before this one ran them
            dropped += f" of this engine · {number(len(self.items))} shown"
        return Content.styled(f"{plural(self._total, 'invocation')}{dropped}", "$foreground 50%")
