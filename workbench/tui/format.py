"""Figures as text of few characters: durations, sizes, ages, times of day, shares."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from workbench.model.names import LATEST
from workbench.model.text import one_line

#: What stands where there is nothing to say.
NOTHING = "–"
_BARS = "▁▂▃▄▅▆▇█"


def fit(text: str, width: int, *, right: bool = False) -> str:
    """One line of exactly `width` cells; what is cut ends in an ellipsis."""
    if width <= 0:
        return ""
    text = one_line(text)
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        return text[: width - 1] + "…" if text.isascii() else set_cell_size(text, width - 1) + "…"
    return " " * (width - length) + text if right else text + " " * (width - length)


def milliseconds(value: float | None) -> str:
    """`0.4 ms`, `38 ms`, `1.24 s`, `2m03s`."""
    if value is None:
        return NOTHING
    if value < 9.95:
        return f"{value:.1f} ms"
    if value < 999.5:
        return f"{value:.0f} ms"
    if value < 59_995:
        return f"{value / 1000:.2f} s"
    return age(value / 1000)


def age(seconds: float) -> str:
    """`7s`, `2m03s`, `3h10m`, `5d02h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"


def clock(wall: float) -> str:
    """Local time of day, to the second."""
    return time.strftime("%H:%M:%S", time.localtime(wall))


def clock_ms(wall: float) -> str:
    """Local time of day, to the millisecond."""
    whole = int(wall)
    return f"{clock(whole)}.{int((wall - whole) * 1000):03}"


def size(count: int) -> str:
    """`642 B`, `3.1 KB`, `5.9 MB`."""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.1f} KB"
    return f"{count / 1_000_000:.1f} MB"


def number(count: int) -> str:
    """An integer in groups of three."""
    return f"{count:,}".replace(",", "\u2009") if count >= 10_000 else str(count)


def short(count: float) -> str:
    """A count in at most four characters: `412`, `9999`, `12k`, `1.2M`."""
    if count < 10_000:
        return f"{count:.0f}"
    if count < 999_500:
        return f"{count / 1000:.0f}k"
    return f"{count / 1_000_000:.1f}M"


def share(part: float, whole: float) -> str:
    """A percentage, or nothing where there is no whole."""
    if whole <= 0:
        return NOTHING
    percent = 100 * part / whole
    return f"{percent:.0f}%" if percent >= 9.95 or percent == 0 else f"{percent:.1f}%"


def plural(count: int, word: str) -> str:
    return f"{number(count)} {word}" if count == 1 else f"{number(count)} {word}s"


def version(name: str) -> str:
    """A version as a column shows it: `$LATEST` is `$L`."""
    return "$L" if name == LATEST else name


def request_id(value: str) -> str:
    """The part of a request id that tells it from its neighbours."""
    return value[:8]


def environment_id(value: str) -> str:
    """The part of an environment's id that tells it from its neighbours."""
    return value[:7]


def sparkline(values: Sequence[float]) -> str:
    """One bar a value, the tallest for the greatest."""
    top = max(values, default=0)
    if top <= 0:
        return _BARS[0] * len(values)
    return "".join(_BARS[min(7, int(value / top * 7.999))] if value > 0 else _BARS[0] for value in values)
