"""Images for a daemon on another machine, which can be shown no folder of this one: what functions need is copied in.

One image for each set of contents: made when it is first needed, removed when the engine ends.
"""

from __future__ import annotations

import asyncio
import io
import posixpath
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from workbench.model.errors import BackendError
from workbench_docker.calls import Calls
from workbench_docker.configuration import PYTHON


class Outfitter:
    """Makes them. `labels` say whose they are."""

    def __init__(self, calls: Calls, labels: Mapping[str, str]) -> None:
        self._calls = calls
        self._labels = dict(labels)
        self._made: dict[tuple[object, ...], asyncio.Task[str]] = {}

    async def outfit(self, image: str, folders: Mapping[str, Path], files: Mapping[str, str]) -> str:
        """The id of an image with these folders of this machine and these texts, by their paths inside.

        Raises:
            BackendError: the daemon would not.
        """
        key = (image, *sorted((path, str(folder)) for path, folder in folders.items()))
        making = self._made.get(key)
        if making is None or (making.done() and (making.cancelled() or making.exception() is not None)):
            making = self._made[key] = asyncio.create_task(self._make(image, folders, files))
        return await asyncio.shield(making)

    async def aclose(self) -> None:
        """Remove all of them that the daemon lets go."""
        making, self._made = list(self._made.values()), {}
        outcomes = await asyncio.gather(*making, return_exceptions=True)
        for made in outcomes:
            if isinstance(made, str):
                await remove_image(self._calls, made)

    async def _make(self, image: str, folders: Mapping[str, Path], files: Mapping[str, str]) -> str:
        with tempfile.TemporaryFile() as file:
            await asyncio.to_thread(_pack, file, folders, files)
            size = file.tell()
            file.seek(0)

            def work(client: Any) -> str:
                made = client.create_container_from_config({"Image": image, "Cmd": ["/"], "Labels": self._labels})["Id"]
                try:
                    client.put_archive(made, "/", file)
                    committed: str = client.commit(made, conf={"Labels": self._labels})["Id"]
                    return committed
                finally:
                    client.remove_container(made, force=True, v=True)

            return await self._calls(f"copy {size >> 20} MB of code into an image", work)


async def remove_image(calls: Calls, image: str) -> None:
    """Remove an image if the daemon lets it go."""
    with suppress(BackendError):
        await calls("remove an image", lambda client: client.remove_image(image, force=True))


def _pack(file: IO[bytes], folders: Mapping[str, Path], files: Mapping[str, str]) -> None:
    with tarfile.open(fileobj=file, mode="w") as tar:
        own = tarfile.TarInfo(posixpath.dirname(PYTHON).lstrip("/"))
        own.type, own.mode = tarfile.DIRTYPE, 0o755  # else its mode would be the daemon's to choose
        tar.addfile(own)
        for inside, folder in folders.items():
            tar.add(folder, inside.lstrip("/"), filter=_roots)
        for inside, text in files.items():
            info = tarfile.TarInfo(inside.lstrip("/"))
            content = text.encode()
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))


def _roots(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Root's, as on AWS, and readable for everybody."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    return info
