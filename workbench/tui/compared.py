"""An invocation beside the last one of the same event: times, memory, and what differs in the response. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import unified_diff

from workbench.live.view import InvocationView
from workbench.tui.format import clock_ms, milliseconds, request_id, version
from workbench.tui.widgets.invocations import STATUSES
from workbench.tui.widgets.json_text import pretty

_NAME, _FIGURE = 10, 14


def last_alike(view: InvocationView, others: Iterable[InvocationView]) -> InvocationView | None:
    """The last invocation of the function before this one that had the same event and has ended."""
    alike = [
        other
        for other in others
        if other.accepted < view.accepted
        and other.status.ended
        and (other.function, other.event, other.event_size) == (view.function, view.event, view.event_size)
    ]
    return max(alike, key=lambda other: other.accepted, default=None)


def compared(view: InvocationView, last: InvocationView) -> str:
    """A table of both, and the lines of the responses that differ."""
    rows = [
        ("", "the last", "this one", ""),
        ("request", request_id(last.request_id), request_id(view.request_id), ""),
        ("at", clock_ms(last.wall), clock_ms(view.wall), ""),
        ("status", STATUSES[last.status][0], STATUSES[view.status][0], ""),
        ("version", version(last.version), version(view.version), ""),
        ("start", "cold" if last.cold else "warm", "cold" if view.cold else "warm", ""),
        _times("init", last.init_ms, view.init_ms),
        _times("ran", last.duration_ms, view.duration_ms),
        _times("billed", last.billed_ms, view.billed_ms),
        ("memory", f"{last.max_memory_mb} MB", f"{view.max_memory_mb} MB", ""),
    ]
    lines = [f"{name:<{_NAME}}{one:>{_FIGURE}}{other:>{_FIGURE}}   {by}".rstrip() for name, one, other, by in rows]
    whole = all(len(one.response.encode("utf-8", "replace")) == one.response_size for one in (view, last))
    differing = list(
        unified_diff(pretty(last.response).splitlines(), pretty(view.response).splitlines(), lineterm="", n=2)
    )[2:]
    if differing:
        said = "The responses differ: - the last, + this one"
    else:
        said = "The responses are the same." if whole else "The first kilobytes of the responses are the same."
    return "\n".join([*lines, "", said, *differing])


def _times(name: str, last: float | None, this: float | None) -> tuple[str, str, str, str]:
    def shown(value: float | None) -> str:
        return "–" if value is None else milliseconds(value)

    if last is None or this is None:
        return (name, shown(last), shown(this), "")
    sign = "+" if this >= last else "-"
    return (name, shown(last), shown(this), f"{sign}{milliseconds(abs(this - last))}")
