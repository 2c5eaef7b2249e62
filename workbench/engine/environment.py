"""One execution environment: its states, its side of the Runtime API, and what its phases lead to.

INIT and INVOKE are told in `init` and `invoke`, its sleep in `freezer`, the end of its runtime's process in
`runtime_end`; what an environment says, in `journal`. Everything here runs on the engine's loop. Source of the phases
and of what a failure looks like to the caller: Lambda Developer Guide, "Understanding the Lambda execution environment
lifecycle", and the Runtime API reference.
"""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any

from workbench.backends.api import Exited, ExitReason, ProcessExited
from workbench.engine.answers import forbidden
from workbench.engine.backend_host import BackendHost, Lost
from workbench.engine.by_hand import SIGNALS
from workbench.engine.clock import Clock, Timer
from workbench.engine.decide import Pool
from workbench.engine.extensions import Extensions, ShutdownReason
from workbench.engine.freezer import Freezer
from workbench.engine.init import Init
from workbench.engine.invocation import Invocation, error_payload, exited, timed_out
from workbench.engine.invoke import Invoke
from workbench.engine.journal import Journal
from workbench.engine.parts import Failure, Parts, process_failure
from workbench.engine.ports import Answer, ListenerFactory, NextEvent, ResponseSink, ServicesRelay
from workbench.engine.runtime_end import RuntimeEnd
from workbench.engine.sandbox import Contents, Sandbox
from workbench.engine.spare import Spare
from workbench.engine.spares import Spares
from workbench.model import events as ev
from workbench.model.environments import TRANSITIONS, EnvironmentState, Fault, Process
from workbench.model.errors import BackendError, WorkbenchError
from workbench.model.functions import FunctionVersion
from workbench.model.invocations import InvocationStatus
from workbench.model.names import Account
from workbench.model.platform import InitializationType, InitPhase

#: How long the end of an invocation that failed waits for a last figure of its memory.
_LAST_MEASURE_SECONDS = 0.1
_INIT_PHASES = {InitPhase.INIT: "init", InitPhase.INVOKE: "init in invoke"}


@dataclass(slots=True, kw_only=True)
class Services:
    """What an environment needs of the engine around it."""

    clock: Clock
    emit: Callable[[ev.Event], None]
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    listeners: ListenerFactory
    account: Account
    prepare: Callable[[FunctionVersion, BackendHost], Coroutine[Any, Any, Contents]]
    released: Callable[[Invocation], None]
    ended: Callable[[ExecutionEnvironment], None]
    freeze_after: float
    spares: Spares
    relay: ServicesRelay | None = None


