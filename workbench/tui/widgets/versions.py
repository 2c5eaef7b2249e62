"""The versions of a function: `$LATEST`, then the published ones, the newest first."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from textual.content import Content

from workbench.live.view import FunctionView
from workbench.model.functions import FunctionVersion
from workbench.model.names import LATEST
from workbench.tui.commands import function as commands
from workbench.tui.format import NOTHING, plural, short
from workbench.tui.shell import key_of
from workbench.tui.widgets.columns import Column
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.rows import Edge, RowList


@dataclass(frozen=True, slots=True)
class VersionRow:
    """`details` is None until the engine was asked for them."""

    version: str
    details: FunctionVersion | None
    used_by: str = ""
    dirty: bool = False
    executed: int = 0


def version_rows(view: FunctionView, details: Mapping[str, FunctionVersion]) -> list[VersionRow]:
    """One row a version, as the live view knows them."""
    published = sorted(view.versions, key=lambda version: (len(version), version), reverse=True)
    return [
        VersionRow(
            version,
            details.get(version),
            _used_by(view.aliases, version),
            version == LATEST and view.dirty,
            view.executed.get(version, 0),
        )
        for version in (LATEST, *published)
    ]


def _used_by(aliases: Mapping[str, Mapping[str, float]], version: str) -> str:
    """The aliases that lead here, each with its weight unless it is all."""
    found = []
    for name, targets in sorted(aliases.items()):
        if version in targets:
            weight = targets[version]
            found.append(name if len(targets) == 1 else f"{name} {round(100 * weight, 1):g}%")
    return ", ".join(found)


class VersionList(RowList[VersionRow]):
    """One version a row."""

    NAME = "Versions"
    NUMBER = 1
    EDGE = Edge.NONE
    COLUMNS = (
        Column("version", "VER", 7, keep=110),
        Column("published", "PUBLISHED", 11, keep=70),
        Column("sha", "CODE", 7, keep=60),
        Column("runtime", "RUNTIME", 10, keep=50, flex=1, most=14),
        Column("memory", "MEM", 5, keep=35, right=True),
        Column("executed", "RAN", 4, keep=40, right=True),
        Column("used", "USED BY", 15, keep=100, flex=3, most=36),
        Column("description", "ABOUT", 8, keep=10, flex=2),
    )
    OFFERS = ()

    def sync_rows(self, view: FunctionView, details: Mapping[str, FunctionVersion]) -> None:
        self.show(version_rows(view, details))

    def key(self, item: VersionRow) -> Hashable:
        return item.version

    def piece(self, item: VersionRow, column: str, width: int) -> Piece | list[Piece]:
        details = item.details
        match column:
            case "version":
                return (item.version, "strong")
            case "published":
                if item.version == LATEST:
                    return ("changed", "warn") if item.dirty else ("as newest", "dim")
                return (moment(details.last_modified) if details else NOTHING, "dim")
            case "sha":
                return (details.code.sha256[:6] + "…" if details else NOTHING, "dim")
            case "runtime":
                return (details.configuration.runtime if details else NOTHING, "dim")
            case "memory":
                return (f"{details.configuration.memory_size}M" if details else NOTHING, "dim")
            case "executed":
                return (short(item.executed), "" if item.executed else "faint")
            case "used":
                return (item.used_by or NOTHING, "accent" if item.used_by else "faint")
            case _:
                return (details.configuration.description if details else "", "dim")

    def subtitle(self) -> Content:
        published = len(self.items) - 1
        if published < 1:
            publish = key_of(self, commands.Publish)
            return Content.styled(f"none published yet: {publish} publishes $LATEST", "$text-warning")
        dirty = isinstance(self.items[0], VersionRow) and self.items[0].dirty
        note = f"{plural(published, 'version')} published" + (" · $LATEST differs from the newest" if dirty else "")
        return Content.styled(note, "$foreground 50%")


def moment(wall: float) -> str:
    """Local day and time, to the minute."""
    return time.strftime("%m-%d %H:%M", time.localtime(wall))
