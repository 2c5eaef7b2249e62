"""What came back from what was fired here, as few and short notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType
from workbench.tui.format import milliseconds
from workbench.tui.order import Order

#: Characters of a response that a notice shows.
EXCERPT = 240
#: Frames between two notices; answers in between make one notice together.
QUIET = 20


@dataclass(frozen=True, slots=True)
class Notice:
    title: str
    text: str
    bad: bool = False


def answer(order: Order, result: InvocationResult) -> Notice:
    """One answer, in full."""
    if order.type is InvocationType.EVENT:
        return Notice(f"✓ {order.function} accepted", f"request {result.request_id}")
    if order.type is InvocationType.DRY_RUN:
        return Notice(f"✓ {order.function} dry run", "It may be invoked; nothing ran.")
    bad = result.function_error is not None or result.status is not InvocationStatus.SUCCESS
    init = f", init {milliseconds(result.init_ms)}" if result.init_ms is not None else ""
    word = result.status.value if bad else "ok"
    text = result.payload[: EXCERPT * 4].decode("utf-8", "replace")
    return Notice(
        f"{'✗' if bad else '✓'} {order.target} {word}  {milliseconds(result.duration_ms)}{init}",
        text if len(text) <= EXCERPT else text[:EXCERPT] + "…",
        bad,
    )


class Answers:
    """Holds answers back while a notice is fresh, so that a held key does not bury the screen."""

    def __init__(self, say: Callable[[Notice], None]) -> None:
        self._say = say
        self._waiting: list[Notice] = []
        self._quiet = 0

    def add(self, notice: Notice) -> None:
        self._waiting.append(notice)

    def tick(self) -> None:
        """One frame went by."""
        self._quiet = max(0, self._quiet - 1)
        if not self._waiting or self._quiet:
            return
        self._quiet = QUIET
        waiting, self._waiting = self._waiting, []
        if len(waiting) == 1:
            self._say(waiting[0])
            return
        bad = sum(notice.bad for notice in waiting)
        last = next((notice for notice in reversed(waiting) if notice.bad), waiting[-1])
        failed = f", {bad} failed" if bad else ""
        self._say(
            Notice(f"{'✗' if bad else '✓'} {len(waiting)} answers{failed}", f"{last.title}\n{last.text}", bad > 0)
        )
