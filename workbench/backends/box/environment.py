"""An environment whose processes are started by the init of a sandbox, however that sandbox is made."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from socket import SO_ERROR, SOL_SOCKET, socket
from typing import Any, Protocol

from workbench.backends import process, processes, proctable
from workbench.backends.api import (
    MB_OF_A_VCPU,
    EnvironmentSpec,
    Exited,
    ExitReason,
    Layout,
    ProcessExited,
    ProcessSpec,
    Usage,
)
from workbench.backends.cgroups import Cgroup, Role
from workbench.backends.proctable import MemoryWatch, Row, Watched
from workbench.backends.streams import EventStream
from workbench.model.environments import Process
from workbench.model.errors import BackendError, NoWorkingDirectory

#: What a sandbox may use beyond MemorySize: init, other processes that are not the function's, the kernel's tables.
MEMORY_SLACK = 16 << 20
MAX_PROCESSES = 1024
#: Of the kernel's memory, for a file of tmpfs and its name.
NODE_BYTES = 1024
#: Files in /tmp by its size, as a file system on a disk has a number of inodes; who makes more has used up his memory.
NODES_PER_MB = 512
#: How often one that was stopped may be seen awake (every `SAMPLE_EVERY` seconds) until it is ended. On a busy machine
#: it takes a while until the last has heard that it is stopped.
MOST_AWAKE = 20


class Box(Protocol):
    """A sandbox with `box/init.py` as its process 1. `ended` is done, with an exit code, when nothing in it is left."""

    layout: Layout
    ended: asyncio.Future[int]
    # From `open` on: init's process id on the host, the listener inside, the cgroup, and what an empty box uses of it.
    init: int
    listener: socket | None
    services: socket | None  # the services' listener inside; whoever takes it closes it, else `clear`
    group: Cgroup | None
    baseline: int
    # What the group's limit of memory has beside the function's, in bytes: for the files in /tmp.
    tmp_room: int

    @property
    def own_pids(self) -> set[int]:
        """The processes of the sandbox that are not the function's."""

    async def open(self) -> None:
        """Make it, and wait until its init is ready. Raises BackendError, in the words of whoever makes it."""

    async def abandon(self) -> None:
        """After `open` has failed or was cancelled, wherever it was: end and clear away what there is."""

    def send(self, *fields: bytes, descriptor: int | None = None) -> None:
        """Ask init for something; its answers go to the `OnAnswer` that the box was made with."""

    def kill(self) -> None:
        """End everything in it, frozen or not."""

    async def clear(self) -> bool:
        """After `ended`: remove the last traces. False when a cgroup is still held."""

    def words(self) -> str:
        """What the sandbox's own programs have said."""


#: Gets the fields of an answer, and the socket that came with it.
OnAnswer = Callable[[list[bytes], socket | None], None]


