"""A backend's environment as the engine holds it: what a plugin answers is looked at before it is believed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from socket import socket
from typing import Any, TypeVar

from workbench.backends.api import Environment, EnvironmentSpec, Exited, Layout, ProcessExited, ProcessSpec, Usage
from workbench.model.environments import Process, ProcessState
from workbench.model.errors import BackendError

T = TypeVar("T")
_OF_A_PROCESS = {"pid": int, "name": str, "command": str, "state": ProcessState, "memory": int, "cpu_seconds": float}
_CALLS = ("start", "signal", "usage", "events", "stop")


def believed(backend: str, what: str, answer: object, kind: type[T]) -> T:
    """The answer, if it is of the kind that the contract names.

    Raises:
        BackendError: it is not.
    """
    if not isinstance(answer, kind):
        raise BackendError(f"backend '{backend}' answered {what} with {_a(answer)}, not with {kind.__name__}")
    return answer


class GuardedEnvironment:
    """Satisfies `Environment`. All of it but the plain attributes is used on the backend's loop."""

    def __init__(self, backend: str, environment: Any, spec: EnvironmentSpec) -> None:
        lacking = [name for name in ("id", "layout", "listener", "pid", *_CALLS) if not hasattr(environment, name)]
        if lacking:
            raise BackendError(f"backend '{backend}' launched {_a(environment)}: it has no {', '.join(lacking)}")
        if environment.id != spec.id:
            raise BackendError(f"backend '{backend}' launched another environment than {spec.id}")
        self.id = spec.id
        self.layout = believed(backend, "layout", environment.layout, Layout)
        self.listener: socket | None = environment.listener
        if self.listener is not None:
            believed(backend, "listener", self.listener, socket)
        self.pid: int | None = environment.pid
        if self.pid is not None:
            believed(backend, "pid", self.pid, int)
        self._backend = backend
        self._environment: Environment = environment

    async def start(self, process: ProcessSpec) -> int:
        return believed(self._backend, "start", await self._environment.start(process), int)

    async def signal(self, process: int, sig: int) -> None:
        await self._environment.signal(process, sig)

    async def usage(self) -> Usage:
        usage = believed(self._backend, "usage", await self._environment.usage(), Usage)
        believed(self._backend, "usage", usage.peak_memory, int)
        return usage

    async def processes(self) -> tuple[Process, ...]:
        told = believed(self._backend, "processes", await self._environment.processes(), tuple)
        for process in told:
            believed(self._backend, "processes", process, Process)
            for name, kind in _OF_A_PROCESS.items():
                believed(self._backend, f"processes.{name}", getattr(process, name), kind)
        return told

    async def connect(self, port: int) -> socket:
        return believed(self._backend, "connect", await self._environment.connect(port), socket)

    async def take_services(self) -> socket | None:
        taken = await self._environment.take_services()
        return None if taken is None else believed(self._backend, "take_services", taken, socket)

    async def events(self) -> AsyncIterator[ProcessExited | Exited]:
        async for event in self._environment.events():
            if not isinstance(event, ProcessExited):
                believed(self._backend, "events", event, Exited)
            yield event

    async def freeze(self) -> None:
        await self._environment.freeze()

    async def thaw(self) -> None:
        await self._environment.thaw()

    async def resize(self, memory_size: int) -> None:
        await self._environment.resize(memory_size)

    async def settle(self) -> None:
        await self._environment.settle()

    async def reset(self) -> None:
        await self._environment.reset()

    async def stop(self, grace: float) -> Exited:
        return believed(self._backend, "stop", await self._environment.stop(grace), Exited)


def _a(thing: object) -> str:
    """What it is, without asking itself."""
    return f"something of type {type(thing).__name__}"
