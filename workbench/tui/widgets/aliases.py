"""The aliases of a function: where each leads, and where its invocations really went."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from textual.content import Content

from workbench.live.view import FunctionView
from workbench.tui.commands import function as commands
from workbench.tui.commands.base import bindings
from workbench.tui.edits import routing
from workbench.tui.format import NOTHING, number, plural
from workbench.tui.observed import Split
from workbench.tui.shell import key_of
from workbench.tui.widgets.columns import Column
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.rows import Edge, RowList


@dataclass(frozen=True, slots=True)
class AliasRow:
    """An alias with its targets and their weights, and the observed split."""

    name: str
    targets: Mapping[str, float]
    observed: Split = field(default_factory=Split)


def observed_text(split: Split, targets: Mapping[str, float]) -> str:
    """`7 89.4 %  8 10.6 %`; versions that the alias no longer leads to come last."""
    versions = [*targets, *(version for version in split.counts if version not in targets)]
    return "  ".join(f"{version} {100 * split.share(version):.1f} %" for version in versions)


class AliasList(RowList[AliasRow]):
    """One alias a row."""

    NAME = "Aliases"
    NUMBER = 2
    EDGE = Edge.NONE
    COLUMNS = (
        Column("name", "ALIAS", 10, keep=100, flex=1, most=24),
        Column("routing", "LEADS TO", 15, keep=90, flex=2, most=24),
        Column("observed", "OBSERVED", 19, keep=60, flex=2, most=32),
        Column("count", "N", 5, keep=40, right=True),
    )
    OFFERS = commands.ALIASES
    BINDINGS = bindings(*OFFERS)

    def sync_rows(self, view: FunctionView, splits: Mapping[str, Split]) -> None:
        self.show([AliasRow(name, view.aliases[name], splits.get(name, Split())) for name in sorted(view.aliases)])

    def key(self, item: AliasRow) -> Hashable:
        return item.name

    def piece(self, item: AliasRow, column: str, width: int) -> Piece | list[Piece]:
        match column:
            case "name":
                return (item.name, "strong")
            case "routing":
                return (routing(item.targets), "")
            case "observed":
                if not item.observed.total:
                    return (NOTHING, "faint")
                return (observed_text(item.observed, item.targets), "accent")
            case _:
                return (number(item.observed.total) if item.observed.total else NOTHING, "dim")

    def empty(self) -> str:
        return f"No alias yet: {key_of(self, commands.NewAlias)} makes one for the selected version."

    def subtitle(self) -> Content:
        return Content.styled(plural(len(self.items), "alias").replace("aliass", "aliases"), "$foreground 50%")
