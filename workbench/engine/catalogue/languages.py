"""What the catalogue asks of each language, and what the languages share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workbench.model.errors import RuntimeUnavailable, UsageError

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Program:
    """A language's program on this machine: its version as `3.11.7`, its path, and the tree that it needs."""

    version: str
    executable: Path
    prefix: Path


#: The programs of one runtime by their version, oldest to newest; None stands for one that the function brings.
Programs = Mapping[str, Program | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Realisation:
    """What becomes a runtime version, beside its program and its ARN."""

    label: str
    client: Path
    command: tuple[str, ...]
    ahead: tuple[str, ...] = ()


class Language(Protocol):
    """A kind of runtime that Workbench can run."""

    def look(self, entry: Entry, added: Sequence[Path]) -> tuple[str, str]:
        """What realises an entry here, for people; and, when nothing does, the command that mends it.

        Raises:
            UsageError: as for `programs`.
        """

    def own(self, entry: Entry) -> Program | None:
        """The program that is known without a search, if there is one. It comes first while nothing is published."""

    def programs(self, entry: Entry, added: Sequence[Path]) -> Programs:
        """Every version that is here, each once. `added` are programs that the project names; they go before others.

        Raises:
            UsageError: one of `added` is no such program.
        """

    def realise(self, entry: Entry, version: str, program: Program | None, cache: Path) -> Realisation:
        """Make the client's folder in `cache`.

        Raises:
            RuntimeUnavailable: it cannot be made.
        """


def candidates(roots: Iterable[tuple[Path, str]], name: str) -> Iterator[Path]:
    """The files at these patterns under these folders, then those of this name on PATH.

    What this user may not read, or cannot be a path, is passed over: a program that cannot be looked at is not here.
    """
    for root, pattern in roots:
        found: list[Path] = []
        with suppress(OSError):
            found = sorted(root.glob(pattern))
        yield from found
    for folder in os.get_exec_path():
        if os.path.isfile(path := os.path.join(folder, name)):
            yield Path(path)


def named(paths: Iterable[Path], ask: Callable[[Path], Program | None], what: str) -> list[Program]:
    """The programs at paths that the project names.

    Raises:
        UsageError: there is none, or another one, at a path.
    """
    programs = []
    for path in paths:
        program = ask(path)
        if program is None:
            raise UsageError(f"workbench.toml: [runtimes]: {path} is no {what}")
        programs.append(program)
    return programs


def by_version(programs: Iterable[Program]) -> dict[str, Program | None]:
    """The first program of each version, oldest version to newest."""
    first: dict[str, Program | None] = {}
    for program in programs:
        first.setdefault(program.version, program)
    return dict(sorted(first.items(), key=lambda item: [int(part) for part in item[0].split(".")]))


def prepared(folder: Path, fill: Callable[[Path], None], what: str) -> Path:
    """A client's folder in the cache: made once, in one step, and then only looked at. All may read it.

    Raises:
        RuntimeUnavailable: it cannot be written.
    """
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".client-", dir=folder.parent))
        try:
            fill(temporary)
            _readable(temporary)
            try:
                temporary.rename(folder)
            except OSError:
                if not folder.is_dir():  # another engine may have made it meanwhile
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise RuntimeUnavailable(f"the {what} client cannot be prepared in {folder.parent}: {error}") from error
    return folder


def _readable(folder: Path) -> None:
    """Functions run as another user: everything here may be read by all."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
