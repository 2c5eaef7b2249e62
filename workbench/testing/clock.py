"""A clock that stands still until it is told to go on: an hour of engine time takes a millisecond."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

#: Turns of the event loop that let everything that is ready run to where it waits again.
_TURNS = 40


class _Timer:
    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.callback = callback
        self.args = args
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualClock:
    """Satisfies the engine's `Clock`. `advance` moves time on and runs what falls due, in order."""

    def __init__(self, epoch: float = 1_700_000_000.0) -> None:
        self._epoch = epoch
        self._now = 0
        self._timers: list[tuple[int, int, _Timer]] = []
        self._order = count()

    def monotonic_ns(self) -> int:
        return self._now

    def time(self) -> float:
        return self._epoch + self._now / 1e9

    def call_later(self, seconds: float, callback: Callable[..., Any], *args: Any) -> _Timer:
        timer = _Timer(callback, args)
        heapq.heappush(self._timers, (self._now + round(max(seconds, 0.0) * 1e9), next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.call_later(seconds, _wake, waiter)
        await waiter

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass: every timer due by then fires at its own time, with its consequences settled."""
        end = self._now + round(seconds * 1e9)
        await self.settle()
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            if timer.cancelled:
                continue
            self._now = max(self._now, due)
            timer.callback(*timer.args)
            await self.settle()
        self._now = end
        await self.settle()

    async def settle(self) -> None:
        """Let everything that needs no time happen."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
