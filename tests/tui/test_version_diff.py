"""Comparing versions: settings, files, lines; and archives that mean harm."""

import io
import zipfile

import pytest

from tests.tui.conftest import SMALL, WIDE
from workbench.client import version_diff
from workbench.client.version_diff import Change, FileChange, SettingChange
from workbench.model.functions import Code, FunctionConfiguration, FunctionVersion
from workbench.tui.screens.diff import DiffScreen

EVIL = "\x1b]52;c;aGFja2Vk\x07\x1b[2J[red]x[/]\x9b31m"


def archive(files: dict[str, bytes | str], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return out.getvalue()


def version(number: str, **settings) -> FunctionVersion:
    configuration = FunctionConfiguration(**{"runtime": "python3.12", "handler": "app.handler", "role": "r"} | settings)
    code = Code(sha256="0" * 64, size=1)
    return FunctionVersion(
        name="f", version=number, configuration=configuration, code=code, revision_id="r", last_modified=0
    )


def test_settings_that_differ():
    before = version("1", environment={"A": "1", "B": "2"}, settings={"TracingConfig": {"Mode": "Active"}})
    after = version("2", memory_size=256, environment={"B": "3", "C": "4"}, layers=("arn:x",), description="new")
    assert version_diff.settings(before, after) == [
        SettingChange("description", "none", "new"),
        SettingChange("memory size", "128", "256"),
        SettingChange("environment A", "1", None),
        SettingChange("environment B", "2", "3"),
        SettingChange("environment C", None, "4"),
        SettingChange("layers", "none", "arn:x"),
        SettingChange("TracingConfig", "{'Mode': 'Active'}", None),
    ]
    assert version_diff.settings(after, after) == []


def test_files_added_removed_and_changed():
    before = archive({"app.py": "a\n", "same.py": "s", "old.py": "12345"})
    after = archive({"app.py": "ab\n", "same.py": "s", "pkg/new.py": "123"})
    found = version_diff.files(before, after)
    assert found.files == (
        FileChange("app.py", Change.CHANGED, 2, 3),
        FileChange("old.py", Change.REMOVED, 5, 0),
        FileChange("pkg/new.py", Change.ADDED, 0, 3),
    )
    assert found.same == 1


def lines(before: bytes | str | None, after: bytes | str | None) -> list[str]:
    old = archive({} if before is None else {"f": before})
    new = archive({} if after is None else {"f": after})
    return version_diff.lines(FileChange("f", Change.CHANGED), old, new)


def test_the_lines_of_a_text_file():
    assert lines("a\nb\nc\n", "a\nB\nc\n") == ["@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]
    assert lines(None, "a\n") == ["@@ -0,0 +1 @@", "+a"]
    assert lines("a\n", None) == ["@@ -1 +0,0 @@", "-a"]
    assert lines("a\r\n", "a\n") == ["only the ends of lines differ"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe", "no text"),
        (b"a\0b", "no text"),
        (b"x" * (version_diff.BYTES + 1), "larger than the 128 KB"),
        (b"\0" * 300_000_000, "larger than the 128 KB"),
        (b"x\n" * (version_diff.LINES + 1), "more than the 2000 lines"),
    ],
    ids=["not utf-8", "binary", "large", "bomb", "many lines"],
)
def test_what_is_not_compared_line_by_line_says_why(content, why):
    (line,) = lines("a", content)
    assert why in line


def test_a_damaged_entry_says_so():
    good = archive({"f": "hello hello"}, zipfile.ZIP_STORED)
    bad = good.replace(b"hello hello", b"hullo hullo")
    (line,) = version_diff.lines(FileChange("f", Change.CHANGED), good, bad)
    assert line.startswith("cannot be read: Bad CRC-32")


def test_what_is_no_archive_is_an_error():
    with pytest.raises(zipfile.BadZipFile):
        version_diff.files(b"no", archive({}))


@pytest.fixture
def two(engine):
    engine.function("hello", version="1", archive=archive({"app.py": "one\ntwo\n", "gone.py": ""}), memory=128)
    changed = archive({"app.py": "one\nTWO\n", f"{EVIL}.py": EVIL})
    engine.function("hello", version="2", archive=changed, memory=256, description=EVIL)
    engine.function("hello", archive=changed, memory=256, description=EVIL)
    return engine


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_two_versions_are_compared_on_the_screen(open_face, two, size):
    async with open_face(size) as face:
        await face.press("j", "enter", "j", "d")
        assert isinstance(face.app.screen, DiffScreen)
        await face.settle()
        assert "128 → 256" in face.line("~ memory size")
        assert "app.py" in face.line("~ app.py")
        assert "gone.py" in face.line("- gone.py")
        assert "2 settings · 3 files" in face.text
        await face.press("j", "j")
        while face.app.screen.targets()[0].selected.path != "app.py":
            await face.press("j")
        await face.press("enter")
        await face.settle()
        assert "- two" not in face.text
        assert "-two" in face.text
        assert "+TWO" in face.text
        assert "\x1b" not in face.text
        assert "[red]x[/]" in face.text or size == SMALL
        await face.press("escape")
        assert not isinstance(face.app.screen, DiffScreen)


async def test_the_sides_can_be_swapped_and_chosen(open_face, two):
    async with open_face() as face:
        await face.press("j", "enter", "j", "d", "x")
        await face.settle()
        assert "256 → 128" in face.line("~ memory size")
        from textual.widgets import Select

        face.app.screen.query_one("#before", Select).value = "1"
        await face.settle()
        await face.settle()
        assert "The two versions are the same" in face.text


async def test_one_version_alone_cannot_be_compared(open_face, engine):
    async with open_face() as face:
        await face.press("j", "enter", "d")
        assert "There is one version only" in face.said[-1]


async def test_code_that_cannot_be_fetched_is_a_notice(open_face, two):
    from workbench.model.errors import StateError

    async with open_face() as face:
        await face.press("j", "enter", "j")
        two.raises = StateError("the blob is damaged")
        await face.press("d")
        await face.settle()
        assert "State: the blob is damaged" in face.said
        assert "128 → 256" in face.line("~ memory size")
