"""The metrics of the live view as Prometheus reads them.

Format: Prometheus, "Exposition formats", text-based format 0.0.4. CloudWatch's dimensions are labels: `function`,
`resource` (the function with the qualifier that was called) and `executed_version`. Durations are in seconds, as is
usual there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from workbench.live.metrics import BOUNDS, Figures
from workbench.live.view import FunctionView
from workbench.model.events import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "workbench_"
_COUNTERS: tuple[tuple[str, str, Callable[[Figures], float]], ...] = (
    ("invocations_total", "Invocations: what a function ran, errors of its own among it.", lambda of: of.invocations),
    ("errors_total", "Errors: invocations that failed in the function, timeouts among them.", lambda of: of.errors),
    ("throttles_total", "Throttles: invocations that were refused.", lambda of: of.throttles),
    (
        "provisioned_concurrency_invocations_total",
        "ProvisionedConcurrencyInvocations: invocations on provisioned concurrency.",
        lambda of: of.provisioned_invocations,
    ),
    (
        "provisioned_concurrency_spillover_invocations_total",
        "ProvisionedConcurrencySpilloverInvocations: those that found all of it in use.",
        lambda of: of.spillover_invocations,
    ),
    (
        "post_runtime_extensions_duration_seconds_total",
        "PostRuntimeExtensionsDuration: time that extensions went on after the runtime.",
        lambda of: of.extensions_ms / 1000,
    ),
)
_OTHERS = (
    ("async_events_received_total", "events that were queued", Metric.ASYNC_EVENTS_RECEIVED),
    ("async_events_dropped_total", "events that were given up", Metric.ASYNC_EVENTS_DROPPED),
    ("dead_letter_errors_total", "dead letters that nobody took", Metric.DEAD_LETTER_ERRORS),
    (
        "destination_delivery_failures_total",
        "records that no destination took",
        Metric.DESTINATION_DELIVERY_FAILURES,
    ),
    (
        "recursive_invocations_dropped_total",
        "invocations that were refused since they came in a loop",
        Metric.RECURSIVE_INVOCATIONS_DROPPED,
    ),
)


def exposition(functions: Iterable[FunctionView]) -> str:
    """All metrics, a family after the other."""
    return "".join(f"{line}\n" for line in _lines(list(functions)))


def _lines(functions: list[FunctionView]) -> Iterator[str]:
    rows = [
        (_labels(view.name, qualifier, version), found)
        for view in functions
        for qualifier, versions in view.metrics.items()
        for version, found in versions.items()
    ]
    ran = [(labels, found) for labels, found in rows if found.invocations or found.concurrent]
    for name, words, value in _COUNTERS:
        shown = rows if name == "throttles_total" else ran
        yield from _family(name, "counter", words, ((labels, value(found)) for labels, found in shown))
    for name, words, metric in _OTHERS:
        counted = ((labels, found.others[metric]) for labels, found in rows if metric in found.others)
        yield from _family(name, "counter", f"{metric}: {words}.", counted)
    yield from _durations(ran)
    yield from _ages(rows)
    yield from _family(
        "concurrent_executions",
        "gauge",
        "ConcurrentExecutions: invocations that run now.",
        ((labels, found.concurrent) for labels, found in ran),
    )
    yield from _concurrency(functions)


def _durations(rows: list[tuple[str, Figures]]) -> Iterator[str]:
    name = f"{_PREFIX}duration_seconds"
    yield f"# HELP {name} Duration: how long invocations ran, without a normal INIT."
    yield f"# TYPE {name} histogram"
    for labels, found in rows:
        below = 0
        for bound, count in zip((*BOUNDS, None), found.durations, strict=True):
            below += count
            le = "+Inf" if bound is None else f"{bound / 1000:g}"
            yield f'{name}_bucket{{{labels},le="{le}"}} {below}'
        yield f"{name}_sum{{{labels}}} {_number(found.duration_ms / 1000)}"
        yield f"{name}_count{{{labels}}} {below}"


def _ages(rows: list[tuple[str, Figures]]) -> Iterator[str]:
    name = f"{_PREFIX}async_event_age_seconds"
    yield f"# HELP {name} AsyncEventAge: from an event's acceptance to an invocation with it."
    yield f"# TYPE {name} summary"
    for labels, found in rows:
        if found.ages:
            yield f"{name}_sum{{{labels}}} {_number(found.others[Metric.ASYNC_EVENT_AGE] / 1000)}"
            yield f"{name}_count{{{labels}}} {found.ages}"


def _concurrency(functions: list[FunctionView]) -> Iterator[str]:
    """What is in use of provisioned concurrency, by what it was asked for, and of the account."""
    used = [
        (_labels(view.name, qualifier), busy, asked)
        for view in functions
        for qualifier, asked in view.provisioned.items()
        if (busy := sum(found.provisioned_concurrent for found in view.metrics.get(qualifier, {}).values()))
    ]
    yield from _family(
        "provisioned_concurrent_executions",
        "gauge",
        "ProvisionedConcurrentExecutions: invocations that run now on provisioned concurrency; absent when idle.",
        ((labels, busy) for labels, busy, _ in used),
    )
    yield from _family(
        "provisioned_concurrency_utilization",
        "gauge",
        "ProvisionedConcurrencyUtilization: the part of it that is in use; absent when idle.",
        ((labels, busy / asked) for labels, busy, asked in used),
    )
    unreserved = sum(view.running for view in functions if view.reserved is None)
    claimed = sum(sum(view.provisioned.values()) if view.reserved is None else view.reserved for view in functions)
    yield from _family(
        "unreserved_concurrent_executions",
        "gauge",
        "UnreservedConcurrentExecutions: invocations that run now of functions without a reservation.",
        [("", unreserved)],
    )
    yield from _family(
        "claimed_account_concurrency",
        "gauge",
        "ClaimedAccountConcurrency: those, and what is reserved, and what is provisioned without a reservation.",
        [("", unreserved + claimed)],
    )


def _family(name: str, kind: str, words: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {words}"
    yield f"# TYPE {_PREFIX}{name} {kind}"
    for labels, value in samples:
        yield f"{_PREFIX}{name}{f'{{{labels}}}' if labels else ''} {_number(value)}"


def _labels(function: str, qualifier: str, version: str = "") -> str:
    """Names of functions, versions and aliases have nothing that the format would want escaped."""
    resource = f"{function}:{qualifier}" if qualifier else function
    ran = f',executed_version="{version}"' if version else ""
    return f'function="{function}",resource="{resource}"{ran}'


def _number(value: float) -> str:
    return f"{value:.9g}" if value % 1 else f"{int(value)}"
