"""The execution environments of the environments screen: as they are, or as they were at a moment of the past."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import groupby

from textual import events
from textual.content import Content

from workbench.live.view import CELL_NS, EnvironmentView, PastEnvironment
from workbench.model.text import one_line
from workbench.tui.commands import environments as commands
from workbench.tui.format import NOTHING, age, clock, environment_id, number
from workbench.tui.mirror import Changed, Mirror
from workbench.tui.past import Window, columns, state_at
from workbench.tui.shell import key_of
from workbench.tui.widgets.columns import Placed
from workbench.tui.widgets.concurrency import UNKNOWN, ConcurrencyChart
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.environments import STYLE_OF, EnvironmentList

#: Cells of the timeline while nothing is drawn yet.
_WIDTH = 16


class Lifecycles(EnvironmentList):
    """With a `window`, the list stands still and shows the environments that were there then."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.window: Window | None = None
        self._tracks: Mapping[str, PastEnvironment] = {}
        self._wall = 0.0

    @property
    def span(self) -> int:
        """Cells from one end of the timelines to the other."""
        return self.zoom * next((column.width for column in self._placed if column.name == "timeline"), _WIDTH)

    @property
    def end(self) -> int:
        """The cell at which the timelines end."""
        return self._now // CELL_NS if self.window is None else self.window.end

    @property
    def tracks(self) -> Collection[PastEnvironment]:
        """What is shown of the past."""
        return self._tracks.values()

    def look_at(self, window: Window | None, wall: float = 0.0) -> None:
        """Show this stretch of the past, it being `wall` now; None: what there is now, with the next `sync`."""
        self.window, self._wall = window, wall
        if window is None:
            self._tracks = {}
            self.redraw()
            return
        self.paused = False
        shown = window.shown(self.span, self.only)
        self._tracks = {view.id: track for view, track in shown}
        self.show([view for view, _ in shown])
        self.redraw()

    def sync(self, mirror: Mirror, changed: Changed) -> None:
        if self.window is None:
            super().sync(mirror, changed)
        elif changed.tick:
            self._wall = mirror.wall
            self.retitle()

    @property
    def mark(self) -> str:
        """Which moment of the past is shown, and how long ago it was."""
        if self.window is None:
            return ""
        return f"  ‖ {clock(self.window.wall)}  -{age(round(self._wall - self.window.wall))}"

    def piece(self, item: EnvironmentView, column: str, width: int) -> Piece | list[Piece]:
        if self.window is None:
            return super().piece(item, column, width)
        track = self._tracks[item.id]
        state = state_at(track, self.window.end)
        alive = state is not None and not state.final
        match column:
            case "id":
                return (environment_id(item.id), "" if alive else "dim")
            case "function":
                return (item.function, "strong" if alive else "dim")
            case "version":
                return super().piece(item, column, width)
            case "state":
                return (state.value, STYLE_OF[state]) if state is not None else (NOTHING, "faint")
            case "timeline":
                return self._past(self.window, track, width)
            case "age":
                until = min(self.window.t, item.since) if item.state.final else self.window.t
                return (age((until - item.created) / 1e9) if state is not None else NOTHING, "dim")
            case "trail":
                return ("", "")
            case _:  # what it counted by then is not known
                return (NOTHING, "faint")

    def _past(self, window: Window, track: PastEnvironment, width: int) -> list[Piece]:
        glyphs = [(s.glyph, STYLE_OF[s]) if s else (" ", "") for s in columns(track, window.end, width, self.zoom)]
        if track.first <= window.past.begins:  # it was there before, as nobody knows what
            unknown = window.unknown(width, self.zoom)
            glyphs[:unknown] = [(UNKNOWN, "faint")] * unknown
        return [(glyph * len(list(run)), style) for (glyph, style), run in groupby(glyphs)]

    def heading(self, column: Placed) -> str:
        if self.window is None or column.name != "timeline":
            return super().heading(column)
        start, stop = self.ends(column.width)
        return start + stop.rjust(column.width - len(start))

    def ends(self, width: int) -> tuple[str, str]:
        """What stands at both ends of an axis of the past of so many columns."""
        assert self.window is not None
        stop = clock(self.window.wall)
        start = clock(self.window.wall_at(self.window.t - width * self.zoom * CELL_NS))
        return (start if width > 2 * len(stop) else "", stop)

    def title(self) -> Content:
        if self.window is None:
            return super().title()
        of = f"  {one_line(self.only)}" if self.only else ""
        return Content.assemble(
            self.name_of_list(),
            (f"  {number(len(self.items))} then", "$foreground 60%"),
            (of, "$text-primary"),
            (self.mark, "bold $text-warning"),
        )

    def subtitle(self) -> Content:
        if self.window is None:
            return super().subtitle()
        known = clock(self.window.known_from)
        back, forth, now = (key_of(self, command) for command in (commands.Earlier, commands.Later, commands.Now))
        return Content.styled(f"{back} {forth} move · {now} now · the past is known from {known} on", "$foreground 60%")

    def empty(self) -> str:
        return super().empty() if self.window is None else "No environment was there then."

    # -- the mouse
    def _wheel(self, event: events.MouseEvent, step: int) -> None:
        event.stop()
        event.prevent_default()
        self.post_message(ConcurrencyChart.Scrubbed(step))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        if event.shift:
            self._wheel(event, -1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        if event.shift:
            self._wheel(event, 1)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        self._wheel(event, -1)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        self._wheel(event, 1)
