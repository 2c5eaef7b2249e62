"""What opens above the main screen."""

import pytest

from tests.tui.conftest import SMALL, WIDE
from workbench.model.environments import EnvironmentState as State
from workbench.model.errors import ResourceNotFound


async def test_a_line_of_log_opens_its_invocation(open_face, engine):
    engine.run("r-1", "hello", "e-1")
    engine.log("INIT_START of nobody")
    async with open_face() as face:
        await face.press("4", "enter")
        assert face.app.screen is face.main
        await face.press("k", "k", "enter")
        assert "Invocations \u203a r-1" in face.text


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_an_environment_tells_its_history(open_face, engine, size):
    engine.environment("e-1", State.CREATING, "hello", reason="all 2 environments busy")
    engine.advance(41)
    engine.environment("e-1", State.INIT, "hello")
    engine.advance(63)
    async with open_face(size) as face:
        await face.press("2", "enter")
        for part in ("Environment e-1", "▓ creating", "41 ms", "all 2 environments busy", "▒ init", "pid 100"):
            assert part in face.text
        engine.environment("e-1", State.BUSY, "hello")
        engine.environment("e-1", State.FAILED, "hello", reason="Runtime exited: signal: killed")
        await face.frame()
        assert "63 ms" in face.text
        assert "! failed" in face.text
        assert "signal: killed" in face.text
        await face.press("escape")
        assert face.app.screen is face.main


async def test_kill_asks_first(open_face, engine):
    engine.warm("e-1", "hello")
    async with open_face() as face:
        await face.press("2", "K")
        assert "Kill this environment?" in face.text
        await face.press("escape")
        assert engine.stopped_environments == []
        await face.press("K", "K")
        assert engine.stopped_environments == ["e-1"]
        await face.frame()
        assert "stopped" in face.line("▸ e-1")
        await face.press("K")
        assert "has ended already" in face.said[-1]


async def test_a_kill_that_fails_is_a_notice(open_face, engine):
    engine.warm("e-1", "hello")
    engine.raises = ResourceNotFound("no such environment")
    async with open_face() as face:
        await face.press("2", "K")
        await face.pilot.click("#answer-kill")
        await face.settle()
        assert face.said == ["ResourceNotFoundException: no such environment"]
