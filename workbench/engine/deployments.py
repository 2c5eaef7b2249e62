"""Which template has brought which functions and layer versions, so that it can be said what has left a template."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from workbench.engine.ports import Store, StoreThread
from workbench.model.records import Deployment


class Deployments:
    """Deployments by their template, written through. One change at a time."""

    def __init__(self, store: Store, thread: StoreThread) -> None:
        self._store = store
        self._thread = thread
        self._known: dict[str, Deployment] = {}
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read what the store has."""
        self._known = {record.id: record for record in await self._thread.run(self._store.records, Deployment)}

    def list(self) -> tuple[Deployment, ...]:
        return tuple(deployment for _, deployment in sorted(self._known.items()))

    async def add(self, brought: Deployment) -> None:
        """Add to what a template has brought; no other one has brought it then."""
        async with self._lock:
            for other in self.list():
                if other.id != brought.id:
                    await self._put(without(other, brought.functions, brought.layers))
            before = self._known.get(brought.id, Deployment(id=brought.id))
            await self._put(
                replace(
                    before,
                    functions=_joined(before.functions, brought.functions),
                    layers=_joined(before.layers, brought.layers),
                )
            )

    async def forget(self, *, function: str | None = None, layer: str | None = None) -> None:
        """What was deleted is nobody's; whoever makes it anew has made it."""
        async with self._lock:
            for deployment in self.list():
                await self._put(without(deployment, (function,), (layer,)))

    async def delete(self, id: str) -> None:
        async with self._lock:
            await self._put(Deployment(id=id))

    async def _put(self, deployment: Deployment) -> None:
        known = self._known.get(deployment.id)
        if deployment == (known or Deployment(id=deployment.id)):
            return
        if deployment.functions or deployment.layers:
            await self._thread.run(self._store.put_record, deployment)
            self._known[deployment.id] = deployment
        else:
            await self._thread.run(self._store.delete_record, deployment)
            del self._known[deployment.id]


def without(
    deployment: Deployment, functions: tuple[str | None, ...], layers: tuple[str | None, ...] = ()
) -> Deployment:
    """A deployment but for these functions and layer versions."""
    return replace(
        deployment,
        functions=tuple(name for name in deployment.functions if name not in functions),
        layers=tuple(layer for layer in deployment.layers if layer not in layers),
    )


def _joined(before: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return (*before, *(name for name in dict.fromkeys(more) if name not in before))
