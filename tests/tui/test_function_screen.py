"""One function's screen: versions, aliases and their editor, publishing, undo, the aws CLI's words for it."""

import re

import pytest
from textual.widgets import Input, Select

from tests.tui.conftest import SMALL, WIDE
from tests.tui.fake_port import WALL
from workbench.model.attached import Attached
from workbench.model.errors import EngineGone, ResourceConflict
from workbench.model.events import AttachedChanged, FunctionDeleted, InvocationAccepted
from workbench.model.invocations import InvocationType
from workbench.tui.screens.function import FunctionScreen
from workbench.tui.widgets.alias_editor import AliasEditor


@pytest.fixture
def shop(engine):
    """hello with three versions: 9 has another role; `live` leads to 7 and a tenth to 8."""
    for version in ("7", "8"):
        engine.function("hello", version=version, environment={"TABLE": "orders", "SECRET": "swordfish"})
    engine.function("hello", version="9", role="arn:aws:iam::000000000000:role/other")
    engine.alias("hello", "live", "7", {"8": 0.1})
    engine.alias("hello", "prev", "7")
    return engine


def editor(face) -> AliasEditor:
    return face.app.screen.query_one(AliasEditor)


def bar(face, version: str) -> str:
    """What the bar of a version says."""
    found = next(line for line in face.lines if re.search(rf"[│┃] {version} +[█░]", line))
    return re.search(r"[█░] +([\d.]+ %)", found)[1]


def invoked(engine, number: int, version: str, alias: str = "live") -> None:
    id = f"r-{version}-{number}"
    engine.live.apply(
        InvocationAccepted(
            engine.now, id, "hello", alias, version, InvocationType.EVENT, "e-1", False, "warm", b"{}", WALL
        )
    )
    engine.finished(id)


@pytest.mark.parametrize("size", [WIDE, SMALL, (200, 60)])
async def test_it_shows_versions_aliases_configuration_and_activity(open_face, shop, size):
    shop.warm("e-1", "hello")
    async with open_face(size) as face:
        await face.press("j", "enter")
        assert isinstance(face.app.screen, FunctionScreen)
        assert "changed" in face.line("▸ $LATEST")
        assert "live 10%" in face.line("┃  8 ")
        assert "live 90%, prev" in face.text
        assert "3 versions published" in face.text
        await face.press("2")
        assert "7 90% 8 10%" in face.line("▸ live")
        assert "✓ both published" in face.text
        await face.press("1", "j", "j", "3")
        for part in ("app.handler", "128 MB   timeout 3 s   /tmp 512 MB", "2: SECRET, TABLE", "bubblewrap   isolated"):
            assert part in face.text
        assert "swordfish" not in face.text
        await face.press("4")
        for part in ("no reserved concurrency", "(•) Auto", "takes a new runtime version by itself", "$L -"):
            assert part in face.text
        await face.press("escape")
        assert face.app.screen is face.main


async def test_concurrency_and_runtime_mode_are_shown_when_set(open_face, shop):
    shop.live.apply(AttachedChanged(shop.now, "hello", Attached(reserved=2)))
    shop.accepted("r-1", "hello", "e-1")
    async with open_face() as face:
        await face.press("j", "enter")
        assert "1 of 2 reserved" in face.text
        shop.accepted("r-2", "hello", "e-2")
        await face.frame()
        assert "2 of 2 reserved   at its limit" in face.text


async def test_without_versions_it_teaches_and_p_publishes(open_face, engine):
    async with open_face() as face:
        await face.press("j", "enter")
        assert "none published yet: p publishes $LATEST" in face.text
        assert "Nothing is published yet" in face.text
        await face.press("p")
        assert face.said[-1] == "✓ Published: Version 1 of hello."
        assert "1 version published" in face.text
        assert "as newest" in face.line("$LATEST")
        await face.press("p")
        assert face.said[-1] == "Publish: Nothing has changed since version 1."
        await face.press("u")
        assert "Version 1 of hello is deleted. Its number is not used again." in face.text
        await face.press("escape")
        assert "1 version published" in face.text
        await face.press("u", "D")
        assert "version 1 deleted" in face.said[-1]
        assert "none published yet" in face.text


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_weights_move_by_keys_and_are_saved(open_face, shop, size):
    async with open_face(size) as face:
        await face.press("j", "enter", "2", "e")
        await face.press("right", "right", "left", "L")
        assert "● edited" in face.line("Alias live")
        assert bar(face, "8") == "21 %"
        assert bar(face, "7") == "79 %"
        assert shop.aliases["hello"]["live"].weights == {"8": 0.1}
        await face.press("ctrl+s")
        assert shop.aliases["hello"]["live"].weights == {"8": 0.21}
        assert face.said[-1] == "✓ Saved: live: 7 90% 8 10% → 7 79% 8 21%   u undoes it"
        assert "● edited" not in face.text
        await face.press("]", "]", "ctrl+s")
        assert shop.aliases["hello"]["live"].weights == {"8": 0.5}
        await face.press("[", "H", "H", "H", "ctrl+s")
        assert shop.aliases["hello"]["live"].weights == {"8": 0.0}


