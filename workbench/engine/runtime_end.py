"""The end of a runtime's process, which is told once everything that it had posted has been read."""

from __future__ import annotations

import signal
from collections.abc import Callable

from workbench.backends.api import ProcessExited
from workbench.engine.init import Init
from workbench.engine.parts import Parts

#: How long the end of a process waits for what the process had posted before to be read.
_EXIT_SECONDS = 0.2


class RuntimeEnd:
    """Watches the runtime that an INIT has started. `told` hears of an end that nobody has asked for."""

    def __init__(self, parts: Parts, told: Callable[[ProcessExited], None]) -> None:
        self._clock = parts.clock
        self._sandbox = parts.sandbox
        self._told = told
        #: The INIT whose runtime is the one that runs.
        self._init: Init | None = None
        self._asked_for = False
        self._open_connections = 0
        self._exit: ProcessExited | None = None

    def watch(self, init: Init) -> None:
        """This INIT's runtime is the one that counts."""
        self._init, self._asked_for, self._exit = init, False, None

    def asked_for(self) -> None:
        """The runtime is told to go: its end is no news."""
        self._asked_for = True

    def forget(self) -> None:
        """An end that has not been told yet is not to be told."""
        self._exit = None

    def exited(self, init: Init, event: ProcessExited) -> None:
        """The process that an INIT has started is gone."""
        if init is not self._init:
            return
        if self._asked_for:
            self._sandbox.alive = False
            return
        self._exit = event
        if self._open_connections == 0:
            self._tell()
        else:
            self._clock.call_later(_EXIT_SECONDS, self._tell)

    def connections(self, count: int) -> None:
        """That many connections to the Runtime API are open now: what came over the others has been read."""
        self._open_connections = count
        if count == 0 and self._exit is not None:
            self._tell()

    def with_sandbox(self, *, oom: bool) -> None:
        """The sandbox has ended, and the runtime with it; how it ended itself may be known already."""
        self._exit = self._exit or ProcessExited(process=0, signal=signal.SIGKILL, oom=oom)
        self._tell()

    def _tell(self) -> None:
        ended, self._exit = self._exit, None
        if ended is None or not self._sandbox.alive:
            return
        self._sandbox.alive = False
        self._sandbox.drain()
        self._told(ended)
