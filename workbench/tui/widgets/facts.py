"""Names and values in lines, as many to a line as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from workbench.model.text import one_line

#: A name, its value, and the value's style.
Fact = tuple[str, str, str]


class Facts(Widget):
    """Facts that flow into lines; `show` draws them if they changed."""

    DEFAULT_CSS = """
    Facts { height: auto; padding: 0 1; margin-bottom: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts: list[Fact] = []

    def show(self, facts: Sequence[Fact]) -> None:
        harmless = [(name, one_line(value), style) for name, value, style in facts if value]
        if harmless != self._facts:
            self._facts = harmless
            self.refresh(layout=True)

    def render(self) -> Content:
        lines: list[list[Content]] = [[]]
        used = 0
        for name, value, style in self._facts:
            needed = cell_len(name) + 1 + cell_len(value) + 3
            if used and used + needed > self.size.width + 3:
                lines.append([])
                used = 0
            lines[-1].append(Content.assemble((name, "$foreground 55%"), " " if name else "", (value, style)))
            used += needed
        return Content("\n").join(Content("   ").join(line) for line in lines)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        used, height = 0, 1
        for name, value, _ in self._facts:
            needed = cell_len(name) + 1 + cell_len(value) + 3
            if used and used + needed > width + 3:
                height, used = height + 1, 0
            used += needed
        return height
