"""Lines of a widget within its border, put together once for as long as they are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.segment import Segment
from textual._styles_cache import StylesCache
from textual.cache import FIFOCache
from textual.color import Color
from textual.geometry import Size, Spacing
from textual.strip import Strip


class FramedLines(StylesCache):
    """Of a widget without padding, whose lines are strips that it keeps while they do not change.

    Textual puts each line of a widget together anew whenever the widget is drawn, and then filters and divides what is
    a new strip to it. Here a line that was put together is found again by the strip in it. What is drawn is what
    Textual draws: the border of the first line, and whatever is not a plain line.
    """

    def __init__(self) -> None:
        super().__init__()
        #: What the lines below are made for.
        self._made_for: tuple[object, ...] = ()
        self._plain, self._border = False, 0
        self._left: list[Segment] = []
        #: What follows a content of so many cells.
        self._right: dict[int, list[Segment]] = {}
        # No LRUCache: what one that is cleared had is a ring, which lives until the garbage collector looks.
        self._lines: FIFOCache[int, tuple[Strip, Strip]] = FIFOCache(256)

    def render_line(
        self,
        styles: Any,
        y: int,
        size: Size,
        content_size: Size,
        padding: Spacing,
        base_background: Color,
        background: Color,
        render_content_line: Callable[[int], Strip],
        border_title: Any,
        border_subtitle: Any,
        opacity: float,
        *more: Any,
    ) -> Strip:
        def drawn(content: Callable[[int], Strip]) -> Strip:
            return super(FramedLines, self).render_line(
                *(styles, y, size, content_size, padding, base_background, background, content),
                *(border_title, border_subtitle, opacity, *more),
            )

        made_for = (styles._cache_key, size.width, base_background, background, opacity)
        if made_for != self._made_for:
            self._made_for = made_for
            self._right.clear()
            self._lines.clear()
            self._border = styles.gutter.top
            self._plain = styles.gutter == Spacing.all(self._border) and self._border <= 1 and not any(padding)
            self._plain = self._plain and opacity == styles.text_opacity == 1 and not styles.tint.a
            self._plain = self._plain and not any(kind for kind, _ in styles.outline)
        if not self._plain or not self._border <= y < size.height - self._border:
            return drawn(render_content_line)
        content = render_content_line(y - self._border)
        kept = self._lines.get(id(content))
        if kept is not None and kept[0] is content:
            return kept[1]
        right = self._right.get(content.cell_length)
        if right is None:
            line = drawn(lambda _: content)
            self._left = list(line.crop(0, self._border))
            self._right[content.cell_length] = list(line.crop(self._border + content.cell_length, size.width))
        else:
            line = Strip([*self._left, *content, *right], size.width)
        self._lines[id(content)] = (content, line)
        return line
