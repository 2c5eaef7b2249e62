"""What the engine needs from outside, injected at composition."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from socket import socket
from typing import Any, Protocol, TypeVar

from workbench.model.attached import Attached
from workbench.model.cost import Allocation, Used
from workbench.model.functions import Alias, Code, FunctionVersion
from workbench.model.history import InvocationRecord, PastInvocation
from workbench.model.invocations import InvocationStatus, QueuedEvent
from workbench.model.layers import LayerVersion
from workbench.model.outcomes import Message
from workbench.model.records import Record
from workbench.model.routes import Route
from workbench.model.runtimes import InstalledRuntime, RuntimeRollout, RuntimeVersion

T = TypeVar("T")
R = TypeVar("R", bound=Record | RuntimeRollout)


@dataclass(slots=True)
class NextEvent:
    """What a runtime is told when it asks for the next invocation. Empty values are not sent."""

    request_id: str
    deadline_ms: int
    function_arn: str
    trace_id: str
    client_context: str | None
    payload: bytes
    tenant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a runtime is told after it posted something: a status, and an error type and message if it is one."""

    status: int
    error_type: str = ""
    message: str = ""


ACCEPTED = Answer(202)


class ResponseSink(Protocol):
    """A response that its runtime sends piece by piece."""

    def write(self, data: bytes) -> bool:
        """Take a piece. False: no more before `resume` is called."""

    def end(self, error_type: str, error: bytes) -> Answer:
        """The response is whole; or, with an error type, the function failed in the middle of it."""

    def lost(self) -> Answer:
        """The runtime's connection ended before its response did."""


class RuntimeLink(Protocol):
    """One environment's side of the Runtime API; the listener's identity is the environment's."""

    def next(self, reply: Callable[[NextEvent], None]) -> Answer | None:
        """The runtime is ready. `reply` is called once, now or later; an Answer instead refuses."""

    def lost(self, reply: Callable[[NextEvent], None]) -> None:
        """The connection of an unanswered `next` is gone: its reply would reach nobody. The runtime may ask again."""

    def respond(self, request_id: str, body: bytes, content_type: str = "") -> Answer:
        """The function's result."""

    def stream(self, request_id: str, content_type: str, resume: Callable[[], None]) -> ResponseSink | Answer:
        """The function's result begins; an Answer refuses it. `resume` is called when a full sink has room again."""

    def fail(self, request_id: str, error_type: str, body: bytes) -> Answer:
        """The function's error."""

    def fail_init(self, error_type: str, body: bytes) -> Answer:
        """The runtime could not initialise."""

    def connections(self, count: int) -> None:
        """How many connections from inside are open now, without those of extensions."""

    def assignment(self, loaded: Collection[str], reply: Callable[[bytes], None]) -> Answer | None:
        """The runtime of a spare is ready to become a function's; `loaded` names modules that it has. As `next`."""

    @property
    def extensions(self) -> ExtensionsLink:
        """The environment's side of the Extensions, Telemetry and Logs APIs."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What an extension is told when it has registered."""

    id: str
    function: str
    version: str
    handler: str
    account: str


@dataclass(frozen=True, slots=True)
class Destination:
    """Where telemetry goes inside the environment: `method` and `path` are None for TCP."""

    port: int
    host: str = "sandbox.localdomain"
    method: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class TelemetryRequest:
    """A valid subscription to the Telemetry API or the Logs API (`api`: `telemetry`, `logs`)."""

    api: str
    schema: str
    types: tuple[str, ...]
    destination: Destination
    max_items: int
    max_bytes: int
    timeout_ms: int


class ExtensionsLink(Protocol):
    """One environment's side of the Extensions API, and of the two APIs that its extensions subscribe with."""

    def register(self, name: str, events: list[str]) -> Registered | Answer:
        """An extension presents itself."""

    def next(self, identifier: str, reply: Callable[[bytes], None]) -> Answer | None:
        """It is ready. `reply` is called once with its next event, now or later; an Answer instead refuses."""

    def lost(self, identifier: str) -> None:
        """The connection of its unanswered `next` is gone. It may ask again."""

    def init_error(self, identifier: str, error_type: str) -> Answer:
        """It could not initialise."""

    def exit_error(self, identifier: str, error_type: str) -> Answer:
        """It is about to exit."""

    def subscribe(self, api: str, identifier: str, read: Callable[[], TelemetryRequest | Answer]) -> Answer:
        """It wants telemetry: 200. `read` makes the request of the body, once the extension is known."""


