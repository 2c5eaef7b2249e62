"""One spare: an environment that was made ahead and waits, its runtime booted, for the function that it will be of.

Nothing in it is mounted, filtered or given up later than in any other environment. What it lacks is what it is told at
its assignment: code, layers, limits, environment variables and a handler.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.backends.api import Environment, EnvironmentSpec, Exited, Layout, Network, ProcessExited, ProcessSpec
from workbench.engine.answers import forbidden
from workbench.engine.backend_host import BackendHost
from workbench.engine.clock import Clock
from workbench.engine.entrypoint import ahead
from workbench.engine.farms import Farms
from workbench.engine.output import Output
from workbench.engine.ports import Answer, ExtensionsLink, Listener, ListenerFactory, NextEvent, ResponseSink
from workbench.engine.trees import LIBRARIES, Tree
from workbench.engine.variables import boot_variables
from workbench.model.errors import BackendError
from workbench.model.runtimes import RuntimeVersion

#: AWS's smallest function, in MB: a limit that an assignment can only raise.
SMALLEST = 128
#: A runtime that has not asked for its assignment by then does not work.
BOOT_SECONDS = 30.0
_NOTHING = Tree(Path(), (), ())


@dataclass(frozen=True, slots=True)
class Kind:
    """What is fixed when an environment is launched. `command` boots the runtime; empty for one that needs none."""

    backend: str
    arn: str
    network: Network
    tmp_size: int
    command: tuple[str, ...]


class Spare:
    """Satisfies `RuntimeLink` until it is adopted. `on_death` is called when it ends before that, once."""

    def __init__(
        self,
        id: str,
        kind: Kind,
        runtime: RuntimeVersion,
        host: BackendHost,
        clock: Clock,
        farms: Farms,
        on_death: Callable[[Spare], None],
    ) -> None:
        self.id = id
        self.kind = kind
        self.runtime = runtime
        self.born = clock.monotonic_ns()
        self.farms = farms
        self.folder = farms.folder / id
        #: The modules that its runtime has loaded.
        self.loaded: Collection[str] = ()
        #: Why it cannot be used any more.
        self.dead = ""
        self.process: int | None = None
        self.output: Output | None = None
        self.environment: Environment | None = None
        self.listener: Listener | None = None
        self._host = host
        self._clock = clock
        self._on_death = on_death
        self._owner: Callable[[ProcessExited | Exited], None] | None = None
        self._reply: Callable[[bytes], None] | None = None
        self._asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._words: deque[str] = deque(maxlen=5)
        self._closing = False

    # -- its life
    async def boot(self, listeners: ListenerFactory) -> None:
        """Make it, up to where it waits.

        Raises:
            WorkbenchError, OSError: it could not be made; `close` clears away what there is.
        """
        kind, host = self.kind, self._host
        task, opt = self.folder / "task", self.folder / "opt"
        await self.farms.make(self.folder, task, opt, task / LIBRARIES, opt / LIBRARIES)
        spec = EnvironmentSpec(
            id=self.id,
            function="",
            version="",
            runtime=self.runtime,
            task=task,
            opt=opt,
            memory_size=SMALLEST,
            tmp_size=kind.tmp_size,
            network=kind.network,
        )
        self.environment = environment = await host.launch(spec)
        self._check()
        self.listener = await listeners.open(self, environment.listener)
        self._check()
        host.watch(environment, self._on_event)
        if kind.command:
            await self._boot_runtime(environment, boot_variables(self.runtime, environment.layout))
        elif not self._asked.done():
            self._asked.set_result(None)
        self._check()

    async def _boot_runtime(self, environment: Environment, variables: Mapping[str, str]) -> None:
        assert self.listener is not None
        self.output = output = Output(self._words.append)
        process = ProcessSpec(
            name="runtime",
            argv=ahead(self.kind.command, environment.layout),
            env={**variables, "AWS_LAMBDA_RUNTIME_API": self.listener.address},
            cwd=environment.layout.task,
            output=output.write_end,
        )
        try:
            self.process = await self._host.call("start a spare's runtime", environment.start(process), 15)
        finally:
            output.started()
        timer = self._clock.call_later(BOOT_SECONDS, self._die, f"it did not boot within {BOOT_SECONDS:g} s")
        try:
            await self._asked
        finally:
            timer.cancel()

    def _check(self) -> None:
        if self._closing:
            raise BackendError(f"spare {self.id} was ended while it was made")
        if self.dead:
            raise BackendError(f"spare {self.id}: {self.dead}")

    def adopt(self, on_event: Callable[[ProcessExited | Exited], None]) -> tuple[Environment, Listener]:
        """It is somebody's: what happens to it is told there from now on.

        Raises:
            BackendError: it is dead.
        """
        self._check()
        assert self.environment is not None
        assert self.listener is not None
        self._owner = on_event
        return self.environment, self.listener

    def assign(self, environment: Mapping[str, str], layout: Layout, command: Sequence[str]) -> None:
        """Tell its runtime whose it is. `command` is what would start a fresh one."""
        assert self._reply is not None
        assignment = {
            "environment": environment,
            "folder": layout.task,
            "layers": layout.opt,
            "command": command,
        }
        self._reply(json.dumps(assignment).encode())

    async def close(self) -> None:
        """End it, if it was not adopted.

        Raises:
            WorkbenchError: the backend could not end it; the engine's part is let go all the same.
        """
        self._closing = True
        if not self._asked.done():
            self._asked.set_result(None)
        try:
            if self.environment is not None:
                await self._host.call("stop a spare", self.environment.stop(0.0), 10)
        finally:
            if self.listener is not None:
                self.listener.close()
            elif self.environment is not None and self.environment.listener is not None:
                self.environment.listener.close()
            if self.output is not None:
                self.output.close()
            await self.remove()

    async def fill(self, code: Tree, layers: Tree | None) -> None:
        """Put code and layers into the host's folders.

        Raises:
            BackendError: it cannot be done.
        """
        try:
            await self.farms.fill(code, self.folder / "task", self.folder / "beside-task")
            await self.farms.fill(layers or _NOTHING, self.folder / "opt", self.folder / "beside-opt")
        except OSError as error:
            raise BackendError(f"code cannot be linked: {error}") from error

    async def remove(self) -> None:
        """Remove the host's folders of what was linked."""
        await self.farms.remove(self.folder)

    # -- what happens to it
    def _on_event(self, event: ProcessExited | Exited) -> None:
        if self._owner is not None:
            self._owner(event)
        elif isinstance(event, ProcessExited):
            said = f": {' '.join(self._words)}" if self._words else ""
            self._die(f"its runtime ended (code {event.code}, signal {event.signal}){said}")
        else:
            self._die(f"its sandbox ended: {event.detail or event.reason}")

    def _die(self, why: str) -> None:
        if self.dead or self._closing:
            return
        self.dead = why
        if not self._asked.done():
            self._asked.set_result(None)  # whoever makes it sees
        else:
            self._on_death(self)

    # -- the Runtime API, where nobody but the boot program is
    def assignment(self, loaded: Collection[str], reply: Callable[[bytes], None]) -> Answer | None:
        if self._reply is not None or self._asked.done():
            return forbidden("assignment")
        self.loaded, self._reply = frozenset(loaded), reply
        self._asked.set_result(None)
        return None

    def connections(self, count: int) -> None:
        if count == 0 and self._reply is not None and self._owner is None:
            self._die("its runtime does not wait any more")

    def next(self, reply: Callable[[NextEvent], None]) -> Answer | None:
        return forbidden("next")

    def lost(self, reply: Callable[[NextEvent], None]) -> None:
        """Nobody has asked."""

    def respond(self, request_id: str, body: bytes, content_type: str = "") -> Answer:
        return forbidden("response")

    def stream(self, request_id: str, content_type: str, resume: Callable[[], None]) -> ResponseSink | Answer:
        return forbidden("response")

    def fail(self, request_id: str, error_type: str, body: bytes) -> Answer:
        return forbidden("response")

    def fail_init(self, error_type: str, body: bytes) -> Answer:
        return forbidden("init/error")

    @property
    def extensions(self) -> ExtensionsLink:
        return _NoExtensions()


class _NoExtensions:
    """A spare has no extensions. Satisfies `engine.ports.ExtensionsLink`."""

    def register(self, name: str, events: list[str]) -> Answer:
        return forbidden("register")

    def next(self, identifier: str, reply: Callable[[bytes], None]) -> Answer:
        return forbidden("event/next")

    def lost(self, identifier: str) -> None:
        """Nobody has asked."""

    def init_error(self, identifier: str, error_type: str) -> Answer:
        return forbidden("init/error")

    def exit_error(self, identifier: str, error_type: str) -> Answer:
        return forbidden("exit/error")

    def subscribe(self, api: str, identifier: str, read: Callable[[], object]) -> Answer:
        return forbidden("subscribe")
