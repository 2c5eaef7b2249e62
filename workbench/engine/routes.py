"""The routes of the HTTP front ends: those of function URLs, and those that templates have brought over them."""

from __future__ import annotations

import itertools

from workbench.engine.decide import Tables
from workbench.engine.ports import Store, StoreThread
from workbench.engine.resources import urls
from workbench.model.routes import Route


class Routes:
    """What templates bring is kept by its source, and lasts."""

    def __init__(self, tables: Tables, store: Store, thread: StoreThread) -> None:
        self._tables = tables
        self._store = store
        self._thread = thread
        self._sources: dict[str, tuple[Route, ...]] = {}
        self._routes: tuple[Route, ...] = ()

    async def load(self) -> None:
        """Read what the store has."""
        self._sources = await self._thread.run(self._store.routes)

    def list(self) -> tuple[Route, ...]:
        """All of them."""
        return self._routes

    async def put(self, source: str, routes: tuple[Route, ...]) -> None:
        """Replace the routes of a source; none forgets it."""
        if routes == self._sources.get(source, ()):
            return
        await self._thread.run(self._store.put_routes, source, routes)
        self._sources.pop(source, None)
        if routes:
            self._sources[source] = routes
        self.refresh()

    def refresh(self) -> None:
        """Put the routes together anew: function URLs have changed."""
        self._routes = (*urls.routes(self._tables.functions), *itertools.chain(*self._sources.values()))
