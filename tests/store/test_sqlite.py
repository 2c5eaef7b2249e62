"""What lasts: round trips, damage that is named, faults and kills that leave old or new."""

from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.world import archive
from tests.store.values import alias, event, version
from workbench.model.errors import InvalidParameterValue, StateError
from workbench.model.functions import Alias, Code, FunctionState, FunctionVersion, UpdateStatus
from workbench.model.invocations import QueuedEvent
from workbench.store import sqlite as sqlite_store
from workbench.store.folder import StateFolder
from workbench.store.sqlite import MIGRATIONS, SqliteStore

ROOT = Path(__file__).parents[2]
ZIP = archive({"app.py": "code"})
Found = tuple[list[FunctionVersion], list[Alias], list[QueuedEvent]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(StateFolder(path))
    yield opened
    opened.close()


def reopened(path: Path) -> Found:
    """What an engine that starts now would find."""
    again = SqliteStore(StateFolder(path))
    try:
        return again.load()
    finally:
        again.close()


def attempted(path: Path) -> Found | StateError:
    """What an engine that starts now would find, or be told."""
    folder = StateFolder(path)
    try:
        store = SqliteStore(folder)
        try:
            return store.load()
        finally:
            store.close()
    except StateError as error:
        return error
    finally:
        folder.close()


def numbered(store: SqliteStore, name: str = "f") -> str:
    return store.publish(name, lambda number: version(name, str(number))).version


# -- round trips
def test_an_empty_store_has_nothing(store: SqliteStore) -> None:
    assert store.load() == ([], [], [])


def test_everything_comes_back_as_it_was(store: SqliteStore, path: Path) -> None:
    written = [
        version(),
        version("g", state=FunctionState.PENDING, state_reason="why", state_reason_code="Creating", update_status=None),
        version("h", update_status=UpdateStatus.IN_PROGRESS, update_reason="ünï"),
    ]
    for one in written:
        store.put_version(one)
    published = store.publish("f", lambda number: version("f", str(number)))
    aliases = [alias(), alias("other", weights={}, description="d")]
    for each in aliases:
        store.put_alias(each)
    events = [event(), event("2", qualifier="live", backend="fake", attempts=2, due=5.5, payload=b"")]
    for queued in events:
        store.put_event(queued)
    store.close()
    versions, found_aliases, found_events = reopened(path)
    assert versions == [written[0], published, *written[1:]]
    assert found_aliases == aliases
    assert found_events == events


def test_writing_again_replaces(store: SqliteStore) -> None:
    store.put_version(version())
    store.put_version(version(revision_id="2"))
    store.put_alias(alias())
    store.put_alias(alias(weights={}))
    store.put_event(event())
    store.put_event(event(attempts=1))
    assert store.load() == ([version(revision_id="2")], [alias(weights={})], [event(attempts=1)])


def test_what_is_deleted_is_gone_and_the_rest_stays(store: SqliteStore, path: Path) -> None:
    for name in ("f", "g"):
        store.put_version(version(name))
        numbered(store, name)
        store.put_alias(alias(function=name))
    store.put_event(event())
    store.delete_version("f", "1")
    store.delete_alias("g", "live")
    store.delete_event("e")
    store.delete_event("never there")
    assert store.load() == ([version("f"), version("g"), version("g", "1")], [alias()], [])
    store.delete_function("f")
    store.close()
    assert reopened(path) == ([version("g"), version("g", "1")], [], [])


def test_versions_are_loaded_by_number_whatever_the_clock_did(store: SqliteStore) -> None:
    store.put_version(version(last_modified=50.0))
    for time in range(12, 0, -1):
        store.publish("f", lambda number, time=time: version("f", str(number), last_modified=float(time)))
    assert [found.version for found in store.load()[0]] == ["$LATEST", *(str(number) for number in range(1, 13))]


# -- numbers
def test_version_numbers_are_never_used_again(store: SqliteStore, path: Path) -> None:
    store.put_version(version())
    assert [numbered(store), numbered(store), numbered(store)] == ["1", "2", "3"]
    store.delete_version("f", "3")
    assert numbered(store) == "4"
    store.delete_function("f")
    assert numbered(store) == "5"
    store.close()
    again = SqliteStore(StateFolder(path))
    assert [numbered(again), numbered(again, "g")] == ["6", "1"]
    again.close()


def test_a_number_that_was_not_written_is_not_used_up(store: SqliteStore) -> None:
    def refuse(number: int) -> FunctionVersion:
        raise InvalidParameterValue(f"not {number}")

    with pytest.raises(InvalidParameterValue, match="not 1"):
        store.publish("f", refuse)
    assert numbered(store) == "1"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["put", "publish", "delete", "delete function", "alias", "no alias", "event", "reopen"]),
            st.sampled_from(["f", "g"]),
            st.integers(1, 4),
        ),
        max_size=25,
    )
)
def test_the_store_is_what_a_dictionary_would_be(tmp_path: Path, steps: list[tuple[str, str, int]]) -> None:
    path = tmp_path / "state"
    shutil.rmtree(path, ignore_errors=True)
    store = SqliteStore(StateFolder(path))
    versions: dict[tuple[str, str], FunctionVersion] = {}
    aliases: dict[tuple[str, str], Alias] = {}
    events: dict[str, QueuedEvent] = {}
    numbers = {"f": 1, "g": 1}
    for step, (kind, name, number) in enumerate(steps):
        match kind:
            case "put":
                versions[name, "$LATEST"] = version(name, revision_id=str(step))
                store.put_version(versions[name, "$LATEST"])
            case "publish":
                made = store.publish(name, lambda next_, name=name: version(name, str(next_)))
                assert made.version == str(numbers[name])
                numbers[name] += 1
                versions[made.key] = made
            case "delete":
                store.delete_version(name, str(number))
                versions.pop((name, str(number)), None)
            case "delete function":
                store.delete_function(name)
                versions = {key: value for key, value in versions.items() if key[0] != name}
                aliases = {key: value for key, value in aliases.items() if key[0] != name}
            case "alias":
                aliases[name, str(number)] = alias(str(number), function=name, revision_id=str(step))
                store.put_alias(aliases[name, str(number)])
            case "no alias":
                store.delete_alias(name, str(number))
                aliases.pop((name, str(number)), None)
            case "event":
                events[str(number)] = event(str(number), attempts=step)
                store.put_event(events[str(number)])
            case "reopen":
                store.close()
                store = SqliteStore(StateFolder(path))
        loaded, loaded_aliases, loaded_events = store.load()
        assert {one.key: one for one in loaded} == versions
        assert {(one.function, one.name): one for one in loaded_aliases} == aliases
        assert {one.request_id: one for one in loaded_events} == events
    store.close()


