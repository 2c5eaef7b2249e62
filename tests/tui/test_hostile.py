"""A function's output can neither drive the terminal nor the app."""

import re
from dataclasses import replace

import pytest
from textual.widgets import Input, Select, TextArea

from tests.tui.conftest import SMALL, WIDE
from workbench.model.environments import EnvironmentState as State
from workbench.model.environments import Process, ProcessState
from workbench.model.errors import ResourceNotFound
from workbench.model.functions import Code
from workbench.model.invocations import InvocationResult, InvocationStatus
from workbench.model.layers import LayerVersion
from workbench.model.runtimes import InstalledRuntime, RuntimeOverview
from workbench.tui import SavedEvent

EVIL = (
    "\x1b]52;c;aGFja2Vk\x07"
    "\x1b]0;owned\x1b\\"
    "\x1b]8;;http://evil/\x07"
    "\x1b[2J\x1b[31m\x1bc"
    "\x9b31m\x9d52;c;YQ==\x9c"
    "\u202ereversed\u2066"
    "\ud800"
    "\r\x08\x00\x7f"
    "[@click=app.quit]click[/][red]not red[/]"
)
#: Sequences that Textual itself writes to draw: colours, cursor positions.
DRAWING = re.compile(r"\x1b\[[0-9;]*[mH]")


def written(face) -> str:
    """What the terminal gets to draw the whole screen, without the sequences that drawing needs."""
    update = face.app.screen._compositor.render_update(full=True)
    return DRAWING.sub("", update.render_segments(face.app.console))


def assert_harmless(face, *, escaped: bool = False) -> None:
    """With `escaped` it may stand there as JSON writes it, where it is edited and must not be lost."""
    for text in (written(face), face.text):
        left = [c for c in text if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) <= 0x9F or 0x202A <= ord(c) <= 0x202E]
        assert left == []
        text.encode("utf-8")
        assert escaped or "aGFja2Vk" not in text


@pytest.fixture
def hostile(engine):
    """An engine whose every text is evil."""
    engine.function("hello")
    engine.environment("e-1", State.CREATING, "hello", reason=EVIL)
    engine.environment("e-1", State.INIT, "hello", reason=EVIL)
    engine.processes["e-1"] = tuple(
        Process(pid=pid, name=EVIL, command=command, state=ProcessState.SLEEPING, memory=1, cpu_seconds=0.1)
        for pid, command in ((7, EVIL), (8, ""))
    )
    engine.accepted("r-1", "hello", "e-1", qualifier="live", event=f'{{"x": "{EVIL}"}}'.encode("utf-8", "replace"))
    engine.started("r-1")
    engine.log(EVIL, request="r-1")
    engine.finished(
        "r-1",
        status=InvocationStatus.ERROR,
        response=EVIL.encode("utf-8", "replace"),
        error_type=EVIL,
    )
    return engine


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_the_panes_show_it_harmless(open_face, hostile, size):
    async with open_face(size) as face:
        for key in "1234":
            await face.press(key)
            assert_harmless(face)
        assert "[@click=app.quit]click[/]" in face.text


@pytest.mark.parametrize(
    "keys",
    [
        ("3", "enter"),
        *[("3", "enter", pane) for pane in "123456"],
        ("3", "enter", "Y"),
        ("3", "enter", "R"),
        ("2", "enter"),
        ("1", "j", "enter"),
        *[("1", "j", "enter", pane) for pane in "1234"],
        ("4", "enter"),
        ("v",),
        ("v", "3"),
    ],
)
async def test_the_details_show_it_harmless(open_face, hostile, keys):
    async with open_face() as face:
        await face.press(*keys)
        assert face.app.screen is not face.main
        assert_harmless(face)


async def test_a_click_on_injected_markup_does_nothing(open_face, hostile):
    async with open_face() as face:
        line = face.line("[@click=app.quit]")
        x, y = line.index("[@click=app.quit]click") + 18, face.lines.index(line)
        await face.pilot.click(offset=(x, y))
        await face.frame()
        assert face.app.screen is face.main
        assert face.app.return_value is None


