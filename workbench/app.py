"""Composition: the one place where rooms are put together into an engine and its doors."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import __version__
from workbench.backends import registry
from workbench.backends.api import Health, Host
from workbench.backends.keeper import Keeper
from workbench.client.local import connect
from workbench.client.port import EnginePort
from workbench.client.project import Project, cache_folder, runtime_folder
from workbench.engine.backend_host import BackendHost
from workbench.engine.catalogue import Catalogue, find_python
from workbench.engine.clock import SystemClock
from workbench.engine.engine import Engine, Options
from workbench.http.runtime_api import RuntimeApi
from workbench.live.view import EngineStatus
from workbench.model.errors import BackendUnavailable, UsageError, WorkbenchError
from workbench.model.names import Account
from workbench.store.folder import StateFolder, write_durably
from workbench.store.sqlite import SqliteStore
from workbench.store.thread import StoreThread

if TYPE_CHECKING:
    from workbench.http.front import Front

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Choice:
    """The default backend, and in a sentence why it is that one."""

    name: str
    why: str
    isolated: bool
    notes: tuple[str, ...]


@dataclass(slots=True)
class Running:
    """An open engine. `drained` waits for the asynchronous queue."""

    engine: Engine
    port: EnginePort
    choice: Choice
    key: str
    catalogue: Catalogue

    async def drained(self) -> None:
        await self.engine.drained()


async def choose_backend(name: str) -> Choice:
    """Take the backend that was named, or with `auto` the strongest boundary that works here.

    Raises:
        BackendUnavailable: the named one does not work here (it is never replaced by another), or none does.
    """
    if name != AUTO:
        health, isolated = await _probe(name)
        if not health.usable:
            raise BackendUnavailable(f"backend '{name}' does not work here: {health.why}", mend=health.mend or None)
        return Choice(name, "named by you", isolated, health.notes)
    refused = []
    for candidate in registry.names():
        try:
            health, isolated = await _probe(candidate)
        except WorkbenchError as error:
            refused.append(str(error))
            continue
        if health.usable:
            why = "the strongest boundary that works here"
            if refused:
                why = "; ".join(refused)
            return Choice(candidate, why, isolated, health.notes)
        refused.append(f"{candidate}: {health.why}" + (f" ({health.mend})" if health.mend else ""))
    raise BackendUnavailable(f"no backend works here: {'; '.join(refused)}", mend="workbench doctor says more")


async def _probe(name: str) -> tuple[Health, bool]:
    backend = registry.create(name)
    return await backend.health(), backend.capabilities.isolation


@asynccontextmanager
async def open_engine(
    project: Project, *, backend: str | None = None, seed: int | None = None, on_stop: Callable[[], None] | None = None
) -> AsyncIterator[Running]:
    """An engine on a project's state folder, closed with everything it started.

    Raises:
        StateError: another engine has the folder, or it cannot be used.
        BackendUnavailable: see `choose_backend`.
    """
    folder = StateFolder(project.state)
    keeper = Keeper()
    scratch = Path(tempfile.mkdtemp(prefix="workbench-", dir=runtime_folder()))
    try:
        choice = await choose_backend(backend or project.backend)
        store = SqliteStore(folder)
        clock = SystemClock()
        account = Account(project.region, project.account)

        async def make_backend(name: str) -> BackendHost:
            if name != choice.name:
                await choose_backend(name)
            host = BackendHost(name, registry.create(name))
            host.start()
            await host.open(Host(run_dir=scratch, guard=keeper.guard, unguard=keeper.unguard))
            return host

        catalogue = Catalogue(project.region, cache_folder())
        engine = Engine(
            clock=clock,
            store=store,
            thread=StoreThread(store),
            runtimes=catalogue,
            listeners=RuntimeApi(),
            backend=choice.name,
            make_backend=make_backend,
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
                seed=seed,
            ),
            on_stop=on_stop,
        )
        await engine.open()
        try:
            yield Running(engine, connect(engine), choice, secrets.token_urlsafe(32), catalogue)
        finally:
            await engine.aclose()
    finally:
        keeper.close()
        shutil.rmtree(scratch, ignore_errors=True)
        folder.close()


async def serve(
    project: Project,
    *,
    backend: str | None,
    port: int,
    seed: int | None,
    ready: Callable[[dict[str, object], Choice], None],
) -> None:
    """Run the engine with its endpoint until SIGTERM, SIGINT or a call of `stop`.

    `ready` gets what `serve --json` prints, once, when requests are answered.

    Raises:
        UsageError: the port is taken.
        StateError, BackendUnavailable: as `open_engine`.
    """
    from workbench.http.control import Control
    from workbench.http.front import Front
    from workbench.http.lambda_api.api import LambdaApi

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    def stop_soon() -> None:
        # The answer to `stop` leaves first.
        loop.call_later(0.05, stopping.set)

    async with open_engine(project, backend=backend, seed=seed, on_stop=stop_soon) as running:
        await running.engine.backend()
        api = LambdaApi(
            running.port,
            await running.port.account(),
            runtime_version_arn=lambda runtime, architecture: running.catalogue.arn(runtime),
        )
        front = Front(api, Control(running.port, running.key))
        try:
            await front.open("127.0.0.1", port)
        except OSError as error:
            raise UsageError(
                f"port {port} of 127.0.0.1 cannot be used: {error.strerror}", mend="--port 0 picks a free one"
            ) from error
        running.engine.announce({"lambda": front.url})
        endpoint = {"url": front.url, "key": running.key, "pid": os.getpid(), "state": str(project.state)}
        write_durably(project.endpoint_file, json.dumps(endpoint).encode())
        # What is there by now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        try:
            ready({"lambda": front.url, "pid": os.getpid(), "state": str(project.state)}, running.choice)
            await stopping.wait()
        finally:
            project.endpoint_file.unlink(missing_ok=True)
            await _close(front)


async def _close(front: Front) -> None:
    """Stop listening; what is being answered has a moment to leave."""
    front.close()
    await asyncio.sleep(0)


async def deploy(port: EnginePort, project: Project, template: Path) -> list[str]:
    """Bring a template's functions to the engine; what was done, a line each."""
    from workbench.templates.deploy import deploy as bring
    from workbench.templates.sam import read_template

    account = await port.account()
    return await bring(port, read_template(template, project.parameters, account))


