"""Layer versions, the newest of each first, and what is to be told of one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from textual.content import Content

from workbench.model.functions import FunctionVersion
from workbench.model.layers import LayerVersion, layer_arn
from workbench.model.names import Account
from workbench.tui.format import NOTHING, size
from workbench.tui.widgets.columns import Column
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.function_facts import Row, table
from workbench.tui.widgets.rows import Edge, RowList
from workbench.tui.widgets.versions import moment


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer version with its ARN and the functions whose `$LATEST` has it."""

    layer: LayerVersion
    arn: str
    users: tuple[str, ...]


def layer_rows(
    layers: Iterable[LayerVersion], functions: Sequence[FunctionVersion], account: Account
) -> list[LayerRow]:
    """As the engine lists them: by name, the newest first."""
    rows = []
    for layer in layers:
        arn = layer_arn(account, layer.name, layer.version)
        rows.append(LayerRow(layer, arn, tuple(f.name for f in functions if arn in f.configuration.layers)))
    return rows


class LayerList(RowList[LayerRow]):
    """One layer version a row."""

    NAME = "Layers"
    NUMBER = 1
    EDGE = Edge.NONE
    EMPTY = (
        "No layers yet.\n\nA layer of a template comes with its functions, and\n"
        "`workbench layers publish NAME FOLDER` publishes one."
    )
    COLUMNS = (
        Column("name", "LAYER", 14, keep=100, flex=1, most=40),
        Column("version", "VER", 4, keep=110, right=True),
        Column("size", "SIZE", 8, keep=70, right=True),
        Column("created", "CREATED", 11, keep=60),
        Column("users", "USED BY", 16, keep=90, flex=2, most=60),
        Column("runtimes", "RUNTIMES", 12, keep=50, flex=2),
    )

    def key(self, item: LayerRow) -> Hashable:
        return item.arn

    def piece(self, item: LayerRow, column: str, width: int) -> Piece | list[Piece]:
        match column:
            case "name":
                return (item.layer.name, "strong")
            case "version":
                return (str(item.layer.version), "")
            case "size":
                return (size(item.layer.code.size), "dim")
            case "created":
                return (moment(item.layer.created), "dim")
            case "users":
                return (", ".join(item.users) or NOTHING, "accent" if item.users else "faint")
            case _:
                return (", ".join(item.layer.runtimes) or "any", "dim")


def layer_facts(row: LayerRow, width: int) -> Content:
    """All that is known of a layer version."""
    layer = row.layer
    rows: list[Row] = [
        ("arn", row.arn),
        ("about", layer.description or NOTHING),
        ("used by", ", ".join(row.users) or "no function's $LATEST"),
        ("runtimes", ", ".join(layer.runtimes) or "any"),
        ("architectures", ", ".join(layer.architectures) or "any"),
        ("license", layer.license_info or NOTHING),
        ("code", f"{size(layer.code.size)}   sha256 {layer.code.sha256}"),
        ("created", moment(layer.created)),
    ]
    if layer.policy is not None:
        rows += [("allowed", f"{one.principal}: {one.action}") for one in layer.policy.statements]
    return table(rows, width)
