"""What is made ready before a sandbox of a version can be: its runtime, and the folders of its code and its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from workbench.backends.file_systems import make as make_folder
from workbench.backends.file_systems import read_only
from workbench.engine.backend_host import BackendHost
from workbench.engine.ports import Store, StoreThread
from workbench.engine.rollouts import Rollouts
from workbench.engine.sandbox import Contents
from workbench.model import file_systems
from workbench.model.errors import BackendError
from workbench.model.functions import FunctionVersion
from workbench.model.runtimes import RuntimeVersion

P = TypeVar("P", Path, Path | None)


class Preparation:
    """Remembers what is ready already, so that most cold starts wait for neither backend nor disk.

    `folders` are those of this machine by the access points of file systems that they stand for.
    """

    def __init__(self, store: Store, thread: StoreThread, rollouts: Rollouts, folders: Mapping[str, Path]) -> None:
        self._store = store
        self._thread = thread
        self._rollouts = rollouts
        self._file_systems = folders
        #: Backends with the ARNs of the runtime versions that they are prepared for.
        self._prepared: set[tuple[str, str]] = set()
        #: The folders of code and of layers that are known to be there.
        self._folders: dict[str, Path] = {}

    async def contents(self, version: FunctionVersion, host: BackendHost) -> Contents:
        """What a sandbox of the version needs.

        Raises:
            RuntimeUnavailable, BackendError, EFSMountFailure: it cannot be had, here or on this backend.
        """
        shown = file_systems.shown(version.configuration.settings, self._file_systems)
        if shown and not host.capabilities.file_systems:
            raise BackendError(
                f"{version.name} has a file system at {', '.join(shown)}, and the {host.name} backend mounts none",
                mend="--backend bubblewrap, or docker",
            )
        notes = await self._thread.run(_make_folders, shown.values()) if shown else ()
        image = version.code.image
        if image is not None:
            if not host.capabilities.images:
                raise BackendError(
                    f"{version.name} is a container image, and the {host.name} backend runs none",
                    mend="--backend docker",
                )
            runtime = RuntimeVersion.of_image(image)
            await host.prepare(runtime)  # each time: the image of this name may have gone
            return Contents(runtime=runtime, task=Path("/var/task"), opt=None, file_systems=shown, notes=notes)
        runtime = await self._rollouts.boot(version)
        if (host.name, runtime.arn) not in self._prepared:
            await host.prepare(runtime)
            self._prepared.add((host.name, runtime.arn))
        store, code, layers = self._store, version.code, version.layers
        task = await self._extracted(code.sha256, lambda: store.extract(code.sha256))
        names = ",".join(layer.sha256 for layer in layers)
        opt = await self._extracted(names, lambda: store.extract_layers(layers)) if layers else None
        return Contents(runtime=runtime, task=task, opt=opt, file_systems=shown, notes=notes)

    async def _extracted(self, content: str, extract: Callable[[], P]) -> P:
        """The folder of code or of layers; the store's thread is not waited for when it is there."""
        known = self._folders.get(content)
        if known is not None and known.is_dir():
            return known
        folder = await self._thread.run(extract)
        if folder is not None:
            self._folders[content] = folder
        return folder


def _make_folders(folders: Iterable[Path]) -> tuple[str, ...]:
    """Make what is missing of the folders of file systems; what is to be said of them."""
    for folder in folders:
        make_folder(folder)
    return tuple(note for folder in folders if (note := read_only(folder)) is not None)