def template_functions(project: Project, template: Path) -> list[str]:
    """The names of a template's functions."""
    from workbench.templates.sam import read_template

    found = read_template(template, project.parameters, Account(project.region, project.account))
    return sorted(function.name for function in found)


async def bring_function(port: EnginePort, project: Project, template: Path, name: str) -> list[str]:
    """Bring one function of a template to the engine, if the template has it; what was done, a line each."""
    from workbench.templates.deploy import deploy as bring
    from workbench.templates.sam import read_template

    account = await port.account()
    wanted = [function for function in read_template(template, project.parameters, account) if function.name == name]
    return await bring(port, wanted)


async def runtime_report(project: Project) -> list[tuple[str, str, str]]:
    """The runtimes that Workbench can run: identifier, what realises it here, and the mend if nothing does."""
    catalogue = Catalogue(project.region, cache_folder())
    found = []
    for runtime in catalogue.known():
        python = catalogue.python(runtime)
        if python is None:
            continue
        interpreter = await asyncio.to_thread(find_python, python)
        if interpreter is None:
            found.append((runtime, f"no Python {python} here", f"uv python install {python}"))
        else:
            found.append((runtime, f"{interpreter.version} at {interpreter.executable}", ""))
    return found


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on the fastest event loop there is."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


async def health_report() -> list[tuple[str, Health, bool]]:
    """Every installed backend, whether it works here, and whether it is a boundary."""
    found = []
    for name in registry.names():
        try:
            health, isolated = await _probe(name)
        except WorkbenchError as error:
            health, isolated = Health(usable=False, why=str(error)), False
        found.append((name, health, isolated))
    return found
