"""What differs between two versions, from archives that nobody vouches for."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest

from tests.store.values import version
from workbench.client import version_diff
from workbench.client.version_diff import Change, FileChange, SettingChange
from workbench.model.functions import Code


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(name, content)
    return buffer.getvalue()


def test_settings_are_named_one_by_one() -> None:
    old = version()
    configuration = replace(old.configuration, memory_size=256, environment={"A": "1"}, layers=(), settings={"X": 1})
    found = version_diff.settings(old, replace(old, configuration=configuration))
    assert found == [
        SettingChange("memory size", "128", "256"),
        SettingChange("environment A", None, "1"),
        SettingChange("environment ÄÖÜ", "\U0001f600\n\0", None),
        SettingChange("layers", "a, b", "none"),
        SettingChange("TracingConfig", "{'Mode': 'Active'}", None),
        SettingChange("X", None, "1"),
    ]
    assert [change.change.value for change in found] == ["~", "+", "-", "~", "-", "+"]


def test_an_image_is_named_with_its_digest_and_has_no_files() -> None:
    old = version(code=Code(sha256="ab" * 32, size=0, image="app:1"))
    assert version_diff.settings(old, old) == []
    rebuilt = replace(old, code=replace(old.code, sha256="cd" * 32))
    assert version_diff.settings(old, rebuilt) == [
        SettingChange("image", "app:1 (sha256:abababababab…)", "app:1 (sha256:cdcdcdcdcdcd…)")
    ]
    assert version_diff.files(b"", b"") == version_diff.CodeDiff()


def test_files_are_told_apart_by_their_content() -> None:
    before = archive({"a.py": b"1\n2\n3\n", "gone": b"x", "same": b"s"})
    after = archive({"a.py": b"1\ntwo\n3\n", "new": b"", "same": b"s"})
    diff = version_diff.files(before, after)
    assert diff.files == (
        FileChange("a.py", Change.CHANGED, 6, 8),
        FileChange("gone", Change.REMOVED, 1, 0),
        FileChange("new", Change.ADDED, 0, 0),
    )
    assert diff.same == 1
    assert version_diff.lines(diff.files[0], before, after) == ["@@ -1,3 +1,3 @@", " 1", "-2", "+two", " 3"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "no text: its bytes differ"),
        (b"nul\0", "no text: its bytes differ"),
        (b"x" * (version_diff.BYTES + 1), "larger than the 128 KB"),
        (b"\n" * (version_diff.LINES + 1), "more than the 2000 lines"),
    ],
)
def test_what_is_not_compared_says_why(content: bytes, said: str) -> None:
    before, after = archive({"f": b"text"}), archive({"f": content})
    (line,) = version_diff.lines(version_diff.files(before, after).files[0], before, after)
    assert line.startswith(said)


def test_what_is_no_archive_is_an_error() -> None:
    with pytest.raises(zipfile.BadZipFile):
        version_diff.files(b"rubbish", archive({}))
