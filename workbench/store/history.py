"""What ran: invocations that have ended, in a SQLite file of their own beside the durable state.

Losing the last moments of it in a power cut is no harm, so nothing waits for the disk (WAL, synchronous=NORMAL). A file
that is damaged is moved aside: history never keeps an engine from its work. All calls come from one thread.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from workbench.model.cost import FREE_STORAGE, Allocation, Usage, Used, requests_of
from workbench.model.errors import ResourceNotFound, StateError, UsageError
from workbench.model.history import MAX_BYTES, MAX_INVOCATIONS, InvocationRecord, PastInvocation, PastLine
from workbench.model.invocations import InvocationStatus, InvocationType
from workbench.store.folder import own_file
from workbench.store.migrations import migrate

FILE = "history.db"
#: The bodies come last: a list of invocations is read without touching their pages.
MIGRATIONS = (
    """
    CREATE TABLE invocations (n INTEGER PRIMARY KEY, request_id TEXT NOT NULL, attempt INTEGER NOT NULL,
        function TEXT NOT NULL, qualifier TEXT, version TEXT NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL,
        wall REAL NOT NULL, started_ms REAL, finished_ms REAL NOT NULL, init_ms REAL, duration_ms REAL NOT NULL,
        billed_ms INTEGER NOT NULL, memory_size INTEGER NOT NULL, max_memory_mb INTEGER NOT NULL, environment TEXT,
        backend TEXT, cold INTEGER NOT NULL, why TEXT NOT NULL, error_type TEXT, trace_id TEXT, client_context TEXT,
        event_size INTEGER NOT NULL, response_size INTEGER NOT NULL, log_dropped INTEGER NOT NULL,
        log TEXT NOT NULL, event BLOB NOT NULL, response BLOB NOT NULL) STRICT;
    CREATE INDEX by_request ON invocations (request_id);
    CREATE INDEX by_function ON invocations (function, n);
    """,
    """
    CREATE TABLE wider (n INTEGER PRIMARY KEY, request_id TEXT NOT NULL, attempt INTEGER NOT NULL,
        function TEXT NOT NULL, qualifier TEXT, version TEXT NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL,
        wall REAL NOT NULL, started_ms REAL, finished_ms REAL NOT NULL, init_ms REAL, duration_ms REAL NOT NULL,
        billed_ms INTEGER NOT NULL, memory_size INTEGER NOT NULL, max_memory_mb INTEGER NOT NULL, environment TEXT,
        backend TEXT, cold INTEGER NOT NULL, why TEXT NOT NULL, error_type TEXT, trace_id TEXT, client_context TEXT,
        responded_ms REAL, architecture TEXT NOT NULL DEFAULT 'x86_64',
        ephemeral_storage INTEGER NOT NULL DEFAULT 512, provisioned INTEGER NOT NULL DEFAULT 0,
        revision TEXT NOT NULL DEFAULT '', tenant TEXT, engine REAL NOT NULL DEFAULT 0,
        event_size INTEGER NOT NULL, response_size INTEGER NOT NULL, log_dropped INTEGER NOT NULL,
        log TEXT NOT NULL, event BLOB NOT NULL, response BLOB NOT NULL) STRICT;
    INSERT INTO wider (n, request_id, attempt, function, qualifier, version, type, status, wall, started_ms,
        finished_ms, init_ms, duration_ms, billed_ms, memory_size, max_memory_mb, environment, backend, cold, why,
        error_type, trace_id, client_context, event_size, response_size, log_dropped, log, event, response)
    SELECT n, request_id, attempt, function, qualifier, version, type, status, wall, started_ms,
        finished_ms, init_ms, duration_ms, billed_ms, memory_size, max_memory_mb, environment, backend, cold, why,
        error_type, trace_id, client_context, event_size, response_size, log_dropped, log, event, response
    FROM invocations;
    DROP TABLE invocations;
    ALTER TABLE wider RENAME TO invocations;
    CREATE INDEX by_request ON invocations (request_id);
    CREATE INDEX by_function ON invocations (function, n);
    CREATE TABLE allocations (function TEXT NOT NULL, version TEXT NOT NULL, architecture TEXT NOT NULL,
        memory_size INTEGER NOT NULL, count INTEGER NOT NULL, since REAL NOT NULL, until REAL NOT NULL, init_ms REAL,
        PRIMARY KEY (function, version, since)) STRICT, WITHOUT ROWID;
    """,
)
_SUMMARY = tuple(field.name for field in fields(PastInvocation))
_WHOLE = tuple(field.name for field in fields(InvocationRecord))
_WRITTEN = tuple(name for name in _WHOLE if name != "n")
_VALUES = attrgetter(*_WRITTEN)
_ATTEMPT, _TYPE, _STATUS, _LOG = map(_WRITTEN.index, ("attempt", "type", "status", "log"))
_INSERT = f"INSERT INTO invocations ({', '.join(_WRITTEN)}) VALUES ({', '.join('?' * len(_WRITTEN))})"
_ALLOCATION = tuple(field.name for field in fields(Allocation))
_ALLOCATION_VALUES = attrgetter(*_ALLOCATION)
_ALLOCATE = (
    f"INSERT INTO allocations ({', '.join(_ALLOCATION)}) VALUES ({', '.join('?' * len(_ALLOCATION))}) "
    "ON CONFLICT (function, version, since) DO UPDATE SET until = excluded.until, init_ms = excluded.init_ms"
)
_USED = tuple(field.name for field in fields(Usage))
_USAGE = f"""
    SELECT function, strftime('%Y-%m', wall, 'unixepoch'), architecture, provisioned, count(*),
        sum(requests_of(type, event_size)), sum(billed_ms * memory_size),
        sum(billed_ms * max(ephemeral_storage - {FREE_STORAGE}, 0))
    FROM invocations WHERE started_ms IS NOT NULL GROUP BY 1, 2, 3, 4
