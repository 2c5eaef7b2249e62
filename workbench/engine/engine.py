"""The engine: one object that composes the tables, the environments, the queue and the live view.

Satisfies `client.port.EnginePort`. All of it runs on one event loop; the store and the backends have threads of theirs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.engine import by_hand
from workbench.engine.backend_host import BackendHost
from workbench.engine.backends import Backends
from workbench.engine.clock import Clock
from workbench.engine.decide import Tables, check_tenant, reclaim_seconds, route
from workbench.engine.deployments import Deployments
from workbench.engine.dispatcher import CLAIM_SECONDS, Dispatcher
from workbench.engine.endings import Endings
from workbench.engine.environment import ExecutionEnvironment, Services
from workbench.engine.functions import Functions
from workbench.engine.in_flight import InFlight
from workbench.engine.invocation import new_request_id
from workbench.engine.keep_warm import Pings
from workbench.engine.layers import Layers
from workbench.engine.pools import Pools
from workbench.engine.ports import ListenerFactory, Runtimes, Sender, ServicesRelay, SparesAt, Store, StoreThread
from workbench.engine.preparation import Preparation
from workbench.engine.provisioned import ProvisionedEnvironments
from workbench.engine.queue import EventQueue
from workbench.engine.recorder import Recorder
from workbench.engine.replay import Setting
from workbench.engine.resources.account import AccountResources
from workbench.engine.resources.attached import AttachedResources
from workbench.engine.resources.concurrency import unreserved
from workbench.engine.rollouts import Rollouts
from workbench.engine.routes import Routes
from workbench.engine.spares import Spares
from workbench.engine.stream import RATE, Stream
from workbench.engine.what_if import Recorded, forecast
from workbench.live.exposition import exposition
from workbench.live.reducer import Live
from workbench.live.view import Delta, EngineStatus, Past
from workbench.model import events as ev
from workbench.model.account import AccountSettings
from workbench.model.attached import UpdateRuntimeOn
from workbench.model.cost import Costs, costs
from workbench.model.environments import Fault, Process
from workbench.model.errors import EngineGone, ResourceNotFound, UsageError
from workbench.model.forecast import Forecast, WhatIf
from workbench.model.functions import Alias, FunctionConfiguration, FunctionVersion, NewFunction
from workbench.model.history import MAX_INVOCATIONS, InvocationRecord, PastInvocation
from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType, InvokeRequest
from workbench.model.layers import LayerPolicy, LayerStatement, LayerVersion, NewLayerVersion
from workbench.model.names import Account, FunctionRef
from workbench.model.prices import Prices, list_prices
from workbench.model.records import Deployment
from workbench.model.routes import Route
from workbench.model.runtimes import RuntimeRollout

_log = logging.getLogger("workbench.engine")
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
        self._recorder = recorder
        self._status = status
        self._on_stop = on_stop
        self._tasks: set[asyncio.Task[None]] = set()
        self._tables = Tables(
            account=options.account, concurrency_limit=options.concurrency_limit, scaling_rate=options.scaling_rate
        )
        self._backends = Backends(backend, options.image_backend, make_backend)
        self._layers = Layers(options.account, clock, store, thread)
        self._rollouts = Rollouts(
            self._tables, clock, store, thread, runtimes, self._spawn, self._move, options.rollout_seconds
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
            hosts=self._backends.hosts,
        )
        self._pools = Pools(self._tables, clock, options.idle_stop, options.max_life)
        in_flight = InFlight(self._tables, lambda function: self._queue.made_room(function))
        services = Services(
            clock=clock,
            emit=self._emit,
            spawn=self._spawn,
            listeners=listeners,
            account=options.account,
            prepare=Preparation(store, thread, self._rollouts, options.file_systems).contents,
            released=in_flight.released,
            ended=self._pools.ended,
            freeze_after=options.freeze_after,
            spares=self._spares,
            relay=relay,
        )
        self._provisioned = ProvisionedEnvironments(self._tables, services, self._backends, in_flight.surrendered)
        self._dispatcher = Dispatcher(
            self._tables, services, self._backends, self._pools, self._provisioned, in_flight, options.seed
        )
        self._pings = Pings(
            self._tables, clock, options.idle_stop, lambda request: self._dispatcher.submit(request, new_request_id())
        )
        self._routes = Routes(self._tables, store, thread)
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
            self._routes.refresh,
            self._layers,
            options.update_seconds,
            self._rollouts.current,
            self._backends.image_digest,
        )
        endings = Endings(self._tables, sender, self.invoke, self._count)
        self._queue = EventQueue(
            self._tables, clock, store, thread, self._dispatcher.submit, self._spawn, endings, self._count
        )

    # -- life of the engine
    async def open(self, *, deliver: bool = True) -> None:
        """Load the state; the backend opens when it is first needed.

        With `deliver` false, events that an earlier engine had queued stay for one that lives longer.
        """
        versions, aliases, events = await self._thread.run(self._store.load)
        await self._routes.load()
        self._layers.load(await self._thread.run(self._store.layers.load))
        self._functions.load(versions, aliases, await self._thread.run(self._store.attached))
        await self._load_records()
        self._rollouts.load(await self._thread.run(self._store.records, RuntimeRollout))
        await self._deployments.load()
        if deliver:
            self._queue.load(events)
        self._routes.refresh()
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
        return await self._backends.open(name)

    async def aclose(self) -> None:
        """Shut every environment down, then the backends, the queue and the store."""
        self._dispatcher.closed = self._queue.closed = self._provisioned.closed = self._pings.closed = True
        members = list(self._members().values())
        for environment in members:
            environment.kill("the engine is stopping")
        ends = [asyncio.ensure_future(env.stopped()) for env in members]
        ends.append(asyncio.ensure_future(self._spares.aclose()))
        await asyncio.wait(ends, timeout=_STOP_SECONDS)
        await self._spares.clear_away()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._dispatcher.refuse_all(EngineGone("the engine is stopping"))
        await self._backends.aclose()
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
            return self._dispatcher.submit(request, new_request_id())
        if request.type is InvocationType.EVENT:
            return self._queue.accept(request)
        return self._dry_run(request)

    async def invoke_streaming(self, request: InvokeRequest) -> Stream:
        stream = Stream(self._clock, self.options.stream_rate)
        self._dispatcher.submit(request, new_request_id(), stream)
        await stream.started()
        return stream

    async def _dry_run(self, request: InvokeRequest) -> InvocationResult:
        check_tenant(route(self._tables, request.function, 0.0), request.tenant_id)
        return InvocationResult(request_id=new_request_id(), status=InvocationStatus.SUCCESS)

    # -- environments
    async def _move(self, name: str, number: str, runtime: str, arn: str, modes: Collection[UpdateRuntimeOn]) -> None:
        await self._functions.move(name, number, runtime, arn, modes)

    def _retire(self, name: str, version: str | None, reason: str) -> None:
        """A version was replaced, or is gone."""
        self._pools.retire(name, version, reason)
        self._provisioned.reconcile(name)

    async def _reclaim(self) -> None:
        """End what has been idle for long, or has lived long."""
        while True:
            await self._clock.sleep(reclaim_seconds(self.options.idle_stop))
            self._spares.sweep()
            self._pools.sweep()

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
        found = self._members().get(environment)
        if found is None:
            raise ResourceNotFound(f"there is no running environment '{environment}'")
        return found

    def _members(self) -> dict[str, ExecutionEnvironment]:
        """Every environment by its id."""
        pools = (*self._pools.all(), *self._provisioned.pools())
        return {environment.id: environment for pool in pools for environment in pool.members.values()}

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
        self._rollouts.check(new.configuration.runtime)
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
        self._rollouts.check(self._functions.get(FunctionRef(name)).configuration.runtime, update=True)
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
        self._rollouts.check(configuration.runtime, update=configuration.runtime == latest.runtime)
        return await self._functions.update_configuration(name, configuration, revision_id)

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
        await self._routes.put(source, routes)

    async def list_routes(self) -> tuple[Route, ...]:
        return self._routes.list()

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
            claim_seconds=CLAIM_SECONDS,
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

    def announce(self, urls: Mapping[str, str], notes: tuple[str, ...] = ()) -> None:
        """The endpoints are up; `status` names them, and what is to be known of them, from now on."""
        self._status = replace(self._status, urls=dict(urls), notes=(*self._status.notes, *notes))

    async def stop(self) -> None:
        if self._on_stop is None:
            raise UsageError("this engine ends with the command that started it")
        self._on_stop()

    def _emit(self, event: ev.Event) -> None:
        """One step of the engine, to all who follow it."""
        self.live.apply(event)
        self._recorder.apply(event)

    def _count(self, function: str, qualifier: str | None, metric: ev.Metric, value: float = 1) -> None:
        self._emit(ev.Counted(self._clock.monotonic_ns(), function, qualifier, metric, value))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a task of the engine failed", exc_info=error)
