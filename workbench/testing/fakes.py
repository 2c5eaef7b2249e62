"""A backend without processes: each environment's runtime is a coroutine that the test writes.

`FakeBackend` satisfies the backend contract and `FakeListeners` the engine's listener port; together they let an engine
run on a virtual clock. The fake Runtime API is called directly, without HTTP.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import suppress
from datetime import date
from pathlib import Path
from socket import socket
from typing import Any, Protocol

from workbench.backends.api import (
    API_VERSION,
    Capabilities,
    EnvironmentSpec,
    Exited,
    ExitReason,
    Health,
    Host,
    Layout,
    Network,
    ProcessExited,
    ProcessSpec,
    Usage,
)
from workbench.model.environments import Process, ProcessState
from workbench.model.errors import BackendError, RuntimeUnavailable
from workbench.model.runtimes import InstalledRuntime, RuntimeVersion


class Link(Protocol):
    """What a listener is given of an environment (the engine's `RuntimeLink`)."""

    def next(self, reply: Callable[[Any], None]) -> Any: ...
    def lost(self, reply: Callable[[Any], None]) -> None: ...
    def respond(self, request_id: str, body: bytes, content_type: str = "") -> Any: ...
    def stream(self, request_id: str, content_type: str, resume: Callable[[], None]) -> Any: ...
    def fail(self, request_id: str, error_type: str, body: bytes) -> Any: ...
    def fail_init(self, error_type: str, body: bytes) -> Any: ...
    def assignment(self, loaded: Collection[str], reply: Callable[[bytes], None]) -> Any: ...
    def connections(self, count: int) -> None: ...

    @property
    def extensions(self) -> Any: ...


class Exit(Exception):
    """Raised by a program to end its process: with a code, by a signal, or out of memory."""

    def __init__(self, code: int | None = None, *, signal: int | None = None, oom: bool = False) -> None:
        super().__init__(code)
        self.code, self.signal, self.oom = code, signal, oom


class FakeRuntime:
    """What a program in a fake environment can do: the calls of the Runtime API, and print."""

    def __init__(self, link: Link, env: dict[str, str], output: int) -> None:
        self.env = env
        self._link = link
        self._output = output
        self._asked: Callable[[Any], None] = lambda event: None

    async def next(self) -> Any:
        """The next event, as the engine's `NextEvent`."""
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def reply(event: Any) -> None:
            if not waiter.done():
                waiter.set_result(event)

        refused = self._link.next(reply)
        if refused is not None:
            return refused
        self._asked = reply
        return await waiter

    def drop(self) -> None:
        """The connection of the `next` that waits is gone."""
        self._link.lost(self._asked)

    def respond(self, request_id: str, body: bytes, content_type: str = "") -> Any:
        return self._link.respond(request_id, body, content_type)

    def stream(self, request_id: str, content_type: str = "", resume: Callable[[], None] = lambda: None) -> Any:
        """The engine's `ResponseSink`, or its refusal."""
        return self._link.stream(request_id, content_type, resume)

    def fail(self, request_id: str, body: bytes, error_type: str = "") -> Any:
        return self._link.fail(request_id, error_type, body)

    def fail_init(self, body: bytes, error_type: str = "") -> Any:
        return self._link.fail_init(error_type, body)

    def print(self, text: str) -> None:
        os.write(self._output, f"{text}\n".encode())


class FakeExtension:
    """What an extension can do: the calls of the Extensions and Telemetry APIs, and print.

    A runtime's program may make one with its own link: an internal extension.
    """

    def __init__(self, link: Link, env: dict[str, str], output: int, name: str) -> None:
        self.env = env
        self.name = name
        self.id = ""
        self._link = link
        self._output = output

    def register(self, *events: str) -> Any:
        """The engine's `Registered`, or its refusal."""
        answer = self._link.extensions.register(self.name, list(events))
        self.id = getattr(answer, "id", "")
        return answer

    async def next(self) -> Any:
        """The next event, read; or the engine's refusal."""
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def reply(event: bytes) -> None:
            if not waiter.done():
                waiter.set_result(json.loads(event))

        refused = self._link.extensions.next(self.id, reply)
        return refused if refused is not None else await waiter

    def init_error(self, error_type: str) -> Any:
        return self._link.extensions.init_error(self.id, error_type)

    def exit_error(self, error_type: str) -> Any:
        return self._link.extensions.exit_error(self.id, error_type)

    def subscribe(self, request: Any) -> Any:
        """`request` is the engine's `TelemetryRequest`."""
        return self._link.extensions.subscribe(request.api, self.id, lambda: request)

    def print(self, text: str) -> None:
        os.write(self._output, f"{text}\n".encode())


class FakeCourier:
    """Takes telemetry; what it took stands in `FakeListeners.telemetry` under the destination's port."""

    def __init__(self, taken: list[Any]) -> None:
        self._taken = taken

    async def send(self, records: list[bytes]) -> None:
        self._taken += map(json.loads, records)

    def close(self) -> None:
        """There is no connection."""


Program = Callable[[FakeRuntime], Awaitable[None]]
ExtensionProgram = Callable[[FakeExtension], Awaitable[None]]


async def echo(runtime: FakeRuntime) -> None:
    """The default program: answers each event with itself."""
    while True:
        event = await runtime.next()
        runtime.respond(event.request_id, event.payload)


class FakeListeners:
    """Satisfies the engine's `ListenerFactory`; addresses are names of links."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self.telemetry: dict[int, list[Any]] = {}
        self.opened: list[FakeListener] = []

    async def open(self, link: Link, sock: socket | None) -> FakeListener:
        address = f"fake-{len(self.links)}:9001"
        self.links[address] = link
        self.opened.append(FakeListener(address, self.links))
        return self.opened[-1]

    def courier(self, destination: Any, connect: Any) -> FakeCourier:
        return FakeCourier(self.telemetry.setdefault(destination.port, []))


class FakeListener:
    def __init__(self, address: str, links: dict[str, Link]) -> None:
        self.address = address
        self.closed = False
        #: How often it was told to drop its connections.
        self.hung_up = 0
        self._links = links

    def hand_over(self, link: Link) -> None:
        self._links[self.address] = link

    def hang_up(self) -> None:
        self.hung_up += 1

    def close(self) -> None:
        self.closed = True


class FakeEnvironment:
    """Records what was done to it in `calls`."""

    def __init__(self, backend: FakeBackend, spec: EnvironmentSpec) -> None:
        self.id = spec.id
        self.spec = spec
        self.pid: int | None = None
        self.listener: socket | None = None
        self.layout = Layout(task="/var/task", opt="/opt", runtime="/var/runtime", interpreter="/usr/bin/python3")
        self.calls: list[str] = []
        #: What the runtime of a spare was told.
        self.assigned: list[Any] = []
        #: What its processes were started with.
        self.variables: list[dict[str, str]] = []
        self.frozen = False
        self._backend = backend
        self._events: asyncio.Queue[ProcessExited | Exited] = asyncio.Queue()
        self._processes: dict[int, asyncio.Task[None]] = {}
        self._signals: dict[int, int] = {}
        self._exited: Exited | None = None

    async def start(self, process: ProcessSpec) -> int:
        self.calls.append(f"start {process.name}")
        self.variables.append(dict(process.env))
        link = self._backend.listeners.links[process.env["AWS_LAMBDA_RUNTIME_API"]]
        output, number = os.dup(process.output), len(self._processes) + 1
        extension = process.name.removeprefix("extension-")
        if extension == process.name:
            link.connections(1)
            if process.argv[-1:] == ("ahead",):
                work: Awaitable[None] = self._ahead(dict(process.env), output)
            else:
                work = self._backend.program(FakeRuntime(link, dict(process.env), output))
        else:
            work = self._backend.extensions[extension](FakeExtension(link, dict(process.env), output, extension))
        address = process.env["AWS_LAMBDA_RUNTIME_API"] if extension == process.name else None
        running = self._run(number, work, output, address)
        self._processes[number] = asyncio.get_running_loop().create_task(running)
        return number

    async def _ahead(self, env: dict[str, str], output: int) -> None:
        """The runtime of a spare: once it knows its function, it is the program's."""
        links, address = self._backend.listeners.links, env["AWS_LAMBDA_RUNTIME_API"]
        await self._backend.boot()
        assigned: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        links[address].assignment(self._backend.loaded, assigned.set_result)
        assignment = json.loads(await assigned)
        self.assigned.append(assignment)
        await self._backend.program(FakeRuntime(links[address], assignment["environment"], output))

    async def _run(self, number: int, work: Awaitable[None], output: int, address: str | None) -> None:
        ended = ProcessExited(process=number, code=0)
        try:
            await work
        except Exit as exit_:
            ended = ProcessExited(process=number, code=exit_.code, signal=exit_.signal, oom=exit_.oom)
        except asyncio.CancelledError:
            ended = ProcessExited(process=number, signal=self._signals.get(number, 9))
        finally:
            os.close(output)
            if address is not None:
                self._backend.listeners.links[address].connections(0)
            self._events.put_nowait(ended)

    async def signal(self, process: int, sig: int) -> None:
        self.calls.append(f"signal {process} {int(sig)}")
        if sig not in (signal.SIGSTOP, signal.SIGCONT):  # a task cannot be stopped
            self._signals[process] = int(sig)
            self._processes[process].cancel()

    async def connect(self, port: int) -> socket:
        raise BackendError("there is nothing to connect to")

    async def usage(self) -> Usage:
        return Usage(peak_memory=self._backend.peak_memory, cpu_seconds=0.0)

    async def processes(self) -> tuple[Process, ...]:
        """Those whose program runs still, under numbers of their own."""
        return tuple(
            Process(
                pid=number, name="fake", command="fake runtime", state=ProcessState.SLEEPING, memory=0, cpu_seconds=0.0
            )
            for number, task in self._processes.items()
            if not task.done()
        )

    async def events(self) -> AsyncIterator[ProcessExited | Exited]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Exited):
                return

    async def take_services(self) -> socket | None:
        """It has no network of its own."""
        return None

    async def resize(self, memory_size: int) -> None:
        self.calls.append(f"resize {memory_size}")
        if self._backend.refuse_resize is not None:
            raise BackendError(self._backend.refuse_resize)

    async def settle(self) -> None:
        self.calls.append("settle")

    async def freeze(self) -> None:
        self.calls.append("freeze")
        self.frozen = True

    async def thaw(self) -> None:
        self.calls.append("thaw")
        self.frozen = False

    async def reset(self) -> None:
        self.calls.append("reset")
        await self._kill()
        self.frozen = False

    async def _kill(self) -> None:
        for task in self._processes.values():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def stop(self, grace: float) -> Exited:
        self.calls.append(f"stop {grace:g}")
        await self._kill()
        if self._exited is None:
            self._exited = Exited(reason=ExitReason.STOPPED)
            self._events.put_nowait(self._exited)
        return self._exited


