"""Containers of a daemon on another machine. Their init is reached through their own stdin and stdout (see `relay`).

What a local container's cgroup would tell is asked of the daemon: how it ended, whether memory ran out, its figures.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from workbench.backends.api import EnvironmentSpec, ExitReason, Usage
from workbench.backends.box.environment import BoxEnvironment, OnAnswer
from workbench.backends.cgroups import Cgroup
from workbench.backends.proctable import MemoryWatch, Watched
from workbench.model.errors import BackendError
from workbench_docker import configuration, images
from workbench_docker.attach import Attached, attach
from workbench_docker.configuration import PYTHON
from workbench_docker.container import MAX_WORDS, Maker, remove
from workbench_docker.images import Image
from workbench_docker.outfit import Outfitter
from workbench_docker.streams import Stream

RELAY = Path(__file__).with_name("relay.py")
BACKLOG = 1024


class RemoteContainer:
    """Satisfies `box.environment.Box`."""

    def __init__(
        self, maker: Maker, outfitter: Outfitter, spec: EnvironmentSpec, image: Image, on_message: OnAnswer
    ) -> None:
        self._maker = maker
        self._outfitter = outfitter
        self._spec = spec
        self._image = image
        self._on_message = on_message
        self._id: str | None = None
        self._making: asyncio.Task[str] | None = None
        self._attached: Attached | None = None
        self._reading: asyncio.Task[None] | None = None
        self._folder: Path | None = None
        self._streams: dict[bytes, Stream] = {}
        self._words = b""
        #: Its init has seen the memory limit kill a process.
        self.oom = False
        self.own_pids: set[int] = set()
        self.group: Cgroup | None = None
        self.init = self.baseline = self.tmp_room = 0
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        self.layout = configuration.layout(spec.runtime, image.settings)
        self.listener: socket.socket | None = None
        self.services: socket.socket | None = None

    def send(self, *fields: bytes, descriptor: int | None = None) -> None:
        """Ask init for something; what it starts writes to the descriptor, by and by."""
        if self._attached is None or self.ended.done():
            raise BackendError("the container is gone")
        arguments = fields[1:]
        if any(b"\0" in field for field in arguments):
            raise BackendError("an argument or a variable holds a NUL")
        if descriptor is not None:
            self._carry(b"o" + fields[1], os.dup(descriptor), readable=False)
        self._attached.send(*fields)

    def kill(self) -> None:
        """End everything in the container, stopped or not."""
        if not self.ended.done():
            self._maker.later(self._kill())

    async def clear(self) -> bool:
        """After `ended`: remove the last traces. The daemon's own follow a little later."""
        if self._reading is not None:
            self._reading.cancel()
        if self._attached is not None:
            self._attached.close()
        for stream in list(self._streams.values()):
            stream.close()
        if self.services is not None:
            self.services.close()
        if self._folder is not None:
            for path in self._folder.iterdir():
                path.unlink()
            self._folder.rmdir()
            self._folder = None
        self._maker.later(self._remove())
        return True

    def words(self) -> str:
        """What init said instead of being ready."""
        return self._words.decode("utf-8", "replace").strip()

    # -- what its cgroup would tell

    async def out_of_memory(self) -> bool:
        """Has its memory limit ended it, as the daemon knows when it is over?"""
        identifier = self._id
        with suppress(BackendError):
            said = await self._maker.calls("look at a container", lambda client: client.inspect_container(identifier))
            return bool(said["State"]["OOMKilled"])
        return False

    async def usage(self) -> Usage | None:
        """The daemon's figures of this moment; None when it has none."""
        identifier = self._id
        if identifier is None:
            return None
        with suppress(BackendError):
            said = await self._maker.calls(
                "measure a container", lambda client: client.stats(identifier, stream=False, one_shot=True)
            )
            memory = said.get("memory_stats") or {}
            used = memory.get("max_usage") or memory.get("usage") or 0
            return Usage(peak_memory=used, cpu_seconds=said["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9)
        return None

    # -- launching

    async def open(self) -> None:
        """Make it, and wait until its init is ready.

        Raises:
            BackendError: with the daemon's words.
        """
        spec, calls = self._spec, self._maker.calls
        folders = {PYTHON: self._maker.python}
        if spec.runtime.image is None:
            folders |= {"/var/task": spec.task, "/var/runtime": spec.runtime.client}
        if spec.opt is not None:
            folders["/opt"] = spec.opt
        etc = configuration.etc_files(configuration.REMOTE_USER)
        files = {f"/etc/{name}": etc[name] for name in ("passwd", "group")}
        files[f"{PYTHON}/relay.py"] = RELAY.read_text(encoding="utf-8")
        image = await self._outfitter.outfit(self._image.id, folders, files)
        body = configuration.remote_container(
            spec,
            image=image,
            command=self._maker.command,
            filters=self._maker.filters,
            labels={
                **self._maker.labels,
                "workbench.environment": spec.id,
                "workbench.function": spec.function,
            },
        )
        self._making = asyncio.create_task(self._make(body))
        identifier = await asyncio.shield(self._making)
        if spec.runtime.image is not None:
            names = await calls("look for extensions", lambda client: images.extensions(client, identifier))
            self.layout = configuration.layout(spec.runtime, images.with_extensions(self._image.settings, names))
        self._attached = await attach(calls.daemon, identifier, self._frame, self._complaint)
        self._reading = asyncio.create_task(self._read(self._attached))
        await calls("start a container", lambda client: client.start(identifier))
        first: list[asyncio.Future[Any]] = [self._ready, self.ended]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done():
            said = f"(exit code {self.ended.result()}) {self.words()}".strip()
            raise BackendError(f"the container ended before it was ready {said}")
        self._folder = Path(tempfile.mkdtemp(prefix="listeners-", dir=self._maker.host.run_dir))
        self.listener, self.services = _listen(self._folder, "l"), _listen(self._folder, "s")

    async def _make(self, body: dict[str, Any]) -> str:
        made = await self._maker.calls("make a container", lambda client: client.create_container_from_config(body))
        self._id = identifier = str(made["Id"])
        return identifier

    async def abandon(self) -> None:
        """End and clear away what there is, wherever `open` was."""
        if self._making is not None:  # the request goes on whoever is cancelled
            await asyncio.gather(self._making, return_exceptions=True)
        if self._attached is not None:
            await self._kill()
            await self.ended
        if self.listener is not None:
            self.listener.close()
        await self.clear()
        await self._remove()

    # -- what comes from it

    async def _read(self, attached: Attached) -> None:
        """Take what comes until it ends."""
        while await attached.read():
            pass
        code = -1
        with suppress(BackendError):
            code = (await self._maker.calls("wait for a container", lambda client: client.wait(self._id, timeout=10)))[
                "StatusCode"
            ]
        self.ended.set_result(code)

    def _complaint(self, text: bytes) -> None:
        self._words = (self._words + text)[:MAX_WORDS]

    def _frame(self, body: bytes) -> None:
        """One message. It comes from inside: what makes no sense is for the environment to judge, or forgotten."""
        kind, _, rest = body.partition(b"\0")
        if kind == b"data":
            name, _, data = rest.partition(b"\0")
            if (stream := self._streams.get(name)) is not None:
                stream.take(data)
        elif kind == b"taken":
            name, _, count = rest.partition(b"\0")
            if (stream := self._streams.get(name)) is not None and count.isdigit():
                stream.arrived(int(count))
        elif kind == b"close":
            if (stream := self._streams.get(rest)) is not None:
                stream.end()
        elif kind == b"open":
            self._connect(rest)
        elif body == b"oom":
            self.oom = True
        elif body == b"ready":
            if not self._ready.done():
                self._ready.set_result(None)
        elif kind == b"connected":
            ours, theirs = socket.socketpair()
            self._carry(b"c" + rest, ours.detach(), readable=True)
            self._on_message([kind, rest], theirs)
        else:
            self._on_message(body.split(b"\0"), None)

    def _connect(self, name: bytes) -> None:
        """Somebody inside has connected to the Runtime API, or to the services: so does this end, here."""
        if self._folder is None or name[:1] not in (b"l", b"s"):
            return
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            with _short(self._folder) as folder:
                connection.connect(f"{folder}/{name[:1].decode()}")
        except OSError:  # the engine does not listen any more
            connection.close()
            self._say(b"close", name)
            return
        self._carry(name, connection.detach(), readable=True)

    def _carry(self, name: bytes, descriptor: int, *, readable: bool) -> None:
        def say(data: bytes | None) -> None:
            self._say(*((b"close", name) if data is None else (b"data", name, data)))

        def taken(count: int) -> None:
            self._say(b"taken", name, b"%d" % count)

        def gone() -> None:
            self._streams.pop(name, None)

        self._streams[name] = Stream(descriptor, say, taken, gone, readable=readable)

    def _say(self, *fields: bytes) -> None:
        if self._attached is not None:
            self._attached.send(*fields)

    # -- its end

    async def _kill(self) -> None:
        identifier = self._id
        with suppress(BackendError):  # it is gone
            await self._maker.calls("end a container", lambda client: client.kill(identifier))
        if self._attached is not None:  # where the daemon does not, the end of stdin tells it
            self._attached.close()

    async def _remove(self) -> None:
        if self._id is not None:
            identifier, self._id = self._id, None
            await remove(self._maker.calls, identifier)


class RemoteEnvironment(BoxEnvironment):
    """An environment in such a container."""

    def __init__(self, maker: Maker, outfitter: Outfitter, spec: EnvironmentSpec, image: Image) -> None:
        self._container: RemoteContainer

        def make(on_message: OnAnswer) -> RemoteContainer:
            self._container = RemoteContainer(maker, outfitter, spec, image, on_message)
            return self._container

        super().__init__(spec, make, _NoWatch())

    async def launch(self, forget: Any) -> None:
        """Make the container. `forget` is called when it has ended."""
        await super().launch(forget)
        self.pid = None

    async def _measure(self) -> Usage:
        said = await self._container.usage()
        peak = max(self._watched.peak, said.peak_memory if said is not None else 0)
        self._watched.peak = peak
        seconds = said.cpu_seconds if said is not None else 0.0
        return Usage(peak_memory=min(peak, self._memory_size), cpu_seconds=seconds)

    def _process_ended(self, handle: int, code: int) -> None:
        self._out_of_memory = self._out_of_memory or self._container.oom
        super()._process_ended(handle, code)

    async def _tear_down(self, reason: ExitReason, grace: float) -> tuple[ExitReason, str]:
        alone = self._container.ended.done()
        if alone and await self._container.out_of_memory():  # the kernel chose init, or all of them
            self._out_of_memory, reason = True, ExitReason.OOM
        return await super()._tear_down(reason, grace)


class _NoWatch(MemoryWatch):
    """Its processes are not in this machine's table."""

    def add(self, name: str, watched: Watched) -> None:
        """Nothing to watch."""


def _listen(folder: Path, name: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _short(folder) as path:
        listener.bind(f"{path}/{name}")
    listener.listen(BACKLOG)
    return listener


class _short:
    """A folder's path by its descriptor: that of a socket may have 107 characters."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        self._descriptor = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._descriptor}"

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
