"""The backends of an engine: which one runs a function, each opened when it is first needed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from workbench.engine.backend_host import BackendHost
from workbench.model.errors import WorkbenchError
from workbench.model.functions import FunctionVersion

_log = logging.getLogger("workbench.engine")


class Backends:
    """`default` runs what names no backend; `images` says who runs container images, `make` opens one by its name.

    `hosts` are those that are open, by name.
    """

    def __init__(
        self, default: str, images: Callable[[], str | None], make: Callable[[str], Awaitable[BackendHost]]
    ) -> None:
        self.hosts: dict[str, BackendHost] = {}
        self._default = default
        self._images = images
        self._make = make
        self._locks: dict[str, asyncio.Lock] = {}

    def name(self, version: FunctionVersion, named: str | None = None) -> str:
        """The backend that runs a version; `named` is the one that its invocation asks for."""
        images = self._images() if version.code.image is not None else None
        return named or images or self._default

    async def open(self, name: str | None = None) -> BackendHost:
        """The backend of this name, opened; the default one without a name.

        Raises:
            WorkbenchError: it does not work here; a backend that was named is never replaced by another.
        """
        name = name or self._default
        host = self.hosts.get(name)
        if host is None:
            async with self._locks.setdefault(name, asyncio.Lock()):
                host = self.hosts.get(name)
                if host is None:
                    host = self.hosts[name] = await self._make(name)
        return host

    async def image_digest(self, image: str) -> str | None:
        """The digest of a container image, if it is here and a backend can say."""
        name = self._images()
        if name is None:
            return None
        try:
            return await (await self.open(name)).image_digest(image)
        except WorkbenchError as error:  # whoever invokes the function is told
            _log.info("the image %s is not looked at: %s", image, error)
            return None

    async def aclose(self) -> None:
        """Close those that are open; what goes wrong is logged."""
        for host in self.hosts.values():
            try:
                await host.aclose()
            except WorkbenchError as error:
                _log.warning("%s", error)
