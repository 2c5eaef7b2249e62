"""The sandbox of one environment, as the engine holds it: the backend's part, its listener, its output, its memory.

It knows processes and nothing of invocations. All calls are made on the engine's loop.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from socket import AF_UNIX, socket

from workbench.backends.api import (
    Environment,
    EnvironmentSpec,
    Exited,
    Layout,
    ProcessExited,
    ProcessSpec,
)
from workbench.engine.backend_host import BackendHost
from workbench.engine.clock import Clock
from workbench.engine.entrypoint import NoEntrypoint, command, image_command
from workbench.engine.invocation import error_payload
from workbench.engine.output import Output
from workbench.engine.ports import Listener, ListenerFactory, RuntimeLink, ServicesRelay, Serving
from workbench.engine.registrations import external_extensions
from workbench.engine.spare import SMALLEST, Spare
from workbench.engine.trees import Tree
from workbench.engine.variables import runtime_variables
from workbench.model.environments import Process
from workbench.model.errors import BackendError, NoWorkingDirectory
from workbench.model.functions import FunctionVersion
from workbench.model.names import Account
from workbench.model.platform import InitializationType
from workbench.model.runtimes import RuntimeVersion

#: Where a sandbox's init listens for what goes to the services.
_SERVICES = ("127.0.0.1", 9002)
#: A peak-memory figure younger than this is good enough for a REPORT line.
_FRESH_NS = 250_000_000


OnExit = Callable[[ProcessExited], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the sandboxes of a version are made of: the runtime, and folders of the host's.

    `notes` are for the function's log.
    """

    runtime: RuntimeVersion
    task: Path
    opt: Path | None
    file_systems: Mapping[str, Path]
    notes: tuple[str, ...] = ()


