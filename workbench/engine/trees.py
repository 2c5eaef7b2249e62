"""Code and layers as folders: what is in one, what of it a booted runtime would miss, and a copy made of links."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

#: The dynamic linker remembers of a folder that it was not there. Those that it looks into are there from the start.
LIBRARIES = "lib"
#: More are linked more slowly than a sandbox is made.
MAX_FILES = 2000
#: What an interpreter imports by itself, if it is there.
_AT_START = "sitecustomize"
_MODULES = (".py", ".pyc", ".so")


@dataclass(frozen=True, slots=True)
class Tree:
    """What a folder holds, by paths relative to it. Folders come with their modes, outer ones first."""

    root: Path
    folders: tuple[tuple[str, int], ...]
    files: tuple[str, ...]

    def below(self, folder: str) -> list[str]:
        """The names directly in one of its folders; `""` is the root."""
        start = f"{folder}/" if folder else ""
        paths = [path for path, _ in self.folders if path.startswith(start)]
        paths += [path for path in self.files if path.startswith(start)]
        return [name for path in paths if "/" not in (name := path[len(start) :])]

    def modules(self, folder: str) -> set[str]:
        """The names under which Python finds something directly in one of its folders."""
        packages = {path for path, _ in self.folders}
        start = f"{folder}/" if folder else ""
        names = self.below(folder)
        return {name.partition(".")[0] for name in names if start + name in packages or name.endswith(_MODULES)}


def look(root: Path) -> Tree:
    """Read a folder.

    Raises:
        OSError: it cannot be read.
    """
    folders: list[tuple[str, int]] = []
    files: list[str] = []
    waiting = [""]
    while waiting:
        at = waiting.pop()
        with os.scandir(root / at) as entries:
            for entry in entries:
                path = f"{at}/{entry.name}" if at else entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append((path, stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)))
                    waiting.append(path)
                else:
                    files.append(path)
    return Tree(root, tuple(sorted(folders)), tuple(files))


def link(tree: Tree, target: Path, aside: Path) -> None:
    """Make `target`, a folder on the same file system, the same as the tree, by links to its files.

    The linker's folder goes to `aside` if the tree has none: to move a folder takes microseconds, to remove one
    milliseconds.

    Raises:
        OSError: it cannot be done.
    """
    names = tree.below("")
    if LIBRARIES not in names:
        (target / LIBRARIES).rename(aside)
    _copy(tree, target)


def plant(tree: Tree, farm: Path) -> None:
    """Make a folder that is the same as the tree, for `move`.

    Raises:
        OSError: it cannot be done.
    """
    farm.mkdir()
    _copy(tree, farm)


def move(farm: Path, target: Path, aside: Path) -> None:
    """Move all that was planted to `target`, and what is left over beside `aside`; as `link` else.

    Raises:
        OSError: it cannot be done.
    """
    (target / LIBRARIES).rename(aside)  # the linker remembers a place, not the folder that it found there
    with os.scandir(farm) as entries:
        for entry in entries:
            os.rename(entry.path, target / entry.name)
    farm.rename(aside.with_name(f"{aside.name}-farm"))


def _copy(tree: Tree, target: Path) -> None:
    for path, mode in tree.folders:
        folder = target / path
        folder.mkdir(exist_ok=path == LIBRARIES)
        folder.chmod(mode)
    root, place = str(tree.root), str(target)
    for path in tree.files:
        os.link(f"{root}/{path}", f"{place}/{path}", follow_symlinks=False)


def unfit(code: Tree, layers: Tree | None, version: str, loaded: Collection[str], *, mounts: bool) -> str:
    """Why a runtime that is loaded already would run this code otherwise than one that starts with it; else nothing.

    `version` is Python's `3.11`, empty for other languages; `loaded` the modules that it has by then.
    """
    trees = [tree for tree in (code, layers) if tree is not None]
    if sum(len(tree.files) for tree in trees) > MAX_FILES:
        return f"its code has more than {MAX_FILES} files"
    for tree in trees:
        names = tree.below("")
        if any(path.startswith("lib/glibc-hwcaps/") for path in tree.files) or "glibc-hwcaps" in names:
            return "it brings libraries for one kind of processor"
        if LIBRARIES in tree.files:
            return "its lib is no folder"
        if not mounts and (LIBRARIES in names or any(".so" in name for name in names)):
            return "it brings libraries, and without mounts their place is known too late"
    if version:
        places = [(code, "")]
        if layers is not None:
            places += [(layers, "python"), (layers, f"python/lib/python{version}/site-packages")]
        for tree, folder in places:
            for module in sorted(tree.modules(folder)):
                if module == _AT_START or module in loaded:
                    return f"it brings its own {module}"
    return ""
