"""The durable store: one SQLite database (WAL, synchronous=FULL) and a folder of code by SHA-256.

Order of every write: the blob is fsynced and renamed first, then one transaction names it, then the caller hears of it.
All calls come from one thread.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from workbench.model.attached import Attached
from workbench.model.codec import decode, encode
from workbench.model.errors import StateError
from workbench.model.functions import Alias, Code, FunctionVersion
from workbench.model.invocations import QueuedEvent
from workbench.model.names import LATEST
from workbench.model.records import Record
from workbench.model.routes import Route
from workbench.model.runtimes import RuntimeRollout
from workbench.store import archive as archives
from workbench.store.folder import StateFolder, own_file, own_folder, sync_folder, write_durably
from workbench.store.layers import TABLES as LAYER_TABLES
from workbench.store.layers import LayerRecords, merge, merged_name
from workbench.store.migrations import migrate
from workbench.store.prune import remove_others

R = TypeVar("R", bound=Record | RuntimeRollout)

MIGRATIONS = (
    """
    CREATE TABLE versions (function TEXT NOT NULL, version TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (function, version)) STRICT;
    CREATE TABLE aliases (function TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (function, name)) STRICT;
    CREATE TABLE numbers (function TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT;
    CREATE TABLE events (request_id TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
    """,
    "CREATE TABLE routes (source TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;",
    """
    CREATE TABLE attached (function TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
    CREATE TABLE records (kind TEXT NOT NULL, id TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT;
    INSERT INTO attached
        SELECT function, json_object('tags', json_extract(document, '$.tags')) FROM versions
        WHERE version = '$LATEST' AND json_extract(document, '$.tags') <> '{}';
    """,
    LAYER_TABLES,
)


class SqliteStore:
    """An open state folder. Satisfies `engine.ports.Store`."""

    def __init__(self, folder: StateFolder) -> None:
        """Open, migrate and sweep what a crash left half-written.

        Raises:
            StateError: the database is damaged; the message names it.
        """
        self._folder = folder
        self._blobs = folder.path / "code"
        self._trees = folder.path / "trees"
        for path in (self._blobs, self._trees):
            own_folder(path)
        with _disk(folder.path):
            self._sweep()
        self._file = folder.path / "state.db"
        for suffix in ("", "-wal", "-shm"):
            if not suffix or os.path.lexists(f"{self._file}{suffix}"):
                own_file(Path(f"{self._file}{suffix}"))
        self._db = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            if (found := self._db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(found)
            migrate(self._db, self._file, MIGRATIONS)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise self._damaged(error) from error
        except StateError:
            self._db.close()
            raise
        self.layers = LayerRecords(self._db, self._transaction)

    def load(self) -> tuple[list[FunctionVersion], list[Alias], list[QueuedEvent]]:
        """Raises StateError when the database is damaged."""
        try:
            versions = [decode(FunctionVersion, document) for document in self._documents("versions")]
            aliases = [decode(Alias, document) for document in self._documents("aliases")]
            events = [decode(QueuedEvent, document) for document in self._documents("events")]
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise self._damaged(error) from error
        # By number and not by time: a clock may have been set back.
        versions.sort(key=lambda found: (found.name, 0 if found.version == LATEST else int(found.version)))
        return versions, aliases, events

    def _sweep(self) -> None:
        """Remove what a crash left half-written.

        Unpacked trees are not synced to the disk, so those from before the machine's last start may be incomplete.
        """
        boot, marker = _boot_id(), self._folder.path / "boot"
        if not boot or not marker.is_file() or marker.read_bytes() != boot:
            shutil.rmtree(self._trees)
            own_folder(self._trees)
            write_durably(marker, boot)
        for path in (self._blobs, self._trees):
            for leftover in path.glob(".*"):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()

    def _damaged(self, error: Exception) -> StateError:
        return StateError(f"{self._file} is damaged: {error}", mend="move it away to start afresh")

    # -- code
    def put_code(self, archive: bytes) -> str:
        """Raises InvalidParameterValue for what must not be unpacked, StateError when the disk does not take it."""
        sha256 = hashlib.sha256(archive).hexdigest()
        if not (self._trees / sha256).is_dir():
            archives.check(archive)
        path = self._blobs / sha256
        with _disk(path):
            if path.exists():
                sync_folder(self._blobs)  # whoever wrote it may have failed at just this
            else:
                write_durably(path, archive)
        return sha256

    def code(self, sha256: str) -> bytes:
        """Raises StateError when the archive is missing or is not what its name says."""
        path = self._blobs / sha256
        try:
            archive = path.read_bytes()
        except OSError as error:
            raise StateError(
                f"the code {path} cannot be read: {error.strerror}", mend="deploy the function again"
            ) from error
        if hashlib.sha256(archive).hexdigest() != sha256:
            raise StateError(f"the code {path} is damaged", mend="delete the file and deploy the function again")
        return archive

    def extract(self, sha256: str) -> Path:
        tree = self._trees / sha256
        if not tree.is_dir():
            archive = self.code(sha256)
            with _disk(tree):
                archives.extract(archive, tree)
        return tree

    def unzipped(self, sha256: str) -> int:
        return archives.unzipped(self.code(sha256))

    def extract_layers(self, layers: tuple[Code, ...]) -> Path | None:
        hashes = [layer.sha256 for layer in layers]
        if len(hashes) < 2:
            return self.extract(hashes[0]) if hashes else None
        trees = [self.extract(sha256) for sha256 in hashes]
        tree = self._trees / merged_name(hashes)
        if not tree.is_dir():
            with _disk(tree):
                merge(trees, tree)
        return tree

    def prune(self) -> tuple[int, int]:
        """Remove archives and trees that no function and no layer version has; how many of each.

        Raises:
            StateError: the database is damaged, or the disk does not let go.
        """
        versions, _, _ = self.load()
        layers = {layer.code.sha256 for layer in self.layers.load()}
        layers.update(code.sha256 for version in versions for code in version.layers)
        archives = layers | {version.code.sha256 for version in versions}
        merged = {merged_name([code.sha256 for code in version.layers]) for version in versions}
        with _disk(self._blobs):
            return remove_others(self._blobs, archives), remove_others(self._trees, archives | merged)

    # -- records
    def put_version(self, version: FunctionVersion, attached: Attached | None = None) -> None:
        with self._transaction():
            self._put_version(version)
            self._put_attached(version.name, attached)

    def publish(
        self,
        name: str,
        build: Callable[[int], FunctionVersion],
        attach: Callable[[FunctionVersion], Attached | None] | None = None,
    ) -> FunctionVersion:
        with self._transaction():
            row = self._db.execute("SELECT next FROM numbers WHERE function = ?", (name,)).fetchone()
            number = row[0] if row else 1
            version = build(number)
            self._db.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (name, number + 1))
            self._put_version(version)
            self._put_attached(name, attach(version) if attach is not None else None)
        return version

    def delete_version(self, name: str, version: str, left: Attached | None = None) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM versions WHERE function = ? AND version = ?", (name, version))
            self._put_attached(name, left)

    def delete_function(self, name: str) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM versions WHERE function = ?", (name,))
            self._db.execute("DELETE FROM aliases WHERE function = ?", (name,))
            self._db.execute("DELETE FROM attached WHERE function = ?", (name,))

    def put_alias(self, alias: Alias) -> None:
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", (alias.function, alias.name, _document(alias))
            )

    def delete_alias(self, function: str, name: str, left: Attached | None = None) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM aliases WHERE function = ? AND name = ?", (function, name))
            self._put_attached(function, left)

    def attached(self) -> dict[str, Attached]:
        """Raises StateError when the database is damaged."""
        try:
            rows = self._db.execute("SELECT function, document FROM attached").fetchall()
            return {function: decode(Attached, json.loads(document)) for function, document in rows}
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise self._damaged(error) from error

    def put_attached(self, function: str, attached: Attached) -> None:
        with self._transaction():
            self._put_attached(function, attached)

    def records(self, of: type[R]) -> list[R]:
        """Raises StateError when the database is damaged."""
        try:
            rows = self._db.execute("SELECT document FROM records WHERE kind = ? ORDER BY id", (of.kind,)).fetchall()
            return [decode(of, json.loads(document)) for (document,) in rows]
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise self._damaged(error) from error

    def put_record(self, record: Record | RuntimeRollout) -> None:
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (record.kind, record.id, _document(record))
            )

    def delete_record(self, record: Record) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM records WHERE kind = ? AND id = ?", (record.kind, record.id))

    def routes(self) -> dict[str, tuple[Route, ...]]:
        """Raises StateError when the database is damaged."""
        try:
            rows = self._db.execute("SELECT source, document FROM routes ORDER BY rowid").fetchall()
            return {source: decode(tuple[Route, ...], json.loads(document)) for source, document in rows}
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise self._damaged(error) from error

    def put_routes(self, source: str, routes: tuple[Route, ...]) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM routes WHERE source = ?", (source,))
            if routes:
                self._db.execute("INSERT INTO routes VALUES (?, ?)", (source, _document(routes)))

    def put_event(self, event: QueuedEvent) -> None:
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO events VALUES (?, ?)", (event.request_id, _document(event)))

    def delete_event(self, request_id: str) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM events WHERE request_id = ?", (request_id,))

    def close(self) -> None:
        self._db.close()
        self._folder.close()

    def _put_version(self, version: FunctionVersion) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO versions VALUES (?, ?, ?)", (version.name, version.version, _document(version))
        )

    def _put_attached(self, function: str, attached: Attached | None) -> None:
        if attached is not None:
            self._db.execute("INSERT OR REPLACE INTO attached VALUES (?, ?)", (function, _document(attached)))

    def _documents(self, table: str) -> Iterator[object]:
        for (document,) in self._db.execute(f"SELECT document FROM {table} ORDER BY rowid"):
            yield json.loads(document)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, durable at the end; an error of the disk reaches the caller as a StateError."""
        try:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # A full disk has already rolled it back; a disk that fails here again is told by the first error.
                with suppress(sqlite3.Error):
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StateError(f"{self._file}: {error}") from error


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """An error of the disk reaches the caller as a StateError that names the place."""
    try:
        yield
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror or error}") from error


def _boot_id() -> bytes:
    """Different after each start of the machine; empty where nobody says."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return b""


def _document(value: object) -> str:
    return json.dumps(encode(value), separators=(",", ":"))
