"""How a command comes to an engine: the running one, else one of its own for as long as it lasts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from workbench.cli.output import Progress, say
from workbench.client.port import EnginePort
from workbench.client.project import Endpoint, Project, read_endpoint
from workbench.model.errors import StateLocked

#: How long a one-shot that finds the state folder locked waits for the engine's endpoint, or for the holder's end.
_ATTACH_SECONDS = 30.0
_PAUSE = 0.05


@dataclass(slots=True)
class Attached:
    """An engine to talk to. `own` is true for one that ends with the command; `drained` waits for its queue then."""

    port: EnginePort
    own: bool
    drained: Callable[[], Awaitable[None]]


async def _nothing_to_drain() -> None:
    """A running engine keeps its queue."""


@asynccontextmanager
async def attach(project: Project, *, backend: str | None = None, seed: int | None = None) -> AsyncIterator[Attached]:
    """The project's running engine, else one in this process.

    Raises:
        StateLocked: another process holds the state folder and neither offers an endpoint nor ends.
    """
    deadline = time.monotonic() + _ATTACH_SECONDS
    while (endpoint := read_endpoint(project)) is None:
        from workbench.app.engine import open_engine

        # What an earlier engine left in the queue is for one that lives longer.
        opening = open_engine(project, backend=backend, seed=seed, deliver=False, report=Progress())
        try:
            running = await opening.__aenter__()
        except StateLocked:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_PAUSE)
            continue
        try:
            if not running.choice.isolated:
                say(f"backend {running.choice.name} is for trusted code only ({running.choice.why})")
            yield Attached(running.port, True, running.drained)
        finally:
            await opening.__aexit__(None, None, None)
        return
    yield Attached(_remote(endpoint), False, _nothing_to_drain)


def running(project: Project) -> EnginePort | None:
    """The project's running engine, if there is one."""
    endpoint = read_endpoint(project)
    return _remote(endpoint) if endpoint else None


def _remote(endpoint: Endpoint) -> EnginePort:
    from workbench.client.remote import connect

    return connect(endpoint)
