"""The two lines on top: what this engine is, and how it does."""

from __future__ import annotations

from pathlib import PurePath

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from workbench.live.view import EngineStatus
from workbench.model.text import one_line
from workbench.tui.format import clock, fit, milliseconds, number, share, short, sparkline
from workbench.tui.link import Link, LinkState
from workbench.tui.mirror import Changed, Mirror

SPARK = 10
_FIELD = "$foreground 55%"


class Header(Widget):
    """Project, backend and its boundary above; rates of the last seconds and shares of the last minute below."""

    DEFAULT_CSS = """
    Header {
        height: 2;
        background: $surface;
        color: $foreground;
        padding: 0 1;
    }
    """
    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self._lines = Content("")
        self._known: tuple[Mirror, Link] | None = None

    def sync(self, mirror: Mirror, link: Link, changed: Changed) -> None:
        """Write both lines anew; draw them only if they read otherwise."""
        self._known = (mirror, link)
        if changed.tick or changed.link:
            self._write()
        if changed.link and link.status is not None:
            self.tooltip = _tooltip(link.status)

    def on_resize(self) -> None:
        self._write()

    def _write(self) -> None:
        width = self.size.width
        if self._known is None or not width:
            return
        mirror, link = self._known
        lines = Content("\n").join([self._engine(link, width), self._figures(mirror, link, width)])
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def render(self) -> Content:
        return self._lines

    def _engine(self, link: Link, width: int) -> Content:
        name = Content.assemble(("λ workbench", "bold $text-primary"))
        status = link.status
        if status is None:
            return Content.assemble(name, "   ", ("connecting to the engine …", _FIELD))
        project = PurePath(one_line(status.project)).name or one_line(status.project)
        boundary = (
            ("● isolated", "$text-success")
            if status.isolated
            else ("▲ no boundary: trusted code only", "$text-warning")
        )
        line = Content.assemble(name, "   ", (project, "bold"), "   ", one_line(status.backend), " ", boundary, "   ")
        room = width - line.cell_length
        why = one_line(status.backend_why)
        if link.state is LinkState.LOST:
            why = "engine lost"
        elif status.isolated and cell_len(why) > room:  # half of it says nothing; all of it is in the tooltip
            why = ""
        return Content.assemble(line, (fit(why, room) if room > 12 else "", _FIELD))

    def _figures(self, mirror: Mirror, link: Link, width: int) -> Content:
        if link.status is None:
            return Content("")
        totals = mirror.totals
        recent, errors, cold = mirror.rates.shares()
        rate = mirror.rates.per_second
        figures: list[tuple[str, str, str]] = [
            ("inv/s", f"{rate:.1f}" if 0 < rate < 10 else short(rate), "bold"),
            ("", sparkline(mirror.rates.history(SPARK)), "$text-primary"),
            ("err", share(errors, recent), "bold $text-error" if errors else "bold"),
            ("cold", share(cold, recent), "bold $text-accent" if cold else "bold"),
            ("conc", number(totals.running), "bold $text-success" if totals.running else "bold"),
            ("env", number(totals.environments), "bold"),
            ("billed", milliseconds(totals.billed_ms) if totals.billed_ms else "0 ms", "bold"),
        ]
        now = clock(mirror.wall)
        parts: list[str | Content | tuple[str, str]] = []
        used = 0
        for label, value, style in figures:
            text = f"{label} " if label else ""
            gap = "" if not parts else ("   " if label else " ")
            needed = cell_len(gap + text + value)
            if used + needed + 2 + len(now) > width:
                break
            parts += [gap, (text, _FIELD), (value, style)]
            used += needed
        return Content.assemble(*parts, " " * max(1, width - used - len(now)), (now, _FIELD))


def _tooltip(status: EngineStatus) -> Content:
    lines = [
        f"{status.project}",
        f"backend {status.backend}: {status.backend_why}",
        f"engine {status.version}, pid {status.pid}, state in {status.state_dir}",
        *(f"{name}: {url}" for name, url in status.urls.items()),
        *status.notes,
    ]
    return Content("\n".join(one_line(line) for line in lines))
