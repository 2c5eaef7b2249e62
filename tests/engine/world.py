"""An engine on a virtual clock and a fake backend, with the real store: what the engine's tests stand in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from workbench.backends.api import Network
from workbench.engine.backend_host import BackendHost
from workbench.engine.engine import Engine, Options
from workbench.engine.ports import Sender, SparesAt
from workbench.engine.recorder import Recorder
from workbench.live.view import EngineStatus
from workbench.model.errors import RuntimeUnavailable, StateError
from workbench.model.functions import FunctionConfiguration, FunctionVersion, NewFunction
from workbench.model.invocations import InvocationResult, InvocationType, InvokeRequest
from workbench.model.names import FunctionRef
from workbench.model.runtimes import RuntimeVersion
from workbench.store.folder import StateFolder
from workbench.store.history import HistoryFile
from workbench.store.sqlite import SqliteStore
from workbench.testing.clock import VirtualClock
from workbench.testing.fakes import FakeBackend, FakeListeners, FakeRuntimes, Program, echo

ROLE = "arn:aws:iam::000000000000:role/test"


class _Nothing:
    def close(self) -> None: ...


class InlineThread:
    """Runs the store's calls where they are made, so that nothing needs another thread to settle."""

    def __init__(self, store: SqliteStore | HistoryFile | _Nothing) -> None:
        self._store = store

    async def run(self, call: Callable[..., Any], *args: Any) -> Any:
        return call(*args)

    async def aclose(self) -> None:
        self._store.close()


class World:
    def __init__(self, engine: Engine, clock: VirtualClock, backend: FakeBackend, listeners: FakeListeners) -> None:
        self.engine = engine
        self.clock = clock
        self.backend = backend
        self.listeners = listeners

    async def create(self, name: str = "f", code: str = "1", **configuration: Any) -> FunctionVersion:
        """A function that is Active."""
        await self.engine.create_function(
            NewFunction(name=name, configuration=configured(**configuration), code=archive({"app.py": code}))
        )
        await self.clock.settle()
        return await self.engine.get_function(FunctionRef(name))

    async def change(self, name: str = "f", code: str = "2") -> FunctionVersion:
        await self.engine.update_function_code(name, archive({"app.py": code}))
        await self.clock.settle()
        return await self.engine.get_function(FunctionRef(name))

    def submit(
        self, name: str = "f", qualifier: str | None = None, payload: bytes = b'{"n":1}', logs: bool = True, **more: Any
    ) -> Any:
        return self.engine.invoke(
            InvokeRequest(function=FunctionRef(name, qualifier), payload=payload, logs=logs, **more)
        )

    async def invoke(self, name: str = "f", qualifier: str | None = None, **more: Any) -> InvocationResult:
        """An invocation that needs no time."""
        pending = asyncio.ensure_future(self.submit(name, qualifier, **more))
        for _ in range(50):
            await self.clock.settle()
            if pending.done():
                break
        assert pending.done(), "it needs time after all, or waits for ever"
        return await pending

    async def event(self, name: str = "f", payload: bytes = b"{}") -> InvocationResult:
        return await self.engine.invoke(
            InvokeRequest(function=FunctionRef(name), payload=payload, type=InvocationType.EVENT)
        )

    async def environments(self) -> list[Any]:
        return (await self.engine.changes(0)).environments

    async def states(self) -> list[str]:
        return [view.state.value for view in await self.environments()]


def configured(**changes: Any) -> FunctionConfiguration:
    return FunctionConfiguration(**{"runtime": "python3.12", "handler": "app.handler", "role": ROLE, **changes})


def archive(files: dict[str, str], mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100000 | mode) << 16
            package.writestr(entry, text)
    return buffer.getvalue()


def _folder(state: Path) -> Path:
    folder = state / "spares"
    folder.mkdir(exist_ok=True)
    return folder


@asynccontextmanager
async def world(
    state: Path,
    program: Program = echo,
    *,
    sender: Sender | None = None,
    runtimes: FakeRuntimes | None = None,
    room: Callable[[], bool] = lambda: True,
    networks: Mapping[str, Network] | None = None,
    **options: Any,
) -> AsyncIterator[World]:
    clock, listeners = VirtualClock(), FakeListeners()
    backend = FakeBackend(listeners, program)
    store, history = SqliteStore(StateFolder(state)), HistoryFile(state)

    async def make_backend(name: str) -> BackendHost:
        return BackendHost(name, backend, networks)

    engine = Engine(
        clock=clock,
        store=store,
        thread=InlineThread(store),
        runtimes=runtimes or FakeRuntimes(),
        listeners=listeners,
        backend="fake",
        make_backend=make_backend,
        recorder=Recorder(clock, history, InlineThread(history)),
        status=EngineStatus(
            version="0",
            pid=1,
            state_dir=str(state),
            project="test",
            backend="fake",
            backend_why="a test",
            isolated=True,
        ),
        options=Options(**{"seed": 7, "update_seconds": 0, **options}),
        sender=sender,
        spares_at=SparesAt(folder=_folder(state), disk=InlineThread(_Nothing()), room=room),
    )
    await engine.open()
    try:
        yield World(engine, clock, backend, listeners)
    finally:
        closing = asyncio.ensure_future(engine.aclose())
        await clock.settle()
        while not closing.done():  # extensions have time to go
            await clock.advance(0.1)
        await closing


class Gate(FakeRuntimes):
    """Runtimes that are found once somebody opens the gate, or not at all."""

    def __init__(self) -> None:
        super().__init__("python3.12", "python3.13")
        self.opened = asyncio.Event()
        self.opened.set()
        self.missing: str | None = None
        self.broken: str | None = None

    async def resolve(self, runtime: str, arn: str | None = None) -> RuntimeVersion:
        await self.opened.wait()
        if self.missing is not None:
            raise RuntimeUnavailable(self.missing)
        if self.broken is not None:
            raise StateError(self.broken)
        return await super().resolve(runtime, arn)


def sha256(code: str) -> str:
    """The guard of a function whose app.py has this content."""
    return base64.b64encode(hashlib.sha256(archive({"app.py": code})).digest()).decode()


async def get(made: World, name: str = "f", qualifier: str | None = None) -> FunctionVersion:
    return await made.engine.get_function(FunctionRef(name, qualifier))


def code_of(made: World) -> list[str]:
    """What app.py holds in each environment that was launched."""
    return [environment.spec.task.joinpath("app.py").read_text() for environment in made.backend.environments]


async def numbers(made: World) -> list[str]:
    return [version.version for version in await made.engine.list_versions("f")]


#: What changes function `f`, by its call.
CHANGES: dict[str, Callable[[World], Awaitable[Any]]] = {
    "code": lambda made: made.engine.update_function_code("f", archive({"app.py": "2"})),
    "dry run": lambda made: made.engine.update_function_code("f", archive({"app.py": "2"}), dry_run=True),
    "configuration": lambda made: made.engine.update_function_configuration("f", configured(timeout=9)),
    "publish": lambda made: made.engine.publish_version("f"),
}
