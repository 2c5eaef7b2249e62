"""What a backend is.

A backend makes, freezes, thaws and ends execution environments. It never sees an invocation: everything inside an
environment talks to the engine's Runtime API. All coroutines of a backend run on an event loop of its own, in a thread
that lives as long as the engine, so a backend that blocks stalls only itself.

The engine puts a deadline on every call, and treats an exception as the failure of that one environment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from socket import socket
from typing import Protocol

from workbench.model.environments import Process
from workbench.model.runtimes import RuntimeVersion

#: (major, minor) of this contract. The engine refuses another major; minors add only what a capability gates.
API_VERSION = (1, 3)


#: As much memory brings one vCPU (Lambda Developer Guide, "Configure Lambda function memory").
MB_OF_A_VCPU = 1769


class Network(StrEnum):
    """What a function can reach. `internet` excludes the host's own loopback; `host` is labelled unsafe."""

    INTERNET = "internet"
    NONE = "none"
    HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What environments of this backend have. The engine asks for nothing that is not stated here.

    isolation: a boundary against hostile code. False is labelled "trusted code only" wherever it is offered.
    own_network: the environment has a network namespace of its own and hands the engine a listener inside it.
    mounts: code, layers and the runtime appear at /var/task, /opt and /var/runtime; otherwise at their host paths.
    memory_limit: memory beyond MemorySize ends the environment with `ExitReason.OOM`.
    freeze: a frozen environment uses no CPU.
    connect: the engine can open connections to what listens inside (since 1.1); telemetry needs it.
    reset: every process can be ended while the sandbox and its /tmp stay (since 1.1).
    file_systems: host folders can be shown at paths below /mnt, to be read and written (since 1.2).
    images: functions that are container images run; the backend is an `ImageBackend` (since 1.2).
    networks: the modes that work on this machine.
    services: an environment with a network of its own has a second listener, for the services' endpoint (since 1.2).
    late_code: an environment can be launched before it is known which function it will serve (since 1.2): where there
        are mounts, what is put into the host folders of `task` and `opt` afterwards appears inside; `resize` follows.
    boost: an environment has the share of the CPU of at least one vCPU until `settle` is called (since 1.2).
    processes: what runs inside can be told, process by process (since 1.3).
    """

    isolation: bool
    own_network: bool
    mounts: bool
    memory_limit: bool
    freeze: bool
    networks: frozenset[Network]
    connect: bool = False
    reset: bool = False
    file_systems: bool = False
    late_code: bool = False
    images: bool = False
    boost: bool = False
    services: bool = False
    processes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Does the backend work here? If not: why, and the command that mends it. `notes` are limits worth knowing."""

    usable: bool
    why: str = ""
    mend: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the engine lends a backend.

    `run_dir` is a private folder (0700) for sockets and scratch files, removed when the engine ends.
    `guard(kind, value)` names something that must not outlive the engine, `kind` being `pgid` (a process group) or
    `cgroup` (the absolute path of a cgroup folder); `unguard` takes it back. A keeper process ends what is named when
    the engine dies without a word.
    `report(text, over)` tells people how something goes on that takes long, a few times a second at most; `over` comes
    with its last word. It may be called from any thread (since 1.2).
    """

    run_dir: Path
    guard: Callable[[str, str], None]
    unguard: Callable[[str, str], None]
    report: Callable[[str, bool], None] = lambda text, over: None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """One environment to be made. Sizes in MB.

    A busy machine gives an environment CPU in proportion to its memory: one vCPU at 1,769 MB, as on AWS.
    `task` and `opt` are host folders shown read-only at /var/task and /opt (where there are mounts). `file_systems`
    are folders of the user's, by the paths where functions read and write them, together with other environments; there
    are none where the capability is missing. `backends.file_systems` says which user is to be in them.
    """

    id: str
    function: str
    version: str
    runtime: RuntimeVersion
    task: Path
    opt: Path | None
    memory_size: int
    tmp_size: int = 512
    network: Network = Network.NONE
    file_systems: Mapping[str, Path] = field(default_factory=dict)

    @property
    def vcpus(self) -> float:
        """The share of the CPU that the memory brings."""
        return self.memory_size / MB_OF_A_VCPU

    @property
    def boosted(self) -> float:
        """The share of the CPU until INIT is over."""
        return max(self.vcpus, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process to be started in an environment.

    `argv` and `cwd` are paths as seen inside. An image's command may begin with a word without a slash, to be found in
    PATH; a `cwd` that is not there is a `NoWorkingDirectory`. `output` is the write end of a pipe that the engine
    reads: stdout and stderr both go there, in order. The engine closes its copy when `start` has returned; stdin is
    /dev/null.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Peak memory in bytes of all processes together, and CPU time in seconds, since launch."""

    peak_memory: int
    cpu_seconds: float


