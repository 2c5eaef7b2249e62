"""Leaving: what becomes of the engine is asked, not guessed."""

import pytest

from tests.tui.conftest import SMALL
from workbench.model.errors import StateError
from workbench.tui.app import Outcome


@pytest.fixture
def working(engine):
    """The engine with two environments and a running invocation."""
    engine.warm("e-1", "hello")
    engine.warm("e-2", "counter")
    engine.accepted("r-1", "hello", "e-1")
    return engine


async def test_nothing_to_ask_when_nothing_lives(open_face):
    async with open_face() as face:
        await face.pilot.press("q")
        assert face.app.return_value is Outcome.QUIT


async def test_it_names_the_engines_state(open_face, working):
    async with open_face(SMALL) as face:
        await face.press("q")
        text = " ".join(face.text.replace("│", " ").split())
        assert "The engine (pid 4711) has 2 environments and 1 running invocation." in text
        await face.press("escape")
        assert face.app.screen is face.main
        assert face.app.return_value is None
        assert working.stops == 0


async def test_leave_it_running(open_face, working):
    async with open_face() as face:
        await face.pilot.press("q", "l")
        assert face.app.return_value is Outcome.LEFT
        assert working.stops == 0


@pytest.mark.parametrize("keys", [("q", "s"), ("ctrl+q", "s")])
async def test_stop_it(open_face, working, keys):
    async with open_face() as face:
        await face.pilot.press(*keys)
        await face.pilot.pause()
        assert face.app.return_value is Outcome.STOPPED
        assert working.stops == 1


async def test_buttons_answer_too(open_face, working):
    async with open_face() as face:
        await face.press("q")
        await face.pilot.click("#answer-leave")
        assert face.app.return_value is Outcome.LEFT


async def test_a_stop_that_fails_leaves_the_screen(open_face, working):
    working.raises = StateError("the engine will not stop")
    async with open_face() as face:
        await face.press("q", "s")
        assert face.said[-1] == "State: the engine will not stop"
        assert face.app.return_value is None
        working.raises = None
        await face.press("q", "l")
        assert face.app.return_value is Outcome.LEFT


async def test_asking_twice_asks_once(open_face, working):
    async with open_face() as face:
        await face.press("q", "ctrl+q")
        assert len(face.app.screen_stack) == 2


async def test_a_lost_engine_does_not_hold_the_person(open_face, working):
    async with open_face() as face:
        working.gone = True
        await face.frame()
        await face.pilot.press("q")
        assert face.app.return_value is Outcome.QUIT
