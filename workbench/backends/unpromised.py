"""What an environment answers to calls that belong to capabilities which its backend has not."""

from __future__ import annotations

from socket import socket

from workbench.model.environments import Process
from workbench.model.errors import BackendError


class Unpromised:
    """Inherit it, and implement what your capabilities promise: then a minor version of the contract breaks nothing.

    The engine does not make these calls of a backend without the capability.
    """

    id: str
    listener: socket | None = None
    pid: int | None = None

    async def connect(self, port: int) -> socket:
        """Belongs to `connect`."""
        raise self._cannot("open connections into it")

    async def processes(self) -> tuple[Process, ...]:
        """Belongs to `processes`."""
        raise self._cannot("tell which processes run in it")

    async def take_services(self) -> socket | None:
        """Belongs to `services`."""
        raise self._cannot("open a listener for the services")

    async def freeze(self) -> None:
        """Belongs to `freeze`."""
        raise self._cannot("freeze it")

    async def thaw(self) -> None:
        """Belongs to `freeze`."""
        raise self._cannot("thaw it")

    async def resize(self, memory_size: int) -> None:
        """Belongs to `late_code`."""
        raise self._cannot("resize it")

    async def settle(self) -> None:
        """Belongs to `boost`."""
        raise self._cannot("change its share of the CPU")

    async def reset(self) -> None:
        """Belongs to `reset`."""
        raise self._cannot("end its processes without it")

    def _cannot(self, what: str) -> BackendError:
        return BackendError(f"environment {self.id}: its backend cannot {what}")
