"""Export: what is shown as JSON, CSV and SVG, harmless to terminals and spreadsheets, never over another file."""

import csv
import io
import json
from dataclasses import dataclass, field

import pytest

from tests.tui.conftest import SMALL, WIDE
from workbench.model.environments import EnvironmentState as State
from workbench.tui.exported import Format, csv_text, record, write_new


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_the_rows_of_the_list_with_the_focus(open_face, engine, folder, size):
    name = "a-name-that-is-longer-than-any-column-of-the-list-has-room-for"
    engine.function(name, memory=1024)
    engine.alias(name, "live", "7", {"8": 0.1})
    async with open_face(size) as face:
        await face.press("X")
        assert "Functions: 3 rows" in face.text
        await face.press("c")
        assert face.said[-1] == f"✓ Exported: {folder / 'workbench-functions.csv'}"
        await face.press("X", "j")
        assert face.said[-1] == f"✓ Exported: {folder / 'workbench-functions.json'}"
    first, *_ = json.loads((folder / "workbench-functions.json").read_text())
    assert (first["FunctionName"], first["MemorySize"]) == (name, 1024)
    assert first["Aliases"] == {"live": {"7": 0.9, "8": 0.1}}
    row, *_ = rows_of(folder / "workbench-functions.csv")
    assert (row["FunctionName"], row["MemorySize"]) == (name, "1024")
    assert json.loads(row["Aliases"]) == first["Aliases"]


async def test_what_a_filter_and_a_pause_leave_is_what_is_written(open_face, engine, folder):
    engine.run("r-1", "hello", "e-1")
    async with open_face() as face:
        await face.press("slash")
        await face.type("coun")
        await face.press("enter", "X", "c", "3", "space")
        engine.run("r-2", "hello", "e-1")
        await face.frame()
        await face.press("X", "c")
    assert [row["FunctionName"] for row in rows_of(folder / "workbench-functions.csv")] == ["counter"]
    assert [row["RequestId"] for row in rows_of(folder / "workbench-invocations.csv")] == ["r-1"]


async def test_nothing_is_overwritten(open_face, folder):
    (folder / "elsewhere").write_text("mine")
    (folder / "workbench-functions-2.csv").symlink_to(folder / "elsewhere")
    async with open_face() as face:
        await face.press("X", "c", "X", "c")
        assert face.said[-1].endswith("workbench-functions-3.csv")
    assert (folder / "elsewhere").read_text() == "mine"


async def test_a_file_that_cannot_be_written_is_a_notice(open_face, folder):
    async with open_face() as face:
        await face.press("X")
        folder.rmdir()
        await face.press("c")
        assert face.said[-1].startswith("FileNotFoundError")


async def test_the_picture_is_of_the_screen_and_not_of_the_question(open_face, folder):
    async with open_face() as face:
        await face.press("X", "s")
    picture = (folder / "workbench-main.svg").read_text().replace("&#160;", " ")
    assert picture.startswith("<svg")
    assert "counter" in picture
    assert "Export" not in picture


async def test_a_word_of_the_command_line(open_face, engine, folder):
    engine.log("hello there")
    async with open_face() as face:
        await face.press("4", "colon")
        await face.type("exp csv")
        await face.press("enter")
        assert [row["Text"] for row in rows_of(folder / "workbench-logs.csv")] == ["hello there"]
        await face.press("colon")
        await face.type("exp pdf")
        await face.press("enter")
        assert "there is no format 'pdf'" in face.text
        await face.press("escape", "colon")
        await face.type("exp")
        await face.press("enter")
        assert "Logs: 1 row" in face.text
        await face.press("escape")
        assert len(list(folder.iterdir())) == 1


async def test_csv_needs_rows(open_face, engine, folder):
    async with open_face() as face:
        await face.press("enter", "3", "X")
        assert "SVG picture" in face.text
        assert "c CSV" not in face.text
        await face.press("c", "escape", "colon")
        await face.type("exp csv")
        await face.press("enter")
        assert face.said[-1].startswith("Cannot do that: CSV takes the rows of a list")
    assert not list(folder.iterdir())


async def test_a_text_that_is_typed_may_have_its_letter(open_face, folder):
    async with open_face() as face:
        await face.press("slash", "X", "c")
        assert "/ Xc" in face.text


SCREENS = (
    (("enter", "3"), "function", {"Function", "Versions", "Aliases", "Configuration", "Activity"}),
    (("v", "1"), "environments", {"Environments", "Concurrency", "Detail"}),
    (("2", "down", "enter"), "environmentdetail", {"Environment", "Logs", "Processes"}),
    (("L", "2"), "layers", {"Layers", "Detail"}),
    (("O",), "settings", {"Page", "Engine", "Account"}),
    (("H",), "doctor", {"Page"}),
    (("E", "4"), "events", {"Events", "Event", "Result", "Load"}),
)


async def test_all_that_a_screen_shows(open_face, engine, folder):
    engine.environment("e-1", State.CREATING, "counter")
    async with open_face() as face:
        for keys, name, parts in SCREENS:
            await face.press(*keys, "X", "j")
            assert face.said[-1].endswith(f"workbench-{name}.json"), face.said
            assert set(json.loads((folder / f"workbench-{name}.json").read_text())) == parts
            while len(face.app.screen_stack) > 1:
                face.app.pop_screen()
            await face.press("1")


async def test_the_values_of_environment_variables_stay_in_the_engine(open_face, engine, folder):
    engine.function("counter", environment={"TOKEN": "secret"})
    async with open_face() as face:
        await face.press("enter", "X", "j", "X", "c")
    texts = [path.read_text() for path in folder.iterdir()]
    assert len(texts) == 2
    assert all("TOKEN" in text and "secret" not in text for text in texts)


# -- as text
@dataclass(frozen=True)
class Inner:
    memory_size: int | None = 128


@dataclass(frozen=True)
class Row:
    text: str = ""
    inner: Inner | None = field(default_factory=Inner)
    weights: dict[str, float] = field(default_factory=dict)
    wall: float = 0.5


def cells(*rows: Row) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(rows), newline="")))


FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\n=1",
    "\r=1",
    "\x1b[31m=1",
    "\u202e=1",
    "\uff1d1",
    "\x00=1",
    " =1",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text):
    cell = cells(Row(text))[0]["Text"]
    assert cell[0] == "'"
    assert not set(cell) & set("\x1b\x00\u202e\r")


@pytest.mark.parametrize("text", ["", "plain", "1-1", 'a "quoted", one', "two\nlines", "é ✓"])
def test_other_text_is_as_it_was(text):
    assert cells(Row(text))[0]["Text"] == text


def test_half_a_pair_of_surrogates_can_be_written(tmp_path):
    path = write_new(tmp_path, "Row s/..", Format.CSV, csv_text([Row("\ud800")]))
    assert path == tmp_path / "workbench-row-s.csv"
    assert rows_of(path)[0]["Text"] == "\ufffd"


def test_numbers_stay_numbers_and_a_row_in_a_row_is_columns():
    (row, other) = cells(Row(inner=Inner(-5), weights={"=x": -1.0}), Row(inner=None))
    assert row["Inner.MemorySize"] == "-5"
    assert row["Weights"] == '{"=x": -1.0}'
    assert row["Timestamp"] == "1970-01-01T00:00:00.500+00:00"
    assert (other["Inner"], other["Inner.MemorySize"]) == ("", "")


def test_json_has_the_same_names():
    assert record([Row("\x1b")]) == [
        {"Text": "\x1b", "Inner": {"MemorySize": 128}, "Weights": {}, "Timestamp": "1970-01-01T00:00:00.500+00:00"}
    ]