class Sandbox:
    """One sandbox, from `launch` to `close`. `alive` says whether the runtime's process runs."""

    def __init__(
        self, host: BackendHost, clock: Clock, id: str, version: FunctionVersion, relay: ServicesRelay | None = None
    ) -> None:
        self.alive = False
        self.max_memory_mb = 0
        self.runtime: RuntimeVersion | None = None
        self._host = host
        self._clock = clock
        self._id = id
        self._version = version
        self._relay = relay
        self._services: Serving | None = None
        #: The services' endpoint as seen from inside.
        self._services_url = relay.url if relay is not None else None
        self._spec: EnvironmentSpec | None = None
        self._link: RuntimeLink | None = None
        self._on_gone: Callable[[Exited], None] | None = None
        self._environment: Environment | None = None
        self._layout: Layout | None = None
        #: The spare that this was, and that again while its runtime waits for its assignment.
        self._spare: Spare | None = None
        self._waiting: Spare | None = None
        self._closed = False
        self._listener: Listener | None = None
        #: The output of each process, the runtime's under its name; and who is to hear of its end.
        self._outputs: dict[str, Output] = {}
        self._on_exit: dict[int, OnExit] = {}
        self._early: dict[int, ProcessExited] = {}
        self._process: int | None = None
        #: Set but while the backend starts the runtime: it may ask for its first event before its handle is known.
        self._started = asyncio.Event()
        self._started.set()
        self._measured = -_FRESH_NS

    @property
    def pid(self) -> int | None:
        return self._environment.pid if self._environment is not None else None

    @property
    def resettable(self) -> bool:
        """Can its processes be ended without it?"""
        return self._host.capabilities.reset

    @property
    def extensions(self) -> tuple[str, ...]:
        """The names of the external extensions that layers, or the image, bring."""
        image = self.layout.image
        return tuple(external_extensions(self.opt)) if image is None else image.extensions

    @property
    def opt(self) -> Path | None:
        """The host's folder of what is at /opt."""
        return self._spec.opt if self._spec is not None else None

    @property
    def opt_inside(self) -> str:
        """Where that is as seen from inside; empty where there is none."""
        return self._layout.opt if self._layout is not None else ""

    async def launch(
        self,
        contents: Contents,
        listeners: ListenerFactory,
        link: RuntimeLink,
        on_gone: Callable[[Exited], None],
    ) -> None:
        """Make it, and serve the Runtime API in it.

        Raises:
            WorkbenchError: the backend could not; `close` clears away what there is.
        """
        self.runtime, self._link, self._on_gone = contents.runtime, link, on_gone
        self._spec = self._specified(contents)
        self._environment = await self._host.launch(self._spec)
        self._layout = self._environment.layout
        if self._closed:
            await self.close()
            raise BackendError(f"environment {self._id} was ended while it was made")
        self._listener = await listeners.open(link, self._environment.listener)
        if self._closed:
            self._listener.close()
            raise BackendError(f"environment {self._id} was ended while it was made")
        await self._open_services()
        if self._closed:
            self._listener.close()
            raise BackendError(f"environment {self._id} was ended while it was made")
        self._host.watch(self._environment, self._on_event)

    async def adopt(
        self,
        spare: Spare,
        contents: Contents,
        code: Tree,
        layers: Tree | None,
        link: RuntimeLink,
        on_gone: Callable[[Exited], None],
    ) -> None:
        """Take a spare instead: link code and layers into it, and set its limits. Its runtime is told in INIT.

        Raises:
            WorkbenchError: it cannot serve; nothing of it is left here, and it is still to be closed.
        """
        self.runtime, self._link, self._on_gone = contents.runtime, link, on_gone
        self._spec = spec = self._specified(contents)
        lost: list[ProcessExited | Exited] = []
        self._environment, self._listener = spare.adopt(lost.append)
        self._spare = self._waiting = spare
        try:
            resizing = self._resize(self._environment, spec.memory_size)
            if self._host.capabilities.mounts:
                self._layout = self._environment.layout
                await asyncio.gather(resizing, spare.fill(code, layers))
            else:
                self._layout = replace(self._environment.layout, task=str(spec.task), opt=str(spec.opt or ""))
                await resizing
            await self._open_services()
            if self._closed:
                raise BackendError(f"environment {self._id} was ended while it was made")
            if lost:
                raise BackendError(f"it ended while it was assigned: {lost[0]}")
        except BaseException:
            self._environment = self._listener = self._layout = self._spare = self._waiting = None
            if self._services is not None:
                self._services.close()
            raise
        spare.adopt(self._on_event)
        self._listener.hand_over(link)

    async def _resize(self, environment: Environment, memory_size: int) -> None:
        if memory_size != SMALLEST:
            await self._host.call("resize", environment.resize(memory_size), 5)

    async def _open_services(self) -> None:
        """Let what is inside reach the services, whatever its network is."""
        environment, relay = self._environment, self._relay
        assert environment is not None
        if relay is None or not relay.carries or not self._host.capabilities.services:
            return
        listener = await self._host.call("take the services' listener", environment.take_services(), 5)
        if listener is not None:
            carried = listener.family == AF_UNIX  # by the backend, from the usual place
            host, port = _SERVICES if carried else listener.getsockname()[:2]
            self._services_url = f"http://{host}:{port}"
            self._services = await relay.open(listener)
            if self._closed:  # meanwhile: `close` knew nothing of it
                self._services.close()

    def _specified(self, contents: Contents) -> EnvironmentSpec:
        configuration = self._version.configuration
        network = self._host.network(self._version.name)
        if network not in self._host.capabilities.networks:
            raise BackendError(
                f"backend '{self._host.name}' has no network '{network}' here, which is what {self._version.name} is "
                "to have",
                mend="workbench doctor says what is missing; network in workbench.toml names another",
            )
        return EnvironmentSpec(
            id=self._id,
            function=self._version.name,
            version=self._version.version,
            runtime=contents.runtime,
            task=contents.task,
            opt=contents.opt,
            memory_size=configuration.memory_size,
            tmp_size=configuration.ephemeral_storage,
            network=network,
            file_systems=contents.file_systems,
        )

    @property
    def layout(self) -> Layout:
        """Paths as seen from inside; after `launch` or `adopt`."""
        assert self._layout is not None
        return self._layout

    @property
    def address(self) -> str:
        """`host:port` of the Runtime API as seen from inside; after `launch`."""
        assert self._listener is not None
        return self._listener.address

    async def start(
        self,
        name: str,
        argv: tuple[str, ...],
        env: Mapping[str, str],
        cwd: str,
        on_line: Callable[[str], None],
        on_exit: OnExit,
    ) -> int:
        """Start a process, read its output by lines, and tell of its end, on the engine's loop; its handle.

        Raises:
            WorkbenchError: it could not be started.
        """
        environment = self._environment
        if environment is None or self._closed:
            raise BackendError(f"environment {self._id} has no sandbox to start a process in")
        if (old := self._outputs.pop(name, None)) is not None:
            old.close()
        output = self._outputs[name] = Output(on_line)
        spec = ProcessSpec(name=name, argv=argv, env=env, cwd=cwd, output=output.write_end)
        try:
            process = await self._host.call(f"start {name}", environment.start(spec), 15)
        finally:
            output.started()
        self._on_exit[process] = on_exit
        if (ended := self._early.pop(process, None)) is not None:
            self._exited(ended)
        return process

    async def start_runtime(
        self, account: Account, initialization: InitializationType, on_line: Callable[[str], None], on_exit: OnExit
    ) -> None:
        """Start the runtime's process; after a failed one, again.

        A function that brings its own program and has none that starts fails as one whose runtime could not initialise.

        Raises:
            WorkbenchError: it could not be started.
        """
        spec = self._spec
        assert spec is not None
        layout = self.layout
        folder = layout.task
        try:
            if layout.image is not None:
                argv, folder = image_command(layout.image, self._version.configuration)
            else:
                argv = command(spec.runtime, self._version.configuration, layout, spec.task, spec.opt)
        except NoEntrypoint as error:
            self._not_started("Runtime.InvalidEntrypoint", str(error), on_exit)
            return
        variables = self.variables(account, initialization)
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting.output is not None and waiting.process is not None:
            self._assign(waiting, waiting.output, waiting.process, argv, variables, on_line, on_exit)
            return
        self.alive = True
        self._process = None
        self._started.clear()
        try:
            self._process = await self.start("runtime", argv, variables, folder, on_line, on_exit)
        except BackendError as error:
            if spec.runtime.interpreter is not None or isinstance(error.__cause__, TimeoutError):
                raise
            nowhere = isinstance(error, NoWorkingDirectory)
            # Else it is not a program, or one for another machine.
            self._not_started(f"Runtime.Invalid{'WorkingDir' if nowhere else 'Entrypoint'}", str(error), on_exit)
        finally:
            self._started.set()

    def _assign(
        self,
        spare: Spare,
        output: Output,
        process: int,
        argv: tuple[str, ...],
        variables: Mapping[str, str],
        on_line: Callable[[str], None],
        on_exit: OnExit,
    ) -> None:
        """Tell the runtime that waits whose it is; where it has just ended, whoever starts it hears of that."""
        output.hand_over(on_line)
        self._outputs["runtime"], self._process, self.alive = output, process, True
        self._on_exit[process] = on_exit
        if (ended := self._early.pop(process, None)) is not None:
            self._exited(ended)
            return
        spare.assign(variables, self.layout, argv)

    def variables(self, account: Account, initialization: InitializationType) -> dict[str, str]:
        """The environment variables of the runtime's process."""
        return runtime_variables(
            self._version,
            account,
            self.layout,
            self.address,
            self._id,
            self._clock.time(),
            initialization,
            self._services_url,
        )

    def _not_started(self, error_type: str, why: str, on_exit: OnExit) -> None:
        """Say, in place of the runtime that cannot start, what it would say: that INIT failed; and end as it would."""
        assert self._link is not None
        self.alive, self._process = not self._closed, None
        self._link.fail_init(error_type, error_payload(error_type, why))
        on_exit(ProcessExited(process=0, code=1))

    async def signal(self, process: int, number: int) -> None:
        """Send a signal to a process and what it started in its group; one that is gone is not an error."""
        if self._environment is not None:
            await self._host.call("send a signal", self._environment.signal(process, number), 5)

    async def started(self) -> None:
        """Wait until the runtime that is being started can be sent signals, or could not be started."""
        await self._started.wait()

    async def signal_runtime(self, number: int) -> None:
        """Send a signal to the runtime's process, if it runs."""
        if self.alive and self._process is not None:
            await self.signal(self._process, number)

    async def reset(self) -> None:
        """End every process at once, and keep the rest. Nobody is told of their ends.

        Raises:
            WorkbenchError: the backend could not.
        """
        environment = self._environment
        if environment is None:
            return
        ended = list(self._on_exit)
        if (waiting := self._waiting) is not None and waiting.process is not None:
            ended.append(waiting.process)  # an extension failed before it had its assignment
            if waiting.output is not None:
                waiting.output.close()
        self.alive, self._process, self._waiting = False, None, None
        if self.resettable:
            await self._host.call("reset", environment.reset(), 5)
        else:
            for process in ended:
                await self.signal(process, signal.SIGKILL)
        if self._listener is not None:
            self._listener.hang_up()
        self._on_exit = dict.fromkeys(ended, _ignore)
        for name in list(self._outputs):
            self._outputs.pop(name).close()

    def _on_event(self, event: ProcessExited | Exited) -> None:
        if isinstance(event, ProcessExited):
            self._exited(event)
        elif self._on_gone is not None:
            self._on_gone(event)

    def _exited(self, ended: ProcessExited) -> None:
        """Tell whoever started the process; one whose start has not been answered yet is told about after that."""
        if (heard := self._on_exit.pop(ended.process, None)) is not None:
            heard(ended)
        else:
            self._early[ended.process] = ended

    def drain(self, name: str = "runtime") -> None:
        """Take in all that a process wrote up to now."""
        if (output := self._outputs.get(name)) is not None:
            output.drain()

    @property
    def can_connect(self) -> bool:
        """Can connections be opened to what listens inside?"""
        return self._host.capabilities.connect

    async def connect(self, port: int) -> socket:
        """A connection to a port inside.

        Raises:
            WorkbenchError: nothing listens there, or the backend failed.
        """
        if self._environment is None or self._closed:
            raise BackendError(f"environment {self._id} has nothing to connect to")
        return await self._host.call("connect", self._environment.connect(port), 5)

    @property
    def measured_lately(self) -> bool:
        return self._clock.monotonic_ns() - self._measured < _FRESH_NS

    async def measure(self, seconds: float = 1.0) -> None:
        """Bring `max_memory_mb` up to date.

        Raises:
            WorkbenchError: the backend could not say.
        """
        if self._environment is not None:
            usage = await self._host.call("measure", self._environment.usage(), seconds)
            self._measured = self._clock.monotonic_ns()
            self.max_memory_mb = max(self.max_memory_mb, -(-usage.peak_memory // 1_048_576))

    async def processes(self) -> tuple[Process, ...]:
        """What runs inside now; nothing while there is no sandbox.

        Raises:
            WorkbenchError: the backend cannot say, or could not.
        """
        if not self._host.capabilities.processes:
            raise BackendError(f"backend '{self._host.name}' cannot tell here which processes its environments have")
        if self._environment is None or self._closed:
            return ()
        return await self._host.call("tell its processes", self._environment.processes(), 5)

    async def settle(self) -> None:
        """INIT is over: the share of the CPU is the memory's from now on.

        Raises:
            WorkbenchError: the backend could not.
        """
        if self._environment is not None and self._host.capabilities.boost:
            await self._host.call("settle", self._environment.settle(), 5)

    async def freeze(self) -> None:
        if self._environment is not None:
            await self._host.call("freeze", self._environment.freeze(), 5)

    async def thaw(self) -> None:
        if self._environment is not None:
            await self._host.call("thaw", self._environment.thaw(), 5)

    async def close(self) -> None:
        """End everything in it. The processes go before their listener, so that none sees it vanish.

        Raises:
            WorkbenchError: the backend could not end it; the engine's part is let go all the same.
        """
        self.alive = False
        self._closed = True
        try:
            if self._environment is not None:
                await self._host.call("stop", self._environment.stop(0.0), 10)
        finally:
            if self._listener is not None:
                self._listener.close()
            elif self._environment is not None and self._environment.listener is not None:
                self._environment.listener.close()
            if self._services is not None:
                self._services.close()
            for output in self._outputs.values():
                output.close()
            if self._spare is not None:
                if self._spare.output is not None:
                    self._spare.output.close()
                await self._spare.remove()


def _ignore(ended: ProcessExited) -> None:
    """Of an earlier life of the sandbox."""
