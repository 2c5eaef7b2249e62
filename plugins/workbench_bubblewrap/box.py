"""One sandbox: bubblewrap's process, the init inside, the channel to it, its cgroup; from launch to the last trace."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from socket import socket
from typing import Any

from workbench.backends import cgroups, process
from workbench.backends.api import EnvironmentSpec, Host, Layout, Network
from workbench.backends.box import INIT, seccomp
from workbench.backends.box.channel import Channel, socket_from, sockets_from
from workbench.backends.box.environment import MAX_PROCESSES, MEMORY_SLACK, OnAnswer
from workbench.backends.cgroups import Cgroup, Role
from workbench.model.errors import BackendError
from workbench_bubblewrap import arguments, uplink
from workbench_bubblewrap.arguments import GID, MB, UID, Machine
from workbench_bubblewrap.uplink import RESOLVER, Helper, Uplink

#: Processes of a sandbox that are not the function's: bubblewrap and init.
OWN_PROCESSES = 2
#: How much of what bubblewrap and init say on stderr goes into a message.
MAX_WORDS = 4096


@dataclass(frozen=True, slots=True)
class Maker:
    """What all sandboxes of a backend have in common."""

    bwrap: str
    machine: Machine
    host: Host
    helper: Helper | None = None


class Box:
    """A sandbox. `ended` is done when the last process in it is gone, with the exit code of bubblewrap."""

    def __init__(self, maker: Maker, spec: EnvironmentSpec, uid: int | None, on_message: OnAnswer) -> None:
        self._maker = maker
        self._spec = spec
        self._uid = uid
        self._on_message = on_message
        self._place = arguments.place(spec.runtime, maker.machine, spec.task)
        self._guarded: list[tuple[str, str]] = []
        self._bwrap: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._init_fd: int | None = None
        self._info_fd = -1
        self._info_text = bytearray()
        self._attaching: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._words = os.memfd_create("stderr")
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[list[socket]] = loop.create_future()
        self._info: asyncio.Future[int] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        self.layout: Layout = arguments.layout(self._place)
        self.group: Cgroup | None = None
        self.listener: socket | None = None
        self.services: socket | None = None
        self.tmp_room = spec.tmp_size * MB
        self._uplink: Uplink | None = None
        self.init = 0
        self.baseline = 0

    async def open(self) -> None:
        """Make it, and wait until its init is ready.

        Raises:
            BackendError: with bubblewrap's own words.
        """
        if cgroups.claim().trees:
            # Files in /tmp are kept in memory and charged to the group.
            limit = self._spec.memory_size * MB + self.tmp_room + MEMORY_SLACK
            self.group = Cgroup.create(
                self._spec.id, memory=limit, pids=MAX_PROCESSES + OWN_PROCESSES, vcpus=self._spec.boosted
            )
            for folder in self.group.folders:
                self._guard("cgroup", folder)
        self._spawn()
        await self._wait_until_ready()
        if self.group is not None:
            self.baseline = self.group.current_memory()

    @property
    def own_pids(self) -> set[int]:
        """The processes of the sandbox that are not the function's."""
        return {self.init} | ({self._bwrap.pid} if self._bwrap is not None else set())

    def send(self, *fields: bytes, descriptor: int | None = None) -> None:
        """Ask init for something."""
        if self._channel is None:
            raise BackendError("the sandbox is gone")
        self._channel.send(fields, descriptor)

    def kill(self) -> None:
        """End everything in the sandbox, frozen or not."""
        if self._init_fd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)
        if self.group is not None:
            self.group.kill()
        if self._bwrap is not None and self._bwrap.returncode is None:
            os.kill(self._bwrap.pid, signal.SIGKILL)

    async def clear(self) -> bool:
        """After `ended`: remove the last traces. False when a cgroup is still held; the keeper goes on trying."""
        os.close(self._words)
        self._close_info()
        if self._channel is not None:
            self._channel.close()
        if self.services is not None:
            self.services.close()
        if self._uplink is not None:
            await self._uplink.close()
        removed = self.group is None or await self.group.remove()
        for kind, value in self._guarded:
            if removed or kind != "cgroup":
                self._maker.host.unguard(kind, value)
        return removed

    def words(self) -> str:
        """What bubblewrap and init have said on stderr."""
        return os.pread(self._words, MAX_WORDS, 0).decode("utf-8", "replace").strip()

    # -- launching ---------------------------------------------------------------------------------------------------

    def _guard(self, kind: str, value: str) -> None:
        self._maker.host.guard(kind, value)
        self._guarded.append((kind, value))

    def _spawn(self) -> None:
        """Start bubblewrap: without an environment, and with its arguments in memory, so that `ps` shows neither."""
        spec = self._spec
        uid, gid = (self._uid, self._uid) if self._uid is not None else (UID, GID)
        with ExitStack() as stack:

            def memory(name: str, content: bytes) -> int:
                descriptor = os.memfd_create(name)
                stack.callback(os.close, descriptor)
                os.write(descriptor, content)
                os.lseek(descriptor, 0, os.SEEK_SET)
                return descriptor

            files = arguments.etc_files(uid, gid)
            if spec.network is Network.INTERNET:
                files["/etc/resolv.conf"] = f"nameserver {RESOLVER}\n"
            data = {path: memory("etc", text.encode()) for path, text in files.items()}
            filter_fd = memory("seccomp", seccomp.program()) if seccomp.supported() else None
            options = arguments.sandbox(spec, self._maker.machine, self._place, init=INIT, data=data, seccomp=filter_fd)
            options_fd = memory("arguments", b"".join(os.fsencode(option) + b"\0" for option in options))
            self._info_fd, info_theirs = os.pipe()
            os.set_blocking(self._info_fd, False)
            stack.callback(os.close, info_theirs)
            self._channel = Channel(self._message)
            stack.callback(self._channel.handed_over)
            limited = self.group is not None and self.group.can(Role.PIDS)
            command = [
                *(self._maker.bwrap, "--args", str(options_fd), "--info-fd", str(info_theirs), "--"),
                *arguments.init_command(
                    arguments.init_place(spec.runtime, self._place, self._maker.machine).interpreter,
                    channel=self._channel.theirs,
                    uid=self._uid,
                    listen=spec.network is not Network.HOST,
                    max_processes=None if limited else MAX_PROCESSES,
                ),
            ]
            inherited = [options_fd, info_theirs, self._channel.theirs, *data.values()]
            if filter_fd is not None:
                inherited.append(filter_fd)
            self._bwrap = process.spawn(command, env={}, cwd="/", stderr=self._words, pass_fds=inherited)
        # From here until init is known, killing bubblewrap is enough: it ends its child (--die-with-parent).
        self._guard("pgid", str(self._bwrap.pid))
        process.watch(self._bwrap, self._bwrap_ended)
        asyncio.get_running_loop().add_reader(self._info_fd, self._read_info)

    def _read_info(self) -> None:
        """Read to the end: bubblewrap that finds the pipe closed dies half-way and leaves its child behind."""
        try:
            while chunk := os.read(self._info_fd, 4096):
                self._info_text.extend(chunk)
        except BlockingIOError:
            return
        self._close_info()
        if not self._info.done():
            self._set_info(bytes(self._info_text))

    def _close_info(self) -> None:
        if self._info_fd >= 0:
            asyncio.get_running_loop().remove_reader(self._info_fd)
            os.close(self._info_fd)
            self._info_fd = -1

    def _set_info(self, text: bytes) -> None:
        try:
            init = int(json.loads(text)["child-pid"])
        except (ValueError, KeyError, TypeError):
            return  # it failed before it had a child; its end and its words tell
        try:
            init_fd = os.pidfd_open(init)
        except ProcessLookupError:
            return
        if self.ended.done():  # bubblewrap was killed meanwhile
            signal.pidfd_send_signal(init_fd, signal.SIGKILL)
            os.close(init_fd)
            return
        self._init_fd = init_fd
        self._guard("pgid", str(init))
        self._info.set_result(init)

    async def _wait_until_ready(self) -> None:
        launched = asyncio.create_task(self._launched())
        first: list[asyncio.Future[Any]] = [launched, self.ended]
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            launched.cancel()  # of no effect when it is done
        if not launched.done():
            raise BackendError(f"bubblewrap failed: {self.words() or f'exit code {self.ended.result()}'}")
        try:
            launched.result()
        except OSError as error:
            raise BackendError(f"cannot put the sandbox into its cgroup: {error}") from error

    async def _launched(self) -> None:
        # Shielded: whoever gives the launch up must still hear of init, and of what it sends along.
        self.init = await asyncio.shield(self._info)
        helper = self._maker.helper
        if self._spec.network is Network.INTERNET and helper is not None:
            self._connecting = asyncio.create_task(self._connect(helper))  # while init starts, too
        if self.group is not None and self._bwrap is not None:
            # While init starts: attaching can take longest of all, and until init is ready no code but ours runs.
            self._attaching = asyncio.create_task(asyncio.to_thread(self.group.attach, self._bwrap.pid, self.init))
            await asyncio.shield(self._attaching)
        listeners = await asyncio.shield(self._ready)
        if listeners:
            self.listener, self.services = listeners
        if self._connecting is not None:  # before any code of the function runs
            await self._connecting

    async def _connect(self, helper: Helper) -> None:
        """Give it its way out."""
        while not (self._ready.done() or uplink.is_whole(self.init)):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.001)
        self._uplink = Uplink(helper, self.init)
        self._guard("pgid", str(self._uplink.pid))
        await self._uplink.up()

    async def abandon(self) -> None:
        """End and clear away what there is, wherever `open` was."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._attaching is not None:  # its thread goes on whoever is cancelled; the group must not go before
            await asyncio.gather(self._attaching, return_exceptions=True)
        if self._bwrap is not None:
            self.kill()
            await self.ended
        if self._ready.done() and not self._ready.cancelled():
            for listener in self._ready.result():
                listener.close()
        await self.clear()

    # -- what happens to it ------------------------------------------------------------------------------------------

    def _message(self, fields: list[bytes], descriptors: list[int]) -> None:
        if fields != [b"ready"] or self._ready.done():
            self._on_message(fields, socket_from(descriptors))
        else:
            self._ready.set_result(sockets_from(descriptors))

    def _bwrap_ended(self, code: int, _usage: resource.struct_rusage) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._init_fd is None:
            self._set_ended(code)
            return
        # Normally gone, too. As root it has changed its user, and a signal from bubblewrap's end does not reach it.
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)
        asyncio.get_running_loop().add_reader(self._init_fd, self._init_ended, self._init_fd, code)

    def _init_ended(self, init_fd: int, code: int) -> None:
        asyncio.get_running_loop().remove_reader(init_fd)
        os.close(init_fd)
        self._init_fd = None
        self._set_ended(code)

    def _set_ended(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code)
