"""The events of one environment, in the shape that the contract asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from workbench.backends.api import Exited, ProcessExited


class EventStream:
    """Any number of `ProcessExited`, then exactly one `Exited`, last."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[ProcessExited | Exited] = asyncio.Queue()
        self._ended: asyncio.Future[Exited] = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        """Has `Exited` been given?"""
        return self._ended.done()

    def process_exited(self, event: ProcessExited) -> None:
        """Tell of the end of one process."""
        if self.over:
            raise RuntimeError(f"{event} after the environment's end")
        self._queue.put_nowait(event)

    def exited(self, event: Exited) -> None:
        """Tell of the environment's end; the first word counts."""
        if not self.over:
            self._ended.set_result(event)
            self._queue.put_nowait(event)

    async def ended(self) -> Exited:
        """Wait for the environment's end."""
        return await asyncio.shield(self._ended)

    async def events(self) -> AsyncIterator[ProcessExited | Exited]:
        """Yield what was told and what will be, up to and with `Exited`."""
        while True:
            event = await self._queue.get()
            yield event
            if isinstance(event, Exited):
                return
