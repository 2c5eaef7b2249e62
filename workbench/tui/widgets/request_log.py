"""The log lines of one invocation, with the time since its first line."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from workbench.live.view import LogView
from workbench.tui.commands import invocation as commands
from workbench.tui.commands import moves
from workbench.tui.commands.base import bindings
from workbench.tui.format import plural
from workbench.tui.mirror import Gap, Mirror
from workbench.tui.widgets.columns import Column
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.logs import LogList


class RequestLog(LogList, inherit_bindings=False):
    """Keeps what it has when the ring moves on."""

    NUMBER = 2
    OFFERS = (commands.OpenLine,)
    BINDINGS = bindings(*OFFERS, *moves.ROWS, *moves.SIDEWAYS)
    EMPTY = "No lines of this invocation are kept."
    COLUMNS = (Column("offset", "", 9, keep=50, right=True), Column("text", "LINE", 20, flex=1))

    def __init__(self, request: str) -> None:
        super().__init__()
        self._request = request
        self._kept: dict[int, LogView] = {}

    @property
    def kept(self) -> list[LogView]:
        """Every line so far, oldest first."""
        return list(self._kept.values())

    def listed(self, mirror: Mirror) -> Sequence[LogView | Gap]:
        self._kept.update((line.n, line) for line in mirror.logs_of(self._request))
        return self.kept

    def piece(self, item: LogView | Gap, column: str, width: int) -> Piece | list[Piece]:
        if column == "offset" and isinstance(item, LogView):
            first = next(iter(self._kept.values()))
            return (f"+{(item.t - first.t) / 1e6:.1f} ms", "faint")
        return super().piece(item, column, width)

    def title(self) -> Content:
        return Content.assemble(self.name_of_list(), self.shifted)

    def subtitle(self) -> Content:
        return Content.styled(plural(len(self.items), "line"), "$foreground 50%")
