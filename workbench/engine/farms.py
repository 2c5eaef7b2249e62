"""How code gets into the folders of spares: by links, or by moving what was linked before into place.

To make a folder takes many times as long as to move one, and so does to remove one. So what has folders is linked ahead
for the next cold start, and everything else that takes long is done in a thread.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from workbench.engine import trees
from workbench.engine.ports import StoreThread
from workbench.engine.trees import Tree

#: So many links or moves take less time than another thread needs to begin.
_FEW = 20
#: Of so many trees a copy is kept ready.
_MOST = 16


class Farms:
    """Works in a folder of its own on the file system of the code."""

    def __init__(self, folder: Path, disk: StoreThread) -> None:
        self.folder = folder
        self._disk = disk
        self._closed = False
        self._ready: dict[Path, Path] = {}
        #: What was put into a spare lately, the last one at the end.
        self._wanted: dict[Path, Tree] = {}

    async def make(self, *folders: Path) -> None:
        """Make folders that everybody may read.

        Raises:
            OSError: it cannot be done.
        """
        await self._disk.run(_make, folders)

    async def fill(self, tree: Tree, target: Path, aside: Path) -> None:
        """Have in `target`, a spare's folder, what is in the tree; what else was there goes to `aside`.

        Raises:
            OSError: it cannot be done.
        """
        if tree.folders:
            self._wanted.pop(tree.root, None)
            self._wanted[tree.root] = tree
            if len(self._wanted) > _MOST:
                del self._wanted[next(iter(self._wanted))]
        farm = self._ready.pop(tree.root, None)
        if farm is not None and len(tree.below("")) <= _FEW:
            trees.move(farm, target, aside)
        elif farm is not None:
            await self._disk.run(trees.move, farm, target, aside)
        elif tree.folders or len(tree.files) > _FEW:
            await self._disk.run(trees.link, tree, target, aside)
        else:
            trees.link(tree, target, aside)

    async def prepare(self) -> None:
        """Link ahead what was wanted lately.

        Raises:
            OSError: it cannot be done.
        """
        for root in [root for root in self._ready if root not in self._wanted]:
            await self.remove(self._ready.pop(root))
        for root, tree in list(self._wanted.items()):
            if root not in self._ready:
                farm = self.folder / f"farm-{uuid.uuid4().hex[:8]}"
                await self._disk.run(trees.plant, tree, farm)
                self._ready[root] = farm

    def forget(self) -> None:
        """Nothing is wanted any more; `prepare` removes what there is."""
        self._wanted.clear()

    async def remove(self, folder: Path) -> None:
        """Remove a folder with all that is in it; what cannot be removed goes when the next engine starts."""
        if not self._closed:
            await self._disk.run(_remove, folder)

    async def aclose(self) -> None:
        """Remove what was linked ahead."""
        self._wanted.clear()
        for farm in self._ready.values():
            await self.remove(farm)
        self._ready.clear()
        self._closed = True
        await self._disk.aclose()


def _make(folders: tuple[Path, ...]) -> None:
    for folder in folders:
        folder.mkdir()
        folder.chmod(0o755)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
