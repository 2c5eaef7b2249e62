"""One execution environment: its state machine, its side of the Runtime API, and its invocation.

Everything here runs on the engine's loop. Source of the phases and of what a failure looks like to the caller: Lambda
Developer Guide, "Understanding the Lambda execution environment lifecycle", and the Runtime API reference.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.backends.api import Exited, ExitReason, ProcessExited
from workbench.engine import report
from workbench.engine.answers import INVALID_REQUEST_ID, entity_too_large, forbidden
from workbench.engine.backend_host import BackendHost
from workbench.engine.clock import Clock, Timer
from workbench.engine.decide import Pool
from workbench.engine.invocation import Invocation, error_payload, exited, timed_out, too_large
from workbench.engine.ports import ACCEPTED, Answer, ListenerFactory, NextEvent, ResponseSink
from workbench.engine.sandbox import Sandbox
from workbench.engine.stream import MAX_RESPONSE, StreamSink
from workbench.model import events as ev
from workbench.model.environments import TRANSITIONS, EnvironmentState
from workbench.model.errors import BackendError, WorkbenchError
from workbench.model.functions import FunctionVersion
from workbench.model.invocations import InvocationStatus
from workbench.model.names import Account
from workbench.model.runtimes import RuntimeVersion

INIT_SECONDS = 10.0
#: How long the end of a process waits for what the process had posted before to be read.
_EXIT_GRACE = 0.2
#: What the live view keeps of a line; a caller who asks for its log gets the whole of it.
SHOWN_CHARACTERS = 4096
_FATAL = re.compile(r"(?:Runtime|Function)\.[A-Z][a-zA-Z]+")


@dataclass(slots=True, kw_only=True)
class Services:
    """What an environment needs of the engine around it."""

    clock: Clock
    emit: Callable[[ev.Event], None]
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    listeners: ListenerFactory
    account: Account
    prepare: Callable[[FunctionVersion, BackendHost], Coroutine[Any, Any, tuple[RuntimeVersion, Path]]]
    released: Callable[[Invocation], None]
    replace: Callable[[Invocation], None]
    ended: Callable[[ExecutionEnvironment], None]
    freeze_after: float


class ExecutionEnvironment:
    """Implements `RuntimeLink` for the listener that is its identity."""

    def __init__(self, services: Services, id: str, version: FunctionVersion, host: BackendHost, pool: Pool) -> None:
        self.id = id
        self.version = version
        self.host = host
        self.pool = pool
        self.state = EnvironmentState.CREATING
        self.invocation: Invocation | None = None
        self.idle_since = services.clock.monotonic_ns()
        self.retired = False
        self._services = services
        self._clock = services.clock
        self._sandbox = Sandbox(host, services.clock, id, version)
        self._phase = "init"
        self._init_started = 0
        self._init_ms: float | None = None
        self._init_error: tuple[str, bytes] | None = None
        self._reply: Callable[[NextEvent], None] | None = None
        self._claim: Invocation | None = None
        self._concluding = False
        self._restarting = False
        self._timer: Timer | None = None
        self._freeze_timer: Timer | None = None
        self._freezing: asyncio.Task[None] | None = None
        self._open_connections = 0
        self._exit: ProcessExited | None = None
        self._can_freeze = host.capabilities.freeze
        self._stopped = asyncio.get_running_loop().create_future()
        pool.members[id] = self
        self._enter(EnvironmentState.CREATING, "cold start")

    # -- birth
    async def boot(self, first: Invocation | None) -> None:
        """Make the sandbox and start the runtime in it; `first` is the invocation that waits for it."""
        self.invocation = first
        try:
            async with self.host.slots:
                runtime, task = await self._services.prepare(self.version, self.host)
                await self._sandbox.launch(runtime, task, self._services.listeners, self, self._on_event)
                if self.state is EnvironmentState.CREATING:
                    await self._start_runtime("init")
        except Exception as error:
            self._fail_boot(_as_error(error))

    def _fail_boot(self, error: WorkbenchError) -> None:
        if self.state.final or self.state is EnvironmentState.STOPPING:
            return
        self._platform(f"{error.title}: {error}")
        invocation, self.invocation = self.invocation, None
        if invocation is not None:
            invocation.status = InvocationStatus.FAILED
            invocation.payload = error_payload("Sandbox.Failure", str(error))
            self._record(invocation, 0.0, 0, "Sandbox.Failure")
            invocation.abort(error)
            self._services.released(invocation)
        self._fail(str(error))

    async def _start_runtime(self, phase: str) -> None:
        runtime = self._sandbox.runtime
        assert runtime is not None
        self._phase = phase
        self._init_error = self._exit = None
        self._enter(EnvironmentState.INIT, "runtime starting" if phase == "init" else "runtime starting again")
        self._init_started = self._clock.monotonic_ns()
        self._platform(report.init_start(runtime))
        self._set_timer(INIT_SECONDS if phase == "init" else self.version.configuration.timeout, self._init_expired)
        await self._sandbox.start_runtime(self._services.account, self._on_line)

    # -- the Runtime API
    def next(self, reply: Callable[[NextEvent], None]) -> Answer | None:
        if self._reply is not None:
            return forbidden("next")
        if self.state is EnvironmentState.INIT:
            if self._init_error is not None or self._restarting or self._concluding:
                return forbidden("next")
            self._reply = reply
            self._initialised()
            return None
        invocation = self.invocation
        if self.state is not EnvironmentState.BUSY or invocation is None or invocation.responded is None:
            return forbidden("next")
        self._reply = reply
        if self._concluding:
            return None
        self._cancel_timer()
        now = self._clock.monotonic_ns()
        if self._sandbox.measured_lately:
            self._finish(invocation, now)
        else:
            self._services.spawn(self._measure_and_finish(invocation, now))
        return None

    def respond(self, request_id: str, body: bytes, content_type: str = "") -> Answer:
        invocation = self._current(request_id)
        if isinstance(invocation, Answer):
            return invocation
        if len(body) > MAX_RESPONSE:
            self._outcome(invocation, InvocationStatus.ERROR, too_large(MAX_RESPONSE))
            return entity_too_large(MAX_RESPONSE)
        invocation.content_type = content_type or None
        self._outcome(invocation, InvocationStatus.SUCCESS, body)
        return ACCEPTED

    def stream(self, request_id: str, content_type: str, resume: Callable[[], None]) -> ResponseSink | Answer:
        invocation = self._current(request_id)
        if isinstance(invocation, Answer):
            return invocation
        return StreamSink(invocation, content_type, resume, self._outcome)

    def fail(self, request_id: str, error_type: str, body: bytes) -> Answer:
        invocation = self._current(request_id)
        if isinstance(invocation, Answer):
            return invocation
        self._outcome(invocation, InvocationStatus.ERROR, body)
        return ACCEPTED

    def fail_init(self, error_type: str, body: bytes) -> Answer:
        if self.state is not EnvironmentState.INIT or self._init_error is not None:
            return forbidden("init/error")
        self._init_error = (normal_error_type(error_type), body)
        # A runtime that reports the error but does not exit is ended; the official client exits by itself.
        self._set_timer(_EXIT_GRACE, self._kill_runtime)
        return ACCEPTED

    def connections(self, count: int) -> None:
        self._open_connections = count
        if count == 0 and self._exit is not None:
            self._process_ended()

    def _current(self, request_id: str) -> Invocation | Answer:
        invocation = self.invocation
        if invocation is None or self.state is not EnvironmentState.BUSY:
            return forbidden("response")
        if invocation.request_id != request_id:
            return INVALID_REQUEST_ID
        if invocation.responded is not None or invocation.streaming:
            return forbidden("response")
        return invocation

    def _outcome(self, invocation: Invocation, status: InvocationStatus, payload: bytes) -> None:
        self._sandbox.drain()
        error = None if status is InvocationStatus.SUCCESS else "Unhandled"
        invocation.respond(status, payload, error, self._clock.monotonic_ns())
        if self._claim is None and not self.retired:
            self.pool.finishing.append(self)

    # -- INIT
    def _initialised(self) -> None:
        self._cancel_timer()
        self._init_ms = (self._clock.monotonic_ns() - self._init_started) / 1e6
        self._sandbox.drain()
        invocation = self.invocation
        if invocation is None:
            self._idle("initialised")
            return
        if self._phase == "init":
            invocation.init_ms = self._init_ms
        self._deliver(invocation)

    def _init_expired(self) -> None:
        self._platform(report.init_report(self._init_elapsed(), self._phase, "timeout", None))
        self._init_failed("timeout", None)

    def _init_failed(self, error_type: str, payload: bytes | None) -> None:
        """INIT did not work: the first time it is run again inside the invoke, the second time the caller hears."""
        self._cancel_timer()
        invocation = self.invocation
        if invocation is None:
            self._fail(f"INIT failed: {error_type}")
            return
        if self._phase == "init":
            self._restarting = True
            self._services.spawn(self._init_again())
            return
        invocation.started = self._init_started
        if payload is None:
            payload = timed_out(invocation.request_id, self.version.configuration.timeout)
            status = InvocationStatus.TIMEOUT
        else:
            status = InvocationStatus.INIT_ERROR
        self._services.spawn(self._conclude(invocation, status, payload, error_type, f"INIT failed: {error_type}"))

    async def _init_again(self) -> None:
        try:
            await self._sandbox.kill_runtime()
            deadline = self._clock.monotonic_ns() + 2_000_000_000
            while self._sandbox.alive and self._clock.monotonic_ns() < deadline:
                await self._clock.sleep(0.005)
            self._restarting = False
            if self.state is EnvironmentState.INIT:
                self._reply = None
                await self._start_runtime("invoke")
        except Exception as error:
            self._fail_boot(_as_error(error))

    def _init_elapsed(self) -> float:
        return (self._clock.monotonic_ns() - self._init_started) / 1e6

    # -- INVOKE
    def assign(self, invocation: Invocation) -> None:
        """Give a ready environment its next invocation. The caller has taken it off the pool's stack."""
        self.invocation = invocation
        invocation.environment = self.id
        if self._freeze_timer is not None:
            self._freeze_timer.cancel()
            self._freeze_timer = None
        if self.state is EnvironmentState.FROZEN or self._freezing is not None:
            if invocation.placed is not None:
                self._services.emit(invocation.placed)
                invocation.placed = None
            self._services.spawn(self._thaw_and_deliver(invocation))
        else:
            self._deliver(invocation)

    def claim(self, invocation: Invocation) -> None:
        """Promise an environment that is about to finish to the next invocation."""
        self.pool.finishing.remove(self)
        invocation.environment = self.id
        self._claim = invocation

    def disclaim(self, invocation: Invocation) -> bool:
        """Take the promise back; False when the invocation has the environment already."""
        if self._claim is not invocation:
            return False
        self._claim = None
        return True

    async def _thaw_and_deliver(self, invocation: Invocation) -> None:
        try:
            if self._freezing is not None:
                await self._freezing
            await self._sandbox.thaw()
        except Exception as error:
            self._fail_boot(_as_error(error))
            return
        if self.invocation is invocation and self._sandbox.alive and not self._concluding:
            self._deliver(invocation)

    def _deliver(self, invocation: Invocation) -> None:
        reply, self._reply = self._reply, None
        if reply is None:
            # The connection that asked for it has gone: the runtime is dying, and its end will be told.
            return
        now = self._clock.monotonic_ns()
        timeout = self.version.configuration.timeout
        remaining = float(timeout)
        if self._phase == "invoke":
            invocation.started = self._init_started
            remaining -= (now - self._init_started) / 1e9
            self._phase = "done"
        else:
            invocation.started = now
        invocation.status = InvocationStatus.RUNNING
        # The event leaves first: the books are kept while the runtime is already at work.
        reply(
            NextEvent(
                invocation.request_id,
                int((self._clock.time() + remaining) * 1000),
                invocation.arn,
                invocation.trace_id,
                invocation.request.client_context,
                invocation.request.payload or b"{}",
                invocation.request.tenant_id,
            )
        )
        self._set_timer(remaining, self._timed_out)
        if invocation.placed is not None:
            self._services.emit(invocation.placed)
            invocation.placed = None
        self._enter(EnvironmentState.BUSY, invocation.request_id)
        self._platform(report.start(invocation.request_id, self.version.version))
        self._services.emit(ev.InvocationStarted(now, invocation.request_id))

    def _timed_out(self) -> None:
        invocation = self.invocation
        if invocation is None:
            return
        payload = timed_out(invocation.request_id, self.version.configuration.timeout)
        self._services.spawn(self._conclude(invocation, InvocationStatus.TIMEOUT, payload, None, "timeout"))

    async def _measure_and_finish(self, invocation: Invocation, ended: int) -> None:
        await self._measure()
        if self.invocation is invocation and self.state is EnvironmentState.BUSY and not self._concluding:
            self._finish(invocation, ended)

    def _finish(self, invocation: Invocation, ended: int) -> None:
        """The runtime asked for the next invocation: this one is over and the environment is free."""
        self._report(invocation, ended, "error" if invocation.function_error else None, None)
        self.invocation = None
        if self in self.pool.finishing:
            self.pool.finishing.remove(self)
        claim, self._claim = self._claim, None
        if claim is not None:
            self.invocation = claim
            self._enter(EnvironmentState.IDLE, "finished")
            self._deliver(claim)
        elif self.retired:
            self.stop("a newer version of the function took over")
        else:
            self._idle("finished")

    async def _conclude(
        self, invocation: Invocation, status: InvocationStatus, payload: bytes, error_type: str | None, reason: str
    ) -> None:
        """End an invocation that took its environment with it."""
        if self.invocation is not invocation or self._concluding:
            return
        self._concluding = True
        self._cancel_timer()
        self._sandbox.drain()
        now = self._clock.monotonic_ns()
        if self.state is not EnvironmentState.BUSY:
            invocation.started = invocation.started or now
            self._platform(report.start(invocation.request_id, self.version.version))
        if invocation.responded is None:
            invocation.respond(status, payload, "Unhandled", now)
        else:
            invocation.status = status
        if status is not InvocationStatus.OOM:
            await self._measure()
        else:
            self._sandbox.max_memory_mb = self.version.configuration.memory_size
        if self.invocation is not invocation:
            return
        self._report(invocation, now, "timeout" if status is InvocationStatus.TIMEOUT else "error", error_type)
        self.invocation = None
        if status is InvocationStatus.TIMEOUT:
            self.stop(reason)
        else:
            self._fail(reason)

    def _report(self, invocation: Invocation, ended: int, status: str | None, error_type: str | None) -> None:
        duration_ms = round((ended - invocation.started) / 1e6, 2)
        version = self.version
        self._platform(report.end(invocation.request_id))
        self._platform(
            report.report(
                invocation.request_id,
                duration_ms,
                report.billed(duration_ms, invocation.init_ms),
                version.configuration.memory_size,
                self._sandbox.max_memory_mb,
                invocation.init_ms,
                status if error_type or status == "timeout" else None,
                error_type,
            )
        )
        self._record(invocation, duration_ms, self._sandbox.max_memory_mb, error_type)
        invocation.finish(duration_ms, self._sandbox.max_memory_mb)
        self._services.released(invocation)

    def _record(self, invocation: Invocation, duration_ms: float, max_memory_mb: int, error_type: str | None) -> None:
        self._services.emit(
            ev.InvocationFinished(
                self._clock.monotonic_ns(),
                invocation.request_id,
                invocation.status,
                invocation.payload,
                duration_ms,
                report.billed(duration_ms, invocation.init_ms),
                invocation.init_ms,
                max_memory_mb,
                error_type,
            )
        )

    async def _measure(self) -> None:
        try:
            await self._sandbox.measure()
        except Exception as error:  # a plugin's figure is not worth an invocation, whatever it raises
            self._platform(f"memory could not be measured: {error}")

    # -- between invocations
    def _idle(self, reason: str) -> None:
        self.idle_since = self._clock.monotonic_ns()
        self._enter(EnvironmentState.IDLE, reason)
        self.pool.ready.append(self)
        if self._can_freeze:
            self._freeze_timer = self._clock.call_later(self._services.freeze_after, self._freeze)

    def _freeze(self) -> None:
        self._freeze_timer = None
        if self.state is EnvironmentState.IDLE and self.invocation is None and self._freezing is None:
            self._freezing = asyncio.get_running_loop().create_task(self._freeze_now())

    async def _freeze_now(self) -> None:
        try:
            await self._sandbox.freeze()
            if self.state is EnvironmentState.IDLE and self.invocation is None:
                self._enter(EnvironmentState.FROZEN, "no invocation")
        except WorkbenchError as error:
            self._platform(f"{error.title}: {error}")
            self._can_freeze = False
        finally:
            self._freezing = None

    # -- ends
    def _on_event(self, event: ProcessExited | Exited) -> None:
        if self.state is EnvironmentState.STOPPING or self.state.final:
            return
        if isinstance(event, Exited):
            oom = event.reason is ExitReason.OOM
            if self._sandbox.alive:
                self._exit = self._exit or ProcessExited(process=0, signal=signal.SIGKILL, oom=oom)
                self._process_ended()
            return
        self._exit = event
        if self._open_connections == 0:
            self._process_ended()
        else:
            self._clock.call_later(_EXIT_GRACE, self._process_ended)

    def _process_ended(self) -> None:
        """The runtime is gone and everything it had posted has been read."""
        ended, self._exit = self._exit, None
        if ended is None or not self._sandbox.alive:
            return
        self._sandbox.alive = False
        self._sandbox.drain()
        if self._restarting:
            return
        error_type = "Runtime.OutOfMemory" if ended.oom else "Runtime.ExitError"
        name = _signal_name(ended.signal)
        invocation = self.invocation
        if self.state is EnvironmentState.INIT:
            payload = exited(invocation.request_id if invocation else "", ended.code, name)
            if self._init_error is not None:
                error_type, payload = self._init_error
            self._platform(report.init_report(self._init_elapsed(), self._phase, "error", error_type))
            self._init_failed(error_type, payload)
        elif invocation is not None:
            status = InvocationStatus.OOM if ended.oom else InvocationStatus.CRASH
            reason = "out of memory" if ended.oom else f"runtime exited: {name or f'status {ended.code}'}"
            payload = exited(invocation.request_id, ended.code, name)
            self._services.spawn(self._conclude(invocation, status, payload, error_type, reason))
        else:
            self._fail("the runtime exited between invocations")

    def _kill_runtime(self) -> None:
        self._services.spawn(self._kill_after_init_error())

    async def _kill_after_init_error(self) -> None:
        try:
            await self._sandbox.kill_runtime()
        except WorkbenchError as error:
            self._fail_boot(error)

    def kill(self, reason: str) -> None:
        """End it now; an invocation in it fails as when its sandbox is killed."""
        invocation = self.invocation
        if invocation is not None and not (self.state is EnvironmentState.STOPPING or self.state.final):
            payload = exited(invocation.request_id, None, "killed")
            self._services.spawn(
                self._conclude(invocation, InvocationStatus.CRASH, payload, "Runtime.ExitError", reason)
            )
        else:
            self.stop(reason)

    def stop(self, reason: str) -> None:
        """SHUTDOWN: with no extension registered the processes get SIGKILL at once."""
        self._end(EnvironmentState.STOPPED, reason)

    def _fail(self, reason: str) -> None:
        self._end(EnvironmentState.FAILED, reason)

    async def stopped(self) -> None:
        """Wait until nothing of it runs any more."""
        await self._stopped

    def _end(self, final: EnvironmentState, reason: str) -> None:
        if self.state is EnvironmentState.STOPPING or self.state.final:
            return
        self._cancel_timer()
        for queue in (self.pool.ready, self.pool.finishing):
            if self in queue:
                queue.remove(self)
        self._enter(EnvironmentState.STOPPING, reason)
        self._sandbox.alive = False
        self._services.spawn(self._tear_down(final, reason))

    async def _tear_down(self, final: EnvironmentState, reason: str) -> None:
        try:
            await self._sandbox.close()
        except Exception as error:
            self._platform(str(_as_error(error)))
            final = EnvironmentState.FAILED
        finally:
            claim, self._claim = self._claim, None
            self.pool.members.pop(self.id, None)
            self._enter(final, reason)
            self._services.ended(self)
            if claim is not None:
                self._services.replace(claim)
            if not self._stopped.done():
                self._stopped.set_result(None)

    # -- records
    def _enter(self, state: EnvironmentState, reason: str) -> None:
        if state is not self.state and state not in TRANSITIONS[self.state]:
            raise AssertionError(f"{self.id}: {self.state} -> {state} ({reason})")
        self.state = state
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
            )
        )

    def _platform(self, text: str) -> None:
        self._line("platform", text)

    def _on_line(self, text: str) -> None:
        self._line("function", text)

    def _line(self, stream: str, text: str) -> None:
        invocation = self.invocation
        request_id = None
        if invocation is not None:
            invocation.log(text)
            if self.state is EnvironmentState.BUSY:
                request_id = invocation.request_id
        if len(text) > SHOWN_CHARACTERS:
            text = f"{text[:SHOWN_CHARACTERS]} … {len(text) - SHOWN_CHARACTERS} characters more"
        self._services.emit(
            ev.LogLine(
                self._clock.monotonic_ns(),
                self._clock.time(),
                self.id,
                self.version.name,
                self.version.version,
                request_id,
                stream,
                text,
            )
        )

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = self._clock.call_later(seconds, callback)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def normal_error_type(given: str) -> str:
    """The error type as logs and telemetry show it (AWS's runtime interface emulator, `fatalerror`)."""
    found = _FATAL.search(given)
    if found:
        return found.group()
    return "Function.Unknown" if given.startswith("Function.") else "Runtime.Unknown"


def _as_error(error: Exception) -> WorkbenchError:
    """What went wrong, as an error that a caller can be given; a surprise keeps its type's name."""
    return error if isinstance(error, WorkbenchError) else BackendError(f"{type(error).__name__}: {error}")


def _signal_name(number: int | None) -> str | None:
    """As Go prints it, which is what AWS's messages hold."""
    if number is None:
        return None
    if number == signal.SIGKILL:
        return "killed"
    if number == signal.SIGSEGV:
        return "segmentation fault"
    return (signal.strsignal(number) or str(number)).lower()
