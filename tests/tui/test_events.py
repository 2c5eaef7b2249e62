"""Events: is it JSON, and whose is it?"""

import pytest

from workbench.tui.event_json import LIMIT, check, editable
from workbench.tui.saved import SavedEvent, events_for, read_saved_events


@pytest.mark.parametrize("text", ["{}", "", "  \n", "null", "[1, 2.5e3]", '"text"', '{"a": {"b": []}}'])
def test_json_is_good(text):
    assert check(text).good


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("{bad", 1, 2),
        ('{\n  "a": 1,\n  "b" 2\n}', 3, 7),
        ("{} {}", 1, 4),
        ('{"a": NaN}', 1, 7),
        ("[1,\n -Infinity]", 2, 2),
    ],
)
def test_bad_json_says_where(text, line, column):
    verdict = check(text)
    assert not verdict.good
    assert (verdict.line, verdict.column) == (line, column)
    assert str(verdict).startswith(f"line {line}, column {column}: ")


def test_what_lambda_would_not_take():
    assert "larger than the 6 MB" in str(check('"' + "x" * LIMIT + '"'))
    assert "nested too deeply" in str(check("[" * 100_000))


def test_a_folder_of_events_is_read_by_name(tmp_path):
    (tmp_path / "hello.json").write_text('{"name": "Ada"}')
    (tmp_path / "crash-exit.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("no event")
    (tmp_path / "latin.json").write_bytes(b"\xff")
    assert read_saved_events(tmp_path) == (SavedEvent("crash-exit", "{}"), SavedEvent("hello", '{"name": "Ada"}'))
    assert read_saved_events(tmp_path / "nowhere") == ()


def test_a_functions_events_are_its_namesake_and_its_variants():
    events = [SavedEvent(name, "{}") for name in ("crash-exit", "crash", "hello", "hello-world", "other")]
    assert [event.name for event in events_for("crash", events)] == ["crash", "crash-exit"]
    assert [event.name for event in events_for("hello", events)] == ["hello", "hello-world"]
    assert [event.name for event in events_for("hello", events, ["hello", "hello-world"])] == ["hello"]
    assert events_for("nothing", events) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"a":  1}', '{"a":  1}'),
        ('{"a": "\\u001b[31m"}', '{"a": "\\u001b[31m"}'),
        ('{"a": "\u202e\x9b"}', '{\n  "a": "\\u202e\\u009b"\n}'),
        ("no json \x1b[2J\x07", "no json "),
    ],
)
def test_what_an_editor_may_draw(text, shown):
    assert editable(text) == shown
