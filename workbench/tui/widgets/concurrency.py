"""Concurrency as a chart: how many invocations ran at once, with the lines of what is reserved and provisioned."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from workbench.live.view import CELL_NS
from workbench.model.text import one_line
from workbench.tui.format import fit, number

AXIS, FIGURES = 6, 26
#: What stands where nothing is known.
UNKNOWN = "?"
_BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn: peaks by column, oldest first; the limits; and figures to stand beside it.

    Of the first `unknown` columns nothing is known. `ends` are the texts at both ends of the axis; `mark` says which
    moment it shows, if that is not now.
    """

    peaks: tuple[int, ...]
    zoom: int = 1
    reserved: int | None = None
    provisioned: int = 0
    figures: tuple[tuple[str, str, str], ...] = ()
    unknown: int = 0
    ends: tuple[str, str] | None = None
    mark: str = ""


def ceiling(value: int) -> int:
    """The smallest of 4, 5, 10, 20, 50, 100 … that is not below the value."""
    scale = 1
    while True:
        for base in (1, 2, 5):
            if base * scale >= max(4, value):
                return base * scale
        scale *= 10


def rows(chart: Chart, height: int) -> list[str]:
    """The chart's lines from the top: blocks, and dashes where a limit lies above them."""
    limits = [(chart.reserved, "┄"), (chart.provisioned or None, "╌")]
    top = ceiling(max(*chart.peaks, chart.reserved or 0, chart.provisioned, 1))
    lines = {}
    for limit, dash in limits:
        if limit is not None:
            lines[min(height - 1, max(0, -(-limit * height // top) - 1))] = dash
    drawn = []
    for row in range(height - 1, -1, -1):
        blank = lines.get(row, " ")
        levels = [max(0, min(8, round(peak * height * 8 / top) - row * 8)) for peak in chart.peaks]
        if row == 0:  # one of a thousand is still seen
            levels = [max(level, 1 if peak else 0) for level, peak in zip(levels, chart.peaks, strict=True)]
        line = "".join(_BLOCKS[level] if level else blank for level in levels)
        drawn.append((" " if row else UNKNOWN) * chart.unknown + line[chart.unknown :])
    return drawn


class ConcurrencyChart(Widget, can_focus=True):
    """`show` draws what there is; figures stand at its right."""

    DEFAULT_CSS = """
    ConcurrencyChart { height: 1fr; padding: 0 1; }
    """
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._chart: Chart | None = None
        self._of: str | None = None

    class Scrubbed(Message):
        """The wheel asks for another moment: so many quarters of the window later, or earlier."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.post_message(self.Scrubbed(-1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.post_message(self.Scrubbed(1))

    @property
    def columns(self) -> int:
        """Columns of time for which there is room."""
        return max(8, self.content_size.width - AXIS - FIGURES)

    def show(self, chart: Chart, of: str | None) -> None:
        if (chart, of) != (self._chart, self._of):
            self._chart, self._of = chart, of
            name = one_line(of) if of is not None else "all functions"
            self.border_title = Content.assemble(
                ("1 ", "$foreground 50%"),
                ("Concurrency", "bold"),
                (f"  {name}", "$text-primary"),
                (chart.mark, "bold $text-warning"),
            )
            self.refresh()

    def render(self) -> Content:
        chart = self._chart
        height = self.content_size.height - 1
        if chart is None or height < 1 or not chart.peaks:
            return Content("")
        top = ceiling(max(*chart.peaks, chart.reserved or 0, chart.provisioned, 1))
        lines = []
        for index, row in enumerate(rows(chart, height)):
            label = number(top) if index == 0 else number(top // 2) if index == height // 2 and height > 3 else ""
            edge = "┤" if label else "│"
            name, value, style = chart.figures[index] if index < len(chart.figures) else ("", "", "")
            full = chart.reserved is not None and max(chart.peaks[-1:]) >= chart.reserved
            lines.append(
                Content.assemble(
                    (fit(label, AXIS - 1, right=True) + edge, "$foreground 50%"),
                    (row[: chart.unknown], "$foreground 25%"),
                    (row[chart.unknown :], "$text-error" if full else "$success"),
                    "   ",
                    (fit(name, 13), "$foreground 55%"),
                    (fit(value, FIGURES - 17, right=True), style or "bold"),
                )
            )
        seconds = len(chart.peaks) * chart.zoom * CELL_NS / 1e9
        start, stop = chart.ends or (f"-{seconds:.0f} s", "now")
        axis = start + stop.rjust(max(0, len(chart.peaks) - len(start)))
        lines.append(Content.styled(fit("0", AXIS - 1, right=True) + "┼" + axis, "$foreground 50%"))
        return Content("\n").join(lines)
