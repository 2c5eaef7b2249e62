"""Runtimes on this machine: the catalogue's identifiers, and what realises each.

The catalogue comes from the packages that the entry-point group `workbench.runtimes` names. How a language is found and
started is the business of its module here.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from datetime import date
from functools import cached_property
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path

from workbench.engine.catalogue.languages import Entry, Language
from workbench.engine.catalogue.nodejs import NodeJs
from workbench.engine.catalogue.provided import Provided
from workbench.engine.catalogue.python import Python
from workbench.model.errors import RuntimeUnavailable
from workbench.model.runtimes import RuntimeVersion

GROUP = "workbench.runtimes"


class Catalogue:
    """Satisfies `engine.ports.Runtimes`. `region` is part of a runtime version's ARN."""

    def __init__(self, region: str, cache: Path) -> None:
        self._region = region
        self._cache = cache
        self._resolved: dict[str, RuntimeVersion] = {}
        self._lock = asyncio.Lock()

    def known(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def look(self, runtime: str) -> tuple[str, str] | None:
        """What realises a runtime here, and the mend when nothing does; None for one that Workbench cannot run."""
        language = _language(self._entries[runtime])
        return language.look(self._entries[runtime]) if language is not None else None

    async def resolve(self, runtime: str) -> RuntimeVersion:
        found = self._resolved.get(runtime)
        if found is None:
            async with self._lock:
                found = self._resolved.get(runtime)
                if found is None:
                    found = self._resolved[runtime] = await asyncio.to_thread(self._find, runtime)
        return found

    async def seek(self, runtime: str) -> None:
        """Resolve it if anything here realises it, so that `arn` names what will run."""
        with suppress(RuntimeUnavailable):
            await self.resolve(runtime)

    def arn(self, runtime: str) -> str | None:
        """The ARN of the runtime version that functions of this runtime get; None for an unknown runtime.

        Where nothing here realises the runtime, it is that of a version which never runs.
        """
        found = self._resolved.get(runtime)
        if found is not None:
            return found.arn
        return self._arn(runtime) if runtime in self._entries else None

    def blocked(self, runtime: str, day: date) -> bool:
        entry = self._entries[runtime]
        return bool(entry["status"] == "blocked" or entry.get("block_create", date.max) <= day)

    def _arn(self, identity: str) -> str:
        return f"arn:aws:lambda:{self._region}::runtime:{hashlib.sha256(identity.encode()).hexdigest()}"

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        import tomli

        entries: dict[str, Entry] = {}
        for package in entry_points(group=GROUP):
            folder = resources.files(package.value) / "catalogue"
            for file in sorted(folder.iterdir(), key=lambda item: item.name):
                if file.name.endswith(".toml"):
                    for entry in tomli.loads(file.read_text(encoding="utf-8"))["runtime"]:
                        entries[entry["id"]] = entry
        return entries

    def _find(self, runtime: str) -> RuntimeVersion:
        entry = self._entries.get(runtime)
        if entry is None:
            raise RuntimeUnavailable(f"there is no runtime '{runtime}'", mend="workbench doctor lists what runs here")
        language = _language(entry)
        if language is None:
            raise RuntimeUnavailable(
                f"'{runtime}' functions do not run here: Python 3.10 and newer, Node.js and provided runtimes do"
            )
        real = language.realise(entry, self._cache)
        return RuntimeVersion(
            runtime=runtime,
            label=real.label,
            arn=self._arn(real.identity),
            client=real.client,
            command=real.command,
            interpreter=real.program.executable if real.program else None,
            prefix=real.program.prefix if real.program else None,
        )


def _language(entry: Entry) -> Language | None:
    runtime = str(entry["id"])
    if runtime.startswith("python") and "client" in entry:
        return Python()
    if runtime.startswith("nodejs") and "interpreter" in entry:
        return NodeJs()
    if runtime.startswith("provided"):
        return Provided()
    return None