class BoxEnvironment:
    """A sandbox whose init starts processes on request. Make it with `launch`."""

    def __init__(self, spec: EnvironmentSpec, make: Callable[[OnAnswer], Box], watch: MemoryWatch) -> None:
        self.id = spec.id
        self.listener: socket | None = None  # once launched: the engine's, to close too
        self.pid: int | None = None
        self._box = make(self._message)
        self.layout = self._box.layout
        self._stream = EventStream()
        self._started = 0
        self._starting: dict[int, asyncio.Future[None]] = {}
        self._connecting: dict[int, asyncio.Future[socket]] = {}
        self._running: set[int] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._frozen = False
        self._awake = 0
        self._failure = ""
        self._oom_kills = 0
        self._out_of_memory = False
        self._clearing: asyncio.Future[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._reason = ExitReason.FAILED
        self._forget: Callable[[BoxEnvironment], None] = lambda _: None
        self._last_usage: Usage | None = None
        self._memory_size = spec.memory_size << 20
        self._most_nodes = spec.tmp_size * NODES_PER_MB
        self._watch = watch
        self._watched = Watched(lambda: [self._box.init], self._memory_size + MEMORY_SLACK, self._over_memory)

    async def launch(self, forget: Callable[[BoxEnvironment], None]) -> None:
        """Make the sandbox. `forget` is called when it has ended.

        Raises:
            BackendError: it cannot be made; nothing is left behind.
        """
        try:
            await self._box.open()
        except BaseException:
            await asyncio.shield(asyncio.create_task(self._box.abandon()))
            raise
        self.listener, self.pid, self.layout = self._box.listener, self._box.init, self._box.layout
        self._forget = forget
        if self._group is not None and self._group.can(Role.MEMORY):
            self._watched.measure = self._held
        else:
            self._watched.more = lambda rows: self._nodes() + nameless_files(row.thread for row in rows)
        if self._freezer is None:
            loop = asyncio.get_running_loop()
            self._watched.look = lambda rows: self._look(rows, loop)
        self._watch.add(self.id, self._watched)
        self._box.ended.add_done_callback(lambda _: self._end(self._reason, 0))

    async def start(self, process_spec: ProcessSpec) -> int:
        """Have init start a process."""
        if self._ending is not None:
            raise BackendError(f"environment {self.id} is stopping")
        self._started += 1
        handle = self._started
        variables = [os.fsencode(f"{name}={value}") for name, value in process_spec.env.items()]
        arguments = list(map(os.fsencode, process_spec.argv))
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._starting[handle] = answer
        try:
            self._box.send(
                b"start",
                b"%d" % handle,
                os.fsencode(process_spec.cwd),
                b"%d" % len(arguments),
                *arguments,
                *variables,
                descriptor=process_spec.output,
            )
            await answer
        except BackendError as error:
            self._starting.pop(handle, None)
            raise type(error)(f"cannot start {process_spec.argv[0]} in {self.id}: {error}") from error
        return handle

    async def signal(self, process: int, sig: int) -> None:
        """Send a signal to the process and what it started in its group; a frozen one gets it when thawed."""
        if process in self._running:
            self._ask(b"signal", b"%d" % process, b"%d" % sig)

    async def usage(self) -> Usage:
        """From the cgroup, without the empty sandbox; else from the process table; after the end, as last measured."""
        if self._last_usage is None:
            return await self._measure()
        return self._last_usage

    async def take_services(self) -> socket | None:
        """The listener that init has opened for them."""
        if self._ending is not None:
            raise BackendError(f"environment {self.id} is stopping")
        taken, self._box.services = self._box.services, None
        return taken

    async def connect(self, port: int) -> socket:
        """Have init open a connection, and take it over."""
        if self._ending is not None:
            raise BackendError(f"environment {self.id} is stopping")
        self._started += 1
        handle = self._started
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[socket] = loop.create_future()
        self._connecting[handle] = answer
        try:
            self._box.send(b"connect", b"%d" % handle, b"%d" % port)
            return await established(await answer)
        except (BackendError, OSError) as error:
            self._connecting.pop(handle, None)
            raise BackendError(f"port {port} of {self.id} cannot be reached: {error}") from error

    async def _measure(self) -> Usage:
        group = self._group
        if group is not None and group.can(Role.CPU):
            # The group is not charged for files of libraries: the kernel's view of each process has them, too.
            resident = proctable.resident_peak(set(group.pids()) - self._box.own_pids)
            peak = max(self._watched.peak, resident, group.peak_memory() - self._box.baseline)
            return Usage(peak_memory=min(peak, self._memory_size), cpu_seconds=group.cpu_seconds())
        rows = proctable.family(await asyncio.to_thread(proctable.table), [self._box.init])
        used = sum(row.rss for row in rows if row.pid != self._box.init)
        self._watched.peak = max(self._watched.peak, used)
        peak = min(self._watched.peak, self._memory_size)
        return Usage(peak_memory=peak, cpu_seconds=sum(row.cpu for row in rows))

    async def processes(self) -> tuple[Process, ...]:
        """Those in the cgroup, else the family of the sandbox's init."""
        return await asyncio.to_thread(self._processes_now) if self._last_usage is None else ()

    def events(self) -> AsyncIterator[ProcessExited | Exited]:
        """Yield each process's end, then `Exited`."""
        return self._stream.events()

    async def freeze(self) -> None:
        """By the cgroup freezer; without one, init stops every other process."""
        if self._frozen or self._ending is not None:
            return
        self._frozen, self._awake = True, 0
        if self._freezer is not None:
            await self._freezer.freeze()
        else:
            self._box.send(b"stop")

    async def thaw(self) -> None:
        """Undo `freeze`."""
        if not self._frozen:
            return
        self._frozen = False
        if self._freezer is not None:
            self._freezer.thaw()
        else:
            self._ask(b"continue")

    async def resize(self, memory_size: int) -> None:
        """By the cgroup; where samples of the process table stand in for one, they follow."""
        self._memory_size = memory_size << 20
        self._watched.limit = self._memory_size + MEMORY_SLACK
        if self._group is not None:
            self._group.limit(self._watched.limit + self._box.tmp_room)

    async def settle(self) -> None:
        """By the cgroup."""
        if self._group is not None:
            self._group.share((self._memory_size >> 20) / MB_OF_A_VCPU)

    async def reset(self) -> None:
        """Have init end every other process, and wait until it has reaped the last."""
        if self._ending is not None:
            raise BackendError(f"environment {self.id} is stopping")
        await self.thaw()
        if self._clearing is None:
            self._clearing = asyncio.get_running_loop().create_future()
            self._box.send(b"reset")
        await asyncio.shield(self._clearing)

    async def stop(self, grace: float) -> Exited:
        """SIGTERM to what was started, `grace` seconds, then the end of the sandbox."""
        self._end(ExitReason.STOPPED, grace)
        return await self._stream.ended()

    # -- inside ------------------------------------------------------------------------------------------------------

    @property
    def _group(self) -> Cgroup | None:
        return self._box.group

    @property
    def _freezer(self) -> Cgroup | None:
        return self._group if self._group is not None and self._group.can(Role.FREEZE) else None

    def _processes_now(self) -> tuple[Process, ...]:
        init = self._box.init
        inside = self._group.pids() if self._group is not None else []
        if not inside:  # there is none, or it is not for us to see
            inside = [row.pid for row in proctable.family(proctable.table(), [init])]
        return processes.told(set(inside) - self._box.own_pids)

    def _held(self) -> int:
        """What the kernel's limit, in which /tmp has its room, does not bound: memory that is no file's content."""
        group = self._group
        assert group is not None
        if self._frozen:
            return 0
        try:
            # The first figure is cheap, and nearly always enough.
            held = group.held_memory() if group.current_memory() > self._watched.limit else 0
        except OSError:  # just removed
            return 0
        return max(held, self._nodes())

    def _nodes(self) -> int:
        """What files in /tmp take of the kernel's memory besides their content. Too many take all that there may be."""
        try:
            tmp = os.statvfs(f"/proc/{self._box.init}/root/tmp")
        except OSError:  # just ended, or not for us to see
            return 0
        nodes = tmp.f_files - tmp.f_ffree
        return nodes * NODE_BYTES if nodes <= self._most_nodes else self._watched.limit + 1

    def _look(self, rows: list[Row], loop: asyncio.AbstractEventLoop) -> None:
        """Runs something that was stopped? A timer, or a race with who stops it, can continue it. In a thread."""
        if self._frozen and any(row.awake for row in rows if row.pid != self._box.init):
            loop.call_soon_threadsafe(self._stop_again)

    def _stop_again(self) -> None:
        if not self._frozen or self._ending is not None:
            return
        self._awake += 1
        if self._awake > MOST_AWAKE:
            self._failure = "its processes could not be stopped between two invocations"
            self._end(ExitReason.FAILED, 0)
        else:
            self._ask(b"stop")

    def _ask(self, *fields: bytes) -> None:
        """A request that a sandbox which is just ending need not hear."""
        with suppress(BackendError):
            self._box.send(*fields)

    def _message(self, fields: list[bytes], connection: socket | None) -> None:
        """What init says. It comes from inside: what makes no sense is not believed, and ends the sandbox."""
        try:
            match fields:
                case [b"connected", name] if connection is not None:
                    opened = self._connecting.pop(int(name))
                    if not opened.done():  # cancelled: nobody waits for it
                        opened.set_result(connection)
                        connection = None
                case [b"started", name]:
                    answer = self._starting.pop(int(name))
                    self._running.add(int(name))
                    self._empty.clear()
                    if answer.done():  # cancelled: nobody waits for this process
                        self._ask(b"signal", name, b"%d" % signal.SIGKILL)
                    else:
                        answer.set_result(None)
                case [b"failed" | b"nowhere" as kind, name, why]:
                    asked: dict[int, Any] = self._connecting if int(name) in self._connecting else self._starting
                    waiting: asyncio.Future[Any] = asked.pop(int(name))
                    if not waiting.done():
                        failure = NoWorkingDirectory if kind == b"nowhere" else BackendError
                        waiting.set_exception(failure(why.decode("utf-8", "replace")))
                case [b"exited", name, code, peak]:
                    self._running.remove(int(name))
                    self._watched.peak = max(self._watched.peak, int(peak) * 1024)
                    self._process_ended(int(name), int(code))
                case [b"stopped"]:
                    pass
                case [b"cleared"] if self._clearing is not None:
                    self._clearing.set_result(None)
                    self._clearing = None
                case _:
                    raise ValueError("unknown")
        except (ValueError, KeyError):
            self._end(ExitReason.FAILED, 0)
        finally:
            if connection is not None:
                connection.close()

    def _process_ended(self, handle: int, code: int) -> None:
        killed = code == -signal.SIGKILL
        if self._group is not None and (kills := self._group.oom_kills()) > self._oom_kills:
            self._oom_kills = kills
            self._out_of_memory = self._out_of_memory or killed
        oom = killed and self._out_of_memory
        self._stream.process_exited(process.ended_as(handle, code, oom=oom))
        if oom:
            self._end(ExitReason.OOM, 0)
        if not self._running:
            self._empty.set()

    def _over_memory(self) -> None:
        self._out_of_memory = True
        self._end(ExitReason.OOM, 0)

    def _end(self, reason: ExitReason, grace: float) -> None:
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._finish(reason, grace))

    async def _finish(self, reason: ExitReason, grace: float) -> None:
        self._watch.remove(self.id)
        try:
            reason, detail = await self._tear_down(reason, grace)
        except OSError as error:
            reason, detail = ExitReason.FAILED, f"cannot be ended cleanly: {error}"
        self._forget(self)
        self._stream.exited(Exited(reason=reason, detail=detail))

    async def _tear_down(self, reason: ExitReason, grace: float) -> tuple[ExitReason, str]:
        if grace > 0 and self._running:
            await self.thaw()
            for handle in self._running:
                self._ask(b"signal", b"%d" % handle, b"%d" % signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), grace)
        alone = self._box.ended.done()
        self._last_usage = await self._measure()
        self._box.kill()
        code = await self._box.ended
        detail = ""
        if self._group is not None and self._group.oom_kills() > self._oom_kills:
            # The kernel chose init, or all of them, and nobody was left to tell.
            self._out_of_memory = True
            reason = ExitReason.OOM if alone else reason
        answers: list[asyncio.Future[Any]] = [*self._starting.values(), *self._connecting.values()]
        for answer in answers:
            if not answer.done():
                answer.set_exception(BackendError("the sandbox ended"))
        if self._clearing is not None:  # its processes are gone all the same
            self._clearing.set_result(None)
            self._clearing = None
        for handle in sorted(self._running):
            oom = self._out_of_memory
            self._stream.process_exited(process.ended_as(handle, -signal.SIGKILL, oom=oom))
        self._running.clear()
        if reason is ExitReason.OOM:
            detail = "the memory limit was reached"
        elif reason is ExitReason.FAILED:
            detail = self._failure or self._box.words() or f"the sandbox ended by itself (code {code})"
        if not await self._box.clear():
            detail = "a process in an uninterruptible wait is left"
        return reason, detail


def nameless_files(pids: Iterable[int]) -> int:
    """Bytes in files of memory (memfd_create) that processes have open, mapped or not."""
    sizes = {}
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        try:
            for name in os.listdir(folder):
                if os.readlink(f"{folder}/{name}").startswith("/memfd:"):
                    found = os.stat(f"{folder}/{name}")
                    sizes[found.st_dev, found.st_ino] = found.st_blocks * 512
        except OSError:  # just ended, or init, which is not for us to see
            continue
    return sum(sizes.values())


async def established(connection: socket) -> socket:
    """Wait until a connection that is under way has come about; one that has not is closed.

    Raises:
        OSError: why it has not.
    """
    loop = asyncio.get_running_loop()
    writable: asyncio.Future[None] = loop.create_future()
    connection.setblocking(False)
    try:
        loop.add_writer(connection.fileno(), _done, writable)
        await writable
        if error := connection.getsockopt(SOL_SOCKET, SO_ERROR):
            raise OSError(error, os.strerror(error))
    except BaseException:
        loop.remove_writer(connection.fileno())
        connection.close()
        raise
    loop.remove_writer(connection.fileno())
    return connection


def _done(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
