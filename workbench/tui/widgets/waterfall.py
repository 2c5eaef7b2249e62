"""Where the time of one invocation went, as bars under one another."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content
from textual.widget import Widget

from workbench.live.view import InvocationView
from workbench.model.text import one_line
from workbench.tui.format import fit, milliseconds

LABEL, FIGURE = 22, 8


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time; `t` counts nanoseconds from the acceptance."""

    label: str
    start: int
    end: int
    glyph: str
    style: str


def phases(view: InvocationView, now: int) -> list[Phase]:
    """What is known of an invocation: how it waited for its environment, then its run."""
    if view.status.ended and view.started is None:
        return []
    started = view.started if view.started is not None else now
    why = "cold start" if view.cold else "place"
    found = [Phase(why, 0, started - view.accepted, "▒", "$text-accent" if view.cold else "$foreground 60%")]
    if view.started is not None:
        end = view.finished if view.finished is not None else now
        found.append(Phase("invoke", started - view.accepted, end - view.accepted, "█", "$success"))
    return found


class Waterfall(Widget):
    """Two bars on one axis."""

    DEFAULT_CSS = """
    Waterfall { height: 2; padding: 0 1; margin-bottom: 1; }
    """
    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self._phases: list[Phase] = []

    def show(self, view: InvocationView, now: int) -> None:
        """Draw the invocation as it is now."""
        found = phases(view, now)
        if found != self._phases:
            self._phases = found
            self.display = bool(found)
            self.refresh()

    def render(self) -> Content:
        width = max(4, self.size.width - LABEL - FIGURE - 2)
        whole = max((phase.end for phase in self._phases), default=1) or 1
        lines = []
        for phase in self._phases:
            start = phase.start * width // whole
            length = max(1, phase.end * width // whole - start)
            start = min(start, width - length)
            figure = fit(milliseconds((phase.end - phase.start) / 1e6), FIGURE, right=True)
            label = fit(one_line(phase.label), LABEL)
            lines.append(
                Content.assemble(
                    (label, "$foreground 70%"), figure, "  ", " " * start, (phase.glyph * length, phase.style)
                )
            )
        return Content("\n").join(lines)
