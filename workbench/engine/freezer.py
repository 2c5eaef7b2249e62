"""The sleep of an environment: frozen once it has rested for a moment, thawed for whatever it has to do next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from workbench.engine.clock import Timer
from workbench.engine.parts import Parts
from workbench.model.errors import WorkbenchError


class Freezer:
    """Freezes after `after` seconds of rest. A backend that cannot, or has failed at it once, is not asked.

    `resting` says whether the environment has nothing to do; `frozen` hears that it is frozen, `stuck` why it could be
    neither frozen nor thawed.
    """

    def __init__(
        self,
        parts: Parts,
        after: float,
        able: bool,
        resting: Callable[[], bool],
        frozen: Callable[[], None],
        stuck: Callable[[str], None],
    ) -> None:
        self._parts = parts
        self._after = after
        self._able = able
        self._resting = resting
        self._frozen = frozen
        self._stuck = stuck
        self._timer: Timer | None = None
        self._freezing: asyncio.Task[None] | None = None

    @property
    def at_work(self) -> bool:
        """Is it just being frozen?"""
        return self._freezing is not None

    def rest(self) -> None:
        """It has nothing to do from now on."""
        if self._able:
            self._timer = self._parts.clock.call_later(self._after, self._begin)

    def stir(self) -> None:
        """It has something to do: it is not going to be frozen. What has begun goes on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def freeze(self) -> None:
        """Freeze it before its time, if it rests."""
        self.stir()
        if self._able:
            self._begin()
        await self.settled()

    async def thaw(self) -> None:
        """Thaw it, frozen or not.

        Raises:
            WorkbenchError: the backend could not.
        """
        await self._parts.sandbox.thaw()
        self._parts.extensions.frozen(False)

    async def settled(self) -> None:
        """Wait until it is not just being frozen."""
        if self._freezing is not None:
            await self._freezing

    def _begin(self) -> None:
        self._timer = None
        if self._resting() and self._freezing is None:
            self._freezing = asyncio.get_running_loop().create_task(self._freeze())

    async def _freeze(self) -> None:
        try:
            self._parts.extensions.frozen(True)
            await self._parts.sandbox.freeze()
            if self._resting():
                self._frozen()
        except WorkbenchError as error:
            self._parts.journal.fault(f"{error.title}: {error}")
            self._able = False
            await self._undo()
        finally:
            self._freezing = None

    async def _undo(self) -> None:
        """A part of it may be frozen, or become so later. An invocation that has come meanwhile thaws it itself."""
        try:
            await self.thaw()
        except WorkbenchError as error:
            if self._parts.journal.invocation is None:
                self._stuck(f"it could be neither frozen nor thawed: {error}")
