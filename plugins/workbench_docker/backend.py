"""The `docker` backend: makes containers."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import stat
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.backends import file_systems
from workbench.backends.api import API_VERSION, Capabilities, EnvironmentSpec, Health, Host, Network
from workbench.backends.box import seccomp
from workbench.backends.box.environment import BoxEnvironment
from workbench.backends.proctable import MemoryWatch
from workbench.model.errors import BackendError, BackendUnavailable
from workbench.model.runtimes import RuntimeVersion
from workbench_docker import daemon, images, python
from workbench_docker.calls import Calls
from workbench_docker.configuration import PYTHON, REMOTE_USER
from workbench_docker.container import Container, Maker, NoImage, remove
from workbench_docker.images import Image
from workbench_docker.outfit import Outfitter, remove_image
from workbench_docker.remote import RemoteEnvironment

#: Each environment has a user of its own, far above the users that a system has; as on AWS where the daemon maps users.
FIRST_UID = 2_000_000
UID_RANGE = 1_000_000_000


class DockerBackend:
    """Runs functions in containers without a network, without capabilities, on a read-only image."""

    api_version = API_VERSION
    capabilities = Capabilities(
        isolation=True,
        own_network=True,
        mounts=True,
        memory_limit=True,
        freeze=True,
        reset=True,
        networks=frozenset({Network.NONE}),
        connect=True,
        file_systems=True,
        images=True,
        services=True,
        processes=True,
    )

    def __init__(self) -> None:
        self._maker: Maker | None = None
        self._closed = False
        self._remapped = False
        self._outfitter: Outfitter | None = None
        self._watch = MemoryWatch()
        self._environments: set[BoxEnvironment] = set()
        self._images: dict[str, Image] = {}
        self._later: set[asyncio.Task[None]] = set()
        self._uids = itertools.count(FIRST_UID + secrets.randbelow(UID_RANGE))

    async def open(self, host: Host) -> None:
        """Find the daemon, and remove what engines have left that are gone.

        Raises:
            BackendUnavailable: there is no daemon, or it cannot do what is needed.
        """
        found = await asyncio.to_thread(daemon.look)
        if found.daemon is None:
            raise BackendUnavailable(found.health.why, mend=found.health.mend)
        self._remapped = found.daemon.remapped
        calls = Calls(found.daemon)
        folder = host.run_dir / "python"
        try:
            command, _ = await asyncio.gather(
                asyncio.to_thread(python.make, folder), _sweep(calls, copies=found.daemon.remote)
            )
        except BaseException:
            await calls.aclose()
            raise
        filters: tuple[str, ...] = ()
        if seccomp.supported():
            await asyncio.to_thread((folder / "filter").write_bytes, seccomp.program())
            filters = (f"{PYTHON}/filter",)
        self._maker = Maker(calls, host, folder, command, filters, _labels(), self._go_on)
        if found.daemon.remote:
            self._outfitter = Outfitter(calls, _labels())
            self.capabilities = replace(self.capabilities, file_systems=False, processes=False)

    async def health(self) -> Health:
        """Usable when a daemon answers whose containers run on this machine's own kernel."""
        found = await asyncio.to_thread(daemon.look)
        if found.daemon is None:
            return found.health
        missing = images.missing(await asyncio.to_thread(daemon.tags, found.daemon))
        return replace(found.health, notes=(*found.health.notes, missing)) if missing else found.health

    async def prepare(self, runtime: RuntimeVersion) -> None:
        """Find the image of the runtime, or the one that it is; fetch it, if it must be."""
        await self._image(runtime)

    async def image_digest(self, image: str) -> str | None:
        """That of its registry; of an image that was built here, the one of its configuration."""
        if self._maker is None:
            raise BackendError("the docker backend is not open")
        found = await images.look(self._maker.calls, image)
        return found.digest if found is not None else None

    async def launch(self, spec: EnvironmentSpec) -> BoxEnvironment:
        """Make a container with its init, ready to start processes."""
        if self._maker is None or self._closed:
            raise BackendError("the docker backend is not open")
        if spec.network not in self.capabilities.networks:
            raise BackendError(f"the docker backend has no network '{spec.network}'")
        try:
            environment = await self._launch(self._maker, spec)
        except NoImage:  # it has gone since it was found: the daemon may be another one by now
            self._images.clear()
            environment = await self._launch(self._maker, spec)
        if self._closed:
            await environment.stop(0)
            if environment.listener is not None:
                environment.listener.close()
            raise BackendError("the docker backend was closed meanwhile")
        self._environments.add(environment)
        return environment

    async def _launch(self, maker: Maker, spec: EnvironmentSpec) -> BoxEnvironment:
        image, user = await self._image(spec.runtime), self._user(spec)
        if self._outfitter is not None:
            environment: BoxEnvironment = RemoteEnvironment(maker, self._outfitter, spec, image)
        else:
            environment = BoxEnvironment(
                spec, lambda on_message: Container(maker, spec, image, user, on_message), self._watch
            )
        await environment.launch(self._environments.discard)
        return environment

    async def aclose(self) -> None:
        """End every container, and wait until the daemon has removed them."""
        self._closed = True
        await asyncio.gather(*(environment.stop(0) for environment in list(self._environments)))
        while self._later:
            await asyncio.gather(*self._later)
        if self._outfitter is not None:
            await self._outfitter.aclose()
        if self._maker is not None:
            await self._maker.calls.aclose()

    def _user(self, spec: EnvironmentSpec) -> tuple[int, int]:
        folders = list(spec.file_systems.values())
        if self._remapped:
            for folder in folders:
                if not folder.stat().st_mode & stat.S_IWOTH:
                    raise BackendError(
                        f"this Docker daemon maps users, so functions cannot write to {folder}",
                        mend=f"chmod o+rwx {folder}",
                    )
            return REMOTE_USER
        uid = file_systems.user_of(folders) or next(self._uids)
        return (uid, uid)

    async def _image(self, runtime: RuntimeVersion) -> Image:
        if self._maker is None:
            raise BackendError("the docker backend is not open")
        if runtime.image is not None:  # looked for each time: another one may have its name by now
            return await images.find_named(self._maker.calls, runtime.image, self._maker.host.report)
        found = self._images.get(runtime.runtime)
        if found is None:
            found = await images.find(self._maker.calls, runtime.runtime, self._maker.host.report)
            self._images[runtime.runtime] = found
        return found

    def _go_on(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


def _labels() -> dict[str, str]:
    """Whose a container is: a process number, what tells it from a later one of that number, and where it counts."""
    return {
        "workbench.engine": str(os.getpid()),
        "workbench.engine.started": _started(os.getpid()),
        "workbench.engine.namespace": os.readlink("/proc/self/ns/pid"),
    }


async def _sweep(calls: Calls, *, copies: bool) -> None:
    """Remove the containers of engines that are gone, and images that they have made to copy code. Of other namespaces,
    nobody here can tell.
    """
    ours = {"label": [f"workbench.engine.namespace={os.readlink('/proc/self/ns/pid')}"]}
    for container in await calls("list containers", lambda client: client.containers(all=True, filters=ours)):
        if _gone(container["Labels"]):
            await remove(calls, container["Id"])
    if not copies:
        return
    for image in await calls("list images", lambda client: client.images(filters=ours)):
        if _gone(image["Labels"]):
            await remove_image(calls, image["Id"])


def _gone(labels: Mapping[str, str]) -> bool:
    """Has the engine whose labels these are ended?"""
    pid = labels.get("workbench.engine", "")
    return pid.isdecimal() and _started(int(pid)) != labels.get("workbench.engine.started")


def _started(pid: int) -> str:
    """When a process began, in ticks since boot; empty when there is none."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    return ""