# -- code
def test_code_is_kept_by_what_it_is(store: SqliteStore, path: Path) -> None:
    sha256 = store.put_code(ZIP)
    assert store.put_code(ZIP) == sha256
    assert store.code(sha256) == ZIP
    assert [found.name for found in (path / "code").iterdir()] == [sha256]


def test_code_is_unpacked_once(store: SqliteStore, path: Path) -> None:
    sha256 = store.put_code(ZIP)
    tree = store.extract(sha256)
    assert (tree / "app.py").read_text() == "code"
    (path / "code" / sha256).unlink()
    assert store.extract(sha256) == tree


@pytest.mark.parametrize("damage", [b"", ZIP[:-1], ZIP + b"\0", archive({"app.py": "evil"}), b"x" * len(ZIP)])
def test_damaged_code_is_named_and_never_run(store: SqliteStore, path: Path, damage: bytes) -> None:
    sha256 = store.put_code(ZIP)
    blob = path / "code" / sha256
    blob.write_bytes(damage)
    for read in (store.code, store.extract):
        with pytest.raises(StateError, match="is damaged") as caught:
            read(sha256)
        assert str(blob) in str(caught.value)
    assert list((path / "trees").iterdir()) == []


def test_missing_code_is_named(store: SqliteStore, path: Path) -> None:
    sha256 = store.put_code(ZIP)
    (path / "code" / sha256).unlink()
    for read in (store.code, store.extract):
        with pytest.raises(StateError, match=f"{sha256} cannot be read: No such file"):
            read(sha256)


