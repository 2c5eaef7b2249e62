"""How fast, how bad, how cold: rates out of counters that only grow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from workbench.live.view import Totals

_SECOND = 1_000_000_000
#: Seconds over which a rate is taken, and over which shares are.
RATE, SHARE = 3, 60


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters at one moment."""

    t: int
    invocations: int
    errors: int
    cold_starts: int


class Rates:
    """Samples of the totals, about four a second, for the last minute."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=SHARE * 4 + 1)

    def clear(self) -> None:
        self._samples.clear()

    def add(self, t: int, totals: Totals) -> None:
        """Take the totals in, unless the last sample is younger than a quarter of a second."""
        if not self._samples or t - self._samples[-1].t >= _SECOND // 4:
            self._samples.append(Sample(t, totals.invocations, totals.errors, totals.cold_starts))

    @property
    def per_second(self) -> float:
        """Invocations a second, over the last three."""
        if len(self._samples) < 2:
            return 0.0
        newest = self._samples[-1]
        oldest = self._at(newest.t - RATE * _SECOND)
        return (newest.invocations - oldest.invocations) * _SECOND / max(1, newest.t - oldest.t)

    def shares(self) -> tuple[int, int, int]:
        """Invocations of the last minute, and how many of them were errors and cold starts."""
        if not self._samples:
            return (0, 0, 0)
        oldest, newest = self._samples[0], self._samples[-1]
        return (
            newest.invocations - oldest.invocations,
            newest.errors - oldest.errors,
            newest.cold_starts - oldest.cold_starts,
        )

    def history(self, seconds: int) -> list[int]:
        """Invocations in each of the last `seconds` whole seconds, oldest first."""
        counts = [0] * seconds
        if not self._samples:
            return counts
        now = self._samples[-1].t // _SECOND
        previous = self._samples[0]
        for sample in self._samples:
            at = seconds - 1 - (now - sample.t // _SECOND)
            if at >= 0:
                counts[at] += sample.invocations - previous.invocations
            previous = sample
        return counts

    def _at(self, t: int) -> Sample:
        found = self._samples[0]
        for sample in reversed(self._samples):
            if sample.t <= t:
                return sample
            found = sample
        return found