async def _at_once() -> None:
    """Takes no time."""


class FakeBackend:
    """Satisfies the backend contract. `program` is what every runtime process runs; change it between launches."""

    def __init__(self, listeners: FakeListeners, program: Program = echo) -> None:
        self.api_version = API_VERSION
        self.capabilities = Capabilities(
            isolation=True,
            own_network=False,
            mounts=True,
            memory_limit=True,
            freeze=True,
            reset=True,
            networks=frozenset({Network.NONE}),
            connect=True,
            late_code=True,
            processes=True,
        )
        self.listeners = listeners
        self.program = program
        #: What the process of an external extension runs, by the extension's name.
        self.extensions: dict[str, ExtensionProgram] = {}
        self.peak_memory = 40 << 20
        self.environments: list[FakeEnvironment] = []
        self.refuse: str | None = None
        self.refuse_resize: str | None = None
        #: What the runtime of a spare does before it asks for its assignment, and the modules that it then has.
        self.boot: Callable[[], Awaitable[None]] = _at_once
        self.loaded: tuple[str, ...] = ("json", "simplejson")
        #: While set to an event, launches wait for it.
        self.hold: asyncio.Event | None = None

    async def open(self, host: Host) -> None:
        """Nothing to get ready."""

    async def health(self) -> Health:
        return Health(usable=True)

    async def prepare(self, runtime: RuntimeVersion) -> None:
        """Nothing to prepare."""

    async def launch(self, spec: EnvironmentSpec) -> FakeEnvironment:
        if self.refuse is not None:
            raise BackendError(self.refuse)
        if self.hold is not None:
            await self.hold.wait()
        environment = FakeEnvironment(self, spec)
        self.environments.append(environment)
        return environment

    async def aclose(self) -> None:
        for environment in self.environments:
            await environment.stop(0.0)