class Courier(Protocol):
    """Brings telemetry to one destination, a batch at a time."""

    async def send(self, records: list[bytes]) -> None:
        """Return when the destination has taken the batch.

        Raises:
            OSError, WorkbenchError: it has not.
        """

    def close(self) -> None:
        """Let go of the connection."""


class Listener(Protocol):
    """A Runtime API being served."""

    #: `host:port` as seen from inside: the value of AWS_LAMBDA_RUNTIME_API.
    address: str

    def hang_up(self) -> None:
        """Drop the connections: whoever opened them is gone, and what of theirs is still unread is not to be heard."""

    def hand_over(self, link: RuntimeLink) -> None:
        """From now on, what arrives is for another link; open connections too."""

    def close(self) -> None:
        """Stop serving and drop the connections."""


class Serving(Protocol):
    """Something that is served inside an environment."""

    def close(self) -> None:
        """Stop serving and drop the connections."""


class ServicesRelay(Protocol):
    """Brings what is inside an environment to the endpoint of AWS's services."""

    #: The endpoint as seen from the host; None if none is configured.
    url: str | None

    @property
    def carries(self) -> bool:
        """Can connections be carried there?"""

    async def open(self, listener: socket) -> Serving:
        """Carry what connects to a listening socket."""


class ListenerFactory(Protocol):
    """Serves the Runtime API for one environment."""

    async def open(self, link: RuntimeLink, sock: socket | None) -> Listener:
        """Serve on `sock`, or on a free port of 127.0.0.1."""

    def courier(self, destination: Destination, connect: Callable[[int], Awaitable[socket]]) -> Courier:
        """Who brings telemetry to a destination inside; `connect` opens connections to a port there."""


class LayerRecords(Protocol):
    """The layer versions that last; used as the store is."""

    def load(self) -> list[LayerVersion]:
        """Everything there is."""

    def publish(self, name: str, build: Callable[[int], LayerVersion]) -> LayerVersion:
        """Write the version that `build` makes of the layer's next number, which is never used again."""

    def put(self, version: LayerVersion) -> None:
        """Replace one version."""

    def delete(self, name: str, version: int) -> None:
        """Forget one version; its code stays for the functions that have it."""


class Store(Protocol):
    """What lasts. Every write is durable when it returns; all calls come from one thread."""

    @property
    def layers(self) -> LayerRecords:
        """Layer versions."""

    def load(self) -> tuple[list[FunctionVersion], list[Alias], list[QueuedEvent]]:
        """Everything there is."""

    def put_code(self, archive: bytes) -> str:
        """Keep an archive; its hex SHA-256. One that cannot or must not be unpacked is refused, and not kept."""

    def code(self, sha256: str) -> bytes:
        """An archive, verified against its name."""

    def extract(self, sha256: str) -> Path:
        """The folder with an archive's files, made when it is not there."""

    def unzipped(self, sha256: str) -> int:
        """The bytes that the files of an archive take."""

    def extract_layers(self, layers: tuple[Code, ...]) -> Path | None:
        """The folder with the files of layers over one another, later ones on top; None for none."""

    def put_version(self, version: FunctionVersion, attached: Attached | None = None) -> None:
        """Write or replace one version. `attached` is what a new function comes with."""

    def publish(
        self,
        name: str,
        build: Callable[[int], FunctionVersion],
        attach: Callable[[FunctionVersion], Attached | None] | None = None,
    ) -> FunctionVersion:
        """Write the version that `build` makes of the function's next number, and what `attach` gives it."""

    def delete_version(self, name: str, version: str, left: Attached | None = None) -> None:
        """Forget one version. `left` is what is still attached to the function, if that changed."""

    def delete_function(self, name: str) -> None:
        """Forget a function, its versions, its aliases and what is attached. Its numbers are not used again."""

    def put_alias(self, alias: Alias) -> None:
        """Write or replace an alias."""

    def delete_alias(self, function: str, name: str, left: Attached | None = None) -> None:
        """Forget an alias; `left` as for a version."""

    def attached(self) -> dict[str, Attached]:
        """What is attached to functions, by name."""

    def put_attached(self, function: str, attached: Attached) -> None:
        """Write or replace what is attached to a function."""

    def records(self, of: type[R]) -> list[R]:
        """The account's resources of one kind, by id."""

    def put_record(self, record: Record | RuntimeRollout) -> None:
        """Write or replace a resource of the account."""

    def delete_record(self, record: Record) -> None:
        """Forget a resource of the account."""

    def routes(self) -> dict[str, tuple[Route, ...]]:
        """Routes by their source, the one that was written last at the end."""

    def put_routes(self, source: str, routes: tuple[Route, ...]) -> None:
        """Replace the routes of a source; none forgets it."""

    def put_event(self, event: QueuedEvent) -> None:
        """Write or replace a queued event."""

    def delete_event(self, request_id: str) -> None:
        """Forget a queued event."""

    def close(self) -> None:
        """Let go of files and locks."""


