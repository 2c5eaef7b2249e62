"""The extensions of one environment: their processes, their side of the Extensions API, and their telemetry.

INIT starts the external ones before the runtime and is over when the runtime and every extension have asked for their
next event; an invocation is over when the runtime and every extension that got the event have; SHUTDOWN gives them
time. Source: Lambda Developer Guide, "Using the Lambda Extensions API to create extensions".
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from workbench.backends.api import ProcessExited
from workbench.engine.clock import Clock
from workbench.engine.invocation import signal_name
from workbench.engine.journal import Journal
from workbench.engine.ports import Answer, ListenerFactory, NextEvent, Registered, TelemetryRequest
from workbench.engine.registrations import (
    INVOKE,
    SHUTDOWN,
    Extension,
    ExtensionState,
    Registrations,
    invoke_event,
    shutdown_event,
)
from workbench.engine.sandbox import Sandbox
from workbench.engine.telemetry import Telemetry
from workbench.engine.variables import extension_variables
from workbench.model import platform as pf
from workbench.model.errors import BackendError
from workbench.model.functions import FunctionVersion
from workbench.model.names import Account

#: An extension that has reported an error has this time to exit by itself; one that exited, to be heard to the end.
_EXIT_SECONDS, _LAST_WORDS_SECONDS = 0.2, 0.05
#: What telemetry there is when SHUTDOWN begins has this time to arrive before the runtime has to go, and again before
#: the event.
_FLUSH_SECONDS = 0.1


class ShutdownReason(StrEnum):
    SPINDOWN = "spindown"
    TIMEOUT = "timeout"
    FAILURE = "failure"


class ExtensionFailed(Exception):
    """An extension could not be started, ended, or gave up, before the runtime was started."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


@dataclass(slots=True, eq=False)
class _Process:
    """That of an external extension; `handle` is the backend's."""

    extension: Extension
    handle: int | None = None
    ended: bool = False


