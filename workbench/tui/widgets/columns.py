"""Fixed columns: which of them a width has room for, and where each stands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Blank cells between two columns.
GAP = 1


@dataclass(frozen=True, slots=True)
class Column:
    """`flex` is its part of what is left over, up to `most` cells. The smallest `keep` goes first when it is narrow."""

    name: str
    title: str
    width: int
    keep: int = 100
    right: bool = False
    flex: int = 0
    most: int = 10_000


@dataclass(frozen=True, slots=True)
class Placed:
    """A column with its width here."""

    name: str
    title: str
    width: int
    right: bool


def place(columns: Sequence[Column], width: int) -> tuple[Placed, ...]:
    """The columns that fit into `width`, in their order; the flexible ones share what is left over."""
    kept = list(columns)
    while len(kept) > 1 and _needed(kept) > width:
        kept.remove(min(reversed(kept), key=lambda column: column.keep))
    widths = {column.name: column.width for column in kept}
    _share_out(kept, widths, width - _needed(kept))
    return tuple(Placed(column.name, column.title, widths[column.name], column.right) for column in kept)


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _share_out(columns: Sequence[Column], widths: dict[str, int], spare: int) -> None:
    if spare < 0:  # a single column that is too wide
        widths[columns[0].name] += spare
        return
    while spare > 0:
        hungry = [column for column in columns if column.flex and widths[column.name] < column.most]
        if not hungry:
            return
        total = sum(column.flex for column in hungry)
        before = spare
        for column in hungry:
            given = min(before * column.flex // total, column.most - widths[column.name], spare)
            widths[column.name] += given
            spare -= given
        if spare == before:  # less than a cell for each: the first takes it
            widths[hungry[0].name] += 1
            spare -= 1
