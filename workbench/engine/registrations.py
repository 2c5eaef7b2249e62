"""Which extensions of an environment are registered for what, and in which state each is.

Pure: no process is started and no time is read here; what happens comes in as calls. Registrations last from one INIT
to the reset or the shutdown that ends it; the next INIT begins with new ones. Source: Lambda Developer Guide, "Using
the Lambda Extensions API to create extensions"; states, error types and messages as in AWS's runtime interface
emulator.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from workbench.engine.ports import ACCEPTED, Answer

#: External and internal ones together.
MAX_EXTENSIONS = 10
INVOKE, SHUTDOWN = "INVOKE", "SHUTDOWN"
#: Seconds that SHUTDOWN may take: nobody registered, internal extensions only, at least one external extension.
SHUTDOWN_SECONDS = (0.0, 0.5, 2.0)

Reply = Callable[[bytes], None]


class ExtensionState(StrEnum):
    """Names as AWS's messages and `platform.extension` have them."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    LAUNCH_ERROR = "LaunchError"
    EXITED = "Exited"


_LISTENING = frozenset({ExtensionState.READY, ExtensionState.RUNNING})
#: The error types with which an environment fails when such an extension ends it.
_FAILURES = {
    ExtensionState.INIT_ERROR: "Extension.InitError",
    ExtensionState.EXIT_ERROR: "Extension.ExitError",
    ExtensionState.LAUNCH_ERROR: "Extension.LaunchError",
}


@dataclass(slots=True)
class Extension:
    """One extension. `error_type` is its own word for what went wrong; `reply` answers the `next` that it waits in.

    `unseen` is an event that came while its connection was gone: it has it when it asks again. `gone`: it has ended,
    or nobody waits for it any more.
    """

    name: str
    external: bool
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: ExtensionState = ExtensionState.STARTED
    events: tuple[str, ...] = ()
    error_type: str | None = None
    reply: Reply | None = None
    unseen: bytes | None = None
    gone: bool = False

    @property
    def failure(self) -> str:
        """The error type of an environment that this extension has ended."""
        return _FAILURES.get(self.state, "Extension.Crash")

    def send(self, event: bytes) -> None:
        """Hand it an event, for which it waits."""
        reply, self.reply = self.reply, None
        self.state = ExtensionState.RUNNING
        if reply is not None:
            reply(event)
        else:
            self.unseen = event


