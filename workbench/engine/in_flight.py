"""The invocations that are under way, and what they take of the concurrency that there is."""

from __future__ import annotations

from collections.abc import Callable

from workbench.engine.decide import Tables, count_request
from workbench.engine.invocation import Invocation
from workbench.model.invocations import InvocationType


class InFlight:
    """Keeps the tables' `concurrency` and `busy`: each invocation counts from `enter` until it is over.

    `made_room` hears of each asynchronous invocation that is over, by the name of its function.
    """

    def __init__(self, tables: Tables, made_room: Callable[[str], None]) -> None:
        self._tables = tables
        self._made_room = made_room
        self._open: set[Invocation] = set()

    def all(self) -> list[Invocation]:
        """Those that are not over."""
        return list(self._open)

    def enter(self, invocation: Invocation, now: int) -> None:
        """It was admitted: on what is provisioned it takes nothing of what is shared."""
        self._open.add(invocation)
        if not invocation.provisioned:
            self._count(invocation, now)

    def spill_over(self, invocation: Invocation, now: int) -> None:
        """What was provisioned for it is gone, and it was admitted on demand."""
        invocation.provisioned = False
        self._count(invocation, now)

    def surrendered(self, environment: str) -> None:
        """What runs there was on provisioned concurrency that is taken away: from now on it counts like any other."""
        for invocation in self._open:
            if invocation.environment == environment and invocation.provisioned:
                invocation.provisioned = False
                self._take(invocation.version.name)

    def released(self, invocation: Invocation) -> None:
        """It is over, one way or another; told once, whoever hears of it first."""
        if invocation in self._open:
            self.leave(invocation)
            if invocation.request.type is InvocationType.EVENT:
                self._made_room(invocation.version.name)

    def leave(self, invocation: Invocation) -> None:
        """It counts no more."""
        self._open.discard(invocation)
        if invocation.provisioned:
            return
        name = invocation.version.name
        self._tables.concurrency -= 1
        self._tables.busy[name] -= 1
        if not self._tables.busy[name]:
            del self._tables.busy[name]

    def _count(self, invocation: Invocation, now: int) -> None:
        if invocation.request.type is not InvocationType.EVENT:
            count_request(self._tables, invocation.version.name, now)
        self._take(invocation.version.name)

    def _take(self, name: str) -> None:
        self._tables.concurrency += 1
        self._tables.busy[name] += 1
