"""Runtimes that plugins bring: the entry says which program of this machine runs them, and with what command."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from workbench.engine.catalogue.languages import Entry, Program, Programs, Realisation, by_version, named, prepared
from workbench.model.errors import RuntimeUnavailable

_VERSION = re.compile(r"\d+(\.\d+)+")


class Brought:
    """A language that nothing is known of but what the entry says."""

    def look(self, entry: Entry, added: Sequence[Path]) -> tuple[str, str]:
        found = list(self.programs(entry, added).values())
        command, version = _interpreter(entry)
        if not found or found[-1] is None:
            return f"no {command} {version} here", str(entry.get("mend") or f"install {command} {version}")
        return f"{found[-1].version} at {found[-1].executable}", ""

    def own(self, entry: Entry) -> Program | None:
        return None

    def programs(self, entry: Entry, added: Sequence[Path]) -> Programs:
        command, version = _interpreter(entry)

        def ask(path: Path) -> Program | None:
            program = _ask(path)
            return program if program is not None and f"{program.version}.".startswith(f"{version}.") else None

        paths = [Path(folder, command) for folder in os.get_exec_path()]
        found = [program for path in paths if path.is_file() and (program := ask(path))]
        return by_version([*named(added, ask, f"{command} {version}"), *found])

    def realise(self, entry: Entry, version: str, program: Program | None, cache: Path) -> Realisation:
        if program is None:
            raise RuntimeUnavailable(f"there is no interpreter for runtime '{entry['id']}'")
        return Realisation(
            label=f"{entry['id']}:{version}",
            client=_client(entry, cache),
            command=tuple(map(str, entry["command"])),
        )


def _interpreter(entry: Entry) -> tuple[str, str]:
    return str(entry["interpreter"]["command"]), str(entry["interpreter"]["version"])


def _ask(path: Path) -> Program | None:
    """What a candidate says of itself; None when it does not run."""
    try:
        return _answer(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@functools.lru_cache(maxsize=64)
def _answer(path: Path, _changed: int) -> Program | None:
    try:
        said = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.search(said.stdout + said.stderr)
    if said.returncode != 0 or version is None:
        return None
    program = path.resolve()
    return Program(version[0], program, program.parent.parent)


def _client(entry: Entry, cache: Path) -> Path:
    """What the entry's package has for /var/runtime, by its content."""
    folder = resources.files(str(entry["package"])) / str(entry["program"])
    digest = hashlib.sha256()
    files = sorted(_files(folder, ""))
    for name, file in files:
        digest.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())

    def fill(target: Path) -> None:
        for name, file in files:
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as source, path.open("wb") as sink:
                shutil.copyfileobj(source, sink)

    return prepared(cache / f"{entry['id']}-{digest.hexdigest()[:16]}", fill, str(entry["id"]))


def _files(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _files(item, f"{prefix}{item.name}/")
        else:
            found.append((prefix + item.name, item))
    return found