async def test_keys_faster_than_messages_all_count(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "2", "e")
        bars = face.app.focused
        for _ in range(7):
            bars.action_shift(1)
        await face.settle()
        assert editor(face).draft.weight == "0.17"


async def test_the_number_field_and_the_presets(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "2")
        weight = face.app.screen.query_one("#weight", Input)
        weight.focus()
        await face.press("2", "delete", "backspace")
        assert "✗ the weight is no number" in face.text
        await face.press("ctrl+s")
        assert "no number" in face.said[-1]
        await face.type("1.5")
        assert "✗ the weight must be from 0 to 1" in face.text
        weight.value = "0.333"
        await face.press("ctrl+s")
        assert shop.aliases["hello"]["live"].weights == {"8": 0.333}
        await face.pilot.click("Presets", offset=(19, 0))
        await face.settle()
        assert editor(face).draft.weight == "0.5"
        await face.pilot.click("WeightBars", offset=(15, 1))
        await face.settle()
        assert float(editor(face).draft.weight) < 0.2


async def test_rules_are_checked_while_versions_are_chosen(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "2")
        second = face.app.screen.query_one("#second", Select)
        first = face.app.screen.query_one("#version", Select)
        for select, version, problem in (
            (second, "9", "different execution roles"),
            (first, "9", "both versions are the same"),
        ):
            select.value = version
            await face.settle()
            assert problem in face.text
            await face.press("ctrl+s")
            assert problem in face.said[-1]
        face.app.screen.query_one("#version", Select).value = "$LATEST"
        await face.settle()
        assert "$LATEST cannot share an alias" in face.text
        second.value = ""
        await face.settle()
        assert "✓ $LATEST, without a second version" in face.text
        await face.press("ctrl+s")
        alias = shop.aliases["hello"]["live"]
        assert (alias.version, alias.weights) == ("$LATEST", {})


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_second_version_is_chosen_and_weighed_by_keys_alone(open_face, shop, size):
    shop.alias("hello", "live", "7")
    async with open_face(size) as face:
        await face.press("j", "enter", "2", "e")
        assert face.app.focused.id == "second"
        await face.press("enter")
        # All that can be chosen is seen, and the alias's own version is not among it.
        options = face.app.focused
        assert [str(option.prompt) for option in options.options] == ["none", "9", "8"]
        seen = [line[options.region.x : options.region.right].strip() for line in face.lines]
        top = options.region.y
        assert seen[top : top + 3] == ["none", "9", "8"]
        await face.press("j", "j", "k", "j", "enter", "tab")
        assert "▲ version 8 gets nothing: its weight is 0" in face.text
        await face.press("0", ".", "2", "ctrl+s")
        assert shop.aliases["hello"]["live"].weights == {"8": 0.2}
        assert face.app.focused.id == "weight"
        await face.press("tab", "0", ".", "3", "ctrl+s")  # at the bars
        assert shop.aliases["hello"]["live"].weights == {"8": 0.3}
        weight = face.app.screen.query_one("#weight", Input)
        weight.value = "25"
        await face.settle()
        assert "✗ the weight must be from 0 to 1: 25 % is 0.25, or 25%" in face.text
        weight.value = "25%"
        await face.press("ctrl+s")
        assert shop.aliases["hello"]["live"].weights == {"8": 0.25}
        assert weight.value == "0.25"
        weight.value = "0"
        await face.press("ctrl+s")  # a warning is no refusal
        assert shop.aliases["hello"]["live"].weights == {"8": 0.0}


async def test_an_alias_is_created_deleted_and_brought_back(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "j", "n")
        assert "New alias" in face.text
        assert "✗ the alias needs a name" in face.text
        for name, problem in (("live", "that name is taken"), ("12", "digits only"), ("a b", "letters, digits")):
            face.app.screen.query_one("#name", Input).value = name
            await face.settle()
            assert problem in face.text
        face.app.screen.query_one("#name", Input).value = ""
        await face.type("canary")
        await face.press("ctrl+s")
        assert shop.aliases["hello"]["canary"].version == "9"
        assert face.app.focused.selected.name == "canary"
        await face.press("D")
        assert "Delete the alias canary?" in face.text
        await face.press("escape")
        assert "canary" in shop.aliases["hello"]
        await face.press("D", "D")
        assert "canary" not in shop.aliases["hello"]
        await face.press("u")
        assert shop.aliases["hello"]["canary"].version == "9"
        await face.press("u")
        assert "canary" not in shop.aliases["hello"]
        await face.press("u")
        assert face.said[-1].startswith("Undo: There is nothing to undo")


async def test_undo_goes_back_edit_by_edit(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "2", "e")
        for key in ("L", "L"):
            await face.press(key, "ctrl+s")
        assert shop.aliases["hello"]["live"].weights == {"8": 0.3}
        await face.press("u")
        assert shop.aliases["hello"]["live"].weights == {"8": 0.2}
        assert bar(face, "8") == "20 %"
        await face.press("u")
        assert shop.aliases["hello"]["live"].weights == {"8": 0.1}


