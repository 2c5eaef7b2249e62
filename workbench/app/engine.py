"""An engine, put together for a project."""

from __future__ import annotations

import os
import resource
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from workbench import __version__
from workbench.app.backends import Choice, choose_backend, image_backend
from workbench.backends import registry
from workbench.backends.api import Host, Network
from workbench.backends.keeper import Keeper
from workbench.client.local import connect
from workbench.client.port import StreamingPort
from workbench.client.project import Project, cache_folder, runtime_folder
from workbench.engine.backend_host import BackendHost, loaded
from workbench.engine.catalogue import Catalogue
from workbench.engine.clock import SystemClock
from workbench.engine.engine import Engine, Options
from workbench.engine.ports import SparesAt
from workbench.engine.recorder import Recorder
from workbench.http.runtime_api import RuntimeApi
from workbench.live.view import EngineStatus
from workbench.model.errors import StateError, WorkbenchError
from workbench.model.names import Account
from workbench.services.relay import Relay
from workbench.services.sender import Sender
from workbench.store.folder import StateFolder, own_folder
from workbench.store.history import HistoryFile
from workbench.store.sqlite import SqliteStore
from workbench.store.thread import StoreThread

#: As many files as an engine may have open, if the machine allows it: each environment takes several.
OPEN_FILES = 65536
#: What a runtime that is booted and waits takes at most.
SPARE_BYTES = 64 << 20


@dataclass(slots=True)
class Running:
    """An open engine. `drained` waits for the asynchronous queue."""

    engine: Engine
    port: StreamingPort
    choice: Choice
    key: str
    catalogue: Catalogue
    relay: Relay

    async def drained(self) -> None:
        await self.engine.drained()


@asynccontextmanager
async def open_engine(
    project: Project,
    *,
    backend: str | None = None,
    seed: int | None = None,
    on_stop: Callable[[], None] | None = None,
    deliver: bool = True,
    spares: int = 0,
    report: Callable[[str, bool], None] = lambda text, over: None,
) -> AsyncIterator[Running]:
    """An engine on a project's state folder, closed with everything it started.

    With `deliver` false, events that an earlier engine had queued stay for one that lives longer. Up to `spares`
    environments of a kind are made ahead. `report` hears from backends how something goes on that takes long.

    Raises:
        StateLocked: another engine has the folder.
        StateError: the folder, or the one for scratch files, cannot be used.
        BackendUnavailable: see `choose_backend`.
    """
    with ExitStack() as closing:
        folder = StateFolder(project.state)
        closing.callback(folder.close)
        _raise_file_limit()
        scratch = _scratch_folder()
        closing.callback(shutil.rmtree, scratch, ignore_errors=True)
        keeper = Keeper()
        closing.callback(keeper.close)
        choice = await choose_backend(backend or project.backend)
        if choice.isolated and (
            exposed := [name or "all" for name, mode in project.networks.items() if mode == "host"]
        ):
            unsafe = f"functions in your own network (unsafe): {', '.join(exposed)}"
            choice = replace(choice, notes=(*choice.notes, unsafe))
        store = SqliteStore(folder)
        history = HistoryFile(project.state, invocations=project.history_invocations, size=project.history_bytes)
        clock = SystemClock()
        account = Account(project.region, project.account)

        networks = {function: Network(mode) for function, mode in project.networks.items()}

        async def make_backend(name: str) -> BackendHost:
            if name != choice.name:
                await choose_backend(name)
            host = BackendHost(name, await loaded(name, registry.create), networks)
            host.start()
            try:
                await host.open(Host(run_dir=scratch, guard=keeper.guard, unguard=keeper.unguard, report=report))
            except BaseException:
                with suppress(WorkbenchError):  # the failure to open says more
                    await host.aclose()
                raise
            return host

        catalogue = Catalogue(project.region, cache_folder(), project.runtimes)
        catalogue.check()
        relay = Relay(project.services)
        engine = Engine(
            clock=clock,
            store=store,
            thread=StoreThread(store),
            runtimes=catalogue,
            listeners=RuntimeApi(),
            backend=choice.name,
            make_backend=make_backend,
            recorder=Recorder(clock, history, StoreThread(history, "history")),
            status=EngineStatus(
                version=__version__,
                pid=os.getpid(),
                state_dir=str(project.state),
                project=project.name,
                backend=choice.name,
                backend_why=choice.why,
                isolated=choice.isolated,
                notes=choice.notes,
                started=time.time(),
            ),
            options=Options(
                account=account,
                concurrency_limit=project.concurrency_limit,
                idle_stop=project.idle_stop,
                max_life=project.max_life,
                rollout_seconds=project.runtime_rollout,
                file_systems=project.file_systems,
                prices=project.prices,
                spares=spares,
                image_backend=partial(image_backend, backend or project.backend),
                seed=seed,
            ),
            on_stop=on_stop,
            sender=Sender(project.services, project.region),
            relay=relay,
            spares_at=SparesAt(folder=_spares_folder(folder), disk=StoreThread(_Nothing(), "spares"), room=_room),
        )
        await engine.open(deliver=deliver)
        try:
            yield Running(engine, connect(engine), choice, secrets.token_urlsafe(32), catalogue, relay)
        finally:
            await engine.aclose()


def _spares_folder(state: StateFolder) -> Path:
    """An empty folder on the file system of the code, which is linked into it. What a killed engine left there goes.

    Raises:
        StateError: it cannot be made.
    """
    folder = state.path / "spares"
    if folder.is_symlink():
        raise StateError(f"{folder} is a link", mend="remove it")
    shutil.rmtree(folder, ignore_errors=True)
    own_folder(folder)
    return folder


class _Nothing:
    """What the thread of a store closes, for one that has none."""

    def close(self) -> None: ...


def _room() -> bool:
    """Is an eighth of the memory free, with what one more environment takes?"""
    import psutil

    memory = psutil.virtual_memory()
    return bool(memory.available - SPARE_BYTES > memory.total // 8)


def _scratch_folder() -> Path:
    folder = runtime_folder()
    try:
        return Path(tempfile.mkdtemp(prefix="workbench-", dir=folder))
    except OSError as error:
        raise StateError(f"cannot make a scratch folder in {folder}: {error.strerror}") from error


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS has a further limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
