"""Many invocations of one order: so many in all, so many at once, so many a second; and what came of them."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from workbench.model.errors import ApiError, TooManyRequests, WorkbenchError
from workbench.model.invocations import InvocationResult
from workbench.tui.order import Order

if TYPE_CHECKING:
    from workbench.client.port import EnginePort

#: The most invocations of one load, and the most that are under way at once.
MOST, MOST_AT_ONCE = 100_000, 1_000
#: Invocations between two looks at whether somebody else waits for the loop.
_TURN = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` is invocations a second at most; 0 is no limit."""

    order: Order
    count: int = 1
    concurrency: int = 1
    rate: float = 0.0


class Load:
    """Runs a plan once, and counts. A lost engine ends it; any other failure is one of its results."""

    def __init__(
        self,
        plan: Plan,
        *,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        random: Random | None = None,
    ) -> None:
        self.plan = plan
        self.done = 0
        self.succeeded = 0
        self.throttled = 0
        self.cold = 0
        #: What failed, by what it says of itself.
        self.failures: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        #: Milliseconds that the function took, of each invocation that it answered.
        self.durations: list[float] = []
        #: The last answer, for a plan of one.
        self.last: InvocationResult | None = None
        self.running = False
        self.stopped = False
        self._now = now
        self._wall = wall
        self._random = random or Random()
        self._began = 0.0
        self._ended = 0.0
        self._numbers = iter(range(plan.count))

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return (self._now() if self.running else self._ended) - self._began

    @property
    def failed(self) -> int:
        return sum(self.failures.values())

    def figures(self) -> dict[str, Any]:
        """All that was counted, for an export; durations in milliseconds, as they came."""
        return {
            "FunctionName": self.plan.order.function,
            "Qualifier": self.plan.order.qualifier,
            "Count": self.plan.count,
            "Done": self.done,
            "Succeeded": self.succeeded,
            "Throttled": self.throttled,
            "ColdStarts": self.cold,
            "Failures": dict(self.failures),
            "ExecutedVersions": dict(self.versions),
            "Seconds": self.seconds,
            "Durations": self.durations,
        }

    def stop(self) -> None:
        """Begin nothing more; what is under way is waited for."""
        if self.running:
            self.stopped = True

    async def run(self, port: EnginePort) -> None:
        """Raises what ends it: the engine has gone, or it is a recording."""
        self.running, self._began = True, self._now()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.plan.concurrency, self.plan.count)):
                    group.create_task(self._work(port))
        except* WorkbenchError as errors:
            raise errors.exceptions[0] from None
        finally:
            self.running, self._ended = False, self._now()

    async def _work(self, port: EnginePort) -> None:
        for number in self._numbers:
            if self.plan.rate:
                await asyncio.sleep(max(0.0, self._began + number / self.plan.rate - self._now()))
            if self.stopped:
                return
            await self._one(port, number)
            if number % _TURN == 0:
                await asyncio.sleep(0)

    async def _one(self, port: EnginePort, number: int) -> None:
        request = self.plan.order.request(number, self._wall(), self._random)
        try:
            result = await port.invoke(request)
        except TooManyRequests:
            self.throttled += 1
        except WorkbenchError as error:
            if not isinstance(error, ApiError):
                raise
            self.failures[error.code] += 1
        else:
            self._count(result)
        self.done += 1

    def _count(self, result: InvocationResult) -> None:
        self.last = result
        self.cold += result.cold
        if result.executed_version is not None:
            self.versions[result.executed_version] += 1
        if result.duration_ms:
            self.durations.append(result.duration_ms)
        if result.function_error is None:
            self.succeeded += 1
        else:
            self.failures[result.status.value] += 1


def percentiles(durations: list[float], *ranks: float) -> list[float]:
    """The values at these ranks, 0 to 100, by the nearest rank; of no durations none."""
    if not durations:
        return []
    ordered = sorted(durations)
    return [ordered[min(len(ordered) - 1, int(len(ordered) * rank / 100))] for rank in ranks]


#: Where a histogram's classes may begin, in milliseconds.
_EDGES = tuple(step * 10.0**power for power in range(-2, 6) for step in (1, 2.5, 5))


@dataclass(frozen=True, slots=True)
class Class:
    """One class of a histogram: from `low` to below `high`, in milliseconds."""

    low: float
    high: float
    count: int


def histogram(durations: list[float], most: int = 8) -> list[Class]:
    """The durations in at most so many classes, the first and the last of them not empty."""
    if not durations:
        return []
    low, high = min(durations), max(durations)
    first = max((index for index, edge in enumerate(_EDGES) if edge <= low), default=-1)
    last = min((index for index, edge in enumerate(_EDGES) if edge > high), default=len(_EDGES))
    edges = [0.0, *_EDGES, inf][first + 1 : last + 2]
    while len(edges) - 1 > most:  # every other edge goes
        edges = [*edges[:-1:2], edges[-1]]
    counts = [0] * (len(edges) - 1)
    for duration in durations:
        counts[min(bisect_right(edges, duration) - 1, len(counts) - 1)] += 1
    return [Class(low, high, count) for low, high, count in zip(edges, edges[1:], counts, strict=False)]
