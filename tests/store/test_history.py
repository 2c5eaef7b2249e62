"""The history file: what it keeps, how it is bounded, and that no damage to it matters."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workbench.model.cost import Allocation, Used
from workbench.model.errors import ResourceNotFound, StateError, UsageError
from workbench.model.history import InvocationRecord, PastInvocation, PastLine
from workbench.model.invocations import InvocationStatus, InvocationType
from workbench.store.history import MIGRATIONS, HistoryFile


def record(request_id: str = "r", **changes: Any) -> InvocationRecord:
    made = InvocationRecord(
        request_id=request_id,
        function="f",
        qualifier=None,
        version="$LATEST",
        type=InvocationType.REQUEST_RESPONSE,
        status=InvocationStatus.SUCCESS,
        wall=1_700_000_000.25,
    )
    return replace(made, **changes)


WHOLE = record(
    "whole",
    function="ünïcode",
    qualifier="live",
    version="3",
    type=InvocationType.EVENT,
    status=InvocationStatus.ERROR,
    started_ms=1.5,
    finished_ms=4.0,
    init_ms=0.5,
    duration_ms=2.25,
    billed_ms=3,
    memory_size=128,
    max_memory_mb=41,
    environment="e-1",
    backend="subprocess",
    cold=True,
    why="cold: no environment yet",
    error_type="Oops",
    trace_id="Root=1",
    client_context='{"a":1}',
    responded_ms=3.5,
    architecture="arm64",
    ephemeral_storage=1024,
    provisioned=True,
    revision="r-1",
    tenant="blue",
    engine=1_700_000_000.125,
    event_size=4,
    response_size=3,
    event=b"\0\xff\x80e",
    response=b"\xfe\0r",
    log=(PastLine(0.125, "platform", "START"), PastLine(1.0, "function", "tab\tnul\0 \U0001f600")),
    log_dropped=7,
)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[HistoryFile]:
    made = HistoryFile(tmp_path)
    yield made
    made.close()


def ids(history: HistoryFile, **wanted: Any) -> list[str]:
    asked: dict[str, Any] = {"function": None, "status": None, "limit": 100, "before": None, **wanted}
    return [past.request_id for past in history.newest(**asked)]


def test_everything_of_an_invocation_comes_back_after_a_restart(history: HistoryFile, tmp_path: Path) -> None:
    history.append([WHOLE])
    history.close()
    again = HistoryFile(tmp_path)
    assert again.get("whole") == replace(WHOLE, n=1)
    (summary,) = again.newest(function=None, status=None, limit=1, before=None)
    assert summary == PastInvocation(**{name: getattr(again.get("whole"), name) for name in PastInvocation.__slots__})
    again.close()


def test_text_that_is_no_unicode_does_not_stop_it(history: HistoryFile) -> None:
    history.append([record(error_type="\ud800x", log=(PastLine(0, "function", "\ud800y"),))])
    found = history.get("r")
    assert (found.error_type, found.log[0].text) == ("?x", "\ud800y")


def test_the_list_is_newest_first_filtered_and_paged(history: HistoryFile) -> None:
    error = InvocationStatus.ERROR
    history.append([record("a"), record("b", function="g"), record("c", status=error), record("d")])
    assert ids(history) == ["d", "c", "b", "a"]
    assert ids(history, function="f") == ["d", "c", "a"]
    assert ids(history, status=error) == ["c"]
    assert ids(history, function="g", status=error) == []
    assert ids(history, limit=2) == ["d", "c"]
    assert ids(history, limit=2, before=history.get("c").n) == ["b", "a"]


def test_attempts_of_an_event_are_counted_and_the_last_one_is_shown(history: HistoryFile) -> None:
    retried = record(type=InvocationType.EVENT)
    history.append([retried, retried])
    history.append([replace(retried, status=InvocationStatus.TIMEOUT), record("other", type=InvocationType.EVENT)])
    found = history.newest(function=None, status=None, limit=9, before=None)
    assert [(past.request_id, past.attempt) for past in found] == [("other", 1), ("r", 3), ("r", 2), ("r", 1)]
    assert history.get("r").status is InvocationStatus.TIMEOUT


def test_the_beginning_of_a_request_id_will_do_where_it_is_the_only_one(history: HistoryFile) -> None:
    history.append([record(id) for id in ("ab-1", "ab-12", "ac-1", "%")])
    assert history.get("ac").request_id == "ac-1"
    assert history.get("ab-1").request_id == "ab-1"  # a whole one is meant so
    with pytest.raises(UsageError, match=r"begin with 'ab': ab-1, ab-12 \(give more of it\)"):
        history.get("ab")
    for nothing in ("", "b", "a%", "_"):
        with pytest.raises(ResourceNotFound):
            history.get(nothing)


def test_an_unknown_invocation_is_not_found(history: HistoryFile) -> None:
    with pytest.raises(ResourceNotFound, match="the history has no invocation 'x'"):
        history.get("x")


# -- what it used
def ran(request_id: str, **changes: Any) -> InvocationRecord:
    return record(request_id, started_ms=1.0, **{"billed_ms": 10, "memory_size": 128, **changes})


def allocation(function: str = "f", since: float = 100.0, until: float = 200.0, **changes: Any) -> Allocation:
    made = Allocation(
        function=function, version="1", architecture="x86_64", memory_size=128, count=2, since=since, until=until
    )
    return replace(made, **changes)


def test_what_cost_alike_is_added_up(history: HistoryFile) -> None:
    later = WHOLE.wall + 40 * 86400
    event = ran("event", type=InvocationType.EVENT, event_size=300_000, ephemeral_storage=1512)
    history.append([ran("a"), ran("b"), event, ran("other", function="g"), record("refused")])
    history.append([ran("ahead", provisioned=True), ran("later", wall=later), ran("arm", architecture="arm64")])
    used = history.used()
    assert used.since == WHOLE.wall
    assert {
        (one.function, one.month, one.architecture, one.provisioned): (
            one.invocations,
            one.requests,
            one.mb_ms,
            one.storage_mb_ms,
        )
        for one in used.usage
    } == {
        ("f", "2023-11", "x86_64", False): (3, 4, 3 * 1280, 10_000),
        ("f", "2023-11", "x86_64", True): (1, 1, 1280, 0),
        ("f", "2023-11", "arm64", False): (1, 1, 1280, 0),
        ("f", "2023-12", "x86_64", False): (1, 1, 1280, 0),
        ("g", "2023-11", "x86_64", False): (1, 1, 1280, 0),
    }


def test_what_was_provisioned_grows_until_it_ends(history: HistoryFile) -> None:
    history.allocate([allocation(), allocation("g", since=50.0)])
    history.allocate([allocation(until=300.0, init_ms=12.5)])
    assert history.used().allocations == (allocation("g", since=50.0), allocation(until=300.0, init_ms=12.5))
    assert history.used().since == 50.0


def test_what_was_provisioned_is_forgotten_with_the_invocations_of_its_time(tmp_path: Path) -> None:
    history = HistoryFile(tmp_path, invocations=1)
    history.append([ran("a", wall=100.0)])
    history.allocate([allocation(until=200.0), allocation(since=200.0, until=400.0)])
    assert len(history.used().allocations) == 2
    history.append([ran("b", wall=300.0)])
    assert [one.since for one in history.used().allocations] == [200.0]
    assert history.prune(500.0) == (1, 0)
    assert history.used() == Used()
    history.close()


def test_nothing_was_used_where_there_is_no_file(tmp_path: Path) -> None:
    assert HistoryFile(tmp_path, read_only=True).used() == Used()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_history_of_the_first_format_is_taken_over(tmp_path: Path, read_only: bool) -> None:
    database = sqlite3.connect(tmp_path / "history.db")
    database.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
    values = {
        "request_id": "old",
        "attempt": 1,
        "function": "f",
        "version": "1",
        "type": "RequestResponse",
        "status": "success",
        "wall": 1.0,
        "started_ms": 1.0,
        "finished_ms": 2.0,
        "duration_ms": 1.0,
        "billed_ms": 7,
        "memory_size": 128,
        "max_memory_mb": 40,
        "cold": 1,
        "why": "cold",
        "event_size": 2,
        "response_size": 2,
        "log_dropped": 0,
        "log": '[[0.5, "function", "said"]]',
        "event": b"{}",
        "response": b"[]",
    }
    names = ", ".join(values)
    database.execute(f"INSERT INTO invocations ({names}) VALUES ({', '.join('?' * len(values))})", (*values.values(),))
    database.commit()
    database.close()
    history = HistoryFile(tmp_path, read_only=read_only)
    found = history.get("old")
    assert (found.n, found.billed_ms, found.cold, found.event, found.response) == (1, 7, True, b"{}", b"[]")
    assert (found.log, found.architecture, found.provisioned) == ((PastLine(0.5, "function", "said"),), "x86_64", False)
    assert [one.mb_ms for one in history.used().usage] == [896]
    history.close()


# -- bounds
def test_it_keeps_so_many_invocations_also_after_a_restart(tmp_path: Path) -> None:
    for start in (0, 4, 8):
        history = HistoryFile(tmp_path, invocations=5)
        history.append([record(str(number)) for number in range(start, start + 4)])
        history.close()
    history = HistoryFile(tmp_path, invocations=5)
    assert ids(history) == ["11", "10", "9", "8", "7"]
    history.append([record(f"more {number}") for number in range(12)])
    assert ids(history) == [f"more {number}" for number in (11, 10, 9, 8, 7)]
    history.close()


def test_it_keeps_to_its_bytes(tmp_path: Path) -> None:
    history = HistoryFile(tmp_path, size=2_000_000)
    for number in range(100):
        history.append([record(str(number), event=os.urandom(100_000))])
    kept = ids(history)
    assert kept == [str(number) for number in range(99, 99 - len(kept), -1)]
    assert 10 <= len(kept) <= 20
    assert history.path.stat().st_size < 2_200_000
    history.close()


@pytest.mark.parametrize("bounds", [{"invocations": 0}, {"size": 0}])
def test_a_bound_of_nothing_keeps_nothing(tmp_path: Path, bounds: dict[str, int]) -> None:
    history = HistoryFile(tmp_path, **bounds)
    history.append([record("a"), record("b")])
    assert ids(history) == []
    history.close()


# -- what may go wrong
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "history.db").write_bytes(b"this is no database" * 1000)
    history = HistoryFile(tmp_path)
    history.append([record("a")])
    assert ids(history) == ["a"]
    (aside,) = tmp_path.glob("history.db.damaged-*")
    assert aside.read_bytes().startswith(b"this is no")
    (said,) = caplog.records
    assert (said.levelno, str(aside) in said.getMessage()) == (logging.WARNING, True)
    history.close()


def test_damage_while_it_is_open_is_healed_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    history = HistoryFile(tmp_path)
    history.append([record(str(number), event=b"x" * 5000) for number in range(50)])
    history.close()
    whole = (tmp_path / "history.db").read_bytes()
    (tmp_path / "history.db").write_bytes(whole[:8192] + os.urandom(len(whole) - 8192))
    history = HistoryFile(tmp_path)
    with pytest.raises(StateError, match="the history was damaged and is now"):
        history.newest(function=None, status=None, limit=99, before=None)
    history.append([record("after")])
    assert ids(history) == ["after"]
    assert len(caplog.records) == 1
    history.close()


def test_a_disk_that_does_not_take_it_is_an_error_and_keeps_none_of_them(history: HistoryFile) -> None:
    history.append([record("a")])
    assert history._db is not None
    history._db.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StateError, match="full"):
        history.append([record("b"), record("c", event=b"x" * 1_000_000)])
    assert ids(history) == ["a"]
    history._db.execute("PRAGMA max_page_count = 1000000")
    history.append([record("d")])
    assert ids(history) == ["d", "a"]


def test_a_file_of_a_newer_workbench_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "history.db") as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    database.close()
    for read_only in (False, True):
        history = HistoryFile(tmp_path, read_only=read_only)
        with pytest.raises(StateError, match=r"newer Workbench \(upgrade Workbench\)"):
            history.newest(function=None, status=None, limit=1, before=None)
    assert list(tmp_path.glob("*damaged*")) == []


def test_it_is_never_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "history.db").symlink_to(tmp_path / "elsewhere")
    history = HistoryFile(tmp_path)
    with pytest.raises(StateError, match="remove it if it is a link"):
        history.append([record()])
    assert (tmp_path / "elsewhere").read_bytes() == b""


# -- reading beside an engine, or without one
def test_a_reader_sees_what_was_written_while_it_is_open_elsewhere(history: HistoryFile, tmp_path: Path) -> None:
    history.append([record("a")])
    reader = HistoryFile(tmp_path, read_only=True)
    assert ids(reader) == ["a"]
    history.append([record("b")])
    assert ids(reader) == ["b", "a"]
    reader.close()


def test_a_reader_without_a_file_finds_nothing_and_makes_none(tmp_path: Path) -> None:
    reader = HistoryFile(tmp_path, read_only=True)
    assert ids(reader) == []
    with pytest.raises(ResourceNotFound):
        reader.get("x")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_finds_nothing_in_a_file_that_is_just_being_made(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "history.db").close()
    (tmp_path / "history.db").touch()
    assert ids(HistoryFile(tmp_path, read_only=True)) == []


def test_a_reader_says_that_it_is_damaged_and_moves_nothing(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StateError, match="is damaged"):
        ids(HistoryFile(tmp_path, read_only=True))
    assert [path.name for path in tmp_path.iterdir()] == ["history.db"]


def test_the_file_is_private(history: HistoryFile) -> None:
    history.append([record()])
    assert {path.stat().st_mode & 0o777 for path in history.path.parent.glob("history.db*")} == {0o600}
