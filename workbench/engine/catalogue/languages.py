"""What the catalogue asks of each language, and what the languages share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workbench.model.errors import RuntimeUnavailable

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Program:
    """A language's program on this machine: its version as `3.11.7`, its path, and the tree that it needs."""

    version: str
    executable: Path
    prefix: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Realisation:
    """What becomes a runtime version: all of it but the ARN, which is made of `identity`."""

    label: str
    identity: str
    client: Path
    command: tuple[str, ...]
    program: Program | None = None


class Language(Protocol):
    """A kind of runtime that Workbench can run."""

    def look(self, entry: Entry) -> tuple[str, str]:
        """What realises an entry here, for people; and, when nothing does, the command that mends it."""

    def realise(self, entry: Entry, cache: Path) -> Realisation:
        """Find the program, and make the client's folder in `cache`.

        Raises:
            RuntimeUnavailable: nothing here realises it.
        """


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
