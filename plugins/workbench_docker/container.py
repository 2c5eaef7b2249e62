"""One container, from launch to the last trace: the daemon makes it, our init is its process 1 and connects to us."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import struct
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.backends.api import EnvironmentSpec, Host
from workbench.backends.box.channel import Channel, socket_from, sockets_from
from workbench.backends.box.environment import OnAnswer
from workbench.backends.cgroups import Cgroup
from workbench.model.errors import BackendError
from workbench_docker import configuration, groups, images
from workbench_docker.calls import Calls, Refused
from workbench_docker.images import Image

#: How often to look whether a container that was started, but has not connected, is gone.
LOOK_EVERY = 0.1
MAX_WORDS = 4096


class NoImage(BackendError):
    """The image of a container is not there."""


@dataclass(frozen=True, slots=True)
class Maker:
    """What all containers of a backend have in common; most of it is what `configuration.container` takes."""

    calls: Calls
    host: Host
    python: Path
    command: tuple[str, ...]
    filters: tuple[str, ...]
    labels: dict[str, str]
    #: Takes what goes on after a container's end, and must be done before the engine's.
    later: Callable[[Coroutine[Any, Any, None]], None]


class Container:
    """A container. `ended` is done when its last process is gone."""

    def __init__(
        self,
        maker: Maker,
        spec: EnvironmentSpec,
        image: Image,
        user: tuple[int, int],
        on_message: OnAnswer,
    ) -> None:
        self._maker = maker
        self._spec = spec
        self._image = image
        self._user = user
        self._on_message = on_message
        self._id: str | None = None
        self._channel: Channel | None = None
        self._init_fd: int | None = None
        self._guarded: list[tuple[str, str]] = []
        self._words: list[bytes] = []
        self._starting: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[list[socket.socket]] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        self.layout = configuration.layout(spec.runtime, image.settings)
        self.group: Cgroup | None = None
        self.listener: socket.socket | None = None
        self.services: socket.socket | None = None
        self.tmp_room = 0
        self.init = 0
        self.baseline = 0

    @property
    def own_pids(self) -> set[int]:
        """The process of the container that is not the function's."""
        return {self.init}

    def send(self, *fields: bytes, descriptor: int | None = None) -> None:
        """Ask init for something."""
        if self._channel is None:
            raise BackendError("the container is gone")
        self._channel.send(fields, descriptor)

    def kill(self) -> None:
        """End everything in the container, frozen or not."""
        if self._init_fd is not None:
            try:
                signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)
            except ProcessLookupError:
                return
            except PermissionError:  # not root: init ends when its channel does, and the daemon may always
                if self._channel is not None:
                    self._channel.close()
                self._maker.later(self._kill_by_daemon())
        if self.group is not None and any(map(groups.writable, self.group.folders)):
            self.group.kill()

    async def clear(self) -> bool:
        """After `ended`: remove the last traces. The daemon's own follow a little later."""
        if self._channel is not None:
            self._channel.close()
        if self.services is not None:
            self.services.close()
        for kind, value in self._guarded:
            self._maker.host.unguard(kind, value)
        self._maker.later(self._remove())
        return True

    def words(self) -> str:
        """What init said instead of being ready."""
        return b"".join(self._words).decode("utf-8", "replace").strip()[:MAX_WORDS]

    # -- launching ---------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Make it, and wait until its init is ready.

        Raises:
            BackendError: with the daemon's words.
        """
        door = _make_door(self._maker.host.run_dir, self._user)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as entrance:
                _bind(entrance, door)
                entrance.setblocking(False)
                self._starting = asyncio.create_task(self._create_and_start(door))
                connection = await self._connected(entrance)
        finally:
            shutil.rmtree(door)
        self._channel = Channel(self._message, connection)
        self._find(connection)
        listeners = await self._in_time(self._ready)
        if listeners:
            self.listener, self.services = listeners
        if self.group is not None:
            self.baseline = self.group.current_memory()

    async def _create_and_start(self, door: Path) -> None:
        body = configuration.container(
            self._spec,
            image=self._image.id,
            user=self._user,
            python=self._maker.python,
            command=self._maker.command,
            filters=self._maker.filters,
            door=door,
            labels={
                **self._maker.labels,
                "workbench.environment": self._spec.id,
                "workbench.function": self._spec.function,
            },
        )
        try:
            made = await self._maker.calls("make a container", lambda client: client.create_container_from_config(body))
        except Refused as error:
            if error.status != 404:
                raise
            raise NoImage(error.message) from error
        self._id = made["Id"]
        if self._spec.runtime.image is not None:
            names = await self._maker.calls("look for extensions", lambda client: images.extensions(client, made["Id"]))
            self.layout = configuration.layout(self._spec.runtime, images.with_extensions(self._image.settings, names))
        await self._maker.calls("start a container", lambda client: client.start(self._id))

    async def _connected(self, entrance: socket.socket) -> socket.socket:
        """Wait for init; or for the container's failure, whatever comes first."""
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(entrance, arrived.set)
        arriving, failing = asyncio.create_task(arrived.wait()), asyncio.create_task(self._failed())
        try:
            await asyncio.wait((arriving, failing), return_when=asyncio.FIRST_COMPLETED)
            if not arriving.done():
                failing.result()  # raises
        finally:
            loop.remove_reader(entrance)
            failing.cancel()
            arriving.cancel()
            await asyncio.gather(failing, arriving, return_exceptions=True)
        # Not before: whoever is cancelled has no connection to close.
        return entrance.accept()[0]

    async def _failed(self) -> None:
        """Returns never; raises when the container cannot be started, or is gone before it connects."""
        assert self._starting is not None
        await asyncio.shield(self._starting)
        while True:
            await asyncio.sleep(LOOK_EVERY)
            state = {}
            with suppress(Refused):  # it is removed as soon as it has ended
                state = await self._maker.calls("look at a container", self._state)
            if not state.get("Running"):
                code = state.get("ExitCode", "unknown")
                raise BackendError(f"the container ended before it was ready (exit code {code}) {self.words()}".strip())

    def _state(self, client: Any) -> dict[str, Any]:
        state: dict[str, Any] = client.inspect_container(self._id)["State"]
        return state

    def _find(self, connection: socket.socket) -> None:
        """Learn which process of the host init is, and what its cgroup is."""
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        self.init = struct.unpack("3i", credentials)[0]
        try:
            self._init_fd = os.pidfd_open(self.init)
        except (OSError, ValueError) as error:
            raise BackendError(
                "the container's processes cannot be seen from here", mend="run the engine beside the daemon"
            ) from error
        asyncio.get_running_loop().add_reader(self._init_fd, self._init_ended)
        self._guard("pgid", str(self.init))
        assert self._id is not None
        self.group = groups.group_of(self.init, self._id)
        if self.group is not None:
            for folder in filter(groups.writable, self.group.folders):
                self._guard("cgroup", folder)

    async def _in_time(self, ready: asyncio.Future[list[socket.socket]]) -> list[socket.socket]:
        await asyncio.wait((ready, self.ended), return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            raise BackendError(f"init failed in the container: {self.words() or 'without a word'}")
        return ready.result()

    async def abandon(self) -> None:
        """End and clear away what there is, wherever `open` was."""
        if self._starting is not None:  # its requests go on whoever is cancelled
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._init_fd is not None:
            self.kill()
            await self.ended
        if self._ready.done() and not self._ready.cancelled():
            for listener in self._ready.result():
                listener.close()
        await self.clear()
        await self._remove()

    def _guard(self, kind: str, value: str) -> None:
        self._maker.host.guard(kind, value)
        self._guarded.append((kind, value))

    # -- what happens to it ------------------------------------------------------------------------------------------

    def _message(self, fields: list[bytes], descriptors: list[int]) -> None:
        if self._ready.done():
            self._on_message(fields, socket_from(descriptors))
        elif fields == [b"ready"]:
            self._ready.set_result(sockets_from(descriptors))
        else:  # what Python writes on its stderr when it fails
            for unexpected in sockets_from(descriptors):
                unexpected.close()
            self._words += fields

    def _init_ended(self) -> None:
        """With a PID namespace's process 1 all others are gone."""
        assert self._init_fd is not None
        asyncio.get_running_loop().remove_reader(self._init_fd)
        os.close(self._init_fd)
        self._init_fd = None
        if self._channel is not None:
            self._channel.close()
        self.ended.set_result(0)

    async def _kill_by_daemon(self) -> None:
        with suppress(BackendError):  # it is gone
            await self._maker.calls("end a container", lambda client: client.kill(self._id))

    async def _remove(self) -> None:
        """Have the daemon remove it, and wait until it has."""
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._id is not None:
            identifier, self._id = self._id, None
            await remove(self._maker.calls, identifier)


async def remove(calls: Calls, container: str) -> None:
    """Remove a container in whatever state; returns when it is gone, or the daemon does not answer."""
    for _ in range(100):
        try:
            await calls("remove a container", lambda client: client.remove_container(container, force=True, v=True))
        except Refused as error:
            if error.status == 404:
                return
            await asyncio.sleep(0.05)  # 409: the removal is under way
        except BackendError:
            return


def _make_door(parent: Path, user: tuple[int, int]) -> Path:
    """A folder that all may read, below one that is the engine's alone: only the container sees it."""
    door = Path(tempfile.mkdtemp(prefix="door-", dir=parent))
    door.chmod(0o755)
    for name, text in configuration.etc_files(user).items():
        (door / name).write_text(text, encoding="ascii")
    return door


def _bind(entrance: socket.socket, folder: Path) -> None:
    """A socket's path may have 107 characters; by way of its folder's descriptor, any folder will do."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        path = f"/proc/self/fd/{descriptor}/{configuration.CHANNEL}"
        entrance.bind(path)
        os.chmod(path, 0o666)
        entrance.listen(1)
    finally:
        os.close(descriptor)