class FakeRuntimes:
    """Satisfies the engine's `Runtimes`: every identifier given is there, in the `versions`, oldest to newest."""

    def __init__(self, *known: str, versions: tuple[str, ...] = ("1",)) -> None:
        self._known = known or ("python3.12",)
        self.versions = versions
        #: Runtimes that no function may be given any more, and those whose functions may not be updated either.
        self.no_creation: set[str] = set()
        self.no_updates: set[str] = set()

    def known(self) -> tuple[str, ...]:
        return self._known

    def blocked(self, runtime: str, day: date, *, update: bool = False) -> bool:
        return runtime in self.no_updates or (runtime in self.no_creation and not update)

    def deprecation(self, runtime: str) -> date | None:
        return None

    def look(self, runtime: str) -> tuple[str, str] | None:
        return "a fake", ""

    async def installed(self, runtime: str) -> tuple[InstalledRuntime, ...]:
        return tuple(
            InstalledRuntime(runtime=runtime, version=version, arn=self.arn(version)) for version in self.versions
        )

    async def first(self, runtime: str) -> InstalledRuntime | None:
        return (await self.installed(runtime))[-1] if self.versions else None

    async def has(self, runtime: str, arn: str) -> bool:
        return arn in map(self.arn, self.versions)

    def nowhere(self, runtime: str) -> str:
        return self.arn("")

    @staticmethod
    def arn(version: str) -> str:
        """The ARN of a version, of whatever runtime."""
        return f"arn:aws:lambda:us-east-1::runtime:{version.rjust(64, '0')}"

    async def resolve(self, runtime: str, arn: str | None = None) -> RuntimeVersion:
        version = {self.arn(version): version for version in self.versions}.get(arn or self.arn(self.versions[-1]))
        if version is None:
            raise RuntimeUnavailable(f"the runtime version {arn} is no longer on this machine")
        return RuntimeVersion(
            runtime=runtime,
            label=f"{runtime.replace('python', 'python:')}.v{version}",
            arn=self.arn(version),
            client=Path("/var/runtime"),
            command=("{interpreter}", "{runtime}/boot.py", "{handler}"),
            ahead=("{interpreter}", "{runtime}/boot.py", "ahead"),
            interpreter=Path("/usr/bin/python3"),
            prefix=Path("/usr"),
        )
