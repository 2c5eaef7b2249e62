"""Runtimes on this machine: the catalogue's identifiers, and what realises each.

Every version of a language's program that is found here is a runtime version of its own: two patch levels of Python
3.11 are two versions of `python3.11`. The catalogue comes from the packages that the entry-point group
`workbench.runtimes` names. How a language is found and started is the business of its module here.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import platform
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path

from workbench.engine.catalogue.brought import Brought
from workbench.engine.catalogue.languages import Entry, Language, Program, Programs
from workbench.engine.catalogue.nodejs import NodeJs
from workbench.engine.catalogue.provided import Provided
from workbench.engine.catalogue.python import Python
from workbench.model.errors import RuntimeUnavailable, UsageError
from workbench.model.runtimes import InstalledRuntime, RuntimeVersion

GROUP = "workbench.runtimes"
#: The package whose runtimes are there first.
OURS = "workbench_runtimes"

_log = logging.getLogger(__name__)


class Catalogue:
    """Satisfies `engine.ports.Runtimes`. `region` is part of a runtime version's ARN.

    `added` are programs by runtime that the project names beside those that are found.
    """

    def __init__(self, region: str, cache: Path, added: Mapping[str, Sequence[Path]] | None = None) -> None:
        self._region = region
        self._cache = cache
        self._added = added or {}
        self._programs: dict[str, Programs] = {}
        self._resolved: dict[str, RuntimeVersion] = {}
        self._lock = asyncio.Lock()

    def known(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def brought(self) -> tuple[tuple[str, str, str, tuple[str, ...]], ...]:
        """Who brings runtimes: an entry point's name, its distribution, that one's version, and the identifiers."""
        return tuple(
            (
                point.name,
                point.dist.name if point.dist is not None else "",
                point.dist.version if point.dist is not None else "",
                tuple(id for id, entry in self._entries.items() if entry["package"] == point.value),
            )
            for point in sorted(entry_points(group=GROUP), key=lambda point: (point.value != OURS, point.name))
        )

    def check(self) -> None:
        """Raises UsageError when the project adds to a runtime that there is not, or that does not run here."""
        for runtime in self._added:
            if runtime not in self._entries or _language(self._entries[runtime]) is None:
                raise UsageError(f"workbench.toml: [runtimes] names '{runtime}', which is no runtime that runs here")

    def look(self, runtime: str) -> tuple[str, str] | None:
        """What realises a runtime here, and the mend when nothing does; None for one that Workbench cannot run."""
        language = _language(self._entries[runtime])
        if language is None:
            return None
        try:
            return language.look(self._entries[runtime], self._added.get(runtime, ()))
        except UsageError as error:  # of a program that the project names
            return str(error), "name one there that is"

    async def first(self, runtime: str) -> InstalledRuntime | None:
        entry = self._entry(runtime)
        language = _language(entry)
        own = language.own(entry) if language is not None else None
        if own is not None:
            return self._installed(runtime, own.version, own)
        versions = await self._search(runtime)
        return versions[-1] if versions else None

    async def installed(self, runtime: str) -> tuple[InstalledRuntime, ...]:
        return await self._search(runtime, again=True)

    async def has(self, runtime: str, arn: str) -> bool:
        return await self._find(runtime, arn) is not None

    def nowhere(self, runtime: str) -> str:
        return self._arn(runtime, "")

    async def resolve(self, runtime: str, arn: str | None = None) -> RuntimeVersion:
        if arn is None:
            newest = await self.first(runtime)
            if newest is None:
                raise self._unavailable(runtime)
            arn = newest.arn
        found = self._resolved.get(arn)
        if found is not None:
            return found
        program = await self._find(runtime, arn)
        if program is None:
            if not await self._search(runtime):
                raise self._unavailable(runtime)
            raise RuntimeUnavailable(
                f"the runtime version {arn} of '{runtime}' is no longer on this machine",
                mend="workbench runtimes list shows those that are",
            )
        async with self._lock:
            if arn not in self._resolved:
                self._resolved[arn] = await asyncio.to_thread(self._realise, runtime, arn, *program)
            return self._resolved[arn]

    def deprecation(self, runtime: str) -> date | None:
        day = self._entries[runtime].get("deprecation")
        return day if isinstance(day, date) else None

    def deprecated(self, runtime: str, day: date) -> str | None:
        """What becomes of functions with a runtime that AWS no longer supports on that day; None for any other."""
        entry, since = self._entries[runtime], self.deprecation(runtime)
        if since is None or since > day:
            return None
        blocks = [
            f"no function is {what} from {entry[key]} on"
            for key, what in (("block_create", "given it"), ("block_update", "updated with it"))
            if key in entry
        ]
        return "; ".join([f"{runtime} is deprecated since {since}", *blocks])

    def blocked(self, runtime: str, day: date, *, update: bool = False) -> bool:
        entry = self._entries[runtime]
        since = entry.get("block_update" if update else "block_create", date.max)
        return bool(entry["status"] == "blocked" or since <= day)

    async def _find(self, runtime: str, arn: str) -> tuple[str, Program | None] | None:
        """The program of a runtime version and its version, found without a search where that is possible."""
        entry = self._entry(runtime)
        language = _language(entry)
        own = language.own(entry) if language is not None else None
        if own is not None and not self._added.get(runtime) and self._arn(runtime, own.version) == arn:
            return own.version, own
        for again in (False, True):
            await self._search(runtime, again=again)
            for version, program in self._programs[runtime].items():
                if self._arn(runtime, version) == arn:
                    return version, program
        return None

    async def _search(self, runtime: str, *, again: bool = False) -> tuple[InstalledRuntime, ...]:
        """Look through the machine, the first time or `again`; what is found is oldest to newest."""
        if again or runtime not in self._programs:
            entry = self._entry(runtime)
            language = _language(entry)
            added = self._added.get(runtime, ())
            self._programs[runtime] = (
                await asyncio.to_thread(language.programs, entry, added) if language is not None else {}
            )
        return tuple(self._installed(runtime, version, it) for version, it in self._programs[runtime].items())

    def _installed(self, runtime: str, version: str, program: Program | None) -> InstalledRuntime:
        return InstalledRuntime(
            runtime=runtime,
            version=version,
            arn=self._arn(runtime, version),
            interpreter=str(program.executable) if program is not None else None,
        )

    def _arn(self, runtime: str, version: str) -> str:
        """The same wherever the program lies, and after Workbench was installed anew."""
        identity = f"{runtime} {version} {platform.machine()}"
        return f"arn:aws:lambda:{self._region}::runtime:{hashlib.sha256(identity.encode()).hexdigest()}"

    def _entry(self, runtime: str) -> Entry:
        entry = self._entries.get(runtime)
        if entry is None:
            raise RuntimeUnavailable(f"there is no runtime '{runtime}'", mend="workbench doctor lists what runs here")
        return entry

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        import tomli

        entries: dict[str, Entry] = {}
        ours_first = sorted(entry_points(group=GROUP), key=lambda point: (point.value != OURS, point.name))
        for point in ours_first:
            try:
                folder = resources.files(point.value) / "catalogue"
                for file in sorted(folder.iterdir(), key=lambda item: item.name):
                    if file.name.endswith(".toml"):
                        for entry in tomli.loads(file.read_text(encoding="utf-8"))["runtime"]:
                            if point.value != OURS:
                                _check_brought(entry, entries)
                            entries[entry["id"]] = {**entry, "package": point.value}
            except Exception as error:  # a plugin of a stranger's costs its own runtimes, no others
                if point.value == OURS:
                    raise
                _log.warning("plugin '%s' brings no runtimes: %s: %s", point.name, type(error).__name__, error)
        return entries

    def _unavailable(self, runtime: str) -> RuntimeUnavailable:
        entry = self._entries[runtime]
        language = _language(entry)
        if language is None:
            return RuntimeUnavailable(
                f"'{runtime}' functions do not run here: Python 3.10 and newer, Node.js and provided runtimes do"
            )
        why, mend = language.look(entry, self._added.get(runtime, ()))
        return RuntimeUnavailable(f"'{runtime}' functions do not run here: {why}", mend=mend)

    def _realise(self, runtime: str, arn: str, version: str, program: Program | None) -> RuntimeVersion:
        entry = self._entries[runtime]
        language = _language(entry)
        assert language is not None  # it has found the program
        real = language.realise(entry, version, program, self._cache)
        return RuntimeVersion(
            runtime=runtime,
            label=real.label,
            arn=arn,
            client=real.client,
            command=real.command,
            ahead=real.ahead,
            interpreter=program.executable if program is not None else None,
            prefix=program.prefix if program is not None else None,
        )


def _language(entry: Entry) -> Language | None:
    runtime = str(entry["id"])
    if runtime.startswith("python") and "client" in entry:
        return Python()
    if runtime.startswith("nodejs") and "interpreter" in entry:
        return NodeJs()
    if runtime.startswith("provided"):
        return Provided()
    if "program" in entry:
        return Brought()
    return None


def _check_brought(entry: Entry, known: Mapping[str, Entry]) -> None:
    """Raises ValueError for an entry that cannot be used, or that would take the place of another."""
    if missing := [key for key in ("id", "status", "interpreter", "program", "command") if key not in entry]:
        raise ValueError(f"runtime '{entry.get('id', '?')}' lacks {', '.join(missing)}")
    if entry["id"] in known:
        raise ValueError(f"there is a runtime '{entry['id']}' already")
