"""One environment of the `subprocess` backend."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from socket import socket

from workbench.backends import process, processes, proctable
from workbench.backends.api import (
    MB_OF_A_VCPU,
    EnvironmentSpec,
    Exited,
    ExitReason,
    Host,
    Layout,
    ProcessExited,
    ProcessSpec,
    Usage,
)
from workbench.backends.cgroups import Cgroup, Role
from workbench.backends.proctable import MemoryWatch, Watched
from workbench.backends.streams import EventStream
from workbench.model.environments import Process
from workbench.model.errors import BackendError


class SubprocessEnvironment:
    """A set of processes, each in a session of its own, all in one cgroup where there are cgroups."""

    listener: socket | None = None
    pid: int | None = None

    def __init__(
        self,
        spec: EnvironmentSpec,
        host: Host,
        group: Cgroup | None,
        watch: MemoryWatch,
        forget: Callable[[SubprocessEnvironment], None],
    ) -> None:
        self.id = spec.id
        self.layout = Layout(
            task=str(spec.task),
            opt=str(spec.opt or ""),
            runtime=str(spec.runtime.client),
            interpreter=str(spec.runtime.interpreter or ""),
        )
        self._host = host
        self._group = group
        self._forget = forget
        self._stream = EventStream()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._started = 0
        self._frozen = False
        self._out_of_memory = False
        self._oom_kills = 0
        self._ending: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self._ended_cpu = 0.0
        self._ended_peak = 0
        self._last_usage: Usage | None = None
        # Where no cgroup limits memory, samples of the process table do.
        self._watch: MemoryWatch | None = None
        self._watched = Watched(self._roots, spec.memory_size << 20, self._over_memory)
        if group is None or not group.can(Role.MEMORY):
            self._watch = watch
            watch.add(self.id, self._watched)

    async def start(self, process_spec: ProcessSpec) -> int:
        """Start a process with exactly the environment variables that are given."""
        if self._ending is not None:
            raise BackendError(f"environment {self.id} is stopping")
        child = process.spawn(process_spec.argv, env=process_spec.env, cwd=process_spec.cwd, stdout=process_spec.output)
        self._host.guard("pgid", str(child.pid))
        self._started += 1
        handle = self._started
        self._processes[handle] = child
        self._empty.clear()
        process.watch(child, lambda code, usage: self._process_ended(handle, code, usage))
        if self._group is not None:
            await self._attach(handle, child.pid, self._group)
        return handle

    async def signal(self, process: int, sig: int) -> None:
        """Send a signal to the process and what it started in its group."""
        self._kill(process, sig)

    async def usage(self) -> Usage:
        """From the cgroup, else from the process table; after the end, what was last measured."""
        if self._last_usage is None:
            return await self._measure()
        return self._last_usage

    async def processes(self) -> tuple[Process, ...]:
        """Those in the cgroup, else the families of what was started."""
        return await asyncio.to_thread(self._processes_now, self._roots())

    async def connect(self, port: int) -> socket:
        """Inside is here."""
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

    async def _measure(self) -> Usage:
        peak, cpu = self._ended_peak, self._ended_cpu
        if self._group is not None and self._group.can(Role.CPU):
            # The group is not charged for files of libraries, nor for what was allocated before the attachment.
            resident = proctable.resident_peak(self._group.pids())
            peak = max(peak, resident, self._group.peak_memory())
            return Usage(peak_memory=min(peak, self._watched.limit), cpu_seconds=self._group.cpu_seconds())
        rows = proctable.family(await asyncio.to_thread(proctable.table), self._roots())
        self._watched.peak = max(self._watched.peak, sum(row.rss for row in rows))
        peak = min(max(peak, self._watched.peak), self._watched.limit)
        return Usage(peak_memory=peak, cpu_seconds=cpu + sum(row.cpu for row in rows))

    def events(self) -> AsyncIterator[ProcessExited | Exited]:
        """Yield each process's end, then `Exited`."""
        return self._stream.events()

    async def freeze(self) -> None:
        """By the cgroup freezer; without one, SIGSTOP to each process group."""
        if self._frozen or self._ending is not None:
            return
        self._frozen = True
        if self._freezer is not None:
            await self._freezer.freeze()
        else:
            self._kill_all(signal.SIGSTOP)

    async def thaw(self) -> None:
        """Undo `freeze`."""
        if not self._frozen:
            return
        self._frozen = False
        if self._freezer is not None:
            self._freezer.thaw()
        else:
            self._kill_all(signal.SIGCONT)

    async def take_services(self) -> socket | None:
        """Its processes are in the host's network."""
        return None

    async def resize(self, memory_size: int) -> None:
        """By the cgroup; where samples of the process table stand in for one, they follow."""
        self._watched.limit = memory_size << 20
        if self._group is not None:
            self._group.limit(self._watched.limit)

    async def settle(self) -> None:
        """By the cgroup."""
        if self._group is not None:
            self._group.share((self._watched.limit >> 20) / MB_OF_A_VCPU)

    async def reset(self) -> None:
        """SIGKILL for everything, again until nothing is left: what is being forked meanwhile is not seen at once."""
        if self._ending is not None:
            raise BackendError(f"environment {self.id} is stopping")
        while self._processes or (self._group is not None and self._group.pids()):
            if self._group is not None:
                self._group.kill()
            self._kill_all(signal.SIGKILL)
            await asyncio.sleep(0.001)
        await self.thaw()

    async def stop(self, grace: float) -> Exited:
        """SIGTERM, `grace` seconds, SIGKILL."""
        self._end(ExitReason.STOPPED, grace)
        return await self._stream.ended()

    # -- inside ------------------------------------------------------------------------------------------------------

    @property
    def _freezer(self) -> Cgroup | None:
        return self._group if self._group is not None and self._group.can(Role.FREEZE) else None

    def _processes_now(self, roots: list[int]) -> tuple[Process, ...]:
        if self._group is not None:
            return processes.told(self._group.pids())
        return processes.told(row.pid for row in proctable.family(proctable.table(), roots))

    def _roots(self) -> list[int]:
        return [child.pid for child in self._processes.values()]

    async def _attach(self, handle: int, pid: int, group: Cgroup) -> None:
        """Put a process into the cgroup while it starts, and what it may have forked since.

        By a shell in front of the command it would be there from its first instruction, but that shell would add PWD
        to the function's variables.
        """
        try:
            await asyncio.to_thread(_attach_family, group, pid)
        except OSError as error:
            self._kill(handle, signal.SIGKILL)
            raise BackendError(f"cannot put a process of {self.id} into its cgroup: {error}") from error

    def _kill(self, handle: int, sig: int) -> None:
        child = self._processes.get(handle)
        if child is not None:  # so it is not reaped, and the number still its own
            with suppress(ProcessLookupError, PermissionError):  # EPERM: macOS, a group of zombies
                os.killpg(child.pid, sig)

    def _kill_all(self, sig: int) -> None:
        for handle in self._processes:
            self._kill(handle, sig)

    def _process_ended(self, handle: int, code: int, usage: resource.struct_rusage) -> None:
        child = self._processes.pop(handle)
        self._host.unguard("pgid", str(child.pid))
        self._ended_cpu += process.cpu_seconds(usage)
        self._ended_peak = max(self._ended_peak, process.peak_bytes(usage))
        killed = code == -signal.SIGKILL
        if self._group is not None and (kills := self._group.oom_kills()) > self._oom_kills:
            self._oom_kills = kills
            self._out_of_memory = self._out_of_memory or killed
        oom = killed and self._out_of_memory
        self._stream.process_exited(process.ended_as(handle, code, oom=oom))
        if oom:
            self._end(ExitReason.OOM, 0)
        if not self._processes:
            self._empty.set()

    def _over_memory(self) -> None:
        self._out_of_memory = True
        self._end(ExitReason.OOM, 0)

    def _end(self, reason: ExitReason, grace: float) -> None:
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._finish(reason, grace))

    async def _finish(self, reason: ExitReason, grace: float) -> None:
        if self._watch is not None:
            self._watch.remove(self.id)
        try:
            detail = await self._tear_down(grace)
        except OSError as error:
            reason, detail = ExitReason.FAILED, f"cannot be ended cleanly: {error}"
        self._forget(self)
        if not detail and reason is ExitReason.OOM:
            detail = "the memory limit was reached"
        self._stream.exited(Exited(reason=reason, detail=detail))

    async def _tear_down(self, grace: float) -> str:
        if grace > 0 and self._processes:
            await self.thaw()
            self._kill_all(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), grace)
        if self._group is not None:
            self._group.kill()
        self._kill_all(signal.SIGKILL)
        await self._empty.wait()
        self._last_usage = await self._measure()
        if self._group is not None:
            if not await self._group.remove():
                # It stays named to the keeper, which goes on trying.
                return "a process in an uninterruptible wait is left"
            for folder in self._group.folders:
                self._host.unguard("cgroup", folder)
        return ""


def _attach_family(group: Cgroup, pid: int) -> None:
    group.attach(pid)
    inside = set(group.pids())
    while missing := {row.pid for row in proctable.family(proctable.table(), [pid])} - inside:
        group.attach(*missing)
        inside |= missing