def external_extensions(opt: Path | None) -> list[str]:
    """The names of the files in the `extensions` folder of the layers: each is to be started."""
    if opt is None:
        return []
    try:
        found = list((opt / "extensions").iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(entry.name for entry in found if entry.is_symlink() or not entry.is_dir())


class Registrations:
    """All extensions of an environment. `changed` is called after each registration and each `next`, `failed` when one
    has reported an error; neither from inside a call that the environment makes."""

    def __init__(self, changed: Callable[[], None], failed: Callable[[Extension], None]) -> None:
        self._changed = changed
        self._failed = failed
        self._by_name: dict[str, Extension] = {}
        self._open = True

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def __iter__(self) -> Iterator[Extension]:
        return iter(self._by_name.values())

    def find(self, identifier: str) -> Extension | None:
        """The extension with that identifier."""
        return next((one for one in self._by_name.values() if one.id == identifier), None)

    # -- what the environment does
    def expect(self, name: str) -> Extension:
        """An external extension is about to be started."""
        extension = self._by_name[name] = Extension(name, external=True)
        if len(self._by_name) > MAX_EXTENSIONS:
            self.not_launched(extension, "TooManyExtensions")
        return extension

    def not_launched(self, extension: Extension, error_type: str) -> None:
        """It could not be started: `PermissionDenied`, `TooManyExtensions` or `UnknownError`."""
        extension.state, extension.error_type = ExtensionState.LAUNCH_ERROR, error_type

    def ended(self, extension: Extension) -> str:
        """Its process is gone. The error type of the environment, unless that is shutting down."""
        failure = extension.failure
        extension.gone, extension.reply = True, None
        if extension.state not in _FAILURES:
            extension.state, extension.error_type = ExtensionState.EXITED, failure
        return failure

    def close_registration(self) -> None:
        """The runtime has initialised: whoever comes now is too late."""
        self._open = False

    def send(self, kind: str, event: bytes) -> list[Extension]:
        """Something happens: tell those who subscribed to it and live. They."""
        told = [one for one in self._by_name.values() if kind in one.events and one.state in _LISTENING]
        for extension in told:
            extension.send(event)
        return told

    @property
    def all_registered(self) -> bool:
        """Has every external extension registered? Only then does the runtime start."""
        return all(one.state is not ExtensionState.STARTED for one in self._by_name.values())

    @property
    def all_ready(self) -> bool:
        """Does every extension wait for its next event? INIT ends with that, and so does an invocation."""
        return all(one.state is ExtensionState.READY for one in self._by_name.values())

    @property
    def shutdown_seconds(self) -> float:
        """How long SHUTDOWN may take."""
        if not self._by_name:
            return SHUTDOWN_SECONDS[0]
        return SHUTDOWN_SECONDS[2 if any(one.external for one in self._by_name.values()) else 1]

    # -- what extensions do
    def register(self, name: str, events: Iterable[str]) -> Extension | Answer:
        """`name` is that of a started file, or else an internal extension's."""
        extension = self._by_name.get(name)
        external = extension is not None and extension.external
        for event in (wanted := list(events)):
            if event not in (INVOKE, SHUTDOWN):
                return _refused("Extension.InvalidEventType", f"{event}: ErrorInvalidEventType")
            if event == SHUTDOWN and not external:
                why = "ShutdownEventNotSupportedForInternalExtension"
                return _refused("Extension.InvalidEventType", f"{event}: {why}")
        if extension is None:
            if not self._open:
                return _refused("Extension.RegistrationClosed", "Extension registration closed already")
            if len(self._by_name) >= MAX_EXTENSIONS:
                return _refused("Extension.TooManyExtensions", f"Extension limit ({MAX_EXTENSIONS}) reached")
            extension = self._by_name[name] = Extension(name, external=False)
        elif not external:
            return _refused("Extension.InvalidExtensionState", "Extension with this name already registered")
        elif extension.state is not ExtensionState.STARTED:
            return _illegal(extension, ExtensionState.REGISTERED, name)
        extension.events = tuple(event for event in (INVOKE, SHUTDOWN) if event in wanted)
        extension.state = ExtensionState.REGISTERED
        self._changed()
        return extension

    def next(self, identifier: str, reply: Reply) -> Answer | None:
        """It is ready for its next event. `reply` is called once, now or later; an Answer instead refuses."""
        extension = self.find(identifier)
        if extension is None:
            return _refused("Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}")
        if extension.state not in (ExtensionState.REGISTERED, ExtensionState.RUNNING):
            return _illegal(extension, ExtensionState.READY, identifier)
        if extension.unseen is not None:
            event, extension.unseen = extension.unseen, None
            reply(event)
            return None
        extension.state, extension.reply = ExtensionState.READY, reply
        self._changed()
        return None

    def lost(self, identifier: str) -> None:
        """It waits no more, but may ask again."""
        extension = self.find(identifier)
        if extension is not None and extension.state is ExtensionState.READY:
            extension.state, extension.reply = ExtensionState.RUNNING, None

    def init_error(self, identifier: str, error_type: str) -> Answer:
        """It could not initialise."""
        return self._error(identifier, error_type, ExtensionState.INIT_ERROR, (ExtensionState.REGISTERED,))

    def exit_error(self, identifier: str, error_type: str) -> Answer:
        """It is going to exit."""
        legal = (ExtensionState.REGISTERED, ExtensionState.READY, ExtensionState.RUNNING)
        return self._error(identifier, error_type, ExtensionState.EXIT_ERROR, legal)

    def _error(
        self, identifier: str, error_type: str, state: ExtensionState, legal: tuple[ExtensionState, ...]
    ) -> Answer:
        extension = self.find(identifier)
        if extension is None:
            return _refused("Extension.UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier")
        if extension.state is state:  # told twice: the first word counts
            return ACCEPTED
        if extension.state not in legal:
            return _illegal(extension, state, identifier)
        extension.state, extension.error_type, extension.reply = state, error_type, None
        self._failed(extension)
        return ACCEPTED


def invoke_event(request_id: str, arn: str, trace_id: str, deadline_ms: int) -> bytes:
    """What an extension is told of an invocation. `deadline_ms`: epoch milliseconds."""
    return _json(
        {
            "eventType": INVOKE,
            "deadlineMs": deadline_ms,
            "requestId": request_id,
            "invokedFunctionArn": arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": trace_id},
        }
    )


def shutdown_event(reason: str, deadline_ms: int) -> bytes:
    """What an extension is told of the end: `spindown`, `timeout` or `failure`."""
    return _json({"eventType": SHUTDOWN, "shutdownReason": reason, "deadlineMs": deadline_ms})


def _json(event: dict[str, object]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def _refused(error_type: str, message: str) -> Answer:
    return Answer(403, error_type, message)


def _illegal(extension: Extension, wanted: ExtensionState, whom: str) -> Answer:
    return _refused(
        "Extension.InvalidExtensionState",
        f"State transition from {extension.state} to {wanted} failed for extension {whom}. "
        "Error: State transition is not allowed",
    )