class ExecutionEnvironment:
    """Implements `RuntimeLink` for the listener that is its identity."""

    def __init__(
        self,
        services: Services,
        id: str,
        version: FunctionVersion,
        host: BackendHost,
        pool: Pool[ExecutionEnvironment],
        initialization: InitializationType = InitializationType.ON_DEMAND,
    ) -> None:
        self.id = id
        self.version = version
        self.host = host
        self.pool = pool
        self.state = EnvironmentState.CREATING
        self.reason = ""
        #: How it was made: of a spare, or fresh and why.
        self.road = ""
        self.idle_since = self.created = services.clock.monotonic_ns()
        #: Why it is not to be used again once it is free.
        self.retired: str | None = None
        self._services = services
        self._clock = services.clock
        self._sandbox = Sandbox(host, services.clock, id, version, services.relay)
        self._journal = Journal(services.clock, services.emit, id, version)
        self.extensions = Extensions(
            clock=services.clock,
            spawn=services.spawn,
            listeners=services.listeners,
            version=version,
            account=services.account,
            variables=lambda: self._sandbox.variables(services.account, initialization),
            sandbox=self._sandbox,
            journal=self._journal,
            settled=self._settle,
            failed=self._extension_failed,
        )
        self._parts = Parts(
            id=id,
            version=version,
            initialization=initialization,
            account=services.account,
            clock=services.clock,
            journal=self._journal,
            sandbox=self._sandbox,
            extensions=self.extensions,
        )
        self._freezer = Freezer(
            self._parts,
            services.freeze_after,
            host.capabilities.freeze,
            self._resting,
            lambda: self._enter(EnvironmentState.FROZEN, "no invocation"),
            self._fail,
        )
        self._runtime_end = RuntimeEnd(self._parts, self._runtime_ended)
        #: The INIT or the INVOKE that is under way.
        self._init: Init | None = None
        self._invoke: Invoke | None = None
        #: When an INIT inside the invocation that is to be delivered began: its time is the invocation's.
        self._inside: int | None = None
        #: Its processes are gone, and INIT runs again inside the next invocation.
        self.bare = False
        self._init_ms: float | None = None
        self._reply: Callable[[NextEvent], None] | None = None
        #: The invocation that it is promised to next, and who hears of it if the promise cannot be kept.
        self._claim: Invocation | None = None
        self._promise_broken: Callable[[Invocation], None]
        self._concluding = False
        self._gone = False
        self._waiting: Timer | None = None
        self._stopped = asyncio.get_running_loop().create_future()
        pool.members[id] = self
        self._enter(EnvironmentState.CREATING, "cold start")

    @property
    def invocation(self) -> Invocation | None:
        """The invocation that it has, or that waits for it to be ready."""
        return self._journal.invocation

    # -- birth
    async def boot(self, first: Invocation | None, ahead: Spare | str = "made ahead of any invocation") -> None:
        """Make the sandbox and start the runtime in it.

        `first` is the invocation that waits for it. `ahead` is the spare that it becomes, or why there is none for it.
        """
        self._journal.invocation = first
        begun = self._clock.monotonic_ns()
        try:
            fresh = ahead if isinstance(ahead, str) else await self._adopt(ahead)
            if fresh and self.state is EnvironmentState.CREATING:
                self._take_road(f"fresh: {fresh}")
                async with self.host.slots:
                    contents = await self._services.prepare(self.version, self.host)
                    self._services.spares.started(self.version, self.host, contents)
                    await self._sandbox.launch(contents, self._services.listeners, self, self._sandbox_gone)
                self._say(contents)
            if self.state is EnvironmentState.CREATING:
                self._journal.phase("create", begun, "success")
                await self._initialise(InitPhase.INIT)
        except Exception as error:
            self._broken(_as_error(error))

    async def _adopt(self, spare: Spare) -> str:
        """Become of a spare; or why that cannot be, and then nothing has happened."""
        services = self._services
        contents = await services.spares.adopt(
            spare, self.version, services.prepare(self.version, self.host), self._sandbox, self, self._sandbox_gone
        )
        if isinstance(contents, str):
            return contents
        services.spares.started(self.version, self.host, contents)
        self._take_road("spare")
        self._say(contents)
        return ""

    def _say(self, contents: Contents) -> None:
        for note in contents.notes:
            self._journal.fault(note)

    def _take_road(self, road: str) -> None:
        self.road = road
        invocation = self._journal.invocation
        if invocation is not None and self._services.spares.on:
            invocation.why = f"{invocation.why}; {road}"

    def _broken(self, error: WorkbenchError) -> None:
        """The backend failed: no fault of the function, and the caller hears of it as an error of the engine."""
        if self.state.final or self.state is EnvironmentState.STOPPING:
            return
        self._journal.fault(f"{error.title}: {error}")
        invocation = self._journal.invocation
        if invocation is not None:
            self._journal.invocation = None
            invocation.status = InvocationStatus.FAILED
            invocation.payload = error_payload("Sandbox.Failure", str(error))
            self._services.emit(
                ev.InvocationFinished(
                    self._clock.monotonic_ns(),
                    invocation.request_id,
                    invocation.status,
                    invocation.payload,
                    0.0,
                    0,
                    None,
                    0,
                    "Sandbox.Failure",
                )
            )
            invocation.abort(error)
            self._services.released(invocation)
        self._fail(str(error))

    # -- INIT
    async def _initialise(self, phase: InitPhase) -> None:
        invocation = self._journal.invocation
        request_id = invocation.request_id if invocation is not None else ""
        init = Init(self._parts, phase, request_id, self._initialised, self._init_failed, self._runtime_end.exited)
        self._init = init
        self._runtime_end.watch(init)
        self.bare = False
        self._enter(EnvironmentState.INIT, "starting" if phase is InitPhase.INIT else "starting again")
        await init.run()

    def _initialised(self, init: Init) -> None:
        self._init = None
        self._init_over(init)
        self._init_ms = init.elapsed_ms
        self._journal.phase(_INIT_PHASES[init.phase], init.started, "success")
        invocation = self._journal.invocation
        if invocation is None:
            self._idle("initialised")
            return
        if init.phase is InitPhase.INIT:
            invocation.init_ms = self._init_ms
        else:
            self._inside = init.started
        self._deliver(invocation)

    def _init_failed(self, init: Init, failure: Failure) -> None:
        """INIT did not work: the first time it is run again inside the invoke, the second time the caller hears."""
        self._init = None
        self._init_over(init)
        status = "timeout" if failure.status is InvocationStatus.TIMEOUT else "error"
        self._journal.phase(_INIT_PHASES[init.phase], init.started, status, failure.error_type or "")
        invocation = self._journal.invocation
        if init.phase is InitPhase.INIT and failure.keep and not self._gone:
            self._services.spawn(self._init_again(_shutdown_reason(failure)))
        elif invocation is None:
            self._fail(failure.reason)
        else:
            invocation.started = init.started
            self._lose(failure, keep=False)

    def _init_over(self, init: Init) -> None:
        if init.phase is InitPhase.INIT:
            self._services.spawn(self._settle_share())

    async def _settle_share(self) -> None:
        try:
            await self._sandbox.settle()
        except WorkbenchError as error:
            if not self._gone and not self.state.final:
                self._journal.fault(f"{error.title}: {error}")

    async def _init_again(self, why: ShutdownReason) -> None:
        try:
            await self._clear(why)
            if self.state is not EnvironmentState.INIT:
                return
            if self._gone:
                raise BackendError(f"environment {self.id} ended while it was reset")
            if self._journal.invocation is None:
                self._idle("INIT failed and runs again inside the next invocation")
            else:
                await self._initialise(InitPhase.INVOKE)
        except Exception as error:
            self._broken(_as_error(error))

    # -- the Runtime API
    def next(self, reply: Callable[[NextEvent], None]) -> Answer | None:
        if self._reply is not None or self.bare:
            return forbidden("next")
        if self._init is not None:
            if not self._init.may_ask:
                return forbidden("next")
            self._reply = reply
            self._init.runtime_ready()
        elif self._invoke is not None:
            if self._invoke.invocation.responded is None:
                return forbidden("next")
            self._reply = reply
            if not self._concluding and self._invoke.runtime_done is None:
                self._invoke.runtime_asked()
                self._settle()
        elif self.state.placeable:
            # It asks again on another connection; what was given to it meanwhile has waited for that.
            self._reply = reply
            if (invocation := self._journal.invocation) is not None and self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None
                self._deliver(invocation)
        else:
            return forbidden("next")
        return None

    def lost(self, reply: Callable[[NextEvent], None]) -> None:
        if self._reply == reply:
            self._reply = None

    def respond(self, request_id: str, body: bytes, content_type: str = "") -> Answer:
        if self._invoke is None or self._concluding:
            return forbidden("response")
        return self._invoke.respond(request_id, body, content_type)

    def stream(self, request_id: str, content_type: str, resume: Callable[[], None]) -> ResponseSink | Answer:
        if self._invoke is None or self._concluding:
            return forbidden("response")
        return self._invoke.stream(request_id, content_type, resume)

    def fail(self, request_id: str, error_type: str, body: bytes) -> Answer:
        if self._invoke is None or self._concluding:
            return forbidden("response")
        return self._invoke.fail(request_id, error_type, body)

    def fail_init(self, error_type: str, body: bytes) -> Answer:
        if self._init is None:
            return forbidden("init/error")
        return self._init.fail(error_type, body)

    def assignment(self, loaded: Collection[str], reply: Callable[[bytes], None]) -> Answer:
        return forbidden("assignment")

    def connections(self, count: int) -> None:
        self._runtime_end.connections(count)

    # -- INVOKE
    def assign(self, invocation: Invocation) -> None:
        """Give a ready environment its next invocation. The caller has taken it off the pool's stack."""
        self._journal.invocation = invocation
        invocation.environment = self.id
        self._freezer.stir()
        if self.state is EnvironmentState.FROZEN or self._freezer.at_work or self.bare:
            self._placed(invocation)
            self._services.spawn(self._wake(invocation))
        else:
            self._deliver(invocation)

    def claim(self, invocation: Invocation, broken: Callable[[Invocation], None]) -> None:
        """Promise an environment that is about to finish to the next invocation. `broken` hears if it ends before."""
        self.pool.finishing.remove(self)
        invocation.environment = self.id
        self._claim, self._promise_broken = invocation, broken

    def disclaim(self, invocation: Invocation) -> bool:
        """Take the promise back; False when the invocation has the environment already."""
        if self._claim is not invocation:
            return False
        self._claim = None
        return True

    async def _wake(self, invocation: Invocation) -> None:
        """Make an environment that has slept, or was reset, ready for its invocation."""
        try:
            await self._freezer.settled()
            if not self.bare:
                await self._freezer.thaw()  # frozen in the last moment, it need not have entered that state
            if self._journal.invocation is not invocation or self._concluding or not self.state.placeable:
                return
            if self.bare:
                await self._initialise(InitPhase.INVOKE)
            elif self._sandbox.alive:
                self._deliver(invocation)
        except Exception as error:
            self._broken(_as_error(error))

    def _deliver(self, invocation: Invocation) -> None:
        reply, self._reply = self._reply, None
        if reply is None:
            # The connection that asked has gone: the runtime asks on another, or it is dying and its end will be told.
            timeout = self.version.configuration.timeout
            self._waiting = self._clock.call_later(timeout, self._timed_out)
            return
        fault = invocation.request.fault
        if fault is not None:
            reply = _withhold
            self._journal.fault(f"a fault that was asked for: {fault.value}")
            self._services.spawn(self._fail_runtime(invocation, fault))
        self._invoke = invoke = Invoke(self._parts, invocation, self._services.emit, self._answered)
        invoke.deliver(reply, self._inside, self._timed_out)
        self._inside = None
        self._journal.running = True
        self._enter(EnvironmentState.BUSY, invocation.request_id)
        invoke.begun()

    async def _fail_runtime(self, invocation: Invocation, fault: Fault) -> None:
        """Make the runtime fail while it waits for the event that counts as handed to it."""
        try:
            await self._sandbox.started()
            if self._journal.invocation is invocation and not self._concluding:
                await self._sandbox.signal_runtime(SIGNALS[fault])
        except Exception as error:
            self._broken(_as_error(error))

    def _placed(self, invocation: Invocation) -> None:
        if invocation.placed is not None:
            self._services.emit(invocation.placed)
            invocation.placed = None

    def _answered(self) -> None:
        """The caller has its answer: the next one may count on this environment."""
        if self._claim is None and self.retired is None:
            self.pool.finishing.append(self)

    def _settle(self) -> None:
        """The runtime or an extension became ready."""
        if self._init is not None:
            self._init.settle()
        elif (invoke := self._invoke) is not None and invoke.settled and not self._concluding:
            invoke.cancel()
            ended = self._clock.monotonic_ns()
            if self._sandbox.measured_lately:
                self._finish(invoke, ended)
            else:
                self._services.spawn(self._measure_and_finish(invoke, ended))

    async def _measure_and_finish(self, invoke: Invoke, ended: int) -> None:
        await self._parts.measure(1.0)
        if self._invoke is invoke and not self._concluding:
            self._finish(invoke, ended)

    def _finish(self, invoke: Invoke, ended: int) -> None:
        """Runtime and extensions asked for their next event: this one is over and the environment is free."""
        invoke.finish(ended)
        self._services.released(invoke.invocation)
        self._invoke = None
        self._free("finished")

    def _free(self, reason: str) -> None:
        """It has no invocation any more: on to the one that was promised it, or to rest."""
        self._journal.invocation, self._journal.running = None, False
        if self in self.pool.finishing:
            self.pool.finishing.remove(self)
        claim, self._claim = self._claim, None
        if claim is not None:
            self._enter(EnvironmentState.IDLE, reason)
            self.assign(claim)
        elif self.retired is not None:
            self.stop(self.retired)
        else:
            self._idle(reason)

    # -- failures of an invocation
    def _timed_out(self) -> None:
        invocation = self._journal.invocation
        if invocation is not None:
            payload = timed_out(invocation.request_id, self.version.configuration.timeout)
            self._lose(Failure(status=InvocationStatus.TIMEOUT, error_type=None, payload=payload, reason="timeout"))

    def _extension_failed(self, error_type: str, message: str) -> None:
        """An extension ended, or said that it could not go on."""
        if self._init is not None:
            self._init.extension_failed(error_type, message)
        elif (invocation := self._journal.invocation) is not None:
            payload = error_payload(error_type, f"RequestId: {invocation.request_id} Error: {message}")
            self._lose(
                Failure(status=InvocationStatus.CRASH, error_type=error_type, payload=payload, reason=error_type)
            )
        else:
            self._fail(f"an extension failed between invocations: {error_type}")

    def _lose(self, failure: Failure, *, keep: bool = True) -> None:
        """The invocation that it has fails. Whatever the runtime says from here on comes too late."""
        invocation = self._journal.invocation
        if invocation is not None and not self._concluding:
            self._concluding = True
            self._cancel_timers()
            self._services.spawn(self._conclude(invocation, failure, keep=keep and failure.keep))

    async def _conclude(self, invocation: Invocation, failure: Failure, *, keep: bool) -> None:
        """End an invocation that takes the environment's processes, or the whole environment, with it."""
        now = self._clock.monotonic_ns()
        invoke = self._invoke
        if invoke is None:
            invoke = Invoke(self._parts, invocation, self._services.emit, self._answered)
            invocation.started = invocation.started or now
            self._placed(invocation)
            invoke.begun()
        self._sandbox.drain()
        invoke.lost(failure, now)
        if failure.status is InvocationStatus.OOM:
            self._sandbox.max_memory_mb = self.version.configuration.memory_size
        else:
            await self._parts.measure(_LAST_MEASURE_SECONDS)
        heard = self.extensions.any
        if heard:  # before they have to go
            invoke.report_failure(failure, now)
        keep = keep and self.retired is None and not self._gone and self._sandbox.resettable
        why = _shutdown_reason(failure)
        if keep and self.state is EnvironmentState.BUSY:
            try:
                await self._clear(why)
            except WorkbenchError as error:
                self._journal.fault(f"{error.title}: {error}")
                keep = False
        if self._journal.invocation is not invocation:
            return
        if invocation.responded is None:
            invocation.respond(failure.status, failure.payload, "Unhandled", now)
        else:
            invocation.status = failure.status
        if not heard:
            invoke.report_failure(failure, now)
        invoke.record_failure(failure, now)
        self._services.released(invocation)
        self._invoke = None
        if keep and self.state is EnvironmentState.BUSY and not self._gone:
            self._concluding = False
            self._free(f"{failure.reason}: reset, INIT runs again inside the next invocation")
        else:
            self._journal.invocation = None
            timeout = failure.status is InvocationStatus.TIMEOUT
            self._end(EnvironmentState.STOPPED if timeout else EnvironmentState.FAILED, failure.reason, why)

    async def _clear(self, reason: ShutdownReason) -> None:
        """SHUTDOWN, and the end of every process; the sandbox and its /tmp stay.

        Raises:
            WorkbenchError: the backend could not.
        """
        self._runtime_end.asked_for()
        begun = self._clock.monotonic_ns()
        await self._parts.shut_down(reason)
        await self._sandbox.reset()
        self._journal.phase("reset", begun, "success", reason)
        self.extensions.reset()
        self._runtime_end.forget()
        self._reply, self.bare = None, True

    # -- between invocations
    def _idle(self, reason: str) -> None:
        self.idle_since = self._clock.monotonic_ns()
        self._enter(EnvironmentState.IDLE, reason)
        self.pool.ready.append(self)
        if not self.bare:
            self._freezer.rest()

    def _resting(self) -> bool:
        return self.state is EnvironmentState.IDLE and self._journal.invocation is None

    # -- by hand
    async def freeze_now(self) -> bool:
        """Freeze it before its time, if it is idle; whether it is frozen then."""
        if not self.bare:
            await self._freezer.freeze()
        return self.state is EnvironmentState.FROZEN

    async def thaw_now(self, reason: str) -> None:
        """Thaw it without an invocation; it is frozen again after its next one."""
        await self._freezer.thaw()
        if self.state is EnvironmentState.FROZEN and self._journal.invocation is None:
            self._enter(EnvironmentState.IDLE, reason)

    async def processes(self) -> tuple[Process, ...]:
        """What runs inside now.

        Raises:
            WorkbenchError: the backend cannot say, or could not.
        """
        return await self._sandbox.processes()

    async def signal_runtime(self, number: int) -> bool:
        """Send a signal to the runtime; False when none runs."""
        if self.state is EnvironmentState.STOPPING or self.state.final or not self._sandbox.alive:
            return False
        await self._sandbox.signal_runtime(number)
        return True

    # -- ends
    def _sandbox_gone(self, event: Exited) -> None:
        self._gone = True
        if self.state is EnvironmentState.STOPPING or self.state.final:
            return
        if isinstance(event, Lost):
            self._broken(BackendError(event.detail))
            return
        if self._sandbox.alive:
            self._runtime_end.with_sandbox(oom=event.reason is ExitReason.OOM)
        elif self.bare and self._journal.invocation is None:
            self._fail("the sandbox ended between invocations")

    def _runtime_ended(self, ended: ProcessExited) -> None:
        """The runtime is gone and everything it had posted has been read."""
        if self._init is not None:
            self._init.process_ended(ended)
        elif (invocation := self._journal.invocation) is not None:
            if (
                ended.signal == signal.SIGSEGV
                and self._unanswered
                and self.version.configuration.runtime.startswith("python")
            ):
                self._journal.fault("the runtime ended by a segmentation fault; as on AWS, the caller sees a timeout")
                return
            self._lose(process_failure(invocation.request_id, ended.code, ended.signal, oom=ended.oom))
        elif not self.bare:
            self._fail("the runtime exited between invocations")

    @property
    def _unanswered(self) -> bool:
        return self._invoke is not None and self._invoke.invocation.responded is None and not self._gone

    def kill(self, reason: str) -> None:
        """End it now; an invocation in it fails as when its sandbox is killed."""
        self.retired = self.retired or reason  # one whose invocation is failing already is not kept
        invocation = self._journal.invocation
        if invocation is not None and not (self.state is EnvironmentState.STOPPING or self.state.final):
            failure = Failure(
                status=InvocationStatus.CRASH,
                error_type="Runtime.ExitError",
                payload=exited(invocation.request_id, None, "killed"),
                reason=reason,
                keep=False,
            )
            self._lose(failure)
        else:
            self.stop(reason)

    def retire(self, reason: str) -> None:
        """End it as soon as it has no invocation."""
        self.retired = self.retired or reason
        if self._journal.invocation is None and self.state.placeable:
            self.stop(reason)

    def stop(self, reason: str) -> None:
        """SHUTDOWN: with no extension registered the processes get SIGKILL at once."""
        self._end(EnvironmentState.STOPPED, reason, ShutdownReason.SPINDOWN)

    def _fail(self, reason: str) -> None:
        self._end(EnvironmentState.FAILED, reason, ShutdownReason.FAILURE)

    async def stopped(self) -> None:
        """Wait until nothing of it runs any more."""
        await self._stopped

    def _end(self, final: EnvironmentState, reason: str, why: ShutdownReason) -> None:
        if self.state is EnvironmentState.STOPPING or self.state.final:
            return
        self._cancel_timers()
        for queue in (self.pool.ready, self.pool.finishing):
            if self in queue:
                queue.remove(self)
        self._runtime_end.asked_for()
        thaw = self.state is EnvironmentState.FROZEN or self._freezer.at_work
        self._enter(EnvironmentState.STOPPING, reason)
        self._services.spawn(self._tear_down(final, reason, why, thaw))

    async def _tear_down(self, final: EnvironmentState, reason: str, why: ShutdownReason, thaw: bool) -> None:
        begun = self._clock.monotonic_ns()
        try:
            if self.extensions.budget > 0 and not self._gone and not self.bare:
                if thaw:
                    await self._freezer.settled()
                    await self._freezer.thaw()
                await self._parts.shut_down(why)
        except Exception as error:
            self._journal.fault(str(_as_error(error)))
        try:
            await self._sandbox.close()
        except Exception as error:
            self._journal.fault(str(_as_error(error)))
            final = EnvironmentState.FAILED
        finally:
            self.extensions.reset()
            claim, self._claim = self._claim, None
            self.pool.members.pop(self.id, None)
            status = "success" if final is EnvironmentState.STOPPED else "failure"
            self._journal.phase("shutdown", begun, status, reason)
            self._enter(final, reason)
            self._services.ended(self)
            if claim is not None:
                self._promise_broken(claim)
            if not self._stopped.done():
                self._stopped.set_result(None)

    # -- records
    def _enter(self, state: EnvironmentState, reason: str) -> None:
        if state is not self.state and state not in TRANSITIONS[self.state]:
            raise AssertionError(f"{self.id}: {self.state} -> {state} ({reason})")
        self.state, self.reason = state, reason
        version = self.version
        self._services.emit(
            ev.EnvironmentChanged(
                self._clock.monotonic_ns(),
                self.id,
                state,
                reason,
                version.name,
                version.version,
                self.host.name,
                version.configuration.memory_size,
                self._sandbox.pid,
                self._sandbox.max_memory_mb,
                self._init_ms,
                self.road,
            )
        )

    def _cancel_timers(self) -> None:
        if self._init is not None:
            self._init.cancel()
        if self._invoke is not None:
            self._invoke.cancel()
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def new_environment_id() -> str:
    """A name that no other environment has."""
    return f"e-{uuid.uuid4().hex[:8]}"


def _withhold(event: NextEvent) -> None:
    """No event for a runtime that is to fail: however fast it is, nothing of the function runs."""


def _as_error(error: Exception) -> WorkbenchError:
    """What went wrong, as an error that a caller can be given; a surprise keeps its type's name."""
    return error if isinstance(error, WorkbenchError) else BackendError(f"{type(error).__name__}: {error}")


def _shutdown_reason(failure: Failure) -> ShutdownReason:
    return ShutdownReason.TIMEOUT if failure.status is InvocationStatus.TIMEOUT else ShutdownReason.FAILURE
