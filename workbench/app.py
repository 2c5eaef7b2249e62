"""Composition: the one place where rooms are put together into an engine and its doors."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import __version__
from workbench.backends import registry
from workbench.backends.api import Health, Host, Network
from workbench.backends.keeper import Keeper
from workbench.client.local import connect
from workbench.client.port import EnginePort, StreamingPort
from workbench.client.project import Project, cache_folder, runtime_folder
from workbench.engine.backend_host import BackendHost, loaded
from workbench.engine.catalogue import Catalogue
from workbench.engine.clock import SystemClock
from workbench.engine.engine import Engine, Options
from workbench.engine.ports import SparesAt
from workbench.engine.recorder import Recorder
from workbench.http.runtime_api import RuntimeApi
from workbench.live.view import EngineStatus
from workbench.model import file_systems
from workbench.model.errors import (
    BackendUnavailable,
    DeployError,
    EFSMountFailure,
    StateError,
    UsageError,
    WorkbenchError,
)
from workbench.model.layers import NewLayerVersion, layer_arn
from workbench.model.names import Account
from workbench.services.relay import Relay
from workbench.services.sender import Sender
from workbench.store.folder import StateFolder, own_folder, write_durably
from workbench.store.history import HistoryFile
from workbench.store.prune import Pruned, size_of
from workbench.store.sqlite import SqliteStore
from workbench.store.thread import StoreThread

if TYPE_CHECKING:
    from workbench.http.front import Front
    from workbench.http.gateway.door import Gateway

AUTO = "auto"
#: As many files as an engine may have open, if the machine allows it: each environment takes several.
OPEN_FILES = 65536
#: What a runtime that is booted and waits takes at most.
SPARE_BYTES = 64 << 20


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
    port: StreamingPort
    choice: Choice
    key: str
    catalogue: Catalogue
    relay: Relay

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


@cache
def _image_backend(named: str) -> str | None:
    """Who runs container images where this backend was named; whether it works is found out when it has to."""
    for name in registry.names() if named == AUTO else (named,):
        with suppress(WorkbenchError):  # one that cannot be loaded runs none
            if registry.create(name).capabilities.images:
                return name
    return None


async def _probe(name: str) -> tuple[Health, bool]:
    backend = await loaded(name, registry.create)
    host = BackendHost(name, backend)
    host.start()
    try:
        return await host.health(), backend.capabilities.isolation
    finally:
        host.leave()


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
                image_backend=partial(_image_backend, backend or project.backend),
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


def engine_log(project: Project) -> int:
    """The open log file of an engine that is started in the background, never through a link.

    Raises:
        StateError: the state folder or the file cannot be used.
    """
    own_folder(project.state)
    path = project.state / "engine.log"
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"cannot use {path}: {error.strerror}", mend="remove it if it is a link") from error


async def serve(
    project: Project,
    *,
    backend: str | None,
    port: int,
    gateway_port: int,
    seed: int | None,
    spares: int | None = None,
    ready: Callable[[dict[str, object], Choice], None],
    report: Callable[[str, bool], None] = lambda text, over: None,
) -> None:
    """Run the engine with its endpoint until SIGTERM, SIGINT or a call of `stop`.

    `spares` stands in for the project's own bound.

    `ready` gets what `serve --json` prints, once, when requests are answered; `report` is for `open_engine`.

    Raises:
        UsageError: a port is taken.
        StateError, BackendUnavailable: as `open_engine`.
    """
    from workbench.http.control import Control
    from workbench.http.front import Front
    from workbench.http.gateway.door import Gateway
    from workbench.http.lambda_api.api import LambdaApi
    from workbench.http.services import ServicesAt

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    def stop_soon() -> None:
        # The answer to `stop` leaves first.
        loop.call_later(0.05, stopping.set)

    spares = project.spares if spares is None else spares
    async with open_engine(
        project, backend=backend, seed=seed, on_stop=stop_soon, spares=spares, report=report
    ) as running:
        if not await _unless(stopping, running.engine.backend()):
            return
        api = LambdaApi(
            running.port,
            await running.port.account(),
            services=ServicesAt(project.services, project.region),
        )
        front = Front(api, Control(running.port, running.key))
        gateway = Gateway(running.port)
        await _listen(front, port, "--port")
        try:
            await _listen(gateway, gateway_port, "--gateway-port")
        except UsageError:
            front.close()
            raise
        urls = {"lambda": front.url, "gateway": gateway.url}
        running.relay.never(urls.values())
        running.engine.announce(urls)
        endpoint = {"url": front.url, "key": running.key, "pid": os.getpid(), "state": str(project.state)}
        write_durably(project.endpoint_file, json.dumps(endpoint).encode())
        # What is there by now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        try:
            if stopping.is_set():
                return
            ready({**urls, "pid": os.getpid(), "state": str(project.state)}, running.choice)
            await stopping.wait()
        finally:
            project.endpoint_file.unlink(missing_ok=True)
            await _close(front, gateway)


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Do the work, or give it up when we are told to stop; whether it was done."""
    doing, told = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((doing, told), return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
    if stopping.is_set():
        return False
    await doing
    return True


async def _listen(door: Front | Gateway, port: int, option: str) -> None:
    try:
        await door.open("127.0.0.1", port)
    except OSError as error:
        raise UsageError(
            f"port {port} of 127.0.0.1 cannot be used: {error.strerror}", mend=f"{option} 0 picks a free one"
        ) from error


async def _close(*doors: Front | Gateway) -> None:
    """Stop listening; what is being answered has a moment to leave."""
    for door in doors:
        door.close()
    await asyncio.sleep(0)


async def deploy(port: EnginePort, project: Project, template: Path) -> list[str]:
    """Bring a template's functions to the engine; what was done, a line each.

    Raises:
        DeployError: some cannot run; all the rest was still done.
    """
    from workbench.templates.deploy import deploy as bring
    from workbench.templates.deploy import deploy_routes, publish_aliases, source_of
    from workbench.templates.deployments import remember
    from workbench.templates.sam import read_layers, read_template

    account = await port.account()
    source = source_of(template)
    wanted = read_template(template, project.parameters, account)
    layers = read_layers(template, project.parameters, account)
    failure: DeployError | None = None
    try:
        done = await bring(port, wanted, layers)
    except DeployError as error:
        failure, done = error, list(error.done)
    failed = {line.partition(":")[0] for line in (failure.failed if failure else ())}
    done += await publish_aliases(port, [function for function in wanted if function.name not in failed])
    done += await deploy_routes(port, source, wanted)
    await remember(port, source, wanted, layers)
    if failure is not None:
        raise DeployError(failure.message, failed=failure.failed, done=done)
    return done


async def lacking(port: EnginePort, names: Iterable[str], project: Project) -> list[str]:
    """What keeps deployed functions from running, here or in the long run, a line for each."""
    catalogue = Catalogue(project.region, cache_folder())
    backend = (await port.status()).backend
    lines = []
    for version in await port.list_functions():
        if version.name not in names:
            continue
        if version.code.image is not None:
            able = project.backend == AUTO or registry.create(backend).capabilities.images
            lines += [] if able else [f"{version.name} cannot run on {backend}, which runs no images: docker does"]
            continue
        runtime = version.configuration.runtime
        found = await asyncio.to_thread(catalogue.look, runtime)
        if found is None:
            lines.append(f"{version.name} cannot run here: {runtime} is not among what workbench doctor lists")
        elif found[1]:
            lines.append(f"{version.name} cannot run yet: {found[0]} ({found[1]})")
        if (note := catalogue.deprecated(runtime, date.today())) is not None:
            lines.append(f"{version.name}: {note}")
        settings = version.configuration.settings
        if file_systems.file_systems(settings) and not registry.create(backend).capabilities.file_systems:
            lines.append(f"{version.name} cannot run on {backend}, which mounts no file systems: bubblewrap does")
        try:
            file_systems.shown(settings, project.file_systems)
        except EFSMountFailure as error:
            lines.append(f"{version.name} cannot run yet: {error}")
    return lines


async def left_template(port: EnginePort, project: Project, template: Path) -> list[str]:
    """The functions of earlier deployments that a template no longer has."""
    from workbench.templates.deploy import source_of
    from workbench.templates.deployments import left
    from workbench.templates.sam import function_names

    return await left(port, source_of(template), function_names(template, project.parameters, await port.account()))


async def destroy(port: EnginePort, template: Path) -> list[str]:
    """Delete what a template has brought; what was done, a line each.

    Raises:
        UsageError: there is nothing of it.
    """
    from workbench.templates.deploy import source_of
    from workbench.templates.deployments import destroy as take_away

    return await take_away(port, source_of(template))


async def publish_layer(port: EnginePort, content: Path, new: Callable[[bytes], NewLayerVersion]) -> str:
    """Publish what a folder or a zip archive holds as a layer version; its ARN."""
    from workbench.templates.layers import archive_of

    version = await port.publish_layer_version(new(archive_of(content)))
    return layer_arn(await port.account(), version.name, version.version)


def template_functions(project: Project, template: Path) -> list[str]:
    """The names of a template's functions."""
    from workbench.templates.sam import function_names

    return sorted(function_names(template, project.parameters, Account(project.region, project.account)))


async def bring_function(port: EnginePort, project: Project, template: Path, name: str) -> list[str]:
    """Bring one function of a template to the engine, if the template has it; what was done, a line each."""
    from workbench.templates.deploy import deploy as bring
    from workbench.templates.deploy import source_of
    from workbench.templates.deployments import remember
    from workbench.templates.sam import read_template

    account = await port.account()
    wanted = read_template(template, project.parameters, account, only=name)
    try:
        return await bring(port, wanted)
    finally:
        await remember(port, source_of(template), wanted, [layer for one in wanted for layer in one.layers])


async def runtime_report(project: Project) -> list[tuple[str, str, str]]:
    """The runtimes that Workbench can run: identifier, what realises it here, and the mend if nothing does."""
    catalogue = Catalogue(project.region, cache_folder(), project.runtimes)
    looks = [(runtime, await asyncio.to_thread(catalogue.look, runtime)) for runtime in catalogue.known()]
    return [(runtime, *look) for runtime, look in looks if look is not None]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendPlugin:
    """A backend as people are shown it. `contract` is the version that it was written for; both are empty when it
    cannot be loaded, which `health` then explains."""

    name: str
    distribution: str
    version: str
    summary: str = ""
    contract: str = ""
    capabilities: Mapping[str, object]
    health: Health


async def backend_plugins() -> list[BackendPlugin]:
    """Every installed backend, loaded and asked for its health."""
    found = []
    for name in registry.names():
        distribution, version = registry.distribution(name)
        summary, contract, capabilities = "", "", {}
        try:
            backend = await loaded(name, registry.create)
            summary = registry.factory(name).summary
            contract = "{}.{}".format(*backend.api_version)
            capabilities = asdict(backend.capabilities)
            health, _ = await _probe(name)
        except WorkbenchError as error:
            health = Health(usable=False, why=error.message, mend=error.mend or "")
        found.append(
            BackendPlugin(
                name=name,
                distribution=distribution,
                version=version,
                summary=summary,
                contract=contract,
                capabilities=capabilities,
                health=health,
            )
        )
    return found


def runtime_plugins(project: Project) -> tuple[tuple[str, str, str, tuple[str, ...]], ...]:
    """Who brings runtimes: as `Catalogue.brought`."""
    return Catalogue(project.region, cache_folder(), project.runtimes).brought()


def check_plugin(name: str, checks: Sequence[str], tell: Callable[[str, bool, str, float], None]) -> int:
    """Run the conformance kit, or some of its checks, against a backend; how many failed.

    `tell` hears of each: what it holds, whether that is promised at all, what is wrong (empty if nothing is), and the
    seconds that it took.

    Raises:
        UsageError: there is no such backend or check.
        BackendError: it cannot be loaded.
        BackendUnavailable: it does not work here, so there is nothing to check.
    """
    from workbench.testing import conformance

    if unknown := [check for check in checks if check not in conformance.CHECKS]:
        raise UsageError(f"there is no check '{unknown[0]}'; there are: {', '.join(conformance.CHECKS)}")
    asyncio.run(choose_backend(name))
    failed = 0
    for check in checks or conformance.CHECKS:
        begun = time.monotonic()
        promised, problem = conformance.verdict(check, name)
        failed += bool(problem)
        tell(check.replace("_", " "), promised, problem, time.monotonic() - begun)
    return failed


def prune(project: Project, history: float) -> Pruned:
    """Take out of a state folder what nothing refers to, and history that is older than so many seconds.

    Raises:
        StateLocked: an engine runs.
        StateError: the folder cannot be used.
    """
    with closing(StateFolder(project.state)) as folder:
        places = [project.state / name for name in ("code", "trees")] + list(project.state.glob("history.db*"))
        before = size_of(*places)
        store = SqliteStore(folder)
        past = HistoryFile(project.state, invocations=project.history_invocations, size=project.history_bytes)
        with closing(store), closing(past):
            archives, trees = store.prune()
            invocations, damaged = past.prune(time.time() - history)
        return Pruned(archives, trees, invocations, damaged, max(0, before - size_of(*places)))


@contextmanager
def past(project: Project) -> Iterator[HistoryFile]:
    """The history of a project without an engine, to be looked at only."""
    history = HistoryFile(project.state, read_only=True)
    try:
        yield history
    finally:
        history.close()
