"""One environment: a PID namespace that a process 1 of ours keeps, and the processes that nsenter starts in it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from socket import socket

from workbench.backends import process, proctable
from workbench.backends.api import (
    EnvironmentSpec,
    Exited,
    ExitReason,
    Host,
    Layout,
    ProcessExited,
    ProcessSpec,
    Usage,
)
from workbench.backends.streams import EventStream
from workbench.backends.unpromised import Unpromised
from workbench.model.errors import BackendError

#: Process 1. With SIGCHLD ignored the kernel itself reaps whatever is orphaned in the namespace.
INIT = 'trap "" CHLD; echo ready; exec sleep infinity >/dev/null 2>&1'


@dataclass(frozen=True, slots=True)
class Tools:
    """The commands that make namespaces and enter them, without what they run there."""

    make: tuple[str, ...]
    enter: tuple[str, ...]


class UnshareEnvironment(Unpromised):
    """Make it, then `launch`. Paths inside are those of the host."""

    def __init__(
        self, spec: EnvironmentSpec, host: Host, tools: Tools, forget: Callable[[UnshareEnvironment], None]
    ) -> None:
        self.id = spec.id
        self.layout = Layout(
            task=str(spec.task),
            opt=str(spec.opt or ""),
            runtime=str(spec.runtime.client),
            interpreter=str(spec.runtime.interpreter or ""),
        )
        self._host = host
        self._tools = tools
        self._forget = forget
        self._stream = EventStream()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._kept = asyncio.Event()
        self._kept.set()
        self._started = 0
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._ending: asyncio.Task[None] | None = None
        self._ended = Usage(peak_memory=0, cpu_seconds=0.0)
        self._frozen = False

    async def launch(self) -> None:
        """Make the namespaces.

        Raises:
            BackendError: with what unshare said.
        """
        said, theirs = os.pipe()
        try:
            command = [*self._tools.make, "/bin/sh", "-c", INIT]
            self._keeper = process.spawn(command, env={"PATH": "/usr/bin:/bin"}, cwd="/", stdout=theirs)
        finally:
            os.close(theirs)
        try:
            self._kept.clear()
            self._host.guard("pgid", str(self._keeper.pid))
            process.watch(self._keeper, self._keeper_ended)
            words = await _read(said)
        finally:
            os.close(said)
        if words != b"ready\n":
            raise BackendError(f"unshare failed: {words.decode(errors='replace').strip() or 'without a word'}")
        rows = await asyncio.to_thread(proctable.table)
        self.pid = next((row.pid for row in rows if row.ppid == self._keeper.pid), None)
        if self.pid is None:
            raise BackendError("the namespace's process 1 ended at once")

    async def start(self, process_spec: ProcessSpec) -> int:
        """Start a process in the namespaces, with exactly the variables that are given."""
        program = process_spec.argv[0]
        if not await asyncio.to_thread(os.access, program, os.X_OK):
            raise BackendError(f"cannot start {program}: there is no such program")  # nsenter would say so too late
        # Nothing may be awaited from here until the process is counted: `stop` would not know of it.
        if self._ending is not None:
            raise BackendError(f"environment {self.id} is stopping")
        command = self._inside(f"--wd={process_spec.cwd}", *process_spec.argv)
        child = process.spawn(command, env=process_spec.env, stdout=process_spec.output)
        self._host.guard("pgid", str(child.pid))
        self._started += 1
        handle = self._started
        self._processes[handle] = child
        self._empty.clear()
        process.watch(child, lambda code, usage: self._process_ended(handle, code, usage))
        return handle

    async def signal(self, process: int, sig: int) -> None:
        """Send a signal to the process and its group: to all of it but nsenter, which only waits for them."""
        while (child := self._processes.get(process)) is not None:
            rows = await asyncio.to_thread(proctable.table)
            members = [row.pid for row in rows if row.pgid == child.pid != row.pid]
            for pid in members:
                with suppress(ProcessLookupError):
                    os.kill(pid, sig)
            if members:
                return
            await asyncio.sleep(0.002)  # nsenter is still on its way

    async def usage(self) -> Usage:
        """From the process table, and what processes that have ended had used."""
        roots = [child.pid for child in self._processes.values()]
        rows = proctable.family(await asyncio.to_thread(proctable.table), roots)
        peak = max(self._ended.peak_memory, sum(row.rss for row in rows))
        self._ended = Usage(peak_memory=peak, cpu_seconds=self._ended.cpu_seconds)
        return Usage(peak_memory=peak, cpu_seconds=self._ended.cpu_seconds + sum(row.cpu for row in rows))

    async def connect(self, port: int) -> socket:
        """The namespace shares the host's network."""
        connection = socket()
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):
                raise BackendError(f"port {port} cannot be reached: {error.strerror}") from error
            raise
        return connection

    def events(self) -> AsyncIterator[ProcessExited | Exited]:
        """Yield each process's end, then `Exited`."""
        return self._stream.events()

    async def freeze(self) -> None:
        """SIGSTOP for everything in the namespace."""
        if not self._frozen and self._ending is None:
            self._frozen = True
            self._signal_nsenters(signal.SIGSTOP)  # first: one that sees its program stop waits for a shell's SIGCONT
            await self._signal_all("STOP")

    async def thaw(self) -> None:
        """Undo `freeze`."""
        if self._frozen:
            self._frozen = False
            await self._signal_all("CONT")
            self._signal_nsenters(signal.SIGCONT)

    async def reset(self) -> None:
        """SIGKILL for everything but process 1."""
        if self._ending is not None:
            raise BackendError(f"environment {self.id} is stopping")
        while self._processes:  # again for what nsenter was just bringing in
            await self._signal_all("KILL")
            self._signal_nsenters(signal.SIGCONT)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), 0.05)
        self._frozen = False

    async def stop(self, grace: float) -> Exited:
        """SIGTERM for everything, `grace` seconds, then the end of process 1, and with it of the namespace."""
        self._end(ExitReason.STOPPED, grace)
        return await self._stream.ended()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _inside(self, *command: str) -> list[str]:
        return [*self._tools.enter, f"--target={self.pid}", *command]

    async def _signal_all(self, name: str) -> None:
        """From inside, -1 is everybody but process 1 and the one that asks."""
        command = self._inside("/bin/sh", "-c", f"kill -{name} -1 2>/dev/null")
        done = asyncio.Event()
        process.watch(process.spawn(command, env={"PATH": "/usr/bin:/bin"}, cwd="/"), lambda *_: done.set())
        await done.wait()

    def _signal_nsenters(self, sig: int) -> None:
        for child in self._processes.values():
            with suppress(ProcessLookupError):
                os.kill(child.pid, sig)

    def _process_ended(self, handle: int, code: int, usage: resource.struct_rusage) -> None:
        child = self._processes.pop(handle)
        self._host.unguard("pgid", str(child.pid))
        self._ended = Usage(
            peak_memory=max(self._ended.peak_memory, process.peak_bytes(usage)),
            cpu_seconds=self._ended.cpu_seconds + process.cpu_seconds(usage),
        )
        self._stream.process_exited(process.ended_as(handle, code))
        if not self._processes:
            self._empty.set()

    def _keeper_ended(self, code: int, _usage: resource.struct_rusage) -> None:
        assert self._keeper is not None
        self._host.unguard("pgid", str(self._keeper.pid))
        self._kept.set()
        self._end(ExitReason.FAILED, 0, f"process 1 of the namespace ended (code {code})")

    def _end(self, reason: ExitReason, grace: float, detail: str = "") -> None:
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._finish(reason, grace, detail))

    async def _finish(self, reason: ExitReason, grace: float, detail: str) -> None:
        if grace > 0 and self._processes:
            await self.thaw()
            await self._signal_all("TERM")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), grace)
        if self._processes:
            await self.usage()  # the last chance to measure
        if not self._kept.is_set():
            assert self._keeper is not None
            with suppress(ProcessLookupError):
                os.killpg(self._keeper.pid, signal.SIGKILL)
        for child in self._processes.values():  # what nsenter had not yet brought in
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        await self._kept.wait()
        await self._empty.wait()
        self._forget(self)
        self._stream.exited(Exited(reason=reason, detail=detail))


async def _read(descriptor: int) -> bytes:
    """What is written to a pipe first; empty when nobody can write to it any more."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, 4096)
