"""What CloudWatch would count of Lambda, by function, version and alias. Each event costs O(1).

Source: Lambda Developer Guide, "Types of metrics for Lambda functions".
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench.model import events as ev
from workbench.model.events import Metric
from workbench.model.invocations import InvocationStatus

if TYPE_CHECKING:
    from workbench.live.view import FunctionView

#: Upper bounds of the histogram of durations, in milliseconds; what is longer comes last.
BOUNDS = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000)


@dataclass(slots=True)
class Figures:
    """What was invoked under one qualifier and ran as one version, counted since the engine started.

    `errors` are the function's, timeouts among them; what was throttled, or had no environment, is no invocation.
    `concurrent` invocations run now, `provisioned_concurrent` of them on provisioned concurrency. Durations are in
    milliseconds: their sum, and how many there were below each of `BOUNDS` and above the bound before it. `others` has
    the sums of the metrics in `events.Metric`, `ages` how many there were of AsyncEventAge.
    """

    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    concurrent: int = 0
    provisioned_concurrent: int = 0
    provisioned_invocations: int = 0
    spillover_invocations: int = 0
    duration_ms: float = 0.0
    durations: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    extensions_ms: float = 0.0
    others: dict[str, float] = field(default_factory=dict)
    ages: int = 0


def figures(view: FunctionView, qualifier: str | None, version: str) -> Figures:
    """Those of a function's qualifier and version; new ones the first time."""
    versions = view.metrics.get(qualifier or "")
    if versions is None:
        versions = view.metrics[qualifier or ""] = {}
    found = versions.get(version)
    if found is None:
        found = versions[version] = Figures()
    return found


def accepted(found: Figures, event: ev.InvocationAccepted) -> None:
    """An invocation has an environment."""
    found.concurrent += 1
    found.provisioned_concurrent += event.provisioned
    found.provisioned_invocations += event.provisioned
    found.spillover_invocations += event.spilled


def finished(found: Figures, event: ev.InvocationFinished, provisioned: bool) -> None:
    """It is over."""
    found.concurrent -= 1
    found.provisioned_concurrent -= provisioned
    if event.status is InvocationStatus.FAILED:
        return
    found.invocations += 1
    found.errors += event.status is not InvocationStatus.SUCCESS
    found.duration_ms += event.duration_ms
    found.durations[bisect_left(BOUNDS, event.duration_ms)] += 1
    found.extensions_ms += event.extensions_ms or 0.0


def counted(found: Figures, event: ev.Counted) -> None:
    """Something that nothing but a metric tells of."""
    found.others[event.metric] = found.others.get(event.metric, 0) + event.value
    found.ages += event.metric is Metric.ASYNC_EVENT_AGE
