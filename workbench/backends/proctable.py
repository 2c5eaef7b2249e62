"""What processes use, read from the table of processes: for machines where no cgroup counts and limits."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

#: How often memory is measured where nothing better enforces the limit.
SAMPLE_EVERY = 0.1
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Row:
    """One process: resident memory in bytes, CPU time in seconds.

    thread: one that runs still, under whose number the kernel tells of memory and files when the first has ended.
    awake: it is not stopped, nor about to end.
    """

    pid: int
    ppid: int
    pgid: int
    rss: int
    cpu: float
    thread: int
    awake: bool


def table() -> list[Row]:
    """Every process that this user can see. A few milliseconds: not for an event loop."""
    return _table_linux() if sys.platform == "linux" else _table_psutil()


def family(rows: Iterable[Row], roots: Iterable[int]) -> list[Row]:
    """The roots, their descendants, and the members of the process groups that the roots lead."""
    wanted = set(roots)
    rows = list(rows)
    found: dict[int, Row] = {row.pid: row for row in rows if row.pid in wanted or row.pgid in wanted}
    grown = True
    while grown:
        more = [row for row in rows if row.pid not in found and row.ppid in found]
        found.update((row.pid, row) for row in more)
        grown = bool(more)
    return list(found.values())


def resident_peak(pids: Iterable[int]) -> int:
    """The sum of the peaks of resident memory of some processes, in bytes; Linux only. Some 20 µs each."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status", "rb") as file:
                text = file.read()
        except OSError:  # ended meanwhile
            continue
        _, found, rest = text.partition(b"\nVmHWM:")  # a zombie has none
        total += int(rest.split(None, 1)[0]) * 1024 if found else 0
    return total


def shared_fairly(rows: Iterable[Row]) -> int:
    """Memory in bytes with each shared page counted once: what a fork has in common with its parent weighs nothing.

    Linux tells; elsewhere, and where it may not be read, resident memory has to do.
    """
    total = 0
    for row in rows:
        try:
            with open(f"/proc/{row.thread}/smaps_rollup", "rb") as file:
                _, found, rest = file.read().partition(b"\nPss:")
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        except OSError:
            found = b""
        total += int(rest.split(None, 1)[0]) * 1024 if found else row.rss
    return total


@dataclass(slots=True)
class Watched:
    """One environment: its root processes now, its limit in bytes, and what to do beyond it.

    more: bytes that these processes have beyond what is resident. measure: tells all of them in place of the process
    table. look: is shown these processes each time. All three are called in a thread.
    """

    roots: Callable[[], Sequence[int]]
    limit: int
    over: Callable[[], None]
    peak: int = 0
    more: Callable[[list[Row]], int] = lambda _: 0
    measure: Callable[[], int] | None = None
    look: Callable[[list[Row]], None] | None = None

    @property
    def needs_table(self) -> bool:
        """Has it a use for the process table?"""
        return self.measure is None or self.look is not None

    def used(self, rows: list[Row]) -> int:
        """What it uses now, in bytes."""
        members = family(rows, self.roots()) if self.needs_table else []
        if self.look is not None:
            self.look(members)
        if self.measure is not None:
            return self.measure()
        resident, more = sum(row.rss for row in members), self.more(members)
        if resident + more > self.limit:  # rare enough to look closer
            resident = shared_fairly(members)
        return resident + more


@dataclass(slots=True)
class MemoryWatch:
    """Samples the memory of environments, every 100 ms while there are any, and calls `over` beyond the limit."""

    _watched: dict[str, Watched] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    def add(self, name: str, watched: Watched) -> None:
        """Begin to watch an environment."""
        self._watched[name] = watched
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def remove(self, name: str) -> None:
        """Stop watching; one that is not watched is not an error."""
        self._watched.pop(name, None)

    async def _run(self) -> None:
        while self._watched:
            await asyncio.sleep(SAMPLE_EVERY)
            watching = list(self._watched.items())
            figures = await asyncio.to_thread(_figures, [watched for _, watched in watching])
            for (name, watched), used in zip(watching, figures, strict=True):
                watched.peak = max(watched.peak, used)
                if used > watched.limit and self._watched.get(name) is watched:
                    self.remove(name)
                    watched.over()


def _figures(watching: list[Watched]) -> list[int]:
    rows = table() if any(watched.needs_table for watched in watching) else []
    return [watched.used(rows) for watched in watching]


def _table_linux() -> list[Row]:
    rows = []
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            thread, rest, lives = _look(int(name))
        except OSError:  # ended meanwhile
            continue
        ticks = sum(map(int, rest[11:15]))  # its own and those of children it waited for
        cpu, rss, awake = ticks / _TICK, int(lives[21]) * _PAGE, lives[0] in (b"R", b"S")
        rows.append(Row(int(name), int(rest[1]), int(rest[2]), rss, cpu, thread, awake))
    return rows


def told(pid: int) -> tuple[list[bytes], list[bytes]]:
    """The fields of proc(5) from `state` on: of a process, and of a thread of it that runs still. Linux only.

    Raises:
        OSError: there is none.
    """
    _, rest, lives = _look(pid)
    return rest, lives


def _look(pid: int) -> tuple[int, list[bytes], list[bytes]]:
    """The number of a thread that runs still, what is told of the process, and of that thread."""
    rest = _stat(f"/proc/{pid}/stat")
    if rest[0] == b"Z" and int(rest[17]) > 1:  # its first thread has ended, and others go on
        thread, lives = _living(pid, rest)
        return thread, rest, lives
    return pid, rest, rest


def _living(pid: int, rest: list[bytes]) -> tuple[int, list[bytes]]:
    """A thread of a process that runs still, and what is told of it; else the first."""
    for name in os.listdir(f"/proc/{pid}/task"):
        try:
            told = _stat(f"/proc/{pid}/task/{name}/stat")
        except OSError:  # ended meanwhile
            continue
        if told[0] not in (b"Z", b"X"):
            return int(name), told
    return pid, rest


def _stat(path: str) -> list[bytes]:
    """The fields of proc(5) from `state` on: the name before it, in parentheses, may hold anything, those too."""
    with open(path, "rb") as file:
        line = file.read()
    return line[line.rindex(b")") + 2 :].split()


def _table_psutil() -> list[Row]:
    import psutil  # needed on macOS only

    rows = []
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                times = process.cpu_times()
                rows.append(
                    Row(
                        process.pid,
                        process.ppid(),
                        os.getpgid(process.pid),
                        process.memory_info().rss,
                        times.user + times.system,
                        process.pid,
                        process.status() != psutil.STATUS_STOPPED,
                    )
                )
        except (psutil.Error, OSError):  # ended meanwhile, or another user's
            continue
    return rows
