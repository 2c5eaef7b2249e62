"""The road to the engine: attaches, pulls, and attaches again when the engine no longer answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING

from workbench.live.view import EngineStatus
from workbench.model.errors import EngineGone, WorkbenchError
from workbench.tui.mirror import Changed, Mirror

if TYPE_CHECKING:  # with all that the port speaks of, a tenth of a second that the first picture need not wait for
    from workbench.client.port import EnginePort

#: What an engine that cannot be reached, or read, comes as.
_LOST = (WorkbenchError, OSError, EOFError, ValueError)

Connect = Callable[[], Awaitable["EnginePort"]]


class LinkState(Enum):
    CONNECTING = "connecting"
    ATTACHED = "attached"
    LOST = "lost"


class Link:
    """One engine at a time. `pull` is called once a frame and never raises for what the engine does.

    `patience` is how many seconds one pull may take before the engine counts as lost, `retry` how many pass between
    two attempts to attach.
    """

    def __init__(
        self,
        connect: Connect,
        mirror: Mirror,
        *,
        now: Callable[[], float] = time.monotonic,
        patience: float = 3.0,
        retry: float = 0.5,
    ) -> None:
        self.state = LinkState.CONNECTING
        self.reason = ""
        self.status: EngineStatus | None = None
        self._connect = connect
        self._mirror = mirror
        self._now = now
        self._patience = patience
        self._retry = retry
        self._retry_at = 0.0
        self._port: EnginePort | None = None

    @property
    def port(self) -> EnginePort:
        """The engine.

        Raises:
            EngineGone: there is none just now.
        """
        if self._port is None:
            raise EngineGone("the engine does not answer", mend="wait a moment: Workbench keeps trying")
        return self._port

    @property
    def attached(self) -> bool:
        return self.state is LinkState.ATTACHED

    async def pull(self) -> Changed:
        """Bring the mirror up to date; without an engine, try to attach to one."""
        if self._port is None:
            return await self._attach()
        try:
            async with asyncio.timeout(self._patience):
                delta = await self._port.changes(self._mirror.seq)
        except TimeoutError:
            return self._lose(f"no answer within {self._patience:.0f} s")
        except _LOST as error:
            return self._lose(str(error))
        return self._mirror.apply(delta)

    def hurry(self) -> None:
        """Try to attach with the next pull."""
        self._retry_at = 0.0

    async def _attach(self) -> Changed:
        if self._now() < self._retry_at:
            return Changed()
        self._retry_at = self._now() + self._retry
        try:
            port = await self._connect()
            async with asyncio.timeout(self._patience):
                status = await port.status()
                delta = await port.changes(0)
        except TimeoutError:
            return self._lose(f"no answer within {self._patience:.0f} s")
        except _LOST as error:
            return self._lose(str(error))
        delta.full = True
        changed = self._mirror.apply(delta, outlived=self.status is not None and not _same(status, self.status))
        self._port, self.status = port, status
        self.state, self.reason = LinkState.ATTACHED, ""
        changed.link = True
        return changed

    def _lose(self, reason: str) -> Changed:
        changed = Changed(link=self.state is not LinkState.LOST or self.reason != reason)
        self._port = None
        self.state, self.reason = LinkState.LOST, reason
        self._retry_at = self._now() + self._retry
        return changed


def _same(one: EngineStatus, other: EngineStatus) -> bool:
    """Is it the same engine, and not one that was started after it?"""
    return (one.pid, one.started) == (other.pid, other.started)
