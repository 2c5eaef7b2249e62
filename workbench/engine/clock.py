"""All of the engine's time comes from here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
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
