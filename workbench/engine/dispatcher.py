"""From a request to an environment: an invocation is routed, admitted and placed, again if need be.

What is decided is told in `decide`; here it is done. Placed, an invocation is its environment's business.
"""

from __future__ import annotations

import asyncio
import random

from workbench.engine.backends import Backends
from workbench.engine.decide import Placement, Pool, Road, Tables, admit, check_tenant, grow, place, route
from workbench.engine.environment import ExecutionEnvironment, Services, new_environment_id
from workbench.engine.functions import CHANGED
from workbench.engine.in_flight import InFlight
from workbench.engine.invocation import Invocation, new_trace_id
from workbench.engine.lineage import MOST, lengthened
from workbench.engine.pools import PoolKey, Pools, pool_key
from workbench.engine.provisioned import ProvisionedEnvironments
from workbench.engine.spare import Spare
from workbench.engine.stream import Stream
from workbench.model import events as ev
from workbench.model.errors import BackendError, EngineGone, RecursiveInvocation, TooManyRequests, WorkbenchError
from workbench.model.functions import FunctionVersion
from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType, InvokeRequest
from workbench.model.names import LATEST

#: How long an invocation waits for an environment that is about to finish before it gets a cold start. A runtime asks
#: for its next event within a millisecond; on a busy machine within some tens, where a cold start takes hundreds.
CLAIM_SECONDS = 0.1


class Dispatcher:
    """Makes an environment on demand where there is none. `seed` decides the draws between the versions of an alias."""

    def __init__(
        self,
        tables: Tables,
        services: Services,
        backends: Backends,
        pools: Pools,
        provisioned: ProvisionedEnvironments,
        in_flight: InFlight,
        seed: int | None,
    ) -> None:
        self._tables = tables
        self._services = services
        self._clock = services.clock
        self._emit = services.emit
        self._backends = backends
        self._pools = pools
        self._provisioned = provisioned
        self._in_flight = in_flight
        self._random = random.Random(seed)
        #: Nothing is placed any more: the engine ends.
        self.closed = False

    def submit(
        self, request: InvokeRequest, request_id: str, stream: Stream | None = None
    ) -> asyncio.Future[InvocationResult]:
        """Route, admit and place one invocation.

        Raises:
            ResourceNotFound, ResourceConflict, InvalidParameterValue, RecursiveInvocation, TooManyRequests: before
            anything was started.
        """
        if self.closed:
            raise EngineGone("the engine is stopping")
        ref = request.function
        tables = self._tables
        version = route(tables, ref, self._random.random())
        check_tenant(version, request.tenant_id)
        trace_id, depth = lengthened(request.trace_id or new_trace_id(), ref.name)
        now = self._clock.monotonic_ns()
        if depth > MOST and tables.functions[ref.name].attached.recursive_loop != "Allow":
            self._emit(ev.Counted(now, ref.name, ref.qualifier, ev.Metric.RECURSIVE_INVOCATIONS_DROPPED, 1))
            raise RecursiveInvocation(
                f"The function {ref.name} was invoked {MOST} times in one chain of invocations: that looks like a loop."
            )
        provisioned = self._provisioned.admit(version, now)
        synchronous = request.type is not InvocationType.EVENT
        reason = None if provisioned else admit(tables, version.name, now, synchronous=synchronous)
        if reason is not None:
            raise self._throttled(request, request_id, reason)
        arn = tables.account.function_arn(ref.name, ref.qualifier)
        invocation = Invocation(request, request_id, version, arn, now, self._clock.time(), trace_id, stream)
        invocation.provisioned = provisioned
        self._in_flight.enter(invocation, now)
        reason = self._place(invocation)
        if reason is not None:
            self._in_flight.leave(invocation)
            raise self._throttled(request, request_id, reason)
        return invocation.future

    def refuse_all(self, error: WorkbenchError) -> None:
        """Every invocation that is still under way gets this error."""
        for invocation in self._in_flight.all():
            self._refuse(invocation, error)

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
        if self.closed:
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
            self._in_flight.spill_over(invocation, now)
        backend = self._backends.name(version, request.backend)
        key = pool_key(version, backend, request.tenant_id)
        pool = self._pools.get(key)
        placement = place(pool, None if pool.members else self._pools.last_end(version))
        if self._take(invocation, pool, placement):
            return None
        now = self._clock.monotonic_ns()
        reason = grow(self._tables, version.name, now)
        if reason is not None:
            return reason
        self._tables.scaling.take(version.name, self._tables.scaling_rate, now)
        identity = new_environment_id()
        invocation.placed = None
        self._emit(self._accepted(invocation, identity, True, placement.why))
        spare = self._services.spares.take(version, backend)
        self._services.spawn(self._cold_start(invocation, identity, key, backend, spare))
        return None

    def _place_again(self, invocation: Invocation) -> None:
        """The environment that it was promised is not to be had."""
        reason = self._place(invocation)
        if reason is not None:
            self._in_flight.leave(invocation)
            invocation.abort(self._throttled(invocation.request, invocation.request_id, reason))

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
            environment.claim(invocation, self._place_again)
            self._clock.call_later(CLAIM_SECONDS, self._claim_expired, invocation, environment)
        return True

    def _claim_expired(self, invocation: Invocation, environment: ExecutionEnvironment) -> None:
        if environment.disclaim(invocation):
            self._place_again(invocation)

    async def _cold_start(
        self, invocation: Invocation, identity: str, key: PoolKey, backend: str, ahead: Spare | str
    ) -> None:
        try:
            host = await self._backends.open(backend)
            if self.closed:  # nobody would end what is made now
                raise EngineGone("the engine is stopping")
        except Exception as error:
            surprise = BackendError(f"{type(error).__name__}: {error}")
            self._refuse(invocation, error if isinstance(error, WorkbenchError) else surprise)
            return
        invocation.environment = identity
        version = invocation.version
        environment = ExecutionEnvironment(self._services, identity, version, host, self._pools.keep(key))
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
        self._in_flight.released(invocation)

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
            self._backends.name(invocation.version, request.backend),
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


def _marked(request: InvokeRequest, why: str) -> str:
    """Why an invocation was placed as it was, or refused, as it is shown: pings and faults are told by it."""
    marks = ["keep-warm ping"] if request.keep_warm else []
    marks += [f"fault asked for: {request.fault.value}"] if request.fault is not None else []
    return "; ".join([*marks, why])
