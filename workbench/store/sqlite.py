"""The durable store: one SQLite database (WAL, synchronous=FULL) and a folder of code by SHA-256.

Order of every write: the blob is fsynced and renamed first, then one transaction names it, then the caller hears of it.
All calls come from one thread.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.model.codec import decode, encode
from workbench.model.errors import StateError
from workbench.model.functions import Alias, FunctionVersion
from workbench.model.invocations import QueuedEvent
from workbench.store import archive as archives
from workbench.store.folder import StateFolder, write_durably

MIGRATIONS = (
    """
    CREATE TABLE versions (function TEXT NOT NULL, version TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (function, version)) STRICT;
    CREATE TABLE aliases (function TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (function, name)) STRICT;
    CREATE TABLE numbers (function TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT;
    CREATE TABLE events (request_id TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
    """,
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
            path.mkdir(mode=0o700, exist_ok=True)
            for leftover in path.glob(".*"):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        self._file = folder.path / "state.db"
        try:
            self._db = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._migrate()
        except sqlite3.DatabaseError as error:
            raise StateError(f"{self._file} is damaged: {error}", mend="move it away to start afresh") from error
        self._file.chmod(0o600)

    def load(self) -> tuple[list[FunctionVersion], list[Alias], list[QueuedEvent]]:
        versions = [decode(FunctionVersion, document) for document in self._documents("versions")]
        versions.sort(key=lambda version: version.last_modified)
        aliases = [decode(Alias, document) for document in self._documents("aliases")]
        events = [decode(QueuedEvent, document) for document in self._documents("events")]
        return versions, aliases, events

    # -- code
    def put_code(self, archive: bytes) -> str:
        sha256 = hashlib.sha256(archive).hexdigest()
        path = self._blobs / sha256
        if not path.exists():
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
            archives.extract(self.code(sha256), tree)
        return tree

    # -- records
    def put_version(self, version: FunctionVersion) -> None:
        with self._transaction():
            self._put_version(version)

    def publish(self, name: str, build: Callable[[int], FunctionVersion]) -> FunctionVersion:
        with self._transaction():
            row = self._db.execute("SELECT next FROM numbers WHERE function = ?", (name,)).fetchone()
            number = row[0] if row else 1
            version = build(number)
            self._db.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (name, number + 1))
            self._put_version(version)
        return version

    def delete_version(self, name: str, version: str) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM versions WHERE function = ? AND version = ?", (name, version))

    def delete_function(self, name: str) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM versions WHERE function = ?", (name,))
            self._db.execute("DELETE FROM aliases WHERE function = ?", (name,))

    def put_alias(self, alias: Alias) -> None:
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", (alias.function, alias.name, _document(alias))
            )

    def delete_alias(self, function: str, name: str) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM aliases WHERE function = ? AND name = ?", (function, name))

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

    def _documents(self, table: str) -> Iterator[object]:
        for (document,) in self._db.execute(f"SELECT document FROM {table} ORDER BY rowid"):
            yield json.loads(document)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, durable at the end; an error of the disk reaches the caller as a StateError."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StateError(f"{self._file}: {error}") from error

    def _migrate(self) -> None:
        at = self._db.execute("PRAGMA user_version").fetchone()[0]
        for number, script in enumerate(MIGRATIONS[at:], start=at + 1):
            self._db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")


def _document(value: object) -> str:
    return json.dumps(encode(value), separators=(",", ":"))