class Extensions:
    """`settled` is called whenever `ready` may have become true; `failed`, with an error type and a message, when one
    has ended too early or says that it is about to. Satisfies `engine.ports.ExtensionsLink`.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        listeners: ListenerFactory,
        version: FunctionVersion,
        account: Account,
        variables: Callable[[], dict[str, str]],
        sandbox: Sandbox,
        journal: Journal,
        settled: Callable[[], None],
        failed: Callable[[str, str], None],
    ) -> None:
        self._clock = clock
        self._spawn = spawn
        self._listeners = listeners
        self._version = version
        self._account = account
        self._variables = variables
        self._sandbox = sandbox
        self._journal = journal
        self._settled = settled
        self._failed = failed
        self._begin()

    def _begin(self) -> None:
        """Forget who was there: a new life of the environment's processes."""
        self._registrations = Registrations(self._changed, self._reported)
        self._processes: list[_Process] = []
        #: While the external ones are awaited: None when all have registered, or why that will not be.
        self._awaited: asyncio.Future[ExtensionFailed | None] | None = None
        self._shutting_down = False
        self._all_gone: asyncio.Future[None] | None = None
        json_logs = self._version.configuration.settings.get("LoggingConfig", {}).get("LogFormat") == "JSON"
        self._telemetry = Telemetry(
            self._clock,
            lambda destination: self._listeners.courier(destination, self._sandbox.connect),
            self._spawn,
            json_logs,
        )

    @property
    def any(self) -> bool:
        """Has one registered, or been started?"""
        return bool(self._registrations)

    @property
    def ready(self) -> bool:
        """Has every extension asked for its next event?"""
        return self._registrations.all_ready

    @property
    def budget(self) -> float:
        """Seconds that SHUTDOWN may take."""
        return self._registrations.shutdown_seconds

    # -- the phases
    def init_begins(self) -> None:
        """From here on, whatever the journal hears may be somebody's telemetry."""
        self._telemetry.open()
        self._journal.subscribers.append(self._telemetry.hear)

    async def launch(self) -> None:
        """Start every external extension, and wait until each has registered. Then the runtime starts.

        Raises:
            ExtensionFailed: one could not be started, ended, or gave up.
            WorkbenchError: the backend failed.
        """
        names = self._sandbox.extensions
        if not names:
            return
        self._awaited = awaited = asyncio.get_running_loop().create_future()
        extensions = [self._registrations.expect(name) for name in names]
        for extension in extensions:
            if extension.state is ExtensionState.LAUNCH_ERROR:
                raise ExtensionFailed(extension.failure, "ErrTooManyExtensions")
        started = await asyncio.gather(*map(self._start, extensions), return_exceptions=True)
        for outcome in started:
            if outcome is not None:
                raise outcome
        failure = await awaited
        if failure is not None:
            raise failure

    async def _start(self, extension: Extension) -> None:
        name, sandbox = extension.name, self._sandbox
        path = f"{sandbox.layout.opt}/extensions/{name}"
        file = sandbox.opt / "extensions" / name if sandbox.opt is not None else None
        if file is not None and file.is_file() and not os.access(file, os.X_OK):
            self._registrations.not_launched(extension, "PermissionDenied")
            raise ExtensionFailed(extension.failure, f"fork/exec {path}: permission denied")
        process = _Process(extension)
        self._processes.append(process)
        try:
            process.handle = await sandbox.start(
                _output_name(extension),
                (path,),
                extension_variables(self._variables()),
                sandbox.layout.task if sandbox.layout.image is None else "/",
                self._journal.extension,
                partial(self._exited, process),
            )
        except BackendError as error:
            process.ended = True
            if isinstance(error.__cause__, TimeoutError):
                raise
            self._registrations.not_launched(extension, "UnknownError")
            raise ExtensionFailed(extension.failure, f"fork/exec {path}: {error}") from error

    def init_ends(self) -> None:
        """INIT is over, well or not: nobody registers or subscribes any more."""
        self._registrations.close_registration()
        for extension in self._registrations:
            self._journal.platform(
                pf.ExtensionState(extension.name, extension.state.value, extension.events, extension.error_type)
            )
        self._telemetry.close_subscription()
        if not self._telemetry:
            self._stop_hearing()

    def invoke(self, event: NextEvent) -> None:
        """An invocation begins: those that subscribed to INVOKE get the event, or have it when they ask."""
        if self._registrations:
            told = invoke_event(event.request_id, event.function_arn, event.trace_id, event.deadline_ms)
            self._registrations.send(INVOKE, told)

    def frozen(self, now: bool) -> None:
        """The environment is frozen, or not any more: nothing can be delivered meanwhile."""
        if now:
            self._telemetry.pause()
        else:
            self._telemetry.resume()

    async def flush(self) -> None:
        """Deliver what telemetry there is, while everybody who listens still runs."""
        await self._telemetry.flush(_FLUSH_SECONDS)

    async def shutdown(self, reason: ShutdownReason, seconds: float) -> None:
        """Give those that subscribed to SHUTDOWN the event, kill the others, and wait at most `seconds` for all to end.

        The runtime is gone by then. What still runs afterwards is killed with the sandbox or by its reset.
        """
        self._shutting_down = True
        deadline = self._clock.monotonic_ns() + int(seconds * 1e9)
        if self._processes:
            await self._telemetry.flush(min(_FLUSH_SECONDS, seconds))
        left = max(deadline - self._clock.monotonic_ns(), 0) / 1e9
        event = shutdown_event(reason, int((self._clock.time() + left) * 1000))
        told = self._registrations.send(SHUTDOWN, event)
        for process in self._processes:
            if process.extension not in told and not process.ended and process.handle is not None:
                await self._sandbox.signal(process.handle, signal.SIGKILL)
        self._all_gone = gone = asyncio.get_running_loop().create_future()
        self._check_all_gone()
        timer = self._clock.call_later(left, _settle, gone)
        await gone
        timer.cancel()

    def reset(self) -> None:
        """Every process is gone: forget who registered."""
        self._stop_hearing()
        self._telemetry.close()
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)
        self._begin()

    def _stop_hearing(self) -> None:
        if self._telemetry.hear in self._journal.subscribers:
            self._journal.subscribers.remove(self._telemetry.hear)

    # -- what happens to them
    def _changed(self) -> None:
        if self._awaited is not None and not self._awaited.done() and self._registrations.all_registered:
            self._awaited.set_result(None)
        self._settled()

    def _reported(self, extension: Extension) -> None:
        """It has said that it failed; as with a runtime, one that does not exit is not waited for."""
        registrations = self._registrations

        def give_up() -> None:
            if registrations is self._registrations and not extension.gone:
                self._fail(registrations.ended(extension), f"extension {extension.name}: {extension.error_type}")

        self._clock.call_later(_EXIT_SECONDS, give_up)

    def _exited(self, process: _Process, event: ProcessExited) -> None:
        """What it had posted before may have still to be read."""
        process.ended = True
        self._sandbox.drain(_output_name(process.extension))
        if self._shutting_down:
            self._check_all_gone()
        else:
            self._clock.call_later(_LAST_WORDS_SECONDS, self._crashed, process, event)

    def _crashed(self, process: _Process, event: ProcessExited) -> None:
        current = process in self._processes and not self._shutting_down
        if current and not process.extension.gone:
            self._fail(self._registrations.ended(process.extension), _how(event))

    def _fail(self, error_type: str, message: str) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(ExtensionFailed(error_type, message))
        else:
            self._failed(error_type, message)

    def _check_all_gone(self) -> None:
        if self._all_gone is not None and all(process.ended for process in self._processes):
            _settle(self._all_gone)

    # -- the Extensions API
    def register(self, name: str, events: list[str]) -> Registered | Answer:
        """An extension presents itself."""
        extension = self._registrations.register(name, events)
        if isinstance(extension, Answer):
            return extension
        version = self._version
        return Registered(extension.id, version.name, version.version, version.configuration.handler, self._account.id)

    def next(self, identifier: str, reply: Callable[[bytes], None]) -> Answer | None:
        """It is ready for its next event."""
        extension = self._registrations.find(identifier)
        if extension is not None:
            self._sandbox.drain(_output_name(extension))
        return self._registrations.next(identifier, reply)

    def lost(self, identifier: str) -> None:
        """The connection of its unanswered `next` is gone."""
        self._registrations.lost(identifier)

    def init_error(self, identifier: str, error_type: str) -> Answer:
        """It could not initialise."""
        return self._registrations.init_error(identifier, error_type)

    def exit_error(self, identifier: str, error_type: str) -> Answer:
        """It is about to exit."""
        return self._registrations.exit_error(identifier, error_type)

    # -- the Telemetry API and the Logs API
    def subscribe(self, api: str, identifier: str, read: Callable[[], TelemetryRequest | Answer]) -> Answer:
        """It wants telemetry."""
        title = api.capitalize()
        extension = self._registrations.find(identifier)
        if extension is None:
            return Answer(403, "Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}")
        if not self._sandbox.can_connect:  # AWS's emulator answers so, and extensions go on without
            return Answer(202, f"{title}.NotSupported", f"{title} API is not supported")
        if not self._telemetry.is_open:
            return Answer(403, f"{title}.SubscriptionClosed", f"{title} API subscription is closed already")
        request = read()
        if isinstance(request, Answer):
            return request
        other = self._telemetry.api_of(extension.name)
        if other not in (None, api):
            message = f"Extension is already subscribed to the {other.capitalize()} API"
            return Answer(403, f"{title}.AlreadySubscribed", message)
        self._telemetry.subscribe(extension.name, request)
        self._journal.platform(pf.Subscription(api, extension.name, request.types))
        return Answer(200)


def _output_name(extension: Extension) -> str:
    return f"extension-{extension.name}"


def _how(event: ProcessExited) -> str:
    """How a process ended, as Go says it, which is what AWS's messages hold."""
    if event.signal is not None:
        return f"signal: {signal_name(event.signal)}"
    return f"exit status {event.code}" if event.code else "exit code 0"


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
