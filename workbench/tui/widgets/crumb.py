"""The line that says where one is: the path, then the few facts that matter most."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from workbench.model.text import one_line
from workbench.tui.widgets.facts import Fact

BETWEEN = " \u203a "


class Crumb(Widget):
    """`show` draws the path and as many facts as one line has room for."""

    DEFAULT_CSS = """
    Crumb { height: 1; padding: 0 1; background: $background; }
    """
    ALLOW_SELECT = False

    def __init__(self, *path: str) -> None:
        super().__init__()
        self._path = tuple(one_line(part) for part in path)
        self._facts: list[Fact] = []

    def show(self, facts: Sequence[Fact]) -> None:
        harmless = [(name, one_line(value), style) for name, value, style in facts if value]
        if harmless != self._facts:
            self._facts = harmless
            self.refresh()

    def render(self) -> Content:
        *way, here = self._path
        parts: list[Content | tuple[str, str]] = [("".join(part + BETWEEN for part in way), "$foreground 55%")]
        parts.append((here, "bold $text-primary"))
        used = cell_len("".join(part + BETWEEN for part in way) + here)
        for name, value, style in self._facts:
            needed = 3 + (cell_len(name) + 1 if name else 0) + cell_len(value)
            if used + needed > self.size.width:
                break
            parts.append(Content.assemble("   ", (f"{name} " if name else "", "$foreground 55%"), (value, style)))
            used += needed
        return Content.assemble(*parts)
