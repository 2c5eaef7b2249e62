"""How the invocations of an alias were really split among versions. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from workbench.live.view import InvocationView

#: Seconds of the window.
WINDOW = 60


@dataclass(frozen=True, slots=True)
class Split:
    """Invocations by executed version over the last `seconds`."""

    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = WINDOW

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def share(self, version: str) -> float:
        return self.counts.get(version, 0) / max(1, self.total)


def splits(invocations: Iterable[InvocationView], function: str, now: int, since: dict[str, int]) -> dict[str, Split]:
    """The split of each alias that was addressed in the last minute, or since its routing changed (`since`, by alias).

    Times are nanoseconds of the engine's clock.
    """
    floor = now - WINDOW * 1_000_000_000
    found: dict[str, dict[str, int]] = {}
    for view in invocations:
        if view.function != function or view.qualifier is None or not view.version:
            continue
        if view.accepted < max(floor, since.get(view.qualifier, floor)):
            continue
        counts = found.setdefault(view.qualifier, {})
        counts[view.version] = counts.get(view.version, 0) + 1
    return {
        name: Split(counts, min(WINDOW, (now - max(floor, since.get(name, floor))) / 1e9))
        for name, counts in found.items()
    }
