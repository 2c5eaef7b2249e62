"""The extensions of one environment, as its life asks for them.

INIT starts the external ones before the runtime and is over when the runtime and every extension have asked for their
next event; an invocation is over when the runtime and every extension that subscribed to INVOKE have; SHUTDOWN gives
them time. Source: Lambda Developer Guide, "Using the Lambda Extensions API to create extensions".
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from workbench.engine.journal import Journal
from workbench.engine.ports import NextEvent
from workbench.engine.sandbox import Sandbox


class ShutdownReason(StrEnum):
    SPINDOWN = "spindown"
    TIMEOUT = "timeout"
    FAILURE = "failure"


class ExtensionFailed(Exception):
    """An extension could not be started, or reported that it could not initialise."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class Extensions:
    """`settled` is called whenever `ready` has become true; `failed`, with an error type, when one ended too early."""

    def __init__(
        self, sandbox: Sandbox, journal: Journal, settled: Callable[[], None], failed: Callable[[str], None]
    ) -> None:
        self._sandbox = sandbox
        self._journal = journal
        self._settled = settled
        self._failed = failed

    @property
    def any(self) -> bool:
        """Has one registered?"""
        return False

    @property
    def ready(self) -> bool:
        """Has every extension that takes part in this phase asked for its next event?"""
        return True

    @property
    def budget(self) -> float:
        """Seconds that SHUTDOWN may take."""
        return 0.0

    async def launch(self) -> None:
        """Start every external extension, and wait until each has registered. Then the runtime starts.

        Raises:
            ExtensionFailed: one could not be started, ended, or gave up.
            WorkbenchError: the backend failed.
        """

    def initialised(self) -> None:
        """INIT is over: nothing registers any more."""

    def invoke(self, event: NextEvent) -> None:
        """An invocation begins: those that subscribed to INVOKE get the event, or have it when they ask."""

    async def shutdown(self, reason: ShutdownReason, seconds: float) -> None:
        """Give those that subscribed to SHUTDOWN the event, kill the others, and wait at most `seconds` for all to end.

        The runtime is gone by then. What still runs afterwards is killed with the sandbox or by its reset.
        """

    def reset(self) -> None:
        """Every process is gone: forget who registered."""
