"""All of the engine's time comes from here."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol


class Timer(Protocol):
    """A call that has not happened yet."""

    def cancel(self) -> None:
        """Forget the call; harmless after it happened."""


class Clock(Protocol):
    """Time as the engine knows it."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that never go back; the zero means nothing."""

    def time(self) -> float:
        """Epoch seconds."""

    def call_later(self, seconds: float, callback: Callable[..., Any], *args: Any) -> Timer:
        """Call once, `seconds` from now, on the engine's loop."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clocks and the running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.monotonic_ns = time.monotonic_ns
        self.time = time.time
        self.call_later = self._loop.call_later

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ReplayClock:
    """Time without an event loop: it skips from one call to the next, so a day takes as long as what happens in it."""

    def __init__(self) -> None:
        self._now = 0
        self._calls: list[tuple[int, bool, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()

    def monotonic_ns(self) -> int:
        return self._now

    def call_at(self, t: int, callback: Callable[..., None], *args: Any, late: bool = False) -> None:
        """Call once, at `t` nanoseconds; what is `late`, after everything else of that moment."""
        heapq.heappush(self._calls, (t, late, next(self._order), callback, args))

    def run(self) -> None:
        """Let everything happen that is to happen, and what comes of it."""
        while self._calls:
            self._now, _, _, callback, args = heapq.heappop(self._calls)
            callback(*args)
