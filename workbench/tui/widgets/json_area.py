"""An editor for an event: JSON in colours, without a parser that has to be installed."""

from __future__ import annotations

import re

from rich.style import Style
from rich.text import Text
from textual.widgets import TextArea

from workbench.tui.widgets.json_text import STYLES, TOKEN

_WORDS = re.compile(r"\{\{[^{}]*\}\}")


class JsonArea(TextArea):
    """Tab leaves it. A line is coloured when it is drawn: no string of JSON goes beyond its line."""

    def __init__(self, text: str = "", *, id: str | None = None) -> None:
        super().__init__(text, id=id, tab_behavior="focus", show_line_numbers=True, soft_wrap=True)

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        colours = self.app.theme_variables
        for match in TOKEN.finditer(line.plain):
            line.stylize(Style(color=_colour(colours, STYLES[match.lastgroup or "word"])), *match.span())
        for match in _WORDS.finditer(line.plain):
            line.stylize(Style(bold=True, reverse=True), *match.span())
        return line


def _colour(variables: dict[str, str], name: str) -> str | None:
    """A theme's colour as Rich takes it; none where the theme says `auto` or mixes."""
    value = variables.get(name.removeprefix("$"), "")
    return value if re.fullmatch(r"#[0-9A-Fa-f]{6}", value) else None