async def test_undo_does_not_overwrite_anothers_change(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "2", "e", "L", "ctrl+s")
        shop.alias("hello", "live", "8")
        await face.settle()
        await face.press("u")
        assert face.said[-1].startswith("PreconditionFailedException")
        assert shop.aliases["hello"]["live"].version == "8"


async def test_anothers_change_meanwhile_is_said_and_not_overwritten(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "2", "e", "L")
        shop.alias("hello", "live", "7", {"8": 0.5})
        await face.settle()
        await face.settle()
        assert "meanwhile another made it 7 50% 8 50%" in face.text
        await face.press("ctrl+s")
        assert face.said[-1].startswith("PreconditionFailedException")
        assert "● edited" in face.text
        await face.press("escape")
        assert bar(face, "8") == "50 %"


async def test_escape_discards_then_leaves(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "2", "e", "L", "escape")
        assert bar(face, "8") == "10 %"
        assert isinstance(face.app.screen, FunctionScreen)
        await face.press("escape")
        assert face.app.screen is face.main


async def test_the_observed_split_stands_beside_the_configured_one(open_face, shop):
    for number in range(9):
        invoked(shop, number, "7")
    invoked(shop, 0, "8")
    invoked(shop, 1, "8", alias="prev")
    async with open_face((160, 48)) as face:
        await face.press("j", "enter")
        assert "7 90.0 %  8 10.0 %" in face.line("▸ live")
        assert "observed 60 s of 10:  7 90.0 %  8 10.0 %" in face.text
        await face.frame(100)
        await face.press("2", "e", "L", "ctrl+s")
        assert "of 10:" not in face.text  # it counts from the change on
        await face.frame(5000)
        invoked(shop, 99, "8")
        await face.frame(5000)
        assert "observed 10 s of 1:  7 0.0 %  8 100.0 %" in face.text
        await face.frame(61_000)
        assert "nothing was invoked" in face.text


@pytest.mark.parametrize("error", [ResourceConflict("no"), EngineGone("connection refused")])
async def test_an_error_is_a_notice_and_the_screen_lives(open_face, shop, error):
    async with open_face() as face:
        await face.press("j", "enter", "2", "e", "L")
        shop.raises = error
        await face.press("ctrl+s", "escape", "p")
        assert len(face.said) == 2
        shop.raises = None
        await face.press("e", "L", "ctrl+s")
        assert shop.aliases["hello"]["live"].weights == {"8": 0.2}


async def test_a_lost_engine_is_survived(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter")
        shop.gone = True
        await face.frame()
        assert "trying again" in face.text
        await face.press("p")
        assert "Engine" in face.said[-1]
        shop.gone = False
        await face.frame(1000)
        await face.settle()
        assert "trying again" not in face.text
        assert "▸ $LATEST" in face.text


async def test_a_function_that_is_deleted_says_so(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter")
        shop.live.apply(FunctionDeleted(shop.now, "hello"))
        await face.frame()
        assert "deleted" in face.line("Functions")
        await face.press("f")
        assert "no function hello any more" in face.said[-1]


async def test_it_is_shown_and_copied_as_aws_cli(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "2", "e", "L", "Y")
        expected = (
            "aws --endpoint-url http://127.0.0.1:3001 lambda update-alias \\\n"
            "    --function-name hello \\\n"
            "    --name live \\\n"
            "    --function-version 7 \\\n"
            "    --description '' \\\n"
            """    --routing-config '{"AdditionalVersionWeights":{"8":0.2}}'"""
        )
        assert face.app.clipboard == expected
        assert "--function-version 7" in face.text
        await face.press("escape", "escape", "1", "Y")
        assert "publish-version" in face.app.clipboard


async def test_fire_takes_the_selected_alias_along(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "2", "f")
        assert face.app.screen.query_one("#qualifier", Input).value == "live"
        await face.press("ctrl+j")
        assert str(shop.requests[0].function) == "hello:live"
        await face.press("1", "j", "f", "ctrl+j")
        assert str(shop.requests[1].function) == "hello:9"


async def test_palette_and_help_know_its_commands(open_face, shop):
    async with open_face((120, 60)) as face:
        await face.press("j", "enter", "2", "e", "question_mark")
        for part in ("Weights", "Ten percent more", "Publish $LATEST", "Undo the last change"):
            assert part in face.text
        await face.press("escape", "ctrl+p")
        await face.type("publish")
        await face.pilot.pause(0.3)
        await face.press("enter")
        await face.settle()
        assert any(line.startswith("✓ Published") for line in face.said)


async def test_the_footer_offers_save_only_when_there_is_something_to_save(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "2", "e")
        assert "^s save" not in face.lines[-1]
        await face.press("L")
        await face.pilot.pause(0.05)
        assert "^s save" in face.lines[-1]