def test_a_bad_archive_is_the_callers_fault_and_leaves_nothing(store: SqliteStore, path: Path) -> None:
    with pytest.raises(InvalidParameterValue):
        store.put_code(b"no zip")
    assert list((path / "trees").iterdir()) == list((path / "code").iterdir()) == []


def test_what_a_crash_left_half_written_is_swept(store: SqliteStore, path: Path) -> None:
    sha256 = store.put_code(ZIP)
    tree = store.extract(sha256)
    store.close()
    (path / "code" / f".{sha256}.77.tmp").write_bytes(b"half")
    half = path / "trees" / ".extract-abc" / "deep"
    half.mkdir(parents=True)
    (half / "app.py").write_text("half")
    again = SqliteStore(StateFolder(path))
    assert [found.name for found in (path / "code").iterdir()] == [sha256]
    assert list((path / "trees").iterdir()) == [tree]
    assert again.code(sha256) == ZIP
    again.close()


@pytest.mark.parametrize("boot", [b"another start of the machine", b""])
def test_trees_of_an_earlier_start_of_the_machine_are_unpacked_again(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch, boot: bytes
) -> None:
    """They are not synced: after a power loss a file may be there and be empty."""
    sha256 = store.put_code(ZIP)
    (store.extract(sha256) / "app.py").write_text("")
    store.close()
    monkeypatch.setattr(sqlite_store, "_boot_id", lambda: boot)
    again = SqliteStore(StateFolder(path))
    assert (again.extract(sha256) / "app.py").read_text() == "code"
    again.close()


# -- damage
def filled(path: Path) -> Found:
    """A store of a few pages, closed, and what is in it."""
    store = SqliteStore(StateFolder(path))
    for number in range(20):
        store.put_version(version(f"f{number}", last_modified=float(number)))
        store.put_alias(alias(function=f"f{number}"))
        store.put_event(event(f"{number}", payload=b"x" * 900))
    found = store.load()
    store.close()
    return found