class ExitReason(StrEnum):
    EXITED = "exited"
    SIGNALED = "signaled"
    OOM = "oom"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessExited:
    """A process that `start` began has ended: `code` for an exit, `signal` when a signal ended it.

    `oom` is true when the memory limit ended it.
    """

    process: int
    code: int | None = None
    signal: int | None = None
    oom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """The environment is gone: nothing of it runs any more. Always the last event, exactly once."""

    reason: ExitReason
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """What a container image says of how it is run, in Docker's words, and the names of the extensions it brings."""

    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths as seen from inside an environment; and what its image says, where that brings everything."""

    task: str
    opt: str
    runtime: str
    interpreter: str
    image: ImageSettings | None = None


class Environment(Protocol):
    """A sandbox that was made, empty of processes of the function until `start`."""

    id: str
    #: A listening TCP socket inside the environment's own network, bound to 127.0.0.1:9001; or a Unix socket to which
    #: the backend carries what connects to that address (since 1.2). None without a network of its own.
    listener: socket | None
    #: The host's process id of the sandbox, for people; None when there is none.
    pid: int | None
    layout: Layout

    async def start(self, process: ProcessSpec) -> int:
        """Start a process and return its id within this environment (the engine's handle for `signal` and events)."""

    async def signal(self, process: int, sig: int) -> None:
        """Send a signal to a process; one that is gone is not an error."""

    async def usage(self) -> Usage:
        """Measure now."""

    async def processes(self) -> tuple[Process, ...]:
        """What runs inside now, by pid, without what the sandbox itself needs; nothing after the end.

        Asked only of backends with the capability, while a person looks, frozen or not.
        """

    async def connect(self, port: int) -> socket:
        """Open a TCP connection to a port of 127.0.0.1 as seen from inside; the socket does not block.

        Asked only of backends with the capability, and never while frozen.

        Raises:
            BackendError: nothing listens there.
        """

    def events(self) -> AsyncIterator[ProcessExited | Exited]:
        """Yield each process's end, then exactly one `Exited`, last. Called once."""

    async def take_services(self) -> socket | None:
        """A listening TCP socket inside the environment's own network, for the endpoint of AWS's services; or a Unix
        socket to which the backend carries what connects to 127.0.0.1:9002 inside.

        Asked once, and only of backends with the capability; whoever asks closes it. None where the environment is in
        the host's network.

        Raises:
            BackendError: the environment has ended.
        """

    async def freeze(self) -> None:
        """Take the CPU from every process; idempotent."""

    async def thaw(self) -> None:
        """Undo `freeze`; idempotent."""

    async def resize(self, memory_size: int) -> None:
        """Give it another MemorySize in MB.

        Asked at most once, of backends with `late_code`, before anything of the function runs.

        Raises:
            BackendError: it could not be done.
        """

    async def settle(self) -> None:
        """Its INIT is over: from now on it has the share of the CPU that its memory brings.

        Asked once, of backends with `boost`.

        Raises:
            BackendError: it could not be done.
        """

    async def reset(self) -> None:
        """End every process at once, frozen or not, and return when none is left; the sandbox and its /tmp stay.

        Each process's end is told as an event. Called only where the capability says so.
        """

    async def stop(self, grace: float) -> Exited:
        """End every process (SIGTERM, then SIGKILL after `grace` seconds; 0 kills at once) and remove the sandbox.

        Idempotent: a second call waits for the first and answers the same.
        """


class Backend(Protocol):
    """A maker of environments."""

    api_version: tuple[int, int]
    capabilities: Capabilities

    async def open(self, host: Host) -> None:
        """Get ready. Called once, before everything but `health`. May refine `capabilities` to what works here."""

    async def health(self) -> Health:
        """Say whether the backend works on this machine. Quick, without side effects, callable before `open`."""

    async def prepare(self, runtime: RuntimeVersion) -> None:
        """Get what environments of this runtime need; idempotent."""

    async def launch(self, spec: EnvironmentSpec) -> Environment:
        """Make one environment.

        Raises:
            BackendError: with what failed and how to mend it; nothing is left behind.
        """

    async def aclose(self) -> None:
        """End every environment and release everything."""


class ImageBackend(Backend, Protocol):
    """A backend that runs container images: its `prepare` and `launch` also take a runtime that is an image."""

    async def image_digest(self, image: str) -> str | None:
        """The hex SHA-256 digest of an image that is here; None for one that would have to be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendFactory:
    """What the hook returns: how to make the backend, and one line for people about what it is."""

    create: Callable[[], Backend]
    summary: str