class History(Protocol):
    """Invocations that ended. All calls come from one thread; each may raise a StateError, after which it goes on."""

    def append(self, records: Iterable[InvocationRecord]) -> None:
        """Keep these; they may be asked for a second time."""

    def get(self, request_id: str) -> InvocationRecord:
        """The last attempt of an invocation."""

    def newest(
        self, *, function: str | None, status: InvocationStatus | None, limit: int, before: int | None
    ) -> tuple[PastInvocation, ...]:
        """Those that ended last first, from behind number `before` on."""

    def allocate(self, allocations: Iterable[Allocation]) -> None:
        """Keep what was provisioned, or how long it has been there by now."""

    def used(self) -> Used:
        """What everything that is remembered used, for its costs."""


class Sender(Protocol):
    """Reaches the services around a function."""

    async def send(self, target: str, message: Message) -> None:
        """Send to the queue, topic, event bus or bucket with this ARN.

        Raises:
            WorkbenchError: it could not be sent.
        """


class StoreThread(Protocol):
    """Runs calls of the store off the engine's loop, in order."""

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        """Call, and answer what it answers."""

    async def aclose(self) -> None:
        """Finish what is queued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparesAt:
    """Where spares are made: an empty folder on the file system of the code, a thread for what is to be done there, and
    whether the machine has memory for one more.
    """

    folder: Path
    disk: StoreThread
    room: Callable[[], bool]


class Runtimes(Protocol):
    """Finds what realises a runtime identifier on this machine."""

    def known(self) -> tuple[str, ...]:
        """Every identifier of the catalogue."""

    def blocked(self, runtime: str, day: date, *, update: bool = False) -> bool:
        """May no function be given this runtime any more on that day? Or one that has it not be updated: `update`."""

    def deprecation(self, runtime: str) -> date | None:
        """The day from which AWS neither patches nor supports it, if it is known."""

    def look(self, runtime: str) -> tuple[str, str] | None:
        """What realises it here, for people, and the mend when nothing does; None for one that never runs here."""

    async def installed(self, runtime: str) -> tuple[InstalledRuntime, ...]:
        """The runtime versions that are on this machine now, oldest to newest."""

    async def first(self, runtime: str) -> InstalledRuntime | None:
        """The runtime version that functions take while none was published; None when nothing here realises it."""

    async def has(self, runtime: str, arn: str) -> bool:
        """Is this runtime version on this machine?"""

    def nowhere(self, runtime: str) -> str:
        """The ARN that a function shows where nothing realises its runtime."""

    async def resolve(self, runtime: str, arn: str | None = None) -> RuntimeVersion:
        """A runtime version, ready to be run; the `first` one without an ARN.

        Raises:
            RuntimeUnavailable: nothing here realises it; the message names the mend.
        """
