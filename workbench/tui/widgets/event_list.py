"""Events to fire with: saved ones, those that were fired already, and samples of what AWS's services send."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from workbench.client.samples import DESCRIPTIONS, sample_event
from workbench.live.view import InvocationView
from workbench.model.text import one_line
from workbench.tui.commands import events as commands
from workbench.tui.commands.base import bindings
from workbench.tui.format import clock
from workbench.tui.saved import SavedEvent
from workbench.tui.widgets.columns import Column
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.invocations import STATUSES
from workbench.tui.widgets.rows import Edge, RowList

#: Events of the past that are listed, and invocations that are looked through for them.
_SHOWN, _LOOKED_AT = 50, 2_000


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event. `whole` is False where the live view has only its beginning; `request_id` is that of the past."""

    kind: str
    name: str
    text: str
    request_id: str = ""
    whole: bool = True
    style: str = ""


def event_rows(saved: Iterable[SavedEvent], function: str, past: Iterable[InvocationView]) -> list[EventRow]:
    """The saved events, those of the function first; then what else it was fired with; then the samples."""
    ordered = sorted(saved, key=lambda event: (not event.fits(function), event.name))
    rows = [
        EventRow("saved", event.name, event.text, style="strong" if event.fits(function) else "") for event in ordered
    ]
    seen: set[str] = set()
    for view in islice(past, _LOOKED_AT):
        if view.function != function or view.event in seen:
            continue
        seen.add(view.event)
        word, style = STATUSES[view.status]
        excerpt = one_line(" ".join(view.event.split()))
        whole = len(view.event.encode("utf-8", "replace")) == view.event_size
        name = f"{clock(view.wall)} {word[:1]} {excerpt}"
        rows.append(EventRow("history", name, view.event, view.request_id, whole, "bad" if style == "bad" else ""))
        if len(seen) >= _SHOWN:
            break
    return rows + [EventRow("sample", name, sample_event(name), style="dim") for name in DESCRIPTIONS]


class EventList(RowList[EventRow]):
    """One event a row."""

    NAME = "Events"
    NUMBER = 1
    EDGE = Edge.NONE
    COLUMNS = (
        Column("kind", "FROM", 7, keep=80),
        Column("name", "EVENT", 14, keep=100, flex=1),
    )
    OFFERS = commands.LIST
    BINDINGS = bindings(*OFFERS)

    def sync_rows(self, rows: Sequence[EventRow]) -> None:
        if list(rows) != list(self.items):
            self.show(rows)

    def key(self, item: EventRow) -> Hashable:
        return (item.kind, item.request_id or item.name)

    def piece(self, item: EventRow, column: str, width: int) -> Piece | list[Piece]:
        return (item.kind, "dim") if column == "kind" else (item.name, item.style)
