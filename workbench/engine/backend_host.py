"""Runs a backend on an event loop and thread of its own, and crosses over to it with a deadline on every call.

The thread lives as long as the engine: bubblewrap's die-with-parent is bound to the thread that started it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar, cast

from workbench.backends.api import (
    Backend,
    Capabilities,
    Environment,
    EnvironmentSpec,
    Exited,
    ExitReason,
    Health,
    Host,
    ImageBackend,
    Network,
    ProcessExited,
)
from workbench.model.errors import BackendError, WorkbenchError
from workbench.model.runtimes import RuntimeVersion

T = TypeVar("T")
LAUNCHES = 8
_WIDEST_FIRST = (Network.INTERNET, Network.NONE, Network.HOST)
OnEvent = Callable[[ProcessExited | Exited], None]


class BackendHost:
    """A backend that the engine can call from its own loop."""

    def __init__(self, name: str, backend: Backend, networks: Mapping[str, Network] | None = None) -> None:
        """`networks` are the modes that functions get, by their names; under the empty name that of all others."""
        self.name = name
        self._networks = networks or {}
        self._backend = backend
        self._engine_loop = asyncio.get_running_loop()
        #: How many launches may be under way at once; a backend that hangs holds up only its own.
        self.slots = asyncio.Semaphore(LAUNCHES)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._launches: set[asyncio.Task[Any]] = set()
        self._watching: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None

    @property
    def capabilities(self) -> Capabilities:
        return self._backend.capabilities

    def network(self, function: str) -> Network:
        """The mode that was named for a function, whether the backend has it or not; else the widest that is safe."""
        named = self._networks.get(function) or self._networks.get("")
        return named or min(self.capabilities.networks, key=_WIDEST_FIRST.index)

    def start(self) -> None:
        """Start the thread; before any other call."""
        self._loop = loop = asyncio.new_event_loop()

        def run() -> None:
            asyncio.set_event_loop(loop)
            loop.run_forever()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

        self._thread = threading.Thread(target=run, name=f"backend-{self.name}", daemon=True)
        self._thread.start()

    async def call(self, what: str, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Run a coroutine on the backend's loop.

        Raises:
            WorkbenchError: what the backend raised, or a BackendError that names the call that failed or hung.
        """
        if self._loop is None:
            future: asyncio.Future[T] = asyncio.ensure_future(work)
        else:
            future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError as error:
            raise BackendError(f"backend '{self.name}' did not {what} within {seconds:g} s") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise BackendError(f"backend '{self.name}' gave up to {what}") from error
        except WorkbenchError:
            raise
        except Exception as error:
            raise BackendError(f"backend '{self.name}' could not {what}: {type(error).__name__}: {error}") from error

    async def open(self, host: Host) -> None:
        await self.call("open", self._backend.open(host), 30)

    async def health(self) -> Health:
        return await self.call("say its health", self._backend.health(), 10)

    async def prepare(self, runtime: RuntimeVersion) -> None:
        await self.call(f"prepare {runtime.image or runtime.runtime}", self._backend.prepare(runtime), 600)

    async def image_digest(self, image: str) -> str | None:
        """Of a backend that runs images."""
        return await self.call("look at an image", cast(ImageBackend, self._backend).image_digest(image), 30)

    async def launch(self, spec: EnvironmentSpec) -> Environment:
        return await self.call("launch an environment", self._launch(spec), 60)

    async def _launch(self, spec: EnvironmentSpec) -> Environment:
        task = asyncio.current_task()
        assert task is not None
        self._launches.add(task)
        try:
            return await self._backend.launch(spec)
        finally:
            self._launches.discard(task)

    def watch(self, environment: Environment, on_event: OnEvent) -> None:
        """Hand every event of an environment to the engine's loop, in order."""

        async def forward() -> None:
            ended = False
            try:
                async for event in environment.events():
                    ended = isinstance(event, Exited)
                    self._engine_loop.call_soon_threadsafe(on_event, event)
            finally:
                if not ended:
                    self._engine_loop.call_soon_threadsafe(on_event, _lost(self.name))

        if self._loop is None:
            self._watching.add(self._engine_loop.create_task(forward()))
        else:
            asyncio.run_coroutine_threadsafe(forward(), self._loop)

    async def aclose(self) -> None:
        """End the backend and its thread."""
        try:
            await self.call("close", self._end(), 15)
        finally:
            if self._loop is not None and self._thread is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                await asyncio.get_running_loop().run_in_executor(None, self._thread.join, 5)

    async def _end(self) -> None:
        await self._backend.aclose()
        if self._launches:  # they were given up, and clear away what they had made
            await asyncio.wait(self._launches)


def _lost(name: str) -> Exited:
    return Exited(reason=ExitReason.FAILED, detail=f"backend '{name}' stopped reporting")
