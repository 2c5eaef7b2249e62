"""Runs a backend on an event loop and thread of its own, and crosses over to it with a deadline on every call.

The thread lives as long as the engine: bubblewrap's die-with-parent is bound to the thread that started it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
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
from workbench.engine.guarded import GuardedEnvironment, believed
from workbench.model.errors import BackendError, WorkbenchError
from workbench.model.runtimes import RuntimeVersion

T = TypeVar("T")
LAUNCHES = 8
_WIDEST_FIRST = (Network.INTERNET, Network.NONE, Network.HOST)
#: The longest that the code of a plugin may take: to be loaded, to say its health, to launch an environment.
LOAD_SECONDS = 10.0
HEALTH_SECONDS = 10.0
LAUNCH_SECONDS = 60.0
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
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
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
        return believed(self.name, "health", await self.call("say its health", self._health(), HEALTH_SECONDS), Health)

    async def _health(self) -> Health:  # so that all of the plugin's code runs on its own loop
        return await self._backend.health()

    async def prepare(self, runtime: RuntimeVersion) -> None:
        await self.call(f"prepare {runtime.image or runtime.runtime}", self._backend.prepare(runtime), 600)

    async def image_digest(self, image: str) -> str | None:
        """Of a backend that runs images."""
        return await self.call("look at an image", cast(ImageBackend, self._backend).image_digest(image), 30)

    async def launch(self, spec: EnvironmentSpec) -> Environment:
        given_up = threading.Event()
        try:
            return await self.call("launch an environment", self._launch(spec, given_up), LAUNCH_SECONDS)
        except BaseException:
            given_up.set()
            raise

    async def _launch(self, spec: EnvironmentSpec, given_up: threading.Event) -> Environment:
        task = asyncio.current_task()
        assert task is not None
        self._launches.add(task)
        try:
            environment = await self._backend.launch(spec)
            if given_up.is_set():  # it held up its loop for so long that nobody could tell it
                await environment.stop(0)
                if environment.listener is not None:
                    environment.listener.close()
                raise BackendError(f"backend '{self.name}' launched environment {spec.id} too late")
            return GuardedEnvironment(self.name, environment, spec)
        finally:
            self._launches.discard(task)

    def watch(self, environment: Environment, on_event: OnEvent) -> None:
        """Hand every event of an environment to the engine's loop, in order."""

        async def forward() -> None:
            ended, why = False, "its events ended without Exited"
            try:
                async for event in environment.events():
                    ended = isinstance(event, Exited)
                    self._engine_loop.call_soon_threadsafe(on_event, event)
                    if ended:
                        return
            except Exception as error:
                why = str(error) if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
            finally:
                if not ended:
                    detail = f"backend '{self.name}' stopped reporting on environment {environment.id}: {why}"
                    self._engine_loop.call_soon_threadsafe(on_event, Lost(reason=ExitReason.FAILED, detail=detail))

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

    def leave(self) -> None:
        """Let the thread of a backend that was never opened go, whenever it can."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Exited):
    """In place of an environment's own `Exited`: the backend no longer says what becomes of it."""


async def loaded(name: str, make: Callable[[str], Backend]) -> Backend:
    """Make a backend in a thread that is left behind if it hangs: its module's code is a stranger's.

    Raises:
        WorkbenchError: what `make` raised, or a BackendError because it took too long.
    """
    loop = asyncio.get_running_loop()
    made: asyncio.Future[Backend] = loop.create_future()

    def settle(backend: Backend | None, error: BaseException | None) -> None:
        if made.done():
            return
        if backend is not None:
            made.set_result(backend)
        else:
            made.set_exception(error or BackendError(f"backend '{name}' cannot be loaded"))

    def run() -> None:
        backend, error = None, None
        try:
            backend = make(name)
        except Exception as raised:
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, backend, error)

    threading.Thread(target=run, name=f"load-{name}", daemon=True).start()
    try:
        return await asyncio.wait_for(made, LOAD_SECONDS)
    except TimeoutError as error:
        raise BackendError(f"backend '{name}' did not load within {LOAD_SECONDS:g} s") from error
