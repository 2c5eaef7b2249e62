"""The state folder: ours alone, never through a link, one engine at a time."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.world import archive
from workbench.model.errors import StateError
from workbench.store import folder as folders
from workbench.store.folder import FORMAT, StateFolder, StateLocked, write_durably
from workbench.store.sqlite import SqliteStore

HOLDER = """
import pathlib, sys
from workbench.store.folder import StateFolder
folder = StateFolder(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project" / ".workbench"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the folder open."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def everything(path: Path) -> dict[str, bytes]:
    return {str(found.relative_to(path)): found.read_bytes() for found in sorted(path.rglob("*")) if found.is_file()}


def test_it_is_made_with_its_parents_and_is_private(path: Path) -> None:
    StateFolder(path).close()
    assert mode(path) == 0o700
    assert mode(path / "lock") == mode(path / "format.json") == 0o600
    assert json.loads((path / "format.json").read_text()) == {"format": FORMAT}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_can_read_what_the_store_writes_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = SqliteStore(StateFolder(path))
        store.put_code(archive({"app.py": "code"}))
    finally:
        os.umask(before)
    assert mode(path) == 0o700
    for name in ("lock", "format.json", "state.db", "state.db-wal", "state.db-shm"):
        assert mode(path / name) == 0o600, name
    assert [mode(blob) for blob in (path / "code").iterdir()] == [0o600]
    assert mode(path / "code") == mode(path / "trees") == 0o700
    store.close()


def test_git_ignores_all_of_it(path: Path) -> None:
    StateFolder(path).close()
    assert (path / ".gitignore").read_text() == "*\n"
    (path / ".gitignore").write_text("mine")
    StateFolder(path).close()
    assert (path / ".gitignore").read_text() == "mine"


def test_a_folder_that_others_can_read_is_closed_to_them(path: Path) -> None:
    path.mkdir(parents=True, mode=0o755)
    StateFolder(path).close()
    assert mode(path) == 0o700


def test_a_link_is_refused_and_nothing_is_written_through_it(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    path.parent.mkdir()
    path.symlink_to(target)
    with pytest.raises(StateError, match="is a link"):
        StateFolder(path)
    assert list(target.iterdir()) == []


def test_a_dangling_link_is_refused(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StateError):
        StateFolder(path)
    assert not (tmp_path / "nowhere").exists()


def test_a_file_in_its_place_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(StateError):
        StateFolder(path)
    assert path.read_text() == "mine"


def test_a_file_in_the_place_of_a_parent_is_refused(path: Path) -> None:
    path.parent.write_text("mine")
    with pytest.raises(StateError, match="cannot use"):
        StateFolder(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    os.chown(path, 12345, 12345)
    with pytest.raises(StateError, match="belongs to another user"):
        StateFolder(path)
    assert list(path.iterdir()) == []


@pytest.mark.parametrize("name", ["code", "trees"])
def test_a_linked_folder_inside_is_refused_and_its_target_is_not_swept(path: Path, tmp_path: Path, name: str) -> None:
    """A repository may come with a `.workbench/code` that is a link to somebody's home."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".ssh").mkdir()
    (home / ".profile").write_text("mine")
    path.mkdir(parents=True, mode=0o700)
    (path / name).symlink_to(home)
    with pytest.raises(StateError, match="is a link"):
        SqliteStore(StateFolder(path))
    assert sorted(found.name for found in home.iterdir()) == [".profile", ".ssh"]


@pytest.mark.parametrize("name", ["lock", "state.db", "state.db-wal", "state.db-shm", ".gitignore"])
def test_nothing_is_written_through_a_linked_file_inside(path: Path, tmp_path: Path, name: str) -> None:
    path.mkdir(parents=True, mode=0o700)
    (path / name).symlink_to(tmp_path / "victim")
    if name == ".gitignore":
        SqliteStore(StateFolder(path)).close()
    else:
        with pytest.raises(StateError, match=name.replace(".", r"\.")):
            SqliteStore(StateFolder(path))
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("format", [FORMAT + 1, 10**9, "2", None, 1.5])
def test_a_newer_format_is_refused_and_undamaged(path: Path, format: object) -> None:
    SqliteStore(StateFolder(path)).close()
    (path / "format.json").write_text(json.dumps({"format": format, "more": True}))
    before = everything(path)
    with pytest.raises(StateError, match="newer Workbench") as caught:
        StateFolder(path)
    assert caught.value.mend == "upgrade Workbench"
    assert everything(path) == before
    (path / "format.json").write_text(json.dumps({"format": FORMAT}))
    StateFolder(path).close()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"7", b"null"])
def test_a_damaged_format_is_named_and_the_lock_let_go(path: Path, content: bytes) -> None:
    StateFolder(path).close()
    (path / "format.json").write_bytes(content)
    for _ in range(2):
        with pytest.raises(StateError, match=r"format\.json is damaged"):
            StateFolder(path)
    assert (path / "format.json").read_bytes() == content


def test_a_second_engine_in_the_same_process_is_refused(path: Path) -> None:
    first = StateFolder(path)
    with pytest.raises(StateLocked, match="another engine uses"):
        StateFolder(path)
    first.close()
    StateFolder(path).close()


def test_the_lock_of_another_process_is_respected_and_goes_with_it(path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(StateLocked) as caught:
        StateFolder(path)
    assert isinstance(caught.value, StateError)
    assert caught.value.mend == "workbench stop ends it"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    StateFolder(path).close()


def test_closing_twice_closes_nobody_elses_file(path: Path) -> None:
    folder = StateFolder(path)
    folder.close()
    with open(os.devnull) as other:
        folder.close()
        os.fstat(other.fileno())


@pytest.mark.parametrize("failing", ["fsync", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_is_told_as_a_state_error_and_the_lock_is_let_go(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, code: int
) -> None:
    def fail(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fail)
        with pytest.raises(StateError, match=os.strerror(code)):
            StateFolder(path)
    StateFolder(path).close()
    assert not list(path.glob("*.tmp"))


# -- write_durably
def test_what_a_killed_engine_left_of_a_write_does_not_stop_the_next_one(tmp_path: Path) -> None:
    """In a container every engine has the same process number."""
    (tmp_path / f".endpoint.json.{os.getpid()}.tmp").write_text("half")
    write_durably(tmp_path / "endpoint.json", b"whole")
    assert [found.name for found in tmp_path.iterdir()] == ["endpoint.json"]
    assert (tmp_path / "endpoint.json").read_bytes() == b"whole"


def test_a_temporary_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / f".a.{os.getpid()}.tmp").symlink_to(tmp_path / "victim")
    write_durably(tmp_path / "a", b"whole")
    assert not (tmp_path / "victim").exists()
    assert mode(tmp_path / "a") == 0o600


@pytest.mark.parametrize("failing", ["open", "fsync", "rename"])
def test_a_failed_write_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "file"
    write_durably(path, b"old")

    def fail(*args: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(folders.os, failing, fail)
        with pytest.raises(OSError, match="full"):
            write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_write_is_synced_before_the_rename_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def spy_fsync(descriptor: int) -> None:
        steps.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        fsync(descriptor)

    def spy_rename(source: Path, target: Path) -> None:
        steps.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "rename", spy_rename)
    write_durably(tmp_path / "file", b"content")
    assert steps == ["sync file", "rename", "sync folder"]
