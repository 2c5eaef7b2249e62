"""Starting processes on this machine, and learning of their end without a thread each.

No `preexec_fn` anywhere: code between fork and exec in a program with threads can deadlock, and forbids vfork.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from workbench.backends import keeper
from workbench.backends.api import ProcessExited
from workbench.model.errors import BackendError

#: How a process ended (negative: the signal that ended it), and what it used together with the children it waited for.
OnEnd = Callable[[int, resource.struct_rusage], None]


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.STDOUT,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process in a session and process group of its own, with no descriptors but 0-2 and `pass_fds`.

    Raises:
        BackendError: it cannot be started.
    """
    try:
        return subprocess.Popen(
            list(argv),
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            close_fds=True,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
        raise BackendError(f"cannot start {argv[0]}: {getattr(error, 'strerror', None) or error}") from error


def watch(process: subprocess.Popen[bytes], on_end: OnEnd) -> None:
    """Call `on_end` on the running loop when the process has ended and was reaped.

    Whatever it left in its process group is ended with it.
    """
    loop = asyncio.get_running_loop()
    pid = process.pid
    pidfd = _pidfd(pid)
    if pidfd is None:
        threading.Thread(target=_wait, args=(process, loop, on_end), name=f"wait-{pid}", daemon=True).start()
        return

    def ended() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        # Before it is reaped: until then nothing else can have this number.
        keeper.kill_group(pid)
        on_end(*_reap(process))

    loop.add_reader(pidfd, ended)


def ended_as(process: int, returncode: int, *, oom: bool = False) -> ProcessExited:
    """The event that tells of an end."""
    if returncode < 0:
        return ProcessExited(process=process, signal=-returncode, oom=oom)
    return ProcessExited(process=process, code=returncode, oom=oom)


def cpu_seconds(usage: resource.struct_rusage) -> float:
    """User and system time together."""
    return usage.ru_utime + usage.ru_stime


def peak_bytes(usage: resource.struct_rusage) -> int:
    """The peak resident set."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _pidfd(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # a kernel before 5.3, or a sandbox that forbids it
        return None


def _reap(process: subprocess.Popen[bytes]) -> tuple[int, resource.struct_rusage]:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage


def _wait(process: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop, on_end: OnEnd) -> None:
    code, usage = _reap(process)
    keeper.kill_group(process.pid)
    if not loop.is_closed():
        loop.call_soon_threadsafe(on_end, code, usage)
