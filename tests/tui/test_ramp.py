"""An alias that moves by itself: begun, watched, stopped, rolled back, undone as one edit, asked about at the end."""

import pytest

from tests.tui.conftest import SMALL, WIDE
from workbench.tui.app import Outcome
from workbench.tui.screens.function import FunctionScreen
from workbench.tui.screens.question import Question
from workbench.tui.screens.ramp import RampDialog
from workbench.tui.screens.snippet import Snippet


@pytest.fixture
def shop(engine):
    """hello with four versions: 9 has another role; `live` leads to 7 and a tenth to 8, `new` to 7 alone."""
    for version in ("6", "7", "8"):
        engine.function("hello", version=version)
    engine.function("hello", version="9", role="arn:aws:iam::000000000000:role/other")
    engine.alias("hello", "live", "7", {"8": 0.1})
    engine.alias("hello", "new", "7")
    return engine


def live(engine, name="live"):
    alias = engine.aliases["hello"][name]
    return alias.version, dict(alias.weights)


async def open_ramp(face, *, down: int = 0) -> RampDialog:
    await face.press("j", "enter", "2", *["j"] * down, "w")
    assert isinstance(face.app.screen, RampDialog)
    return face.app.screen


async def passes(face, ms: float) -> None:
    """Time, a frame, and what is begun in it."""
    await face.frame(ms)
    await face.settle()


async def begin(face, words: str = "Linear30PercentEvery10Seconds", errors: str = "") -> None:
    dialog = await open_ramp(face)
    dialog.query_one("#words").value = words
    dialog.query_one("#errors").value = errors
    await face.press("ctrl+s")
    assert isinstance(face.app.screen, FunctionScreen)
    await passes(face, 0)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_it_moves_step_by_step_says_where_it_is_and_is_one_edit(open_face, shop, size):
    async with open_face(size) as face:
        await begin(face)
        assert live(shop) == ("7", {"8": 0.3})
        assert "W ends it  ▶ version 8 at 30 %, 60 % in 10s" in face.line("ramp  ")
        await passes(face, 9_000)
        assert live(shop) == ("7", {"8": 0.3})
        for share in (0.6, 0.9):
            await passes(face, 10_000)
            assert live(shop) == ("7", {"8": share})
        assert "70% 8 30%" not in face.text
        await passes(face, 10_000)
        assert live(shop) == ("8", {})
        assert face.said[-1] == "✓ Ramp: hello:live   done   (Linear30PercentEvery10Seconds to 8)   u takes it back"
        assert [str(edit) for edit in face.app.edits.of("hello")] == ["live: 7 90% 8 10% → 8"]
        await face.press("u")
        assert live(shop) == ("7", {"8": 0.1})
        assert face.said[-1] == "✓ Undone: live: 7 90% 8 10%"
        await passes(face, 60_000)
        assert live(shop) == ("7", {"8": 0.1})
        assert face.app.edits.of("hello") == []


async def test_the_dialog_says_what_will_happen_and_what_is_wrong(open_face, shop):
    async with open_face() as face:
        dialog = await open_ramp(face)
        assert "Version 8: 20 % at once, 10 % more every 10s, all of it after 1m20s: 9 steps." in face.text
        assert "quitting ends it where it is" in face.text
        dialog.query_one("#words").value = "Linear10Percent"
        await face.settle()
        assert "✗ the plan: Linear10PercentEvery1Minute, " in face.text
        await face.press("ctrl+s")
        assert face.app.screen is dialog
        dialog.query_one("#words").value = "Canary5Percent90Seconds"
        dialog.query_one("#errors").value = "200"
        await face.settle()
        assert "✗ a share of errors is a percentage" in face.text
        dialog.query_one("#errors").value = "2.5"
        dialog.query_one("#target").value = "6"
        await face.settle()
        assert "5 % at once, all of it after 1m30s." in face.text
        assert "Version 8 gets nothing from then on." in face.text
        assert "more than 2.5 % fail, all is rolled back" in face.text
        dialog.query_one("#target").value = "9"
        await face.settle()
        assert "✗ the versions have different execution roles" in face.text
        await face.press("escape")
        assert live(shop) == ("7", {"8": 0.1})
        assert face.app.ramps.running == []


async def test_a_preset_is_chosen_by_keys_and_shown_as_a_script(open_face, shop):
    async with open_face() as face:
        dialog = await open_ramp(face, down=1)
        await face.press("enter", "down", "enter")
        assert dialog.query_one("#words").value == "Canary10Percent30Seconds"
        await face.press("f2")
        assert isinstance(face.app.screen, Snippet)
        assert "for weight in 0.1; do" in face.text
        assert "sleep 30" in face.text
        await face.press("escape", "ctrl+s")
        await passes(face, 0)
        assert live(shop, "new") == ("7", {"8": 0.1})  # 9, which has another role, was not offered first


@pytest.mark.parametrize(("key", "left"), [("s", {"8": 0.3}), ("b", {"8": 0.1})])
async def test_it_can_be_stopped_or_rolled_back(open_face, shop, key, left):
    async with open_face() as face:
        await begin(face)
        assert "W stop ramp" in face.lines[-1]
        await face.press("W", "escape")
        assert face.app.ramps.running
        await face.press("w")  # the key that begins one, too
        assert isinstance(face.app.screen, Question)
        await face.press(key)
        assert live(shop) == ("7", left)
        await passes(face, 60_000)
        assert live(shop) == ("7", left)
        assert "W stop ramp" not in face.lines[-1]
        line = face.line("ramp  ")
        assert ("✗" in line and "stopped at 30 %" in line) if key == "s" else ("↶" in line and "rolled back" in line)


async def test_undoing_it_while_it_runs_ends_it(open_face, shop):
    async with open_face() as face:
        await begin(face)
        await face.press("u")
        assert live(shop) == ("7", {"8": 0.1})
        await passes(face, 60_000)
        assert live(shop) == ("7", {"8": 0.1})


async def test_leaving_asks_since_it_ends_the_ramp(open_face, shop):
    async with open_face() as face:
        await begin(face)
        await face.press("q")
        assert isinstance(face.app.screen, Question)
        assert "The ramp of hello:live ends at 30 % if you quit." in face.text
        await face.press("escape")
        await passes(face, 10_000)
        assert live(shop) == ("7", {"8": 0.6})
        await face.pilot.press("q", "l")
        assert face.app.return_value is Outcome.LEFT


async def test_without_an_alias_or_with_a_draft_there_is_none(open_face, shop, engine):
    async with open_face() as face:
        await face.press("enter", "w")
        assert "n makes an alias" in face.said[-1]
        await face.press("escape", "j", "enter", "2", "e", "right", "w")
        assert "Save what is in the editor" in face.said[-1]
