"""The keeper: nothing outlives the engine, not even when it is killed without a word.

As a program (`python -I -S keeper.py`, standard library only) it reads lines from a pipe whose other end only the
engine holds: `+pgid 123`, `-pgid 123`, `+cgroup /path`, `-cgroup /path`. At end of file, which the kernel brings about
however the engine died, it kills all that is still named and exits. `Keeper` is the engine's side of it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False  # not from typing: its import would double the keeper's start
if TYPE_CHECKING:
    import subprocess

KINDS = ("pgid", "cgroup")
#: How long the keeper goes on trying to empty a cgroup. Killing takes milliseconds; a process in an uninterruptible
#: wait can take longer, and nobody is waiting for the keeper.
PATIENCE = 10.0


# -- what both sides need --------------------------------------------------------------------------------------------


def kill_group(pgid: int) -> None:
    """SIGKILL a process group; one that is gone is not an error."""
    # EPERM is macOS's answer for a group of zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signal.SIGKILL)


def kill_cgroup(folder: str) -> None:
    """SIGKILL everything in one cgroup folder, of version 1 or 2, frozen or not."""
    if os.path.exists(f"{folder}/cgroup.kill"):
        with suppress(FileNotFoundError):
            _write(f"{folder}/cgroup.kill", "1")
        return
    for pid in cgroup_pids(folder):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    # A process that the version 1 freezer holds dies only when it is let go; by then the signal is pending, so it
    # executes no instruction of its own.
    for name, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        if os.path.exists(f"{folder}/{name}"):
            with suppress(FileNotFoundError):
                _write(f"{folder}/{name}", value)


def cgroup_pids(folder: str) -> list[int]:
    """The processes in one cgroup folder; none when it is gone."""
    try:
        with open(f"{folder}/cgroup.procs", encoding="ascii") as file:
            return [int(line) for line in file]
    except OSError:  # ENOENT, or ENODEV: removed between open and read
        return []


def _write(path: str, value: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(value)


# -- the program -----------------------------------------------------------------------------------------------------


def main() -> None:
    """Read until the engine is gone, then end what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    named: dict[tuple[str, str], None] = {}
    rest = b""
    while chunk := os.read(0, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            sign, kind, value = chr(line[0]), *os.fsdecode(line[1:]).split(" ", 1)
            if sign == "+":
                named[kind, value] = None
            else:
                named.pop((kind, value), None)
    end(named)


def end(named: dict[tuple[str, str], None]) -> None:
    """Kill all that is named, and remove the cgroups."""
    groups = [int(value) for kind, value in named if kind == "pgid"]
    folders = [value for kind, value in named if kind == "cgroup"]
    for _ in range(2):  # the second round meets what was being forked during the first
        for folder in folders:
            kill_cgroup(folder)
        for group in groups:
            kill_group(group)
        if groups or folders:
            time.sleep(0.02)
    give_up = time.monotonic() + PATIENCE
    while folders and time.monotonic() < give_up:
        folders = [folder for folder in folders if not _removed(folder)]
        if folders:
            time.sleep(0.02)


def _removed(folder: str) -> bool:
    kill_cgroup(folder)
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:  # still a process in it
        return False
    return True


# -- the engine's side -----------------------------------------------------------------------------------------------


class Keeper:
    """Starts the keeper process with the first guard. Thread-safe; a keeper that was killed is replaced."""

    def __init__(self) -> None:
        # Imported here and not above: the program must start fast, and needs neither.
        import threading

        self._lock = threading.Lock()
        self._named: dict[tuple[str, str], None] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The keeper's process id, once it runs."""
        return self._process.pid if self._process else None

    def guard(self, kind: str, value: str) -> None:
        """Name a process group (`pgid`) or a cgroup folder (`cgroup`) that must not outlive this process."""
        _check(kind, value)
        with self._lock:
            if self._closed:
                raise RuntimeError("the keeper is closed")
            self._named[kind, value] = None
            self._send(f"+{kind} {value}\n")

    def unguard(self, kind: str, value: str) -> None:
        """Take a name back. One that was never given is not an error."""
        _check(kind, value)
        with self._lock:
            if (kind, value) not in self._named:
                return
            del self._named[kind, value]
            if self._process is not None:
                self._send(f"-{kind} {value}\n")

    def close(self) -> None:
        """End what is still named, and the keeper with it; returns when both are gone."""
        with self._lock:
            self._closed = True
            self._end()

    def _send(self, line: str) -> None:
        if self._process is None:
            self._start()
            return
        try:
            self._write(line)
        except BrokenPipeError:
            self._end()
            self._start()

    def _start(self) -> None:
        import subprocess

        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", os.path.abspath(__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            bufsize=0,
            start_new_session=True,
        )
        for kind, value in self._named:
            self._write(f"+{kind} {value}\n")

    def _end(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _write(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(os.fsencode(line))


def _check(kind: str, value: str) -> None:
    if kind not in KINDS or "\n" in value or (kind == "pgid" and not value.isdecimal()):
        raise ValueError(f"cannot guard {kind} {value!r}")


if __name__ == "__main__":
    main()
