"""The command line that `:` opens."""

import asyncio

import pytest
from textual.widgets import Input

from tests.tui.conftest import SMALL
from tests.tui.fake_port import FakeEngine
from workbench.model.environments import EnvironmentState as State
from workbench.tui.commands.line import VERBS, Call, candidates, read
from workbench.tui.mirror import Mirror
from workbench.tui.screens.environments import EnvironmentsScreen
from workbench.tui.screens.fire import FireDialog
from workbench.tui.screens.function import FunctionScreen
from workbench.tui.screens.invocation import InvocationScreen
from workbench.tui.screens.line import CommandLine


@pytest.fixture
def mirror() -> Mirror:
    engine = FakeEngine()
    for name in ("hello", "hello-world", "counter"):
        engine.function(name)
    engine.function("hello", version="1")
    engine.alias("hello", "live", "1")
    engine.environment("e-77", State.IDLE, "hello")
    engine.run("abc-1", "hello", "e-77")
    engine.run("abd-2", "hello", "e-77")
    mirror = Mirror()
    mirror.apply(asyncio.run(engine.changes(0)))
    return mirror


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", "function "),
        ("fu", "function "),
        ("fi", "fire "),
        ("depl", "deploy"),
        ("ment", "environments "),
        ("function cou", "function counter"),
        ("function unt", "function counter"),
        ("fire hello:l", "fire hello:live"),
        ("environment e", "environment e-77"),
        ("invocation ab", "invocation abd-2"),
    ],
)
def test_the_best_candidate_comes_first(mirror, text, first):
    assert candidates(text, mirror)[0].text == first


@pytest.mark.parametrize("text", ["nothing x", "deploy x", "function zzz", "  zzz"])
def test_where_nothing_fits_nothing_is_offered(mirror, text):
    assert candidates(text, mirror) == []


@pytest.mark.parametrize(
    ("text", "verb", "argument"),
    [
        ("function hello", "function", "hello"),
        (" func  counter ", "function", "counter"),
        ("function cou", "function", "counter"),
        ("fire hello", "fire", "hello"),
        ("fire hello:live", "fire", "hello:live"),
        ("fire hello:not-known-yet", "fire", "hello:not-known-yet"),
        ("environments", "environments", ""),
        ("environments counter", "environments", "counter"),
        ("kill e-77", "kill", "e-77"),
        ("invocation abd", "invocation", "abd-2"),
        ("q", "quit", ""),
    ],
)
def test_what_a_line_means(mirror, text, verb, argument):
    assert read(text, mirror) == Call(VERBS[verb], argument)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there is no command ''"),
        ("zap", "there is no command 'zap'"),
        ("f hello", "'f' may mean function or fire"),
        ("function", "function needs: FUNCTION"),
        ("function zzz", "there is no function 'zzz'"),
        ("function hell", "'hell' may mean 2 of them"),
        ("invocation ab", "'ab' may mean 2 of them"),
        ("deploy now", "deploy takes nothing"),
    ],
)
def test_what_is_wrong_with_a_line(mirror, text, problem):
    assert read(text, mirror) == problem


@pytest.mark.parametrize("word", sorted(VERBS))
def test_every_verb_says_what_it_does(word):
    assert VERBS[word].help.endswith(".")


async def test_tab_completes_and_enter_does_it(open_face, engine):
    async with open_face() as face:
        await face.press("colon")
        assert isinstance(face.app.screen, CommandLine)
        assert "Open a function" in face.text
        await face.type("fun")
        await face.press("tab")
        await face.type("hel")
        await face.press("tab", "enter")
        assert isinstance(face.app.screen, FunctionScreen)
        await face.press("colon")
        await face.type("environments")
        await face.press("enter")
        assert isinstance(face.app.screen, EnvironmentsScreen)
        await face.press("escape", "escape")
        assert face.app.screen is face.main


async def test_the_arrows_choose(open_face, engine):
    async with open_face() as face:
        await face.press("colon")
        await face.type("function ")
        await face.press("down", "enter")
        assert isinstance(face.app.screen, FunctionScreen)
        assert "hello" in face.line("Functions")


async def test_the_arrows_reach_what_is_not_in_view(open_face, engine):
    async with open_face(SMALL) as face:
        await face.press("colon")
        assert f"1 of {len(VERBS)}" in face.text
        await face.press("up")  # from the first to the last
        assert "▸ quit" in face.text
        assert f"{len(VERBS)} of {len(VERBS)}" in face.text
        await face.press(*["up"] * (len(VERBS) - 1))
        assert "▸ function" in face.text
        await face.type("t")
        assert "▸ theme" in face.text or "▸ tour" in face.text


async def test_what_is_wrong_is_said_and_can_be_mended(open_face, engine):
    async with open_face() as face:
        await face.press("colon")
        await face.type("function zzz")
        await face.press("enter")
        assert "✗ there is no function 'zzz'" in face.text
        face.app.screen.query_one(Input).value = "fire hello"
        await face.press("enter")
        assert isinstance(face.app.screen, FireDialog)


async def test_escape_closes_it_and_a_colon_that_is_typed_is_a_colon(open_face, engine):
    engine.run("r-1", "hello", "e-1")
    async with open_face() as face:
        await face.press("colon", "escape")
        assert face.app.screen is face.main
        await face.press("slash", "colon")
        assert face.app.screen is face.main
        await face.press("escape", "colon")
        await face.type("invocation r")
        await face.press("enter")
        assert isinstance(face.app.screen, InvocationScreen)


@pytest.mark.parametrize(
    "line", ["again hello", "theme", "help", "kill e-1", "deploy", "fire hello", "environment e-1"]
)
async def test_each_verb_runs(open_face, engine, line):
    engine.warm("e-1", "hello")

    async def deploy():
        return "done"

    async with open_face(deploy=deploy) as face:
        await face.press("colon")
        face.app.screen.query_one(Input).value = line
        await face.press("enter")
        match line:
            case "again hello":
                assert len(engine.requests) == 1
            case "theme":
                assert face.app.theme == "workbench-light"
            case "deploy":
                assert face.said[-1] == "✓ Deployed: done"
            case _:
                assert face.app.screen is not face.main
