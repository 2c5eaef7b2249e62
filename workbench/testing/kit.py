"""Drives a backend for a check: environments that are always ended, programs whose output and end can be awaited."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from workbench.backends.api import (
    Backend,
    Capabilities,
    Environment,
    EnvironmentSpec,
    Exited,
    Network,
    ProcessExited,
    ProcessSpec,
)
from workbench.model.errors import WorkbenchError
from workbench.model.runtimes import RuntimeVersion

#: No single step of a check may take longer.
PATIENCE = 10.0

#: A program that says when it runs, and then does nothing for longer than any check takes.
SLEEP = "import time; print('up', flush=True); time.sleep(60)"

#: Of environments, so that a run does not meet what another in this process has left.
_NUMBERS = itertools.count(1)
T = TypeVar("T")


class NotConforming(AssertionError):
    """The backend breaks the contract."""


Check = Callable[["Subject"], Awaitable[None]]
#: All checks, by what they hold.
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Make a function one of the checks."""
    CHECKS[getattr(function, "__name__", "")] = function
    return function


def check_if(promised: Callable[[Capabilities], object]) -> Callable[[Check], Check]:
    """Make a function one of the checks, of what only some capabilities promise."""

    def register(function: Check) -> Check:
        @functools.wraps(function)
        async def ask(subject: Subject) -> None:
            subject.asked = bool(promised(subject.backend.capabilities))
            if subject.asked:
                await function(subject)

        return check(ask)

    return register


def expect(holds: object, otherwise: str) -> None:
    """Raise unless it holds."""
    if not holds:
        raise NotConforming(otherwise)


@dataclass
class Subject:
    """An opened backend under test, with a runtime to run Python programs on and a folder to work in."""

    backend: Backend
    runtime: RuntimeVersion
    folder: Path
    guarded: set[tuple[str, str]] = field(default_factory=set)
    #: The id that the last environment should have.
    last_id: str = ""
    #: Was the check made? What is not promised is not asked.
    asked: bool = True

    @asynccontextmanager
    async def environment(
        self, *, memory_size: int = 128, network: Network | None = None, file_systems: Mapping[str, Path] | None = None
    ) -> AsyncIterator[Running]:
        """An environment that is stopped at the end; by default on the narrowest network that the backend has."""
        spec = replace(self.spec(memory_size=memory_size, network=network), file_systems=file_systems or {})
        environment = await in_time(self.backend.launch(spec), "launch")
        running = Running(environment, self.backend.capabilities.mounts, spec.task)
        try:
            yield running
        except BaseException:
            with suppress(NotConforming, WorkbenchError):  # what went wrong first says more
                await running.end()
            raise
        await running.end()

    def maker(self) -> str:
        """How another process makes the same backend: `module:class`, called without arguments.

        Raises:
            NotConforming: nothing importable does.
        """
        kind = type(self.backend)
        if "<locals>" in kind.__qualname__ or kind.__module__ == "__main__":
            raise NotConforming(
                f"another process cannot import {kind.__qualname__}: define the backend's class at the top of a module"
            )
        return f"{kind.__module__}:{kind.__qualname__}"

    def spec(self, *, memory_size: int = 128, network: Network | None = None) -> EnvironmentSpec:
        """What to launch: an environment with a folder of its own at /var/task."""
        number = next(_NUMBERS)
        self.last_id = f"conformance-{os.getpid()}-{number}"
        task = self.folder / f"task{number}"
        task.mkdir(mode=0o755)
        (task / "file").write_text("from the host")
        networks = self.backend.capabilities.networks
        narrowest = next(one for one in (Network.NONE, Network.INTERNET, Network.HOST) if one in networks)
        return EnvironmentSpec(
            id=self.last_id,
            function="conformance",
            version="1",
            runtime=self.runtime,
            task=task,
            opt=None,
            memory_size=memory_size,
            network=network or narrowest,
        )


@dataclass
class Running:
    """An environment, with its events collected and its programs' output read."""

    environment: Environment
    mounts: bool
    task: Path
    events: list[ProcessExited | Exited] = field(default_factory=list)
    _reader: asyncio.Task[None] | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._reader = asyncio.get_running_loop().create_task(self._collect())

    async def _collect(self) -> None:
        async for event in self.environment.events():
            self.events.append(event)
            self._news.set()

    async def start(self, code: str, *, env: Mapping[str, str] | None = None, read: bool = True) -> Program:
        """Run a Python program; unless `read`, nobody reads its output until `Output.resume`."""
        layout = self.environment.layout
        variables = {"LANG": "C.UTF-8", **(env or {})}
        if self.mounts:  # as on AWS; an interpreter with a shared library needs it
            variables["LD_LIBRARY_PATH"] = "/var/lang/lib"
        source, write = os.pipe()
        try:
            spec = ProcessSpec(
                name="program",
                argv=(layout.interpreter, "-I", "-S", "-c", code),
                env=variables,
                cwd=layout.task,
                output=write,
            )
            handle = await in_time(self.environment.start(spec), "start")
        except BaseException:
            os.close(source)
            raise
        finally:
            os.close(write)
        return Program(handle, Output(source, reading=read), variables)

    async def exit_of(self, program: Program) -> ProcessExited:
        """Wait for a program's end."""

        async def wait() -> ProcessExited:
            while True:
                for event in self.events:
                    if isinstance(event, ProcessExited) and event.process == program.handle:
                        return event
                self._news.clear()
                await self._news.wait()

        return await in_time(wait(), "the ProcessExited event")

    async def end(self) -> None:
        """Stop it, and read its events."""
        await in_time(self.environment.stop(0), "stop")
        await self.close()

    async def close(self) -> None:
        """Read the events to their end."""
        assert self._reader is not None
        await in_time(asyncio.shield(self._reader), "the end of the events")
        if self.environment.listener is not None:
            self.environment.listener.close()


class Output:
    """What a program writes, read as it comes."""

    def __init__(self, descriptor: int, *, reading: bool = True) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)
        self._text = bytearray()
        self._more = asyncio.Event()
        self._over = False
        if reading:
            self.resume()

    def resume(self) -> None:
        """Begin to read."""
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)

    def _readable(self) -> None:
        chunk = os.read(self._descriptor, 65536)
        self._text += chunk
        if not chunk:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._over = True
        self._more.set()

    async def line(self) -> str:
        """The next line."""

        async def wait() -> str:
            while b"\n" not in self._text:
                expect(not self._over, f"a line was expected, the output ended with {bytes(self._text)!r}")
                self._more.clear()
                await self._more.wait()
            line, _, rest = bytes(self._text).partition(b"\n")
            self._text = bytearray(rest)
            return line.decode()

        return await in_time(wait(), "a line of output")

    async def all(self) -> str:
        """All that is left, to the end: when the last process that could write is gone."""

        async def wait() -> str:
            while not self._over:
                self._more.clear()
                await self._more.wait()
            return self._text.decode()

        return await in_time(wait(), "the end of the output (a process that holds it is left)")


@dataclass
class Program:
    """A started program. `env` is what it was given."""

    handle: int
    output: Output
    env: Mapping[str, str]


async def in_time(step: Awaitable[T], what: str) -> T:
    """Await one step of a check. A call of a backend raises nothing but the errors of `workbench.model.errors`."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await step
    except TimeoutError:
        raise NotConforming(f"{what}: not within {PATIENCE:g} s") from None
    except (NotConforming, WorkbenchError):
        raise
    except Exception as error:
        raise NotConforming(f"{what} raised {type(error).__name__}: {error}") from error
