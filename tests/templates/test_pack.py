"""Folders into deployment packages: the same bytes for the same contents, and nothing from outside."""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from workbench.model.errors import UsageError
from workbench.store.archive import extract
from workbench.templates.pack import pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project" / "src"
    (made / "lib" / "deep").mkdir(parents=True)
    (made / "app.py").write_text("code")
    (made / "lib" / "deep" / "ü.txt").write_text("text")
    (made / "run").write_text("#!/bin/sh")
    (made / "run").chmod(0o755)
    return made


def contents(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as package:
        return {name: package.read(name) for name in package.namelist()}


def test_every_file_is_in_it_in_order(folder: Path) -> None:
    assert contents(pack(folder)) == {"app.py": b"code", "lib/deep/ü.txt": b"text", "run": b"#!/bin/sh"}
    assert list(contents(pack(folder))) == ["app.py", "lib/deep/ü.txt", "run"]


def test_what_is_packed_can_be_unpacked(folder: Path, tmp_path: Path) -> None:
    extract(pack(folder), tmp_path / "tree")
    assert (tmp_path / "tree" / "lib" / "deep" / "ü.txt").read_text() == "text"
    assert stat.S_IMODE((tmp_path / "tree" / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "tree" / "app.py").stat().st_mode) == 0o644


def test_equal_contents_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    first = pack(folder)
    other = tmp_path / "elsewhere"
    for source in sorted(folder.rglob("*"), reverse=True):  # made in another order, at another time
        target = other / source.relative_to(folder)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        os.utime(target, (1, 1))
    assert pack(other) == first
    before = os.umask(0o077)
    try:
        assert pack(other) == first
    finally:
        os.umask(before)


@pytest.mark.parametrize("change", ["content", "name", "mode", "more"])
def test_a_difference_gives_different_bytes(folder: Path, change: str) -> None:
    first = pack(folder)
    match change:
        case "content":
            (folder / "app.py").write_text("edoc")
        case "name":
            (folder / "app.py").rename(folder / "main.py")
        case "mode":
            (folder / "app.py").chmod(0o755)
        case "more":
            (folder / "empty").touch()
    assert pack(folder) != first


@pytest.mark.parametrize("name", [".workbench", ".git", "__pycache__", ".venv"])
def test_what_is_no_code_is_left_out_at_every_depth(folder: Path, name: str) -> None:
    first = pack(folder)
    for place in (folder, folder / "lib"):
        (place / name).mkdir()
        (place / name / "secret").write_text("s")
    assert pack(folder) == first


def test_a_git_file_of_a_worktree_and_compiled_files_are_left_out(folder: Path) -> None:
    first = pack(folder)
    (folder / ".git").write_text("gitdir: elsewhere")
    (folder / "lib" / "app.pyc").write_bytes(b"\0")
    assert pack(folder) == first


def test_names_that_only_look_like_them_stay(folder: Path) -> None:
    for name in (".gitignore", ".env", "venv", "xpyc", ".workbench.txt"):
        (folder / name).touch()
    assert {".gitignore", ".env", "venv", "xpyc", ".workbench.txt"} < set(contents(pack(folder)))


def test_an_empty_folder_is_an_empty_archive(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    assert contents(pack(tmp_path / "src")) == {}


# -- links
def test_links_within_the_folder_are_packed_as_what_they_name(folder: Path) -> None:
    (folder / "file").symlink_to("lib/deep/ü.txt")
    (folder / "tree").symlink_to("lib")
    packed = contents(pack(folder))
    assert (packed["file"], packed["tree/deep/ü.txt"]) == (b"text", b"text")


@pytest.mark.parametrize("target", ["../../secret", "../sibling", "/etc/passwd", "/etc", "..", "../src-other/file"])
@pytest.mark.parametrize("place", ["link", "lib/link"])
def test_links_out_are_refused(folder: Path, tmp_path: Path, target: str, place: str) -> None:
    (tmp_path / "secret").write_text("s")
    (folder.parent / "sibling").mkdir()
    (folder.parent / "src-other").mkdir()
    (folder.parent / "src-other" / "file").write_text("s")
    (folder / place).symlink_to(target if target.startswith("/") or place == "link" else f"../{target}")
    with pytest.raises(UsageError, match="is a link out of") as caught:
        pack(folder)
    assert str(folder / place) in str(caught.value)


def test_a_link_to_a_link_out_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "b").symlink_to(tmp_path)
    (folder / "a").symlink_to("b")
    with pytest.raises(UsageError, match="is a link out of"):
        pack(folder)


def test_a_link_to_what_is_left_out_is_refused(folder: Path) -> None:
    (folder / ".workbench").mkdir()
    (folder / ".workbench" / "state.db").write_text("secret")
    (folder / "db").symlink_to(".workbench/state.db")
    with pytest.raises(UsageError, match="is a link out of"):
        pack(folder)


@pytest.mark.parametrize(
    ("place", "target"), [("lib/up", ".."), ("lib/up", "."), ("lib/deep/up", "../.."), ("self", "self")]
)
def test_links_in_a_circle_are_refused(folder: Path, place: str, target: str) -> None:
    (folder / place).symlink_to(target)
    with pytest.raises(UsageError, match=r"circle|is no file"):
        pack(folder)


def test_a_dangling_link_is_refused(folder: Path) -> None:
    (folder / "link").symlink_to("nowhere")
    with pytest.raises(UsageError, match="link is no file"):
        pack(folder)


# -- what is no file
def test_a_pipe_is_refused_and_not_read(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(UsageError, match="pipe is no file"):
        pack(folder)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere cannot be packed: No such file"):
        pack(tmp_path / "nowhere")


def test_a_name_that_is_no_text_is_told(folder: Path) -> None:
    path = os.fsencode(folder) + b"/\xff"
    try:
        os.close(os.open(path, os.O_CREAT))
    except OSError:
        pytest.skip("this file system takes only names that are text")
    with pytest.raises(UsageError, match="whose name is no text"):
        pack(folder)


def test_a_file_that_cannot_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UsageError, match=r"app\.py cannot be packed: Permission denied"):
        pack(folder)
