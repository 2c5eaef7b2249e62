"""What single processes are, for a person who looks: told by number, at the moment of asking."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from workbench.backends import proctable
from workbench.model.environments import Process, ProcessState

#: The letters of proc(5).
_STATES = {
    "R": ProcessState.RUNNING,
    "D": ProcessState.WAITING,
    "T": ProcessState.STOPPED,
    "t": ProcessState.STOPPED,
    "Z": ProcessState.ENDED,
    "X": ProcessState.ENDED,
}
#: Bytes of a command that are read; a process may give itself megabytes.
_COMMAND = 1024


def told(pids: Iterable[int]) -> tuple[Process, ...]:
    """These processes, by pid; one that has ended meanwhile is left out. Some 50 µs each: not for an event loop."""
    tell = _tell_linux if sys.platform == "linux" else _tell_psutil
    found = (tell(pid) for pid in sorted(pids))
    return tuple(process for process in found if process is not None)


def _tell_linux(pid: int) -> Process | None:
    try:
        own, lives = proctable.told(pid)
        with open(f"/proc/{pid}/comm", "rb") as file:
            name = file.read()
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read(_COMMAND)
    except OSError:
        return None
    return Process(
        pid=pid,
        name=_text(name.rstrip(b"\n")),
        command=_text(command.rstrip(b"\0").replace(b"\0", b" ")),
        state=_STATES.get(lives[0].decode("ascii"), ProcessState.SLEEPING),
        memory=int(lives[21]) * os.sysconf("SC_PAGE_SIZE"),
        cpu_seconds=sum(map(int, own[11:13])) / os.sysconf("SC_CLK_TCK"),
    )


def _tell_psutil(pid: int) -> Process | None:
    import psutil  # needed on macOS only

    states = {
        psutil.STATUS_RUNNING: ProcessState.RUNNING,
        psutil.STATUS_DISK_SLEEP: ProcessState.WAITING,
        psutil.STATUS_STOPPED: ProcessState.STOPPED,
        psutil.STATUS_ZOMBIE: ProcessState.ENDED,
    }
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return Process(
                pid=pid,
                name=process.name(),
                command=" ".join(process.cmdline())[:_COMMAND],
                state=states.get(process.status(), ProcessState.SLEEPING),
                memory=process.memory_info().rss,
                cpu_seconds=times.user + times.system,
            )
    except (psutil.Error, OSError):  # ended meanwhile, or another user's
        return None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
