"""Rates that are refilled all the time, and never saved up beyond what they are for.

Whole numbers only, so that what is at a bound is not decided by rounding.
"""

from __future__ import annotations

from collections.abc import Hashable


class Rates:
    """A rate for each scope: so many in so many seconds. One that was not used is full.

    `now` is nanoseconds of the engine's clock.
    """

    __slots__ = ("_left", "_token")

    def __init__(self, seconds: int) -> None:
        #: What one takes. A rate gets as many of these units in a nanosecond as it has room for tokens.
        self._token = seconds * 1_000_000_000
        #: By scope: the rate, the units that were left, and when that was.
        self._left: dict[Hashable, tuple[int, int, int]] = {}

    def has(self, scope: Hashable, rate: int, now: int) -> bool:
        """Is there one left?"""
        return self._now(scope, rate, now) >= self._token

    def take(self, scope: Hashable, rate: int, now: int) -> None:
        """Take one that there is."""
        self._left[scope] = (rate, self._now(scope, rate, now) - self._token, now)

    def _now(self, scope: Hashable, rate: int, now: int) -> int:
        full = rate * self._token
        known = self._left.get(scope)
        if known is None or known[0] != rate:  # it was changed: begin anew
            return full
        return min(full, known[1] + (now - known[2]) * rate)
