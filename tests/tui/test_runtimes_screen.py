"""The runtimes screen: what is here, publishing a version, what a roll-out reaches, undo."""

import pytest

from tests.tui.conftest import SMALL, WIDE
from tests.tui.test_settings_forms import NEW, OLD, PINNED, overview
from workbench.model.runtimes import RuntimeOverview
from workbench.tui.screens.function import FunctionScreen
from workbench.tui.screens.runtime import RuntimeForm
from workbench.tui.screens.runtimes import RuntimesScreen


@pytest.fixture
def catalogue(engine):
    engine.runtimes = {
        "nodejs22.x": RuntimeOverview(id="nodejs22.x", versions=(), mend="nvm install 22"),
        "python3.12": overview(published=OLD),
    }
    engine.attach("hello", runtime_management={"$LATEST": PINNED})
    return engine


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_version_is_published_and_taken_back(open_face, catalogue, size):
    async with open_face(size) as face:
        await face.press("R")
        assert isinstance(face.app.screen, RuntimesScreen)
        assert "3.12.1" in face.line("▸ python3.12")  # what functions have comes first
        assert "✗ nothing here runs it" in face.line("nodejs22.x")
        await face.press("2", "j", "p")
        assert face.said[-1] == "python3.12: 3.12.1 is the published one already."
        await face.press("k", "Y")
        assert face.app.clipboard == "workbench runtimes publish python3.12 3.12.4"
        await face.press("escape", "p")
        assert "Publish python3.12 3.12.4?" in face.text
        assert "1 function in Auto" in face.text
        assert "1 function in Manual: never." in face.text
        await face.press("escape")
        assert catalogue.runtimes["python3.12"].published == OLD
        await face.press("p", "p")
        assert catalogue.runtimes["python3.12"].published == NEW
        await face.press("1")
        assert "rolling out: Auto at" in face.text
        await face.press("u")
        assert catalogue.runtimes["python3.12"].published == OLD
        await face.press("u")
        assert "Nothing of python3.12 was published here." in face.said[-1]
        await face.press("escape")
        assert face.app.screen is face.main


async def test_it_asks_again_when_a_roll_out_is_over(open_face, catalogue):
    catalogue.runtimes["python3.12"] = overview(moves=catalogue.wall + 5)
    async with open_face() as face:
        await face.press("R")
        assert "rolling out" in face.text
        catalogue.runtimes["python3.12"] = overview()
        await face.frame(6000)
        await face.settle()
        assert "rolling out" not in face.text


async def test_it_leads_to_functions_and_their_modes(open_face, catalogue):
    async with open_face() as face:
        await face.press("R", "3", "j")
        assert "Manual: never, it is pinned" in face.line("▸ hello")
        await face.press("m")
        assert isinstance(face.app.screen, RuntimeForm)
        await face.press("escape", "enter")
        assert isinstance(face.app.screen, FunctionScreen)


async def test_what_is_missing_has_a_mend(open_face, catalogue):
    async with open_face() as face:
        await face.press("colon")
        await face.type("runtimes")
        await face.press("enter")
        await face.press("j")
        assert "mend: nvm install 22" in face.text
        assert "No version of it is on this machine." in face.text
