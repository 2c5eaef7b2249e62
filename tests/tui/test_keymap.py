"""Keys of a person's own, from `[keys]` of workbench.toml: read, refused, pressed and shown."""

import importlib
import json
import pkgutil

import pytest
from textual.widgets import Static
from typer.testing import CliRunner

from tests.tui.conftest import SMALL, WIDE
from workbench.cli.app import app
from workbench.model.errors import UsageError
from workbench.tui import commands as package
from workbench.tui import run
from workbench.tui.commands import main
from workbench.tui.commands.base import Command
from workbench.tui.keymap import SCOPES, commands, keymap
from workbench.tui.widgets.keys import KeyLine

WHERE = "/home/ada/orders/workbench.toml"


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ("Q", ("Q",)),
        ("&", ("ampersand",)),
        ("ctrl++", ("ctrl+plus",)),
        (["f9", "ctrl+o", "f9"], ("f9", "ctrl+o")),
        ("shift+q", ("Q",)),
        ("shift+up", ("shift+up",)),
        ("Insert", ("insert",)),
        ("ö", ("ö",)),
    ],
)
def test_a_key_is_written_as_people_write_it(given, keys):
    assert keymap({"tour": given}, WHERE) == {"main.tour": keys}


def test_a_name_alone_is_the_command_on_every_screen_and_a_table_is_one_screen():
    found = keymap({"fire": "f9", "function": {"fire": "f8"}}, WHERE)
    assert found == {"main.fire": ("f9",), "events.fire": ("f9",), "function.fire": ("f8",)}


def test_keys_can_be_exchanged():
    assert keymap({"fire": "q", "quit": "f"}, WHERE)["main.quit"] == ("f",)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"qit": "x"}, "there is no command 'qit'; 'quit' is one (workbench keys lists them)"),
        ({"function": {"open": "x"}}, "there is no command 'function.open'"),
        ({"main": {"functions": "x"}}, "there is no command 'main.functions'"),
        ({"nowhere": {"fire": "x"}}, "there is no command 'nowhere.fire'"),
        ({"quit": 7}, "[keys] quit takes a key or a list of keys"),
        ({"quit": []}, "[keys] quit takes a key or a list of keys"),
        ({"quit": ["Q", 1]}, "[keys] quit takes a key or a list of keys"),
        ({"quit": ""}, "[keys] quit: there is no key ''"),
        ({"quit": "control+q"}, "[keys] quit: there is no key 'control+q' (keys are written like"),
        ({"quit": "f25"}, "there is no key 'f25'"),
        ({"quit": "ab"}, "there is no key 'ab'"),
        ({"quit": "ctrl+"}, "there is no key 'ctrl+'"),
        ({"quit": "a,b"}, "there is no key 'a,b'"),
        ({"quit": "ctrl+p"}, "'ctrl+p' is for the palette on every screen (choose another key)"),
        ({"quit": "shift+tab"}, "'shift+tab' is for the field before"),
        ({"quit": "ctrl+i"}, "terminals send 'ctrl+i' as tab"),
        ({"quit": "f"}, "f is both 'main.fire' and 'main.quit' on the main screen (give one of them another key)"),
        ({"quit": "1"}, "1 is both 'main.functions' and 'main.quit'"),
        ({"quit": "j"}, "j is both 'main.quit' and 'moves.down'"),
        ({"fire": "f9", "quit": "f9"}, "F9 is both 'main.fire' and 'main.quit'"),
        ({"help": ","}, ", is both 'main.help' and 'replay.hold-replay'"),
        ({"more": "u"}, "u is both 'function.undo' and 'function.more' on the function screen"),
    ],
)
def test_what_cannot_be_is_said_with_the_place_and_the_mend(given, said):
    with pytest.raises(UsageError) as raised:
        keymap(given, WHERE)
    text = str(raised.value)
    assert text.startswith(f"{WHERE}: [keys]")
    assert said in text
    assert "\n" not in text


def test_every_command_has_a_name_of_its_own():
    known = {command for _, scope in SCOPES for command in scope}
    modules = [
        importlib.import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__)
    ]
    there = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    assert {one for one in there if issubclass(one, Command)} - {Command} == known
    names = [command.name() for command in known]
    assert len(names) == len(set(names))
    assert {"main.fire-again", "function.edit-alias", "moves.page-down", "replay.step-replay"} <= set(commands())


def test_the_screen_does_not_come_up_with_keys_that_cannot_be(tmp_path):
    async def connect():
        raise AssertionError("an engine was asked for")

    with pytest.raises(UsageError, match="quit takes a key"):
        run(connect, keys={"quit": 7}, settings=tmp_path / "workbench.toml")