"""
#: What SQLite says of a file that is none of its own, or not whole.
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
#: Bytes that the write-ahead log keeps on the disk after it was emptied.
_WAL_BYTES = 4_000_000
#: Seconds that a write waits for another process, such as a shell that looks into the file.
_PATIENCE = 5.0
_log = logging.getLogger("workbench.history")

Kind = TypeVar("Kind", bound=PastInvocation)


class HistoryFile:
    """The history of a state folder, bounded by a number of invocations and by bytes. Opened when first used.

    With `read_only` it is only looked at, as while an engine writes it; a file that is not there is an empty history.
    """

    def __init__(
        self,
        folder: Path,
        *,
        invocations: int = MAX_INVOCATIONS,
        size: int = MAX_BYTES,
        read_only: bool = False,
    ) -> None:
        self.path = folder / FILE
        self._keep = invocations
        self._size = size
        self._read_only = read_only
        self._db: sqlite3.Connection | None = None
        self._count = 0

    # -- writing
    def append(self, records: Iterable[InvocationRecord]) -> None:
        """Keep these, and forget the oldest ones beyond the bounds; `n` and `attempt` are given here.

        Records that are made while they are taken leave others their turn on the processor. They are asked for anew
        when a damaged file had to be replaced.

        Raises:
            StateError: the disk does not take them; none of them is kept then.
        """
        try:
            self._append(records)
        except _Damaged:
            self._append(records)

    def _append(self, records: Iterable[InvocationRecord]) -> None:
        with self._errors():
            db = self._open()
            assert db is not None
            before = self._count
            db.execute("BEGIN IMMEDIATE")
            try:
                for record in records:
                    attempt = record.attempt if record.type is not InvocationType.EVENT else _attempts(db, record) + 1
                    db.execute(_INSERT, _row(record, attempt))
                    self._count += 1
                self._forget_oldest(db)
                db.execute("COMMIT")
            except BaseException:
                self._count = before
                with suppress(sqlite3.Error):
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                raise

    def _forget_oldest(self, db: sqlite3.Connection) -> None:
        kept = self._count
        oldest = max(self._count - self._keep, 0)
        while oldest or (self._count and _used(db) > self._size):
            oldest = oldest or 1 + self._count // 50
            db.execute("DELETE FROM invocations WHERE n IN (SELECT n FROM invocations ORDER BY n LIMIT ?)", (oldest,))
            self._count -= oldest
            oldest = 0
        if self._count < kept:
            db.execute("DELETE FROM allocations WHERE until < (SELECT wall FROM invocations ORDER BY n LIMIT 1)")

    def allocate(self, allocations: Iterable[Allocation]) -> None:
        """Keep what was provisioned; what is known of it already takes the new `until` and `init_ms`.

        Raises:
            StateError: the disk does not take it.
        """
        rows = [_ALLOCATION_VALUES(one) for one in allocations]
        try:
            self._allocate(rows)
        except _Damaged:
            self._allocate(rows)

    def _allocate(self, rows: list[tuple[Any, ...]]) -> None:
        with self._errors():
            db = self._open()
            assert db is not None
            db.executemany(_ALLOCATE, rows)

    def prune(self, before: float) -> tuple[int, int]:
        """Forget what ended before `before`, epoch seconds, and files that were moved aside; how many of each.

        The bounds hold then, and the database is as large as what it holds.

        Raises:
            StateError: the disk does not let go.
        """
        aside = list(self.path.parent.glob(f"{FILE}.damaged-*"))
        gone = 0
        with self._errors():
            for file in aside:
                file.unlink()
            if self.path.exists():
                db = self._open()
                assert db is not None
                kept = self._count
                self._count -= db.execute(
                    "DELETE FROM invocations WHERE wall + finished_ms / 1000 < ?", (before,)
                ).rowcount
                self._forget_oldest(db)
                db.execute("DELETE FROM allocations WHERE until < ?", (before,))
                gone = kept - self._count
                db.execute("VACUUM")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone, len(aside)

    # -- reading
    def get(self, request_id: str) -> InvocationRecord:
        """The last attempt of an invocation, by its request id or by the beginning of one if no other begins so.

        Raises:
            ResourceNotFound: it is not, or no longer, in the history.
            UsageError: several request ids begin so.
            StateError: the file cannot be read.
        """
        with self._errors():
            db = self._open()
            query = f"SELECT {', '.join(_WHOLE)} FROM invocations WHERE request_id = ? ORDER BY n DESC LIMIT 1"
            row = db.execute(query, (_whole_id(db, request_id),)).fetchone() if db else None
            if row is None:
                raise ResourceNotFound(f"the history has no invocation '{request_id}'")
            values = dict(zip(_WHOLE, row, strict=True))
            values["log"] = tuple(PastLine(*line) for line in json.loads(values["log"]))
            return _value(InvocationRecord, values)

    def newest(
        self, *, function: str | None, status: InvocationStatus | None, limit: int, before: int | None
    ) -> tuple[PastInvocation, ...]:
        """Invocations, the one that ended last first; `before` goes on behind that `n`.

        Raises:
            StateError: the file cannot be read.
        """
        wanted = {"function = ?": function, "status = ?": status and status.value, "n < ?": before}
        given = {term: value for term, value in wanted.items() if value is not None}
        where = f"WHERE {' AND '.join(given)}" if given else ""
        query = f"SELECT {', '.join(_SUMMARY)} FROM invocations {where} ORDER BY n DESC LIMIT ?"
        with self._errors():
            db = self._open()
            rows = db.execute(query, (*given.values(), limit)).fetchall() if db else []
            return tuple(_value(PastInvocation, dict(zip(_SUMMARY, row, strict=True))) for row in rows)

    def used(self) -> Used:
        """What everything here used, for its costs.

        Raises:
            StateError: the file cannot be read.
        """
        with self._errors():
            db = self._open()
            if db is None:
                return Used()
            usage = tuple(
                Usage(**{**dict(zip(_USED, row, strict=True)), "provisioned": bool(row[3])})
                for row in db.execute(_USAGE)
            )
            known = db.execute(f"SELECT {', '.join(_ALLOCATION)} FROM allocations ORDER BY since").fetchall()
            begun = db.execute("SELECT wall FROM invocations ORDER BY n LIMIT 1").fetchone()
            allocations = tuple(Allocation(**dict(zip(_ALLOCATION, row, strict=True))) for row in known)
            since = [*(begun or ()), *(one.since for one in allocations[:1])]
            return Used(since=min(since, default=None), usage=usage, allocations=allocations)

    def close(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    # -- the file
    def _open(self) -> sqlite3.Connection | None:
        """The database; None only for a reader who finds none."""
        if self._db is not None:
            return self._db
        if self._read_only and not self.path.exists():
            return None
        for suffix in ("", "-wal", "-shm"):
            if not suffix or os.path.lexists(f"{self.path}{suffix}"):
                own_file(Path(f"{self.path}{suffix}"))
        mode = "ro" if self._read_only else "rw"
        address = f"{self.path.absolute().as_uri()}?mode={mode}"
        db = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=_PATIENCE)
        try:
            if not self._read_only:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=NORMAL")
                db.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")
            else:
                at = db.execute("PRAGMA user_version").fetchone()[0]
                if not at:  # its engine is just making it
                    db.close()
                    return None
                if at < len(MIGRATIONS):  # no engine of this version has had it yet
                    with closing(HistoryFile(self.path.parent, invocations=self._keep, size=self._size)) as writer:
                        writer._open()
            migrate(db, self.path, MIGRATIONS)
            db.create_function(
                "requests_of", 2, lambda type, size: requests_of(InvocationType(type), size), deterministic=True
            )
            self._count = db.execute("SELECT count(*) FROM invocations").fetchone()[0]
        except BaseException:
            db.close()
            raise
        self._db = db
        return db

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """An error of SQLite or of the disk reaches the caller as a StateError; what is damaged is moved aside."""
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGE:
                raise StateError(f"{self.path}: {error}") from error
            if self._read_only:
                raise StateError(f"{self.path} is damaged: {error}", mend="move it away to start afresh") from error
            aside = self._move_aside()
            _log.warning("the history was damaged (%s) and is now %s; a new one was begun", error, aside)
            raise _Damaged(f"the history was damaged and is now {aside}") from error
        except ValueError as error:
            raise StateError(f"{self.path}: {error}") from error
        except OSError as error:
            raise StateError(f"{self.path}: {error.strerror or error}") from error

    def _move_aside(self) -> Path:
        self.close()
        aside = self.path.with_name(f"{FILE}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.replace(f"{self.path}{suffix}", f"{aside}{suffix}")
        return aside


class _Damaged(StateError):
    """The file was moved aside."""


def _used(db: sqlite3.Connection) -> int:
    """Bytes of the file that hold something; what was freed is used again before the file grows."""
    pages, free, size = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _attempts(db: sqlite3.Connection, record: InvocationRecord) -> int:
    query = "SELECT coalesce(max(attempt), 0) FROM invocations WHERE request_id = ?"
    return int(db.execute(query, (record.request_id,)).fetchone()[0])


def _row(record: InvocationRecord, attempt: int) -> list[Any]:
    values = [_whole(value) if value.__class__ is str else value for value in _VALUES(record)]
    values[_ATTEMPT] = attempt
    values[_TYPE], values[_STATUS] = record.type.value, record.status.value
    values[_LOG] = json.dumps([(round(line.ms, 3), line.stream, line.text) for line in record.log])
    return values


def _whole(value: str) -> str:
    """Text that SQLite takes: half a surrogate pair becomes a question mark."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _whole_id(db: sqlite3.Connection, given: str) -> str:
    """The request id that begins so, if there is one; else what was given.

    Raises:
        UsageError: there are several.
    """
    query = "SELECT DISTINCT request_id FROM invocations WHERE request_id >= ? AND request_id < ? ORDER BY 1 LIMIT 4"
    found = [str(row[0]) for row in db.execute(query, (given, given + "\U0010ffff"))] if given else []
    if not found or given in found:
        return given
    if len(found) > 1:
        ids = ", ".join([*found[:3], *(["…"] if len(found) > 3 else [])])
        raise UsageError(f"several invocations begin with '{given}': {ids}", mend="give more of it")
    return found[0]


def _value(kind: type[Kind], values: dict[str, Any]) -> Kind:
    values["type"], values["status"] = InvocationType(values["type"]), InvocationStatus(values["status"])
    values["cold"], values["provisioned"] = bool(values["cold"]), bool(values["provisioned"])
    return kind(**values)
