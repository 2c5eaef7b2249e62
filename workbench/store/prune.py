"""Takes out of a state folder what nothing refers to. Nobody else may have the folder open for writing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was taken out, and the bytes of the disk that this gave back."""

    archives: int = 0
    trees: int = 0
    invocations: int = 0
    damaged: int = 0
    freed: int = 0


def size_of(*paths: Path) -> int:
    """Bytes that files take on the disk, each once however many names it has; what is not there takes none."""
    seen: dict[tuple[int, int], int] = {}
    for path in paths:
        for place in (path, *path.rglob("*")) if path.is_dir() and not path.is_symlink() else (path,):
            try:
                found = place.lstat()
            except FileNotFoundError:
                continue
            seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values())


def remove_others(folder: Path, keep: Iterable[str]) -> int:
    """Remove all files and folders of a folder but those with these names; how many.

    Raises:
        OSError: one cannot be removed.
    """
    kept = frozenset(keep)
    gone = [Path(entry) for entry in os.scandir(folder) if entry.name not in kept]
    for path in gone:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return len(gone)