@pytest.mark.parametrize("content", [b"", b"no database at all" * 99, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_database_that_is_none_is_named_or_taken_as_new(path: Path, content: bytes) -> None:
    SqliteStore(StateFolder(path)).close()
    (path / "state.db").write_bytes(content)
    if not content:
        assert reopened(path) == ([], [], [])
        return
    folder = StateFolder(path)
    with pytest.raises(StateError, match=r"state\.db is damaged") as caught:
        SqliteStore(folder)
    folder.close()
    assert caught.value.mend == "move it away to start afresh"
    assert (path / "state.db").read_bytes() == content


def test_a_truncated_database_is_named_or_complete(path: Path) -> None:
    expected = filled(path)
    whole = (path / "state.db").read_bytes()
    assert len(whole) > 40_000
    for length in [*range(512, len(whole), 2048), len(whole) - 1]:
        (path / "state.db").write_bytes(whole[:length])
        assert damaged(path, expected), length


def test_overwritten_pages_are_named_or_harmless(path: Path) -> None:
    expected = filled(path)
    whole = (path / "state.db").read_bytes()
    for at in range(0, len(whole), 4096):
        for junk in (b"\0" * 4096, b"\xff" * 4096, whole[4096:8192]):
            (path / "state.db").write_bytes(whole[:at] + junk + whole[at + 4096 :])
            damaged(path, expected)


def damaged(path: Path, expected: Found) -> bool:
    """Was the damage told? If not, everything must be there."""
    found = attempted(path)
    if isinstance(found, StateError):
        assert "state.db" in str(found)
        return True
    assert found == expected
    return False


def test_a_document_that_is_damaged_is_named(store: SqliteStore) -> None:
    store.put_version(version())
    for document in ("", "{", "[]", "null", '{"name": 7}', "{}"):
        store._db.execute("UPDATE versions SET document = ?", (document,))
        with pytest.raises(StateError, match=r"state\.db is damaged"):
            store.load()


def test_a_torn_log_gives_a_state_that_once_was(path: Path, tmp_path: Path) -> None:
    """Power was lost while the write-ahead log was written: a prefix of the writes is there, nothing half."""
    store = SqliteStore(StateFolder(path))
    states: list[list[str]] = [[]]
    for number in range(30):
        store.put_event(event(f"{number}", payload=b"x" * 700))
        states.append([*states[-1], f"{number}"])
    copies = {name: (path / name).read_bytes() for name in ("state.db", "state.db-wal")}
    store.close()
    log, rng = copies["state.db-wal"], random.Random(1)
    seen = set()
    for length in [0, 1, 31, 32, *(rng.randrange(len(log)) for _ in range(40)), len(log)]:
        torn = tmp_path / "torn"
        shutil.rmtree(torn, ignore_errors=True)
        SqliteStore(StateFolder(torn)).close()
        (torn / "state.db").write_bytes(copies["state.db"])
        (torn / "state.db-wal").write_bytes(log[:length] + bytes(rng.randrange(5000)))
        found = attempted(torn)
        if isinstance(found, StateError):
            assert "state.db" in str(found)
        else:
            events = [one.request_id for one in found[2]]
            assert events in states
            seen.add(len(events))
    assert 30 in seen
    assert len(seen) > 10


def test_a_newer_database_is_refused_and_undamaged(store: SqliteStore, path: Path) -> None:
    store.put_version(version())
    store._db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    store.close()
    before = (path / "state.db").read_bytes()
    folder = StateFolder(path)
    with pytest.raises(StateError, match="newer Workbench"):
        SqliteStore(folder)
    folder.close()
    assert (path / "state.db").read_bytes() == before


# -- faults
class Faulty:
    """A connection whose statement of a given number fails, before it is carried out or after."""

    def __init__(self, connection: sqlite3.Connection, failing: int, after: bool) -> None:
        self.connection = connection
        self.left = failing
        self.after = after
        self.failed = False

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        self.left -= 1
        failing = self.left == -1
        if failing and not self.after:
            self.failed = True
            raise sqlite3.OperationalError("disk I/O error")
        answer = self.connection.execute(*statement)
        if failing:
            self.failed = True
            raise sqlite3.OperationalError("disk I/O error")
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


OPERATIONS: dict[str, Callable[[SqliteStore], Any]] = {
    "put version": lambda store: store.put_version(version(revision_id="new")),
    "publish": numbered,
    "delete version": lambda store: store.delete_version("f", "1"),
    "delete function": lambda store: store.delete_function("f"),
    "put alias": lambda store: store.put_alias(alias(weights={})),
    "delete alias": lambda store: store.delete_alias("f", "live"),
    "put event": lambda store: store.put_event(event(attempts=1)),
    "delete event": lambda store: store.delete_event("e"),
}


def prepared(path: Path) -> SqliteStore:
    store = SqliteStore(StateFolder(path))
    store.put_version(version())
    numbered(store)
    store.put_alias(alias())
    store.put_event(event())
    return store


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_transaction_that_fails_anywhere_leaves_old_or_new(tmp_path: Path, operation: str, after: bool) -> None:
    change = OPERATIONS[operation]
    reference = prepared(tmp_path / "reference")
    old = reference.load()
    change(reference)
    new = reference.load()
    assert new != old
    reference.close()
    for failing in range(10):
        path = tmp_path / f"{failing}"
        store = prepared(path)
        connection = store._db
        faulty: Any = Faulty(connection, failing, after)
        store._db = faulty
        if failing >= 5:
            change(store)
            assert not faulty.failed
            store.close()
            break
        told = ""
        try:
            change(store)
        except StateError as error:
            told = str(error)
        assert told == (f"{path / 'state.db'}: disk I/O error" if faulty.failed else "")
        store._db = connection
        now = store.load()
        assert now in ((old, new) if faulty.failed else (new,))
        assert now == old or not faulty.failed or after
        # The store goes on, and a number that was not given is given now.
        store.put_event(event("later"))
        assert numbered(store) == ("3" if any(one.version == "2" for one in now[0]) else "2")
        store.close()


def test_a_full_database_says_so_and_keeps_what_it_had(store: SqliteStore, path: Path) -> None:
    """SQLite rolls back by itself when the disk is full; what the caller hears is that it is full."""
    store.put_version(version())
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match="full"):
        store.put_event(event(payload=b"x" * 100_000))
    assert store.load() == ([version()], [], [])
    store._db.execute("PRAGMA max_page_count = 100000")
    store.put_event(event())
    store.close()
    assert reopened(path) == ([version()], [], [event()])


LIMITED = """
import pathlib, resource, signal, sys
from tests.engine.world import archive
from tests.store.values import event, version
from workbench.model.errors import StateError
from workbench.store.folder import StateFolder
from workbench.store.sqlite import SqliteStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SqliteStore(StateFolder(pathlib.Path(sys.argv[1])))
store.put_version(version())
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
accepted = 0
try:
    for number in range(1000):
        store.put_event(event(str(number), payload=b"x" * 2000))
        accepted += 1
except StateError as error:
    try:
        store.put_code(archive({"app.py": "x" * 500_000}))
    except StateError as other:
        print(accepted, error, other, sep="\\n")
"""


def test_a_disk_that_takes_no_more_loses_nothing_that_was_accepted(path: Path) -> None:
    """With the kernel refusing real writes, not a double of the connection."""
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    accepted, error, other = run.stdout.splitlines()
    assert 5 < int(accepted) < 1000
    assert "state.db: " in error
    assert "File too large" in other
    versions, _, events = reopened(path)
    assert versions == [version()]
    assert [found.request_id for found in events] == [str(number) for number in range(int(accepted))]
    assert list((path / "code").iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize(("failing", "number"), [("open", 1), ("fsync", 1), ("rename", 1), ("fsync", 2)])
def test_code_that_the_disk_did_not_take_is_not_acknowledged(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, number: int, code: int
) -> None:
    real, calls = getattr(os, failing), [0]

    def fail(*args: Any, **more: Any) -> Any:
        calls[0] += 1
        if calls[0] == number:
            raise OSError(code, os.strerror(code))
        return real(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fail)
        with pytest.raises(StateError, match=os.strerror(code)):
            store.put_code(ZIP)
    blobs = list((path / "code").iterdir())
    assert [blob.read_bytes() for blob in blobs] == ([ZIP] if number == 2 else [])
    assert store.code(store.put_code(ZIP)) == ZIP


def test_code_whose_folder_was_never_synced_is_synced_when_it_comes_again(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_code(ZIP)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    store.put_code(ZIP)
    assert len(synced) == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_while_unpacking_is_a_state_error_and_leaves_no_tree(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    sha256 = store.put_code(ZIP)

    def fail(self: Path, *args: Any, **more: Any) -> None:
        raise OSError(code, os.strerror(code))

    for failing in ("chmod", "mkdir", "rename"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, failing, fail)
            with pytest.raises(StateError, match=os.strerror(code)):
                store.extract(sha256)
        assert list((path / "trees").iterdir()) == []
    assert (store.extract(sha256) / "app.py").read_text() == "code"


def test_a_writer_that_is_killed_again_and_again_loses_nothing_acknowledged(path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.store.crash", str(path), "3", str(random.randrange(10**6))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "kills" in run.stdout, run.stdout
    assert int(run.stdout.split()[0]) > 20


def test_a_store_that_is_closed_lets_another_one_in(path: Path) -> None:
    store = SqliteStore(StateFolder(path))
    store.put_version(replace(version(), code=Code(sha256="0" * 64, size=0)))
    store.close()
    assert len(reopened(path)[0]) == 1