def test_the_command_lists_names_and_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_PROJECT", str(tmp_path))
    (tmp_path / "workbench.toml").write_text('[keys]\nquit = "Q"\n[keys.function]\nfire = ["f9", "z"]\n')
    told = CliRunner().invoke(app, ["keys"], catch_exceptions=False).stdout.splitlines()
    assert "* function.fire            F9 z               Fire this function" in "\n".join(told)
    assert f"  main.fire                f                  {main.Fire.help()}" in "\n".join(told)
    assert len(told) == len(commands())
    parsed = [json.loads(line) for line in CliRunner().invoke(app, ["keys", "--json"]).stdout.splitlines()]
    assert {one["name"]: one["keys"] for one in parsed if one["changed"]} == {
        "main.quit": ["Q"],
        "function.fire": ["f9", "z"],
    }
    (tmp_path / "workbench.toml").write_text("keys = 7\n")
    with pytest.raises(UsageError, match="'keys' has a value of the wrong kind: 7"):
        CliRunner().invoke(app, ["keys"], catch_exceptions=False)


async def test_the_new_keys_do_it_and_the_old_ones_do_not(open_face):
    keys = keymap({"runtimes": "f9", "moves": {"down": ["J", "ctrl+n"]}, "fire": "q", "quit": "f"}, WHERE)
    async with open_face(keys=keys) as face:
        await face.press("j")
        assert face.main.function.name == "counter"
        await face.press("ctrl+n")
        assert face.main.function.name == "hello"
        await face.press("R")
        assert face.app.screen is face.main
        await face.press("q")
        assert "Fire hello" in face.text
        await face.press("escape", "f9")
        assert "Runtimes" in face.text
        assert face.app.screen is not face.main
        await face.press("escape", "f")
        assert face.app._exit


def offered(face) -> list[str]:
    """The words of the line of keys, without the keys."""
    return [shown.text for shown in face.app.screen.query_one(KeyLine)._known[0]]


async def test_a_changed_key_keeps_its_place_in_the_line_of_keys(open_face, engine):
    engine.warm("e-1", "hello")

    async def seen(keys) -> list[list[str]]:
        async with open_face(keys=keys) as face:
            lines = [offered(face)]
            await face.press("2")
            lines.append(offered(face))
            await face.press("1", "enter")
            lines.append(offered(face))
            return lines

    changed = keymap({"open": ["enter", "f6"], "fire": "f9", "kill": "f7", "publish": "P", "undo": "f8"}, WHERE)
    assert await seen(changed) == await seen({})


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_help_footer_palette_and_sentences_show_them(open_face, engine, size):
    keys = keymap({"help": "f2", "fire": ["f9", "ctrl+o"], "publish": "P"}, WHERE)
    async with open_face(size, keys=keys) as face:
        assert "F9 fire" in face.lines[-1]
        assert "F2 help" in face.lines[-1]
        await face.press("3")
        assert "press F9 to fire it, or F to fire" in " ".join(face.text.split())
        await face.press("1", "f2")
        assert "F9 ^o Fire " in " ".join(face.text.split())
        await face.press("escape", "enter")
        assert "P publishes $LATEST" in face.text


async def test_a_letter_is_no_command_while_a_text_is_typed(open_face):
    async with open_face(keys=keymap({"quit": "Z", "stop": "w", "filter": "f7"}, WHERE)) as face:
        await face.press("f7", "Z")
        assert "/ Z" in face.text
        await face.press("escape", "E", "3", "w")
        assert face.app.screen.query_one("#target").value.endswith("w")


async def test_buttons_and_hints_name_the_keys_in_force(open_face, engine):
    engine.function("hello", version="1")
    engine.alias("hello", "live", "1")
    given = {"save": "ctrl+o", "ramp": "M", "back": "f10", "switch-theme": "f7", "publish": "P", "new-alias": "N"}
    async with open_face(keys=keymap(given, WHERE)) as face:
        await face.press("O")
        assert "F7 switches dark and light" in face.text
        await face.press("f10", "j", "enter", "2")
        for word in ("M Ramp…", "^o Save", "F10 Discard"):
            assert word in face.text
        await face.press("M")
        assert "there is no other version: P publishes $LATEST as one" in face.text
        await face.press("escape", "f10")
        engine.function("hello", version="2")
        engine.alias("hello", "live", "1", {"2": 0.1})
        await face.frame()
        await face.press("enter", "2", "e", "L", "M")
        assert "^o saves · F10 discards" in face.text
        assert "Save what is in the editor (^o) or discard it (F10) first." in face.said[-1]
        engine.alias("hello", "live", "1", {"2": 0.5})
        await face.settle()
        await face.settle()
        assert "F10 takes that over" in str(face.app.screen.query_one("#checks", Static).content)
        await face.press("f10", "f10", "f10", "slash", "z", "z", "enter")
        assert "F10 clears the filter." in face.text


async def test_the_past_names_the_keys_that_move_it(open_face, engine):
    async with open_face(keys=keymap({"earlier": "f6", "later": "f7", "now": "f8"}, WHERE)) as face:
        engine.warm("e-1", "hello")
        await face.frame(300_000)
        await face.press("v", "f6", "f6")
        assert "F6 F7 move · F8 now" in face.text
        await face.press("f8")
        assert "F6 F7 move" not in face.text
