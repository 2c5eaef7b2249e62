"""Layer versions in the database, and the trees that functions see at /opt.

A tree of several layers is made of hard links to the files of each, in their order, and kept under the hashes of all.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from workbench.model.codec import decode, encode
from workbench.model.errors import StateError
from workbench.model.layers import LayerVersion

TABLES = """
    CREATE TABLE layers (name TEXT NOT NULL, version INTEGER NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (name, version)) STRICT;
    CREATE TABLE layer_numbers (name TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT;
"""


class LayerRecords:
    """The layer versions of an open store. Satisfies `engine.ports.LayerRecords`."""

    def __init__(self, database: sqlite3.Connection, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        self._db = database
        self._transaction = transaction

    def load(self) -> list[LayerVersion]:
        """Raises StateError when the database is damaged."""
        with self._transaction():
            rows = self._db.execute("SELECT document FROM layers ORDER BY name, version").fetchall()
        try:
            return [decode(LayerVersion, json.loads(document)) for (document,) in rows]
        except (TypeError, ValueError) as error:
            raise StateError(f"the layers in the state folder are damaged: {error}") from error

    def publish(self, name: str, build: Callable[[int], LayerVersion]) -> LayerVersion:
        with self._transaction():
            row = self._db.execute("SELECT next FROM layer_numbers WHERE name = ?", (name,)).fetchone()
            number = row[0] if row else 1
            version = build(number)
            self._db.execute("INSERT OR REPLACE INTO layer_numbers VALUES (?, ?)", (name, number + 1))
            self._put(version)
        return version

    def put(self, version: LayerVersion) -> None:
        with self._transaction():
            self._put(version)

    def delete(self, name: str, version: int) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM layers WHERE name = ? AND version = ?", (name, version))

    def _put(self, version: LayerVersion) -> None:
        document = json.dumps(encode(version), separators=(",", ":"))
        self._db.execute("INSERT OR REPLACE INTO layers VALUES (?, ?, ?)", (version.name, version.version, document))


def merged_name(hashes: Sequence[str]) -> str:
    """The name of the tree of several layers."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def merge(trees: Sequence[Path], target: Path) -> None:
    """Lay trees over one another into `target`, which must not exist: where two have the same path, the later wins.

    The files are hard links where the file system has them. Nothing is left behind on failure.

    Raises:
        OSError: the disk does not take it.
    """
    temporary = Path(tempfile.mkdtemp(prefix=".merge-", dir=target.parent))
    try:
        for tree in trees:
            _lay(tree, temporary)
        temporary.chmod(0o755)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _lay(source: Path, over: Path) -> None:
    """Links are laid as links and never followed, so that no tree writes outside of what is made."""
    with os.scandir(source) as entries:
        for entry in entries:
            place = over / entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            there = os.path.lexists(place)
            if there and place.is_dir() and not place.is_symlink():
                if not is_folder:
                    shutil.rmtree(place)
            elif there:
                place.unlink()
            if is_folder:
                if not place.is_dir():
                    place.mkdir()
                    place.chmod(0o755)
                _lay(Path(entry.path), place)
            else:
                _link(Path(entry.path), place)


def _link(source: Path, place: Path) -> None:
    try:
        os.link(source, place, follow_symlinks=False)
    except OSError:  # a file system without hard links, or a file that has as many as there may be
        shutil.copy2(source, place, follow_symlinks=False)
