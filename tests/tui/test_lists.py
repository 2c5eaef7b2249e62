"""The screens that only show: layers, settings, doctor."""

import pytest

from tests.tui.conftest import SMALL, WIDE
from tests.tui.fake_port import WALL
from workbench.model.errors import EngineGone
from workbench.model.functions import Code
from workbench.model.layers import LayerVersion
from workbench.tui.screens.layers import LayersScreen
from workbench.tui.screens.page import DoctorScreen, SettingsScreen

ARN = "arn:aws:lambda:us-east-1:000000000000:layer:greetings:2"


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_layers_and_who_has_them(open_face, engine, size):
    engine.function("hello", layers=(ARN,))
    engine.layers = [
        LayerVersion(name="greetings", version=version, code=Code(sha256="ab" * 32, size=400), created=WALL)
        for version in (2, 1)
    ]
    async with open_face(size) as face:
        await face.press("L")
        assert isinstance(face.app.screen, LayersScreen)
        assert "hello" in face.line("▸ greetings")
        await face.press("2")
        assert ARN in face.text
        await face.press("1", "j", "2")
        assert "no function's $LATEST" in face.text
        await face.press("escape")
        assert face.app.screen is face.main


async def test_without_layers_it_teaches(open_face):
    async with open_face() as face:
        await face.press("L")
        assert "workbench layers publish" in face.text


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_settings(open_face, engine, size):
    engine.attach("hello", reserved=40)
    async with open_face(size) as face:
        await face.press("O")
        assert isinstance(face.app.screen, SettingsScreen)
        assert "pid 4711" in face.text
        assert "960" in face.line("unreserved")
        assert "textual-dark" in face.text
        await face.press("ctrl+t")
        assert "workbench-light" in face.text


async def test_doctor_tells_and_is_asked_again(open_face):
    told = []

    async def doctor() -> str:
        told.append(1)
        if len(told) == 2:
            raise EngineGone("no python")
        return (
            "backends\n  ✓ bubblewrap   isolated  ← auto\n  ✗ docker       no daemon\n      mend: start it \x1b[31m\n"
        )

    async with open_face(doctor=doctor) as face:
        await face.press("H")
        assert isinstance(face.app.screen, DoctorScreen)
        assert "✓ bubblewrap   isolated" in face.text
        assert "mend: start it" in face.text
        assert "\x1b" not in face.text
        await face.press("ctrl+r")
        assert face.said[-1] == "Engine: no python"
        assert "^r tries again" in face.text
        await face.press("ctrl+r", "escape")
        assert face.app.screen is face.main


async def test_the_command_line_opens_them(open_face):
    async with open_face() as face:
        for verb, kind in (("layers", LayersScreen), ("settings", SettingsScreen), ("doctor", DoctorScreen)):
            await face.press("colon")
            await face.type(verb)
            await face.press("enter")
            assert isinstance(face.app.screen, kind)
            await face.press("escape")


@pytest.mark.parametrize("key", ["enter", "R", "L", "O", "v"])
async def test_an_answer_that_comes_when_the_screen_was_left_is_dropped(open_face, key):
    async with open_face() as face:
        await face.press(key)
        screen = face.app.screen
        await face.press("escape")
        assert face.app.screen is face.main
        screen._draw()  # as its question's answer would
        await face.frame()
        assert face.app.return_code in (None, 0)
