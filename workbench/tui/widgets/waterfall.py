"""Where the time of one invocation went, as bars under one another."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from workbench.live.view import EnvironmentView, InvocationView
from workbench.model.text import one_line
from workbench.tui.format import fit, milliseconds
from workbench.tui.phases import Phase, phases

LABEL, NOTE, FIGURE = 8, 36, 8
#: Steps of the axis, in milliseconds.
_STEPS = tuple(base * 10**power for power in range(-2, 7) for base in (1, 2, 5))


class Waterfall(Widget, can_focus=True):
    """One bar a phase, on one axis; above it the axis, under it why this environment."""

    DEFAULT_CSS = """
    Waterfall { height: auto; padding: 0 1; }
    """
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._phases: list[Phase] = []
        self._why = ""

    def show(self, view: InvocationView, environment: EnvironmentView | None, now: int) -> None:
        """Draw the invocation as it is now."""
        found = phases(view, environment, now)
        if (found, view.why) != (self._phases, self._why):
            grown = len(found) != len(self._phases)
            self._phases, self._why = found, view.why
            self.refresh(layout=grown)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self._phases) + 2 if self._phases else 1

    def render(self) -> Content:
        why = Content.assemble((fit("why", LABEL), "$foreground 55%"), one_line(self._why))
        if not self._phases:
            return Content.assemble(why, ("   no environment ever had it", "$foreground 55%"))
        note = NOTE if self.size.width >= 110 else 20
        left = LABEL + note + FIGURE + 4
        width = max(4, self.size.width - left)
        whole = max((phase.end for phase in self._phases), default=1) or 1
        lines = [Content.styled(" " * left + _axis(whole, width), "$foreground 45%")]
        for phase in self._phases:
            start = phase.start * width // whole
            length = max(1, phase.end * width // whole - start)
            start = min(start, width - length)
            lasted = milliseconds((phase.end - phase.start) / 1e6) if phase.end > phase.start else ""
            lines.append(
                Content.assemble(
                    (fit(phase.label, LABEL), "bold"),
                    (fit(phase.note, note), "$foreground 70%"),
                    " ",
                    fit(lasted, FIGURE, right=True),
                    "   ",
                    " " * start,
                    ((phase.glyph if phase.end > phase.start else "▏") * length, phase.style),
                )
            )
        return Content("\n").join([*lines, why])


def _axis(whole: int, width: int) -> str:
    """Times above the bars, as many as have room."""
    total = whole / 1e6
    step = next((step for step in _STEPS if step / total * width >= 14), total)
    text = ""
    at = 0.0
    while at <= total:
        place = round(at / total * width)
        label = "0" if at == 0 else milliseconds(at) if at >= 10 or at != int(at) else f"{at:.0f} ms"
        if place + len(label) > width:
            break
        text = text.ljust(place) + label
        at += step
    return text
