"""The command line that `:` opens."""

import asyncio

import pytest
from textual.widgets import Input

from tests.tui.conftest import SMALL
from tests.tui.fake_port import FakeEngine
from workbench.model.attached import Attached
from workbench.model.environments import EnvironmentState as State
from workbench.model.errors import ResourceConflict
from workbench.tui.commands.line import Call, candidates, read
from workbench.tui.commands.verbs import VERBS
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
        ("memory hel", "memory hello "),
        ("memory hello ", "memory hello 128"),
        ("memory hello 17", "memory hello 1769"),
        ("timeout hello 9", "timeout hello 900"),
        ("alias hello", "alias hello:live "),
        ("alias hello:live ", "alias hello:live 1"),
        ("alias hello:new $", "alias hello:new $LATEST"),
        ("provisioned h", "provisioned hello:live "),
        ("provisioned hello:1 ", "provisioned hello:1 none"),
        ("concurrency hello ", "concurrency hello none"),
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
        ("publish cou", "publish", "counter"),
        ("undo hello", "undo", "hello"),
    ],
)
def test_what_a_line_means(mirror, text, verb, argument):
    assert read(text, mirror) == Call(VERBS[verb], argument)


@pytest.mark.parametrize(
    ("text", "verb", "argument", "value"),
    [
        ("memory hello 256", "memory", "hello", "256"),
        ("mem cou  256 ", "memory", "counter", "256"),
        ("alias hello:live 1  2=10%", "alias", "hello:live", "1 2=10%"),
        ("alias hello:blue $LATEST", "alias", "hello:blue", "$LATEST"),
        ("provisioned hello:1 2", "provisioned", "hello:1", "2"),
        ("concurrency hello none", "concurrency", "hello", "none"),
    ],
)
def test_what_a_line_with_a_value_means(mirror, text, verb, argument, value):
    assert read(text, mirror) == Call(VERBS[verb], argument, value)


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
        ("memory", "memory needs: FUNCTION MB"),
        ("memory hello", "memory needs: FUNCTION MB"),
        ("alias hello 1", "there is no function:alias 'hello'"),
        ("alias nosuch:live 1", "there is no function:alias 'nosuch:live'"),
        ("alias counter: 1", "there is no function:alias 'counter:'"),
        ("provisioned counter:1 2", "there is no function:qualifier 'counter:1'"),
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
        assert "▸ t" in face.text


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


@pytest.fixture
def shop(engine) -> FakeEngine:
    """`hello` with two versions and an alias."""
    for version in ("1", "2"):
        engine.function("hello", version=version)
    engine.alias("hello", "live", "1")
    return engine


async def enter(face, line: str) -> str:
    """Type a line, and read what is said then."""
    await face.press("colon")
    face.app.screen.query_one(Input).value = line
    await face.press("enter")
    return face.said[-1]


def settings(shop: FakeEngine) -> tuple[object, ...]:
    configuration, attached = shop.versions["hello"]["$LATEST"].configuration, shop.attached.get("hello", Attached())
    return (
        configuration.memory_size,
        configuration.timeout,
        attached.reserved,
        {qualifier: one.requested for qualifier, one in attached.provisioned.items()},
        {name: (alias.version, dict(alias.weights)) for name, alias in shop.aliases["hello"].items()},
    )


async def test_what_is_typed_is_changed_as_on_the_screens_and_undone(open_face, shop):
    before = settings(shop)
    async with open_face() as face:
        assert await enter(face, "memory hello 256") == "✓ Saved: memory 128 → 256 MB   :undo hello undoes it"
        assert "timeout 3 → 9 s" in await enter(face, "timeout hello 9")
        assert "reserved none → 5" in await enter(face, "concurrency hello 5")
        assert "live: provisioned none → 2" in await enter(face, "provisioned hello:live 2")
        assert "live: 1 → 1 90% 2 10%" in await enter(face, "alias hello:live 1 2=10%")
        assert "blue created: 2" in await enter(face, "alias hello:blue 2")
        live = {"live": ("1", {"2": 0.1}), "blue": ("2", {})}
        assert settings(shop) == (256, 9, 5, {"live": 2}, live)
        assert await enter(face, "timeout hello 9") == "hello: That is what it has."
        assert "live: 1 90% 2 10% → 2" in await enter(face, "alias hello:live 2")
        assert "reserved 5 → none" in await enter(face, "concurrency hello none")
        for _ in range(8):
            assert "Undone" in await enter(face, "undo hello")
        assert settings(shop) == before
        assert "nothing to undo" in await enter(face, "undo hello")


async def test_a_version_is_published_and_its_undoing_asks(open_face, shop):
    shop.function("hello", memory=256)
    async with open_face() as face:
        assert await enter(face, "publish hello") == "✓ Published: Version 3 of hello."
        assert "Nothing has changed since version 3" in await enter(face, "publish hello")
        await enter(face, "undo hello")
        assert "Undo the publishing?" in face.text
        await face.press("D")
        assert "3" not in shop.versions["hello"]


#: What AWS would refuse, and what is said of it.
REFUSED = [
    ("memory hello 64", "memory is from 128 to 10240, not “64”"),
    ("timeout hello soon", "timeout is from 1 to 900, not “soon”"),
    ("concurrency hello 901", "the other functions keep 100 of 1000: at most 900 can be reserved"),
    ("concurrency hello -1", "reserved is a whole number from 0, or none; not “-1”"),
    ("provisioned hello:live 0", "provisioned is a whole number from 1, or none; not “0”"),
    ("alias hello:live 7", "there is no version 7"),
    ("alias hello:live 1 2=150", "the weight must be from 0 to 1"),
    ("alias hello:live 1 2", "the weight is no number"),
    ("alias hello:live 1 1=10%", "both versions are the same"),
    ("alias hello:12 1", "a name of digits only is a version"),
]


async def test_what_aws_would_refuse_is_said_and_nothing_changes(open_face, shop):
    before = settings(shop)
    async with open_face() as face:
        for line, said in REFUSED:
            assert f"Not saved: {said}" in await enter(face, line)
        assert settings(shop) == before


async def test_what_the_engine_refuses_is_said(open_face, shop):
    async with open_face() as face:
        shop.raises = ResourceConflict("an update is in progress")
        for line in ("memory hello 256", "concurrency hello 1", "provisioned hello:1 1", "alias hello:live 2"):
            assert await enter(face, line) == "ResourceConflictException: an update is in progress"
        assert "update is in progress" in await enter(face, "publish hello")


async def test_help_lists_what_can_be_typed(open_face):
    async with open_face((120, 140)) as face:
        await face.press("question_mark")
        text = " ".join(face.text.split())
        for verb in VERBS.values():
            assert f"{verb.word} {verb.wants}".strip() in text
