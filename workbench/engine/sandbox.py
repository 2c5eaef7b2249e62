"""The sandbox of one environment, as the engine holds it: the backend's part, its listener, its output, its memory.

It knows processes and nothing of invocations. All calls are made on the engine's loop.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from workbench.backends.api import Environment, EnvironmentSpec, Exited, ProcessExited, ProcessSpec
from workbench.engine.backend_host import BackendHost
from workbench.engine.clock import Clock
from workbench.engine.entrypoint import NoEntrypoint, command
from workbench.engine.invocation import error_payload
from workbench.engine.output import Output
from workbench.engine.ports import Listener, ListenerFactory, RuntimeLink
from workbench.engine.variables import runtime_variables
from workbench.model.errors import BackendError
from workbench.model.functions import FunctionVersion
from workbench.model.names import Account
from workbench.model.runtimes import RuntimeVersion

#: A peak-memory figure younger than this is good enough for a REPORT line.
_FRESH_NS = 250_000_000
#: Networks in the order in which a function gets them: the widest that is safe first.
_NETWORKS = ("internet", "none", "host")


class Sandbox:
    """One sandbox, from `launch` to `close`. `alive` says whether the runtime's process runs."""

    def __init__(self, host: BackendHost, clock: Clock, id: str, version: FunctionVersion) -> None:
        self.alive = False
        self.max_memory_mb = 0
        self.runtime: RuntimeVersion | None = None
        self._host = host
        self._clock = clock
        self._id = id
        self._version = version
        self._spec: EnvironmentSpec | None = None
        self._link: RuntimeLink | None = None
        self._on_event: Callable[[ProcessExited | Exited], None] | None = None
        self._environment: Environment | None = None
        self._closed = False
        self._listener: Listener | None = None
        self._output: Output | None = None
        self._process: int | None = None
        self._measured = -_FRESH_NS

    @property
    def pid(self) -> int | None:
        return self._environment.pid if self._environment is not None else None

    async def launch(
        self,
        runtime: RuntimeVersion,
        task: Path,
        listeners: ListenerFactory,
        link: RuntimeLink,
        on_event: Callable[[ProcessExited | Exited], None],
    ) -> None:
        """Make it, and serve the Runtime API in it.

        Raises:
            WorkbenchError: the backend could not; `close` clears away what there is.
        """
        configuration = self._version.configuration
        self.runtime, self._link, self._on_event = runtime, link, on_event
        self._spec = EnvironmentSpec(
            id=self._id,
            function=self._version.name,
            version=self._version.version,
            runtime=runtime,
            task=task,
            opt=None,
            memory_size=configuration.memory_size,
            tmp_size=configuration.ephemeral_storage,
            network=min(self._host.capabilities.networks, key=_NETWORKS.index),
        )
        self._environment = await self._host.launch(self._spec)
        if self._closed:
            await self.close()
            raise BackendError(f"environment {self._id} was ended while it was made")
        self._listener = await listeners.open(link, self._environment.listener)
        if self._closed:
            self._listener.close()
            raise BackendError(f"environment {self._id} was ended while it was made")
        self._host.watch(self._environment, on_event)

    async def start_runtime(self, account: Account, on_line: Callable[[str], None]) -> None:
        """Start the runtime's process; after a failed one, again.

        A function that brings its own program and has none that starts fails as one whose runtime could not initialise.

        Raises:
            WorkbenchError: it could not be started.
        """
        environment, listener, spec = self._environment, self._listener, self._spec
        if environment is None or listener is None or spec is None:
            raise BackendError(f"environment {self._id} has no sandbox to start a runtime in")
        if self._output is not None:
            self._output.close()
        layout = environment.layout
        try:
            argv = command(spec.runtime, self._version.configuration, layout, spec.task, spec.opt)
        except NoEntrypoint as error:
            self._invalid_entrypoint(str(error))
            return
        output = self._output = Output(on_line)
        process = ProcessSpec(
            name="runtime",
            argv=argv,
            env=runtime_variables(self._version, account, layout, listener.address, self._id, self._clock.time()),
            cwd=layout.task,
            output=output.write_end,
        )
        self.alive = True
        try:
            self._process = await self._host.call("start the runtime", environment.start(process), 15)
        except BackendError as error:
            if spec.runtime.interpreter is not None or isinstance(error.__cause__, TimeoutError):
                raise
            self._invalid_entrypoint(str(error))  # not a program, or one for another machine
        finally:
            output.started()

    def _invalid_entrypoint(self, why: str) -> None:
        """Say, in place of the runtime that cannot start, what it would say: that INIT failed; and end as it would."""
        assert self._link is not None
        assert self._on_event is not None
        self.alive, self._process = not self._closed, None
        self._link.fail_init("Runtime.InvalidEntrypoint", error_payload("Runtime.InvalidEntrypoint", why))
        self._on_event(ProcessExited(process=0, code=1))

    async def kill_runtime(self) -> None:
        """SIGKILL for the runtime's process, if it runs; its end is told as an event."""
        if self.alive and self._process is not None and self._environment is not None:
            await self._host.call("end the runtime", self._environment.signal(self._process, signal.SIGKILL), 5)

    def drain(self) -> None:
        """Take in all that was written up to now."""
        if self._output is not None:
            self._output.drain()

    @property
    def measured_lately(self) -> bool:
        return self._clock.monotonic_ns() - self._measured < _FRESH_NS

    async def measure(self) -> None:
        """Bring `max_memory_mb` up to date.

        Raises:
            WorkbenchError: the backend could not say.
        """
        if self._environment is not None:
            usage = await self._host.call("measure", self._environment.usage(), 1)
            self._measured = self._clock.monotonic_ns()
            self.max_memory_mb = max(self.max_memory_mb, -(-usage.peak_memory // 1_048_576))

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
            if self._output is not None:
                self._output.close()
