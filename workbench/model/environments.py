"""The life of an execution environment, as states with one name and one glyph each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EnvironmentState(StrEnum):
    CREATING = "creating"
    INIT = "init"
    IDLE = "idle"
    BUSY = "busy"
    FROZEN = "frozen"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def placeable(self) -> bool:
        """Can an invocation be placed here now?"""
        return self in _PLACEABLE

    @property
    def final(self) -> bool:
        return self in _FINAL

    @property
    def glyph(self) -> str:
        """One character, the same on every screen and readable without colour."""
        return _GLYPHS[self]


class Fault(StrEnum):
    """What the runtime of an environment can be made to do.

    It is killed, or ends by a segmentation fault, or stands still until its invocation times out.
    """

    CRASH = "crash"
    SEGFAULT = "segfault"
    STALL = "stall"


class ProcessState(StrEnum):
    """What the kernel says that a process does (proc(5)).

    `waiting` cannot be interrupted, mostly for a disk; `stopped` is by a signal or a debugger; `ended` is a zombie: its
    parent has not asked for its end.
    """

    RUNNING = "running"
    SLEEPING = "sleeping"
    WAITING = "waiting"
    STOPPED = "stopped"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process in an environment, now.

    `pid` is the host's number of it, `name` the kernel's name, `command` its arguments with spaces between (empty for
    one that has ended). Both are what the function made of them: hostile text. `memory` is resident, in bytes, with
    what it shares with others; `cpu_seconds` is since its start.
    """

    pid: int
    name: str
    command: str
    state: ProcessState
    memory: int
    cpu_seconds: float


_PLACEABLE = frozenset({EnvironmentState.IDLE, EnvironmentState.FROZEN})
_FINAL = frozenset({EnvironmentState.STOPPED, EnvironmentState.FAILED})
_GLYPHS = {
    EnvironmentState.CREATING: "▓",
    EnvironmentState.INIT: "▒",
    EnvironmentState.IDLE: "-",
    EnvironmentState.BUSY: "█",
    EnvironmentState.FROZEN: "·",
    EnvironmentState.STOPPING: "s",
    EnvironmentState.STOPPED: "S",
    EnvironmentState.FAILED: "!",
}

#: Which state may follow which. Anything else is a bug in the engine and is refused there.
TRANSITIONS: dict[EnvironmentState, frozenset[EnvironmentState]] = {
    EnvironmentState.CREATING: frozenset(
        {EnvironmentState.INIT, EnvironmentState.STOPPING, EnvironmentState.STOPPED, EnvironmentState.FAILED}
    ),
    EnvironmentState.INIT: frozenset(
        {
            EnvironmentState.INIT,
            EnvironmentState.IDLE,
            EnvironmentState.BUSY,
            EnvironmentState.STOPPING,
            EnvironmentState.FAILED,
        }
    ),
    EnvironmentState.IDLE: frozenset(
        {
            EnvironmentState.INIT,
            EnvironmentState.BUSY,
            EnvironmentState.FROZEN,
            EnvironmentState.STOPPING,
            EnvironmentState.FAILED,
        }
    ),
    EnvironmentState.BUSY: frozenset({EnvironmentState.IDLE, EnvironmentState.STOPPING, EnvironmentState.FAILED}),
    EnvironmentState.FROZEN: frozenset(
        {EnvironmentState.BUSY, EnvironmentState.IDLE, EnvironmentState.STOPPING, EnvironmentState.FAILED}
    ),
    EnvironmentState.STOPPING: frozenset({EnvironmentState.STOPPED, EnvironmentState.FAILED}),
    EnvironmentState.STOPPED: frozenset(),
    EnvironmentState.FAILED: frozenset(),
}
