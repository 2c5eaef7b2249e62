"""Runtimes, the versions of one, and the functions that run on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from workbench.live.view import FunctionView
from workbench.model.runtimes import InstalledRuntime, RuntimeOverview
from workbench.tui.commands import runtimes as commands
from workbench.tui.commands.base import bindings
from workbench.tui.format import NOTHING, clock
from workbench.tui.widgets.columns import Column
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.rows import Edge, RowList


@dataclass(frozen=True, slots=True)
class RuntimeRow:
    """A runtime and how many functions have it."""

    overview: RuntimeOverview
    functions: int = 0

    @property
    def published(self) -> InstalledRuntime | None:
        return next((one for one in self.overview.versions if one.arn == self.overview.published), None)


def runtime_rows(overviews: Iterable[RuntimeOverview], functions: Iterable[FunctionView]) -> list[RuntimeRow]:
    """Those that functions have first, then those that this machine can run, then the rest."""
    counts = Counter(view.runtime for view in functions)
    rows = [RuntimeRow(overview, counts[overview.id]) for overview in overviews]
    return sorted(rows, key=lambda row: (not row.functions, not row.overview.versions))


class RuntimeList(RowList[RuntimeRow]):
    """One runtime a row."""

    NAME = "Runtimes"
    NUMBER = 1
    EDGE = Edge.NONE
    EMPTY = "Looking for what this machine can run …"
    COLUMNS = (
        Column("id", "RUNTIME", 15, keep=100),
        Column("published", "PUBLISHED", 10, keep=90),
        Column("here", "HERE", 4, keep=60, right=True),
        Column("functions", "FUNCTIONS", 9, keep=70, right=True),
        Column("status", "STATUS", 22, keep=80, flex=1),
    )

    def key(self, item: RuntimeRow) -> Hashable:
        return item.overview.id

    def piece(self, item: RuntimeRow, column: str, width: int) -> Piece | list[Piece]:
        overview = item.overview
        match column:
            case "id":
                return (overview.id, "strong" if overview.versions else "dim")
            case "published":
                return (item.published.version if item.published else NOTHING, "" if item.published else "faint")
            case "here":
                return (str(len(overview.versions)), "dim" if overview.versions else "faint")
            case "functions":
                return (str(item.functions), "run" if item.functions else "faint")
            case _:
                return _status(overview)


def _status(overview: RuntimeOverview) -> Piece:
    if overview.moves is not None:
        return (f"rolling out: Auto at {clock(overview.moves)}", "warn")
    if not overview.versions:
        return ("✗ nothing here runs it", "dim")
    if overview.blocked:
        return (f"✗ blocked, deprecated {overview.deprecation or ''}".rstrip(), "bad")
    if overview.deprecated:
        return (f"▲ deprecated since {overview.deprecation}", "warn")
    return (f"✓ supported until {overview.deprecation}" if overview.deprecation else "✓", "good")


@dataclass(frozen=True, slots=True)
class RuntimeVersionRow:
    """A version of the selected runtime."""

    installed: InstalledRuntime
    published: bool
    newest: bool


def version_rows(overview: RuntimeOverview | None) -> list[RuntimeVersionRow]:
    """The newest first."""
    if overview is None:
        return []
    newest = overview.versions[-1] if overview.versions else None
    return [RuntimeVersionRow(one, one.arn == overview.published, one is newest) for one in reversed(overview.versions)]


class RuntimeVersionList(RowList[RuntimeVersionRow]):
    """One runtime version a row."""

    NAME = "Versions"
    NUMBER = 2
    EDGE = Edge.NONE
    EMPTY = "No version of it is on this machine."
    COLUMNS = (
        Column("version", "VERSION", 9, keep=100),
        Column("notes", "", 17, keep=90),
        Column("program", "PROGRAM", 16, keep=80, flex=1, most=48),
        Column("arn", "ARN", 12, keep=50, flex=2),
    )
    OFFERS = commands.VERSIONS
    BINDINGS = bindings(*OFFERS)

    def key(self, item: RuntimeVersionRow) -> Hashable:
        return item.installed.arn

    def piece(self, item: RuntimeVersionRow, column: str, width: int) -> Piece | list[Piece]:
        match column:
            case "version":
                return (item.installed.version, "strong")
            case "notes":
                words = [word for word, true in (("published", item.published), ("newest", item.newest)) if true]
                return (" ".join(words), "good" if item.published else "dim")
            case "program":
                return (item.installed.interpreter or "the function brings it", "dim")
            case _:
                return (item.installed.arn, "faint")


class RuntimeFunctionList(RowList[FunctionView]):
    """The functions of the selected runtime, and how each takes a new version."""

    NAME = "Functions on it"
    NUMBER = 3
    EDGE = Edge.NONE
    EMPTY = "No function has this runtime."
    COLUMNS = (
        Column("name", "FUNCTION", 16, keep=100, flex=1, most=48),
        Column("mode", "$LATEST TAKES A NEW VERSION", 30, keep=90, flex=1),
    )
    OFFERS = commands.FUNCTIONS
    BINDINGS = bindings(*OFFERS)

    def sync_rows(self, views: Sequence[FunctionView]) -> None:
        self.show(views)

    def key(self, item: FunctionView) -> Hashable:
        return item.name

    def piece(self, item: FunctionView, column: str, width: int) -> Piece | list[Piece]:
        if column == "name":
            return (item.name, "strong")
        words = {"Auto": "by itself", "FunctionUpdate": "when it is updated", "Manual": "never, it is pinned"}
        return (f"{item.runtime_mode}: {words.get(item.runtime_mode, '')}", "")
