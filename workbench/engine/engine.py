"""The engine: one object that composes the tables, the environments, the queue and the live view.

Satisfies `client.port.EnginePort`. All of it runs on one event loop; the store and the backends have threads of theirs.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from workbench.backends.file_systems import make as make_folder
from workbench.backends.file_systems import read_only
from workbench.engine import by_hand
from workbench.engine.backend_host import BackendHost
from workbench.engine.clock import Clock
from workbench.engine.decide import (
    Placement,
    Pool,
    Road,
    Tables,
    admit,
    check_tenant,
    count_request,
    grow,
    place,
    pool_key,
    reclaim_seconds,
    route,
)
from workbench.engine.deployments import Deployments
from workbench.engine.endings import Endings
from workbench.engine.environment import ExecutionEnvironment, Services
from workbench.engine.functions import CHANGED, Functions
from workbench.engine.invocation import Invocation, new_request_id, new_trace_id
from workbench.engine.keep_warm import Pings
from workbench.engine.layers import Layers
from workbench.engine.lineage import MOST, lengthened
from workbench.engine.ports import ListenerFactory, Runtimes, Sender, ServicesRelay, SparesAt, Store, StoreThread
from workbench.engine.provisioned import ProvisionedEnvironments
from workbench.engine.queue import EventQueue
from workbench.engine.recorder import Recorder
from workbench.engine.replay import Setting
from workbench.engine.resources import urls
from workbench.engine.resources.account import AccountResources
from workbench.engine.resources.attached import AttachedResources
from workbench.engine.resources.concurrency import unreserved
from workbench.engine.rollouts import Rollouts
from workbench.engine.sandbox import Contents
from workbench.engine.spare import Spare
from workbench.engine.spares import Spares
from workbench.engine.stream import RATE, Stream
from workbench.engine.what_if import Recorded, forecast
from workbench.live.exposition import exposition
from workbench.live.reducer import Live
from workbench.live.view import Delta, EngineStatus, Past
from workbench.model import events as ev
from workbench.model import file_systems
from workbench.model.account import AccountSettings
from workbench.model.attached import UpdateRuntimeOn
from workbench.model.cost import Costs, costs
from workbench.model.environments import Fault, Process
from workbench.model.errors import (
    BackendError,
    EngineGone,
    InvalidParameterValue,
    RecursiveInvocation,
    ResourceNotFound,
    TooManyRequests,
    UsageError,
    WorkbenchError,
)
from workbench.model.forecast import Forecast, WhatIf
from workbench.model.functions import Alias, FunctionConfiguration, FunctionVersion, NewFunction
from workbench.model.history import MAX_INVOCATIONS, InvocationRecord, PastInvocation
from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType, InvokeRequest, QueuedEvent
from workbench.model.layers import LayerPolicy, LayerStatement, LayerVersion, NewLayerVersion
from workbench.model.names import LATEST, Account, FunctionRef
from workbench.model.prices import Prices, list_prices
from workbench.model.records import Deployment
from workbench.model.routes import Route
from workbench.model.runtimes import RuntimeRollout, RuntimeVersion

P = TypeVar("P", Path, Path | None)

_log = logging.getLogger("workbench.engine")
#: How long an invocation waits for an environment that is about to finish before it gets a cold start. A runtime asks
#: for its next event within a millisecond; on a busy machine within some tens, where a cold start takes hundreds.
_CLAIM_SECONDS = 0.1
#: How long the end of the engine waits for its environments, whatever a backend does.
_STOP_SECONDS = 20.0


@dataclass(slots=True, kw_only=True)
class Options:
    """Knobs of the engine, times in seconds.

    An update is in progress for `update_seconds` at least: AWS takes seconds, in which the next change is refused and
    the previous code serves. A client that does not wait must find that out here too. `stream_rate`, bytes a
    second, holds beyond a response's first 6 MB. `scaling_rate` is how many environments on demand a function may have
    more in ten seconds. A new runtime version reaches functions in Auto that nobody updates `rollout_seconds` after it
    was published. `file_systems` are folders of this machine, by the access points (ARN, or id of it or of its file
    system) that they stand for. `spares` is how many environments of a kind may wait for cold starts.
    `image_backend` names who runs functions that are container images; without one, the backend of all others does.
    """

    account: Account = field(default_factory=Account)
    concurrency_limit: int = 1000
    scaling_rate: int = 1000
    freeze_after: float = 0.005
    idle_stop: float = 300.0
    max_life: float = 7200.0
    update_seconds: float = 0.25
    rollout_seconds: float = 300.0
    stream_rate: float | None = RATE
    file_systems: Mapping[str, Path] = field(default_factory=dict)
    prices: Prices = field(default_factory=list_prices)
    spares: int = 0
    image_backend: Callable[[], str | None] = lambda: None
    seed: int | None = None


class Engine(AttachedResources, AccountResources):
    """An engine that is open from `open` to `aclose`."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        thread: StoreThread,
        runtimes: Runtimes,
        listeners: ListenerFactory,
        backend: str,
        make_backend: Callable[[str], Awaitable[BackendHost]],
        recorder: Recorder,
        status: EngineStatus,
        options: Options,
        on_stop: Callable[[], None] | None = None,
        sender: Sender | None = None,
        relay: ServicesRelay | None = None,
        spares_at: SparesAt | None = None,
    ) -> None:
        super().__init__()
        self.live = Live(began=clock.monotonic_ns())
        self.options = options
        self._clock = clock
        self._store = store
        self._thread = thread
        self._runtimes = runtimes
        self._default_backend = backend
        self._make_backend = make_backend
        self._recorder = recorder
        self._status = status
        self._on_stop = on_stop
        self._hosts: dict[str, BackendHost] = {}
        self._host_locks: dict[str, asyncio.Lock] = {}
        self._prepared: set[tuple[str, str]] = set()
        #: The folders of code and of layers that are known to be there.
        self._folders: dict[str, Path] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random(options.seed)
        self._closing = False
        self._open_invocations: set[Invocation] = set()
        self._sources: dict[str, tuple[Route, ...]] = {}
        self._routes: tuple[Route, ...] = ()
        self._tables = Tables(
            account=options.account, concurrency_limit=options.concurrency_limit, scaling_rate=options.scaling_rate
        )
        self._spares = Spares(
            most=options.spares,
            at=spares_at,
            idle=options.idle_stop,
            life=options.max_life,
            clock=clock,
            thread=thread,
            spawn=self._spawn,
            listeners=listeners,
            hosts=self._hosts,
        )
        self._services = Services(
            clock=clock,
            emit=self._emit,
            spawn=self._spawn,
            listeners=listeners,
            account=options.account,
            prepare=self._prepare,
            released=self._released,
            replace=self._place_again,
            ended=self._ended,
            freeze_after=options.freeze_after,
            spares=self._spares,
            relay=relay,
        )
        self._provisioned = ProvisionedEnvironments(
            self._tables,
            self._services,
            lambda version: self.backend(self._backend_of(version)),
            self._spawn,
            _environment_id,
            self._surrendered,
        )
        self._pings = Pings(
            self._tables, clock, options.idle_stop, lambda request: self._submit(request, new_request_id())
        )
        self._layers = Layers(options.account, clock, store, thread)
        self._rollouts = Rollouts(
            self._tables, clock, store, thread, runtimes, self._spawn, self._move, options.rollout_seconds
        )
        self._deployments = Deployments(store, thread)
        self._functions = Functions(
            self._tables,
            clock,
            store,
            thread,
            runtimes,
            self._changed,
            self._spawn,
            self._retire,
            self._urls_changed,
            self._layers,
            options.update_seconds,
            self._rollouts.current,
            self._image_digest,
        )
        endings = Endings(self._tables, sender, self._enqueue, self._counted)
        self._queue = EventQueue(clock, store, thread, self._submit_queued, self._spawn, endings)

    # -- life of the engine
    async def open(self, *, deliver: bool = True) -> None:
        """Load the state; the backend opens when it is first needed.

        With `deliver` false, events that an earlier engine had queued stay for one that lives longer.
        """
        versions, aliases, events = await self._thread.run(self._store.load)
        self._sources = await self._thread.run(self._store.routes)
        self._layers.load(await self._thread.run(self._store.layers.load))
        self._functions.load(versions, aliases, await self._thread.run(self._store.attached))
        await self._load_records()
        self._rollouts.load(await self._thread.run(self._store.records, RuntimeRollout))
        await self._deployments.load()
        if deliver:
            self._queue.load(events)
        self._urls_changed()
        self._provisioned.closed = not deliver
        for name in self._tables.claimants:
            self._provisioned.reconcile(name)
        self._pings.closed = not deliver
        for name in self._tables.functions:
            self._pings.reconcile(name)
        self._spawn(self._reclaim())

    async def backend(self, name: str | None = None) -> BackendHost:
        """The backend of this name, opened; the default one without a name.

        Raises:
            WorkbenchError: it does not work here; a backend that was named is never replaced by another.
        """
        name = name or self._default_backend
        host = self._hosts.get(name)
        if host is None:
            async with self._host_locks.setdefault(name, asyncio.Lock()):
                host = self._hosts.get(name)
                if host is None:
                    host = self._hosts[name] = await self._make_backend(name)
        return host

    async def aclose(self) -> None:
        """Shut every environment down, then the backends, the queue and the store."""
        self._closing = True
        self._queue.closed = self._provisioned.closed = self._pings.closed = True
        members = [env for pool in self._pools() for env in pool.members.values()]
        for environment in members:
            environment.kill("the engine is stopping")
        ends = [asyncio.ensure_future(env.stopped()) for env in members]
        ends.append(asyncio.ensure_future(self._spares.aclose()))
        await asyncio.wait(ends, timeout=_STOP_SECONDS)
        await self._spares.clear_away()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for invocation in list(self._open_invocations):
            self._refuse(invocation, EngineGone("the engine is stopping"))
        for host in self._hosts.values():
            try:
                await host.aclose()
            except WorkbenchError as error:
                _log.warning("%s", error)
        await self._recorder.aclose()
        await self._thread.aclose()

    async def drained(self) -> None:
        """Wait until no asynchronous invocation is queued."""
        await self._queue.drained()

    # -- data plane
    def invoke(self, request: InvokeRequest) -> Awaitable[InvocationResult]:
        if request.fault is not None and request.type is not InvocationType.REQUEST_RESPONSE:
            raise UsageError(
                f"a fault goes with a RequestResponse invocation, not with {request.type.value}",
                mend="a fault can be injected into an environment, too",
            )
        if request.type is InvocationType.REQUEST_RESPONSE:
            return self._submit(request, new_request_id())
        if request.type is InvocationType.EVENT:
            return self._enqueue(request)
        return self._dry_run(request)

    async def invoke_streaming(self, request: InvokeRequest) -> Stream:
        stream = Stream(self._clock, self.options.stream_rate)
        self._submit(request, new_request_id(), stream)
        await stream.started()
        return stream

    def _submit(
        self, request: InvokeRequest, request_id: str, stream: Stream | None = None
    ) -> asyncio.Future[InvocationResult]:
        """Route, admit and place one invocation.

        Raises:
            ResourceNotFound, ResourceConflict, InvalidParameterValue, RecursiveInvocation, TooManyRequests: before
            anything was started.
        """
        if self._closing:
            raise EngineGone("the engine is stopping")
        ref = request.function
        tables = self._tables
        version = route(tables, ref, self._random.random())
        check_tenant(version, request.tenant_id)
        trace_id, depth = lengthened(request.trace_id or new_trace_id(), ref.name)
        if depth > MOST and tables.functions[ref.name].attached.recursive_loop != "Allow":
            self._counted(ref.name, ref.qualifier, ev.Metric.RECURSIVE_INVOCATIONS_DROPPED)
            raise RecursiveInvocation(
                f"The function {ref.name} was invoked {MOST} times in one chain of invocations: that looks like a loop."
            )
        now = self._clock.monotonic_ns()
        provisioned = self._provisioned.admit(version, now)
        synchronous = request.type is not InvocationType.EVENT
        reason = None if provisioned else admit(tables, version.name, now, synchronous=synchronous)
        if reason is not None:
            raise self._throttled(request, request_id, reason)
        arn = tables.account.function_arn(ref.name, ref.qualifier)
        invocation = Invocation(request, request_id, version, arn, now, self._clock.time(), trace_id, stream)
        self._open_invocations.add(invocation)
        invocation.provisioned = provisioned
        if not provisioned:
            self._count(invocation, now)
        reason = self._place(invocation)
        if reason is not None:
            self._forget(invocation)
            raise self._throttled(request, request_id, reason)
        return invocation.future

    def _throttled(self, request: InvokeRequest, request_id: str, reason: str) -> TooManyRequests:
        """Write down that there is no room for an invocation; what its caller is to be told."""
        ref = request.function
        self._emit(
            ev.InvocationRefused(
                self._clock.monotonic_ns(),
                request_id,
                ref.name,
                ref.qualifier,
                request.type,
                _marked(request, reason),
                self._clock.time(),
                payload=request.payload,
                trace_id=request.trace_id,
                client_context=request.client_context,
            )
        )
        return TooManyRequests(reason)

    def _place(self, invocation: Invocation) -> str | None:
        """Find an environment for an invocation that was admitted. AWS's throttle reason if none may be made for it."""
        if self._closing:
            self._refuse(invocation, EngineGone("the engine is stopping"))
            return None
        version, request = invocation.version, invocation.request
        if invocation.provisioned:
            ahead = self._provisioned.pool(version)
            if ahead is not None and self._take(invocation, ahead, place(ahead)):
                return None
            # What it was admitted to is gone: it spills over, if there is room.
            now = self._clock.monotonic_ns()
            synchronous = request.type is not InvocationType.EVENT
            reason = admit(self._tables, version.name, now, synchronous=synchronous)
            if reason is not None:
                return reason
            invocation.provisioned = False
            self._count(invocation, now)
        backend = self._backend_of(version, request)
        key = pool_key(version, backend, request.tenant_id)
        pool = self._tables.pools.get(key) or Pool()
        placement = place(pool, None if pool.members else self._tables.last_ends.get(version.key))
        if self._take(invocation, pool, placement):
            return None
        now = self._clock.monotonic_ns()
        reason = grow(self._tables, version.name, now)
        if reason is not None:
            return reason
        self._tables.scaling.take(version.name, self._tables.scaling_rate, now)
        self._tables.pools[key] = pool
        identity = _environment_id()
        invocation.placed = None
        self._emit(self._accepted(invocation, identity, True, placement.why))
        spare = self._spares.take(version, backend)
        self._spawn(self._cold_start(invocation, identity, pool, backend, spare))
        return None

    def _place_again(self, invocation: Invocation) -> None:
        """The environment that it was promised is not to be had."""
        reason = self._place(invocation)
        if reason is not None:
            self._forget(invocation)
            invocation.abort(self._throttled(invocation.request, invocation.request_id, reason))

    def _backend_of(self, version: FunctionVersion, request: InvokeRequest | None = None) -> str:
        named = request.backend if request is not None else None
        images = self.options.image_backend() if version.code.image is not None else None
        return named or images or self._default_backend

    def _take(
        self, invocation: Invocation, pool: Pool[ExecutionEnvironment], placement: Placement[ExecutionEnvironment]
    ) -> bool:
        """Give the invocation the environment that it was placed in; False if that is one to be made."""
        environment = placement.environment
        if environment is None:
            return False
        invocation.placed = self._accepted(invocation, environment.id, False, placement.why)
        if placement.road is Road.WARM:
            pool.ready.pop()
            environment.assign(invocation)
        else:
            environment.claim(invocation)
            self._clock.call_later(_CLAIM_SECONDS, self._claim_expired, invocation, environment)
        return True

    def _count(self, invocation: Invocation, now: int) -> None:
        if invocation.request.type is not InvocationType.EVENT:
            count_request(self._tables, invocation.version.name, now)
        self._tables.concurrency += 1
        self._tables.busy[invocation.version.name] += 1

    def _surrendered(self, environment: str) -> None:
        """What runs there was on provisioned concurrency that is taken away: from now on it counts like any other."""
        for invocation in self._open_invocations:
            if invocation.environment == environment and invocation.provisioned:
                invocation.provisioned = False
                self._tables.concurrency += 1
                self._tables.busy[invocation.version.name] += 1

    def _claim_expired(self, invocation: Invocation, environment: ExecutionEnvironment) -> None:
        if environment.disclaim(invocation):
            self._place_again(invocation)

    async def _cold_start(
        self,
        invocation: Invocation,
        identity: str,
        pool: Pool[ExecutionEnvironment],
        backend: str,
        ahead: Spare | str,
    ) -> None:
        try:
            host = await self.backend(backend)
        except Exception as error:
            surprise = BackendError(f"{type(error).__name__}: {error}")
            self._refuse(invocation, error if isinstance(error, WorkbenchError) else surprise)
            return
        invocation.environment = identity
        version = invocation.version
        self._tables.pools.setdefault(pool_key(version, backend, invocation.request.tenant_id), pool)
        environment = ExecutionEnvironment(self._services, identity, version, host, pool)
        environment.retired = None if self._current(version) else CHANGED
        await environment.boot(invocation, ahead)

    def _current(self, version: FunctionVersion) -> bool:
        """Would an invocation be routed to this very version now?"""
        function = self._tables.functions.get(version.name)
        if function is None:
            return False
        now = function.serving if version.version == LATEST else function.versions.get(version.version)
        return (
            now is not None
            and now.revision_id == version.revision_id
            and now.runtime_version == version.runtime_version
        )

    def _refuse(self, invocation: Invocation, error: WorkbenchError) -> None:
        """No environment can be made for it."""
        now = self._clock.monotonic_ns()
        self._emit(
            ev.InvocationFinished(
                now, invocation.request_id, InvocationStatus.FAILED, str(error).encode(), 0.0, 0, None, 0, error.title
            )
        )
        invocation.abort(error)
        self._released(invocation)

    def _accepted(self, invocation: Invocation, environment: str, cold: bool, why: str) -> ev.InvocationAccepted:
        request, configuration = invocation.request, invocation.version.configuration
        why = _marked(request, why)
        invocation.cold, invocation.why = cold, why
        return ev.InvocationAccepted(
            invocation.accepted,
            invocation.request_id,
            request.function.name,
            request.function.qualifier,
            invocation.version.version,
            request.type,
            environment,
            cold,
            why,
            request.payload,
            invocation.wall,
            self._backend_of(invocation.version, request),
            configuration.memory_size,
            invocation.trace_id,
            request.client_context,
            configuration.architecture,
            configuration.ephemeral_storage,
            invocation.provisioned,
            invocation.version.revision_id,
            request.tenant_id,
            not invocation.provisioned and self._provisioned.pool(invocation.version) is not None,
        )

    def _counted(self, function: str, qualifier: str | None, metric: ev.Metric, value: float = 1) -> None:
        self._emit(ev.Counted(self._clock.monotonic_ns(), function, qualifier, metric, value))

    def _released(self, invocation: Invocation) -> None:
        """It is over, one way or another; told once, whoever hears of it first."""
        if invocation in self._open_invocations:
            self._forget(invocation)
            if invocation.request.type is InvocationType.EVENT:
                self._queue.made_room(invocation.version.name)

    def _forget(self, invocation: Invocation) -> None:
        self._open_invocations.discard(invocation)
        if invocation.provisioned:
            return
        name = invocation.version.name
        self._tables.concurrency -= 1
        self._tables.busy[name] -= 1
        if not self._tables.busy[name]:
            del self._tables.busy[name]

    async def _enqueue(self, request: InvokeRequest) -> InvocationResult:
        check_tenant(route(self._tables, request.function, 0.0), request.tenant_id)
        request_id = new_request_id()
        trace_id = request.trace_id or new_trace_id()
        await self._queue.put(
            QueuedEvent(
                request_id=request_id,
                function=request.function.name,
                qualifier=request.function.qualifier,
                payload=request.payload,
                trace_id=trace_id,
                backend=request.backend,
                tenant_id=request.tenant_id,
                accepted=self._clock.time(),
            )
        )
        self._counted(request.function.name, request.function.qualifier, ev.Metric.ASYNC_EVENTS_RECEIVED)
        return InvocationResult(request_id=request_id, status=InvocationStatus.WAITING, trace_id=trace_id)

    def _submit_queued(self, event: QueuedEvent) -> asyncio.Future[InvocationResult]:
        request = InvokeRequest(
            function=FunctionRef(event.function, event.qualifier),
            payload=event.payload,
            type=InvocationType.EVENT,
            trace_id=event.trace_id,
            backend=event.backend,
            tenant_id=event.tenant_id,
        )
        answer = self._submit(request, event.request_id)
        age = (self._clock.time() - event.accepted) * 1000
        self._counted(event.function, event.qualifier, ev.Metric.ASYNC_EVENT_AGE, age)
        return answer

    async def _dry_run(self, request: InvokeRequest) -> InvocationResult:
        check_tenant(route(self._tables, request.function, 0.0), request.tenant_id)
        return InvocationResult(request_id=new_request_id(), status=InvocationStatus.SUCCESS)

    # -- environments
    async def _prepare(self, version: FunctionVersion, host: BackendHost) -> Contents:
        """What a sandbox of the version needs.

        Raises:
            RuntimeUnavailable, BackendError, EFSMountFailure: it cannot be had, here or on this backend.
        """
        shown = file_systems.shown(version.configuration.settings, self.options.file_systems)
        if shown and not host.capabilities.file_systems:
            raise BackendError(
                f"{version.name} has a file system at {', '.join(shown)}, and the {host.name} backend mounts none",
                mend="--backend bubblewrap, or docker",
            )
        notes = await self._thread.run(_make_folders, shown.values()) if shown else ()
        image = version.code.image
        if image is not None:
            if not host.capabilities.images:
                raise BackendError(
                    f"{version.name} is a container image, and the {host.name} backend runs none",
                    mend="--backend docker",
                )
            runtime = RuntimeVersion.of_image(image)
            await host.prepare(runtime)  # each time: the image of this name may have gone
            return Contents(runtime=runtime, task=Path("/var/task"), opt=None, file_systems=shown, notes=notes)
        runtime = await self._rollouts.boot(version)
        if (host.name, runtime.arn) not in self._prepared:
            await host.prepare(runtime)
            self._prepared.add((host.name, runtime.arn))
        store, code, layers = self._store, version.code, version.layers
        task = await self._extracted(code.sha256, lambda: store.extract(code.sha256))
        names = ",".join(layer.sha256 for layer in layers)
        opt = await self._extracted(names, lambda: store.extract_layers(layers)) if layers else None
        return Contents(runtime=runtime, task=task, opt=opt, file_systems=shown, notes=notes)

    async def _extracted(self, content: str, extract: Callable[[], P]) -> P:
        """The folder of code or of layers; the store's thread is not waited for when it is there."""
        known = self._folders.get(content)
        if known is not None and known.is_dir():
            return known
        folder = await self._thread.run(extract)
        if folder is not None:
            self._folders[content] = folder
        return folder

    async def _image_digest(self, image: str) -> str | None:
        """The digest of a container image, if it is here and a backend can say."""
        name = self.options.image_backend()
        if name is None:
            return None
        try:
            return await (await self.backend(name)).image_digest(image)
        except WorkbenchError as error:  # whoever invokes the function is told
            _log.info("the image %s is not looked at: %s", image, error)
            return None

    async def _move(self, name: str, number: str, runtime: str, arn: str, modes: Collection[UpdateRuntimeOn]) -> None:
        await self._functions.move(name, number, runtime, arn, modes)

    def _retire(self, name: str, version: str | None, reason: str) -> None:
        """End the environments of a replaced or deleted version; running invocations finish on what they began with."""
        for key, pool in list(self._tables.pools.items()):
            if key[0] != name or version not in (None, key[1]):
                continue
            for environment in list(pool.members.values()):
                environment.retire(reason)
        self._provisioned.reconcile(name)

    def _ended(self, environment: ExecutionEnvironment) -> None:
        """A pool without environments is forgotten; the next invocation makes another."""
        if environment.version.name in self._tables.functions:
            self._tables.last_ends[environment.version.key] = environment.reason
        else:
            self._tables.last_ends.pop(environment.version.key, None)
        for key, pool in list(self._tables.pools.items()):
            if pool is environment.pool and not pool.members:
                del self._tables.pools[key]

    async def _reclaim(self) -> None:
        """End environments that have been idle for long, and those that have lived long once they are free."""
        while True:
            await self._clock.sleep(reclaim_seconds(self.options.idle_stop))
            self._spares.sweep()
            born = self._clock.monotonic_ns() - int(self.options.max_life * 1e9)
            horizon = self._clock.monotonic_ns() - int(self.options.idle_stop * 1e9)
            for pool in list(self._tables.pools.values()):
                for environment in [member for member in pool.members.values() if member.created <= born]:
                    environment.retire(f"lived {self.options.max_life:g} s")
                for environment in list(pool.ready):
                    if environment.idle_since <= horizon and environment.state.placeable:
                        environment.stop(f"idle for {self.options.idle_stop:g} s")

    async def stop_environment(self, environment: str) -> None:
        self._member(environment).kill("ended by hand")

    async def freeze_environment(self, environment: str) -> None:
        await by_hand.freeze(self._member(environment))

    async def thaw_environment(self, environment: str) -> None:
        await by_hand.thaw(self._member(environment))

    async def inject_fault(self, environment: str, fault: Fault) -> None:
        await by_hand.fail(self._member(environment), fault)

    async def list_processes(self, environment: str) -> tuple[Process, ...]:
        return await self._member(environment).processes()

    def _member(self, environment: str) -> ExecutionEnvironment:
        for pool in self._pools():
            found = pool.members.get(environment)
            if found is not None:
                return found
        raise ResourceNotFound(f"there is no running environment '{environment}'")

    def _pools(self) -> list[Pool[ExecutionEnvironment]]:
        return [*self._tables.pools.values(), *self._provisioned.pools()]

    # -- control plane
    def _changed(self, event: ev.Event) -> None:
        """One step of the control plane, which provisioned environments follow too."""
        self._emit(event)
        if isinstance(event, (ev.AttachedChanged, ev.AliasDeleted, ev.FunctionDeleted)):
            self._provisioned.reconcile(event.function)
            self._pings.reconcile(event.function)
        elif isinstance(event, ev.AliasChanged):
            self._provisioned.reconcile(event.alias.function)
        if self._spares.any and isinstance(event, (ev.FunctionChanged, ev.FunctionDeleted)):
            functions = self._tables.functions.values()
            self._spares.keep({version.runtime_version for known in functions for version in known.versions.values()})

    async def account(self) -> Account:
        return self.options.account

    async def account_settings(self) -> AccountSettings:
        return AccountSettings(
            concurrent_executions=self._tables.concurrency_limit,
            unreserved_concurrent_executions=unreserved(self._tables),
            total_code_size=sum(
                version.code.size for known in self._tables.functions.values() for version in known.versions.values()
            )
            + sum(version.code.size for version in self._layers.list(None)),
            function_count=len(self._tables.functions),
        )

    async def create_function(self, new: NewFunction) -> FunctionVersion:
        self._check_runtime(new.configuration)
        async with self._records_lock:  # the code signing configuration stays until the function has it
            self._check_signing(new.code_signing_config)
            return await self._functions.create(new)

    async def update_function_code(
        self,
        name: str,
        code: bytes,
        *,
        image: str | None = None,
        architecture: str | None = None,
        publish: bool = False,
        dry_run: bool = False,
        revision_id: str | None = None,
    ) -> FunctionVersion:
        self._check_runtime(self._functions.get(FunctionRef(name)).configuration, update=True)
        return await self._functions.update_code(
            name,
            code,
            image=image,
            architecture=architecture,
            publish=publish,
            dry_run=dry_run,
            revision_id=revision_id,
        )

    async def update_function_configuration(
        self, name: str, configuration: FunctionConfiguration, *, revision_id: str | None = None
    ) -> FunctionVersion:
        latest = self._functions.get(FunctionRef(name)).configuration
        self._check_runtime(configuration, update=configuration.runtime == latest.runtime)
        return await self._functions.update_configuration(name, configuration, revision_id)

    def _check_runtime(self, configuration: FunctionConfiguration, *, update: bool = False) -> None:
        """May a function be given its runtime, or with `update` be updated while it keeps it?"""
        runtime, known = configuration.runtime, self._runtimes.known()
        if not runtime or (update and runtime not in known):
            return
        if runtime not in known:
            raise UsageError(f"there is no runtime '{runtime}'; known: {', '.join(known)}")
        if self._runtimes.blocked(runtime, datetime.fromtimestamp(self._clock.time(), UTC).date(), update=update):
            raise InvalidParameterValue(
                f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda "
                "functions. We recommend you use a supported runtime while creating or updating functions."
            )

    async def get_function(self, ref: FunctionRef) -> FunctionVersion:
        return self._functions.get(ref)

    async def list_functions(self) -> tuple[FunctionVersion, ...]:
        return self._functions.list()

    async def list_versions(self, name: str) -> tuple[FunctionVersion, ...]:
        return self._functions.versions(name)

    async def delete_function(self, ref: FunctionRef) -> None:
        await self._functions.delete(ref)
        if ref.qualifier is None:
            await self._deployments.forget(function=ref.name)

    async def code(self, sha256: str) -> bytes:
        return await self._thread.run(self._store.code, sha256)

    async def publish_version(
        self,
        name: str,
        *,
        description: str | None = None,
        code_sha256: str | None = None,
        revision_id: str | None = None,
    ) -> FunctionVersion:
        return await self._functions.publish(name, description, code_sha256, revision_id)

    async def create_alias(
        self,
        function: str,
        name: str,
        version: str,
        *,
        description: str = "",
        weights: Mapping[str, float] | None = None,
    ) -> Alias:
        return await self._functions.create_alias(function, name, version, description, weights)

    async def update_alias(
        self,
        function: str,
        name: str,
        *,
        version: str | None = None,
        description: str | None = None,
        weights: Mapping[str, float] | None = None,
        revision_id: str | None = None,
    ) -> Alias:
        return await self._functions.update_alias(function, name, version, description, weights, revision_id)

    async def get_alias(self, function: str, name: str) -> Alias:
        return self._functions.alias(function, name)

    async def list_aliases(self, function: str) -> tuple[Alias, ...]:
        return self._functions.aliases(function)

    async def delete_alias(self, function: str, name: str) -> None:
        await self._functions.delete_alias(function, name)

    async def publish_layer_version(self, new: NewLayerVersion) -> LayerVersion:
        return await self._layers.publish(new)

    async def get_layer_version(self, name: str, version: int) -> LayerVersion:
        return self._layers.get(name, version)

    async def list_layer_versions(self, name: str | None) -> tuple[LayerVersion, ...]:
        return self._layers.list(name)

    async def delete_layer_version(self, name: str, version: int) -> None:
        await self._layers.delete(name, version)
        await self._deployments.forget(layer=f"{name}:{version}")

    async def get_layer_version_policy(self, name: str, version: int) -> LayerPolicy:
        return self._layers.policy(name, version)

    async def add_layer_version_permission(
        self, name: str, version: int, statement: LayerStatement, *, revision_id: str | None = None
    ) -> LayerPolicy:
        return await self._layers.add_permission(name, version, statement, revision_id)

    async def remove_layer_version_permission(
        self, name: str, version: int, statement_id: str, *, revision_id: str | None = None
    ) -> None:
        await self._layers.remove_permission(name, version, statement_id, revision_id)

    async def put_routes(self, source: str, routes: tuple[Route, ...]) -> None:
        if routes == self._sources.get(source, ()):
            return
        await self._thread.run(self._store.put_routes, source, routes)
        self._sources.pop(source, None)
        if routes:
            self._sources[source] = routes
        self._urls_changed()

    def _urls_changed(self) -> None:
        """Put the routes together anew: those of function URLs, and those that templates have brought over them."""
        self._routes = (*urls.routes(self._tables.functions), *itertools.chain(*self._sources.values()))

    async def list_routes(self) -> tuple[Route, ...]:
        return self._routes

    async def add_deployment(self, brought: Deployment) -> None:
        await self._deployments.add(brought)

    async def list_deployments(self) -> tuple[Deployment, ...]:
        return self._deployments.list()

    async def delete_deployment(self, id: str) -> None:
        await self._deployments.delete(id)

    # -- what faces read
    async def get_invocation(self, request_id: str) -> InvocationRecord:
        return await self._recorder.get(request_id)

    async def list_invocations(
        self,
        *,
        function: str | None = None,
        status: InvocationStatus | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> tuple[PastInvocation, ...]:
        return await self._recorder.newest(function, status, limit, before)

    async def costs(self, *, function: str | None = None) -> Costs:
        return costs(await self._recorder.used(), self.options.prices, function)

    async def what_if(
        self, change: WhatIf, *, function: FunctionRef | None = None, limit: int = MAX_INVOCATIONS
    ) -> Forecast:
        invocations = await self._recorder.newest(None, None, limit, None)
        allocations = (await self._recorder.used()).allocations
        options = self.options
        setting = Setting(
            concurrency_limit=self._tables.concurrency_limit,
            scaling_rate=self._tables.scaling_rate,
            idle_stop=options.idle_stop,
            max_life=options.max_life,
            claim_seconds=_CLAIM_SECONDS,
            reserved={
                name: known.attached.reserved
                for name, known in self._tables.claimants.items()
                if known.attached.reserved is not None
            },
        )
        recorded = Recorded(invocations=invocations, allocations=allocations)
        return await asyncio.to_thread(forecast, recorded, setting, change, options.prices, function)

    async def changes(self, since: int) -> Delta:
        return self.live.changes(since, self._clock.monotonic_ns(), self._clock.time())

    async def past(self, function: str | None) -> Past:
        return self.live.past(function, self._clock.monotonic_ns())

    async def metrics(self) -> str:
        return exposition(self.live.functions())

    async def status(self) -> EngineStatus:
        status = replace(self._status, spares=self._spares.lines())
        if self._recorder.trouble:
            return replace(status, notes=(*status.notes, f"no history: {self._recorder.trouble}"))
        return status

    def announce(self, urls: Mapping[str, str]) -> None:
        """The endpoints are up; `status` names them from now on."""
        self._status = replace(self._status, urls=dict(urls))

    async def stop(self) -> None:
        if self._on_stop is None:
            raise UsageError("this engine ends with the command that started it")
        self._on_stop()

    def _emit(self, event: ev.Event) -> None:
        """One step of the engine, to all who follow it."""
        self.live.apply(event)
        self._recorder.apply(event)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a task of the engine failed", exc_info=error)


def _make_folders(folders: Iterable[Path]) -> tuple[str, ...]:
    """Make what is missing of the folders of file systems; what is to be said of them."""
    for folder in folders:
        make_folder(folder)
    return tuple(note for folder in folders if (note := read_only(folder)) is not None)


def _marked(request: InvokeRequest, why: str) -> str:
    """Why an invocation was placed as it was, or refused, as it is shown: pings and faults are told by it."""
    marks = ["keep-warm ping"] if request.keep_warm else []
    marks += [f"fault asked for: {request.fault.value}"] if request.fault is not None else []
    return "; ".join([*marks, why])


def _environment_id() -> str:
    return f"e-{uuid.uuid4().hex[:8]}"
