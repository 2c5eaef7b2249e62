"""Ramps: aliases whose weights move by themselves while the terminal UI runs, through the same API as anyone's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from workbench.live.view import CELL_NS
from workbench.model.errors import PreconditionFailed
from workbench.model.functions import Alias
from workbench.model.invocations import InvocationStatus
from workbench.tui.edits import AliasEdit, Edits
from workbench.tui.format import age, plural
from workbench.tui.mirror import Mirror
from workbench.tui.ramp_plan import RampPlan

if TYPE_CHECKING:
    from workbench.client.port import EnginePort

#: Invocations of the new version from which on its errors count.
ENOUGH = 10


class RampState(Enum):
    """By the glyph that stands before it."""

    RUNNING = "▶"
    DONE = "✓"
    STOPPED = "✗"
    BACK = "↶"


@dataclass(frozen=True, slots=True)
class RampOrder:
    """`errors` is the percentage of failed invocations of `target` beyond which all is rolled back; None: never."""

    plan: RampPlan
    target: str
    errors: float | None = None


class Ramp:
    """One alias on its way to a version. Times are nanoseconds of the engine's clock."""

    def __init__(self, order: RampOrder, alias: Alias, now: int) -> None:
        self.order = order
        self.before = alias
        #: The alias as the last step left it.
        self.alias = alias
        self.state = RampState.RUNNING
        #: Why it is not running.
        self.note = ""
        self.began = self.due = now
        self.left = list(order.plan.beyond(alias.weights.get(order.target, 0.0)))
        self.edit: AliasEdit | None = None
        self.lock = asyncio.Lock()

    @property
    def running(self) -> bool:
        return self.state is RampState.RUNNING

    @property
    def share(self) -> float:
        """What the new version gets now, 0.0 to 1.0."""
        return 1.0 if self.alias.version == self.order.target else self.alias.weights.get(self.order.target, 0.0)

    def told(self, now: int) -> str:
        """Where it stands."""
        order = self.order
        if not self.running:
            return f"{self.note}   ({order.plan} to {order.target})"
        seconds = max(0, self.due - now) / 1e9
        following = f", {100 * self.left[0]:g} % in {age(seconds + 0.999)}" if self.left else ""
        return f"version {order.target} at {100 * self.share:g} %{following}   ({order.plan})"


def routed(alias: Alias) -> tuple[str, dict[str, float]]:
    """Where an alias leads."""
    return alias.version, dict(alias.weights)


class Tell(Protocol):
    """How a person is told something."""

    def __call__(self, message: str, *, title: str = "", bad: bool = False) -> None: ...


