"""A thread of its own for each store: the disk never holds up an invocation, and calls keep their order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class _Closable(Protocol):
    def close(self) -> None: ...


class StoreThread:
    """Satisfies `engine.ports.StoreThread`."""

    def __init__(self, store: _Closable, name: str = "store") -> None:
        self._store = store
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, partial(call, *args))

    async def aclose(self) -> None:
        await self.run(self._store.close)
        self._executor.shutdown()
