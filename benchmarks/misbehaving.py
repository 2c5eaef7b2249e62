"""Plugins that misbehave, each in one way: for the benchmark `plugins`, and for the tests of the same claim."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from importlib.metadata import EntryPoint
from typing import Any

from workbench.backends import registry
from workbench.backends.api import BackendFactory, EnvironmentSpec, Exited, ProcessExited
from workbench.backends.hookspecs import hookimpl
from workbench_subprocess.backend import SubprocessBackend

#: How long one of them holds up the loop that it was given.
BLOCKED_SECONDS = 10.0


class Sleeps(SubprocessBackend):
    """Sleeps for ever in `launch`."""

    async def launch(self, spec: EnvironmentSpec) -> Any:
        await asyncio.Event().wait()


class Blocks(SubprocessBackend):
    """Blocks its loop in `launch`."""

    async def launch(self, spec: EnvironmentSpec) -> Any:
        time.sleep(BLOCKED_SECONDS)  # noqa: ASYNC251  that is what is wrong with it
        return await super().launch(spec)


class Raises(SubprocessBackend):
    """Raises in `events`."""

    async def launch(self, spec: EnvironmentSpec) -> Any:
        environment = await super().launch(spec)

        async def events() -> AsyncIterator[ProcessExited | Exited]:
            raise ZeroDivisionError("in a plugin")
            yield

        environment.events = events  # type: ignore[method-assign]
        return environment


class Rubbish(SubprocessBackend):
    """Launches what is no environment."""

    async def launch(self, spec: EnvironmentSpec) -> Any:
        return {"id": spec.id}


class Plugin:
    """What an entry point names."""

    def __init__(self, kind: type[SubprocessBackend]) -> None:
        self._kind = kind

    @hookimpl
    def workbench_backend(self) -> BackendFactory:
        return BackendFactory(create=self._kind, summary=self._kind.__doc__ or "")


sleeps, blocks, raises, rubbish = Plugin(Sleeps), Plugin(Blocks), Plugin(Raises), Plugin(Rubbish)
#: Each by its name as a backend, with what those are told whose functions it should run.
SAY = {
    "sleeps": r"backend 'sleeps' did not launch an environment within",
    "blocks": r"backend 'blocks' did not launch an environment within",
    "raises": r"backend 'raises' stopped reporting on environment .*: ZeroDivisionError: in a plugin",
    "rubbish": r"backend 'rubbish' launched something of type dict: it has no id, layout, ",
}


def install() -> None:
    """Make them backends of this process, beside those that are installed."""
    found = dict(registry._installed())
    for name in SAY:
        found[name] = EntryPoint(name=name, value=f"{__name__}:{name}", group=registry.GROUP)
    registry._installed = lambda: found  # type: ignore[assignment]