async def test_notices_show_it_harmless(open_face, hostile):
    async def evil(request):
        return InvocationResult(
            request_id=EVIL,
            status=InvocationStatus.ERROR,
            function_error="Unhandled",
            payload=EVIL.encode("utf-8", "replace"),
        )

    hostile.answer = evil
    async with open_face() as face:
        await face.press("F")
        await face.frame()
        assert "[@click=app.quit]" in face.text
        assert_harmless(face)
        hostile.raises = ResourceNotFound(EVIL)
        await face.press("F")
        await face.frame()
        assert_harmless(face)


async def test_names_are_not_trusted_either(open_face, engine):
    name = "[bold]x\x1b[31m"
    engine.function(name)
    engine.function(name, version="\x1b]0;v\x07")
    engine.alias(name, "[red]\x1b", "\x9b1m", {"2\x1b": 0.5})
    engine.environment("\x1b[2Je", State.IDLE, name)
    engine.accepted("r\x1b", name, "\x1be", qualifier="[/]\x1b")
    async with open_face() as face:
        for key in ("1", "enter", "escape", "2", "o", "enter", "escape", "3", "o", "enter", "escape", "4", "o", "1"):
            await face.press(key)
            assert_harmless(face)
        await face.press("f")
        assert_harmless(face)
        await face.press("ctrl+j")
        assert_harmless(face)
        await face.press("2", "K")
        assert_harmless(face)


@pytest.fixture
def settings(hostile):
    """What people and templates bring is evil too: descriptions, variables, layers, runtimes."""
    evil = EVIL.encode("utf-8", "replace").decode("utf-8")  # what the wire lets through
    hostile.function("hello", description=evil, environment={"AB": evil, evil: "x"})
    hostile.function("hello", version="1", description=evil)
    alias = hostile.alias("hello", "live", "1")
    hostile.aliases["hello"]["live"] = replace(alias, description=evil)
    code = Code(sha256=evil, size=1)
    layer = LayerVersion(name=evil, version=1, code=code, created=1.0, description=evil, license_info=evil)
    hostile.layers = [layer]
    installed = InstalledRuntime(runtime="python3.12", version=evil, arn=evil, interpreter=evil)
    hostile.runtimes = {"python3.12": RuntimeOverview(id="python3.12", versions=(installed,), published="", mend=evil)}

    async def doctor() -> str:
        return evil

    hostile.doctor = doctor
    return hostile


@pytest.mark.parametrize(
    "keys",
    [
        ("1", "j", "enter", "c"),
        ("1", "j", "enter", "m"),
        ("1", "j", "enter", "r"),
        ("1", "j", "enter", "2", "e"),
        ("E",),
        ("E", "j", "j", "enter"),
        ("R",),
        ("R", "2", "Y"),
        ("L", "2"),
        ("O",),
        ("H",),
        ("T", "enter"),
    ],
)
async def test_settings_show_it_harmless(open_face, settings, keys):
    events = (SavedEvent(EVIL, EVIL), SavedEvent("hello", EVIL))
    async with open_face(SMALL, events=events, doctor=settings.doctor) as face:
        for key in keys:
            await face.press(key)
        assert face.app.screen is not face.main
        assert_harmless(face, escaped=keys[-1] == "c")


async def test_what_cannot_be_shown_is_not_lost_by_editing_something_else(open_face, settings):
    evil = settings.versions["hello"]["$LATEST"].configuration.description
    async with open_face() as face:
        await face.press("j", "enter", "c")
        face.app.screen.query_one("#timeout", Input).value = "9"
        await face.settle()
        assert "a letter first" in face.text  # the name of a variable is one that AWS refuses
        area = face.app.screen.query_one(TextArea)
        area.load_text(next(line for line in area.text.splitlines() if line.startswith("AB=")))
        await face.press("ctrl+s")
        configuration = settings.versions["hello"]["$LATEST"].configuration
        assert (configuration.timeout, configuration.description) == (9, evil)
        assert configuration.environment == {"AB": evil}
        await face.press("2", "e")
        face.app.screen.query_one("#version", Select).value = "$LATEST"
        await face.press("ctrl+s")
        alias = settings.aliases["hello"]["live"]
        assert (alias.version, alias.description) == ("$LATEST", evil)
