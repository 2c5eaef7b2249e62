"""How a command comes to an engine: the running one, else one of its own for as long as it lasts."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from workbench.client.port import EnginePort
from workbench.client.project import Endpoint, Project, read_endpoint
from workbench.model.errors import StateError

#: How long a one-shot that finds the state folder locked waits for the engine's endpoint.
_ATTACH_SECONDS = 5.0


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
        StateError: another process holds the state folder and offers no endpoint.
    """
    endpoint = read_endpoint(project)
    if endpoint is None:
        from workbench.app import open_engine

        opening = open_engine(project, backend=backend, seed=seed)
        try:
            running = await opening.__aenter__()
        except StateError as error:
            endpoint = await _wait_for_endpoint(project, error)
        else:
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


def say(message: str) -> None:
    """A word to the person, beside the output."""
    sys.stderr.write(f"workbench: {message}\n")


def _remote(endpoint: Endpoint) -> EnginePort:
    from workbench.client.remote import connect

    return connect(endpoint)


async def _wait_for_endpoint(project: Project, error: StateError) -> Endpoint:
    if type(error).__name__ != "StateLocked":
        raise error
    for _ in range(int(_ATTACH_SECONDS / 0.05)):
        endpoint = read_endpoint(project)
        if endpoint is not None:
            return endpoint
        await asyncio.sleep(0.05)
    raise error