class Ramps:
    """One ramp an alias at most. `tick` is called once a frame; `start` runs what takes a while beside it.

    `undo` is how a sentence writes the key that undoes an edit.
    """

    def __init__(
        self,
        port: Callable[[], EnginePort],
        mirror: Mirror,
        edits: Edits,
        say: Tell,
        start: Callable[[Coroutine[None, None, None]], object],
        undo: str,
    ) -> None:
        self._port = port
        self._mirror = mirror
        self._edits = edits
        self._say = say
        self._start = start
        self._undo = undo
        #: The last ramp of each alias, by function and name.
        self._ramps: dict[tuple[str, str], Ramp] = {}
        self._looked = 0

    @property
    def running(self) -> list[Ramp]:
        return [ramp for ramp in self._ramps.values() if ramp.running]

    def of(self, function: str, name: str) -> Ramp | None:
        """The last ramp of an alias, while it runs or the alias is as it left it."""
        return self._ramps.get((function, name))

    def begin(self, order: RampOrder, alias: Alias) -> None:
        """Move this alias, as it is now, from the next frame on."""
        self._ramps[alias.function, alias.name] = Ramp(order, alias, self._mirror.now)

    def tick(self) -> None:
        """Take the steps that are due, and look at the errors."""
        if not self._ramps or self._mirror.now // CELL_NS == self._looked:
            return
        self._looked = self._mirror.now // CELL_NS
        for ramp in self.running:
            if ramp.lock.locked():
                continue
            if problem := self._errors(ramp):
                self._start(self.roll_back(ramp, problem))
            elif self._mirror.now >= ramp.due:
                self._start(self._step(ramp))

    def stop(self, ramp: Ramp) -> None:
        """End it where it is."""
        if ramp.running:
            ramp.state, ramp.note = RampState.STOPPED, f"stopped at {100 * ramp.share:g} %"

    def ramp_of(self, edit: object) -> Ramp | None:
        """The ramp that made this edit and still goes on."""
        return next((ramp for ramp in self.running if ramp.edit is not None and ramp.edit is edit), None)

    async def roll_back(self, ramp: Ramp, why: str = "") -> None:
        """End it, and give the alias what it had before."""
        if not ramp.running:
            return
        ramp.state, ramp.note = RampState.BACK, f"rolled back{f': {why}' if why else ''}"
        async with ramp.lock:  # a step that is under way comes first
            try:
                said = await self._edits.take_back(self._port(), ramp.edit) if ramp.edit is not None else "nothing done"
            except Exception as error:
                at = f"{100 * ramp.share:g} %"
                ramp.state, ramp.note = RampState.STOPPED, f"stopped at {at}, not rolled back: {error}"
                self._tell(ramp, bad=True)
                return
        ramp.alias = ramp.before
        self._say(f"{said}{f'   {why}' if why else ''}", title="Ramp rolled back", bad=bool(why))

    async def _step(self, ramp: Ramp) -> None:
        async with ramp.lock:
            share, order = ramp.left[0], ramp.order
            last = share >= 1.0
            try:
                after = await self._port().update_alias(
                    ramp.before.function,
                    ramp.before.name,
                    version=order.target if last else ramp.before.version,
                    weights={} if last else {order.target: share},
                    revision_id=ramp.alias.revision_id,
                )
            except Exception as error:
                if ramp.running:
                    why = "another changed the alias" if isinstance(error, PreconditionFailed) else str(error)
                    ramp.state, ramp.note = RampState.STOPPED, f"stopped at {100 * ramp.share:g} %: {why}"
                    self._tell(ramp, bad=True)
                return
            del ramp.left[0]
            ramp.alias = after
            ramp.edit = self._edits.ramped(ramp.edit, ramp.before, after)
            pause, now = order.plan.seconds * 1_000_000_000, self._mirror.now
            ramp.due += pause
            if ramp.due <= now:  # there was no engine: what was missed is not made up for in a rush
                ramp.due = now + pause
            if last and ramp.running:
                ramp.state, ramp.note = RampState.DONE, "done"
                self._tell(ramp)

    def _errors(self, ramp: Ramp) -> str:
        """What is wrong with the invocations that the new version had through the alias."""
        bound, target = ramp.order.errors, ramp.order.target
        if bound is None:
            return ""
        ended = [
            view.status
            for view in self._mirror.invocations.values()
            if view.qualifier == ramp.before.name
            and view.function == ramp.before.function
            and view.version == target
            and view.accepted >= ramp.began
            and view.status.ended
        ]
        failed = sum(status is not InvocationStatus.SUCCESS for status in ended)
        if len(ended) < ENOUGH or 100 * failed <= bound * len(ended):
            return ""
        return f"{failed} of {plural(len(ended), 'invocation')} of version {target} failed, more than {bound:g} %"

    def _tell(self, ramp: Ramp, *, bad: bool = False) -> None:
        name = f"{ramp.before.function}:{ramp.before.name}"
        undo = f"   {self._undo} takes it back" if ramp.edit is not None else ""
        self._say(f"{name}   {ramp.told(self._mirror.now)}{undo}", title=f"{ramp.state.value} Ramp", bad=bad)
