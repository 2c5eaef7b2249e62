"""What opens above the main screen."""

import pytest

from tests.tui.conftest import SMALL, WIDE
from tests.tui.fake_port import FakeEngine
from workbench.model.environments import EnvironmentState as State
from workbench.model.errors import ResourceNotFound
from workbench.model.invocations import InvocationStatus


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_an_invocation_in_full(open_face, engine, size):
    engine.accepted("r-1", "hello", "e-1", cold=True, qualifier="live", event=b'{"name":"Ada"}')
    engine.advance(96)
    engine.started("r-1")
    engine.log("START RequestId: r-1", request="r-1")
    engine.log("fetched", request="r-1")
    engine.log("of another", request="r-0")
    engine.advance(44)
    async with open_face(size) as face:
        await face.press("3", "enter")
        for part in ("Invocation r-1", "▸ running", "hello:live", "cold start", '"name": "Ada"', "fetched", "not yet"):
            assert part in face.text
        assert "of another" not in face.text
        engine.log("stored", request="r-1")
        engine.finished("r-1", ms=44, init_ms=90, response=b'{"statusCode":200}')
        await face.frame()
        for part in ("✓ ok", '"statusCode": 200', "stored", "44 ms", "96 ms", "billed 45 ms", "41 of 128 MB"):
            assert part in face.text
        await face.press("escape")
        assert face.app.screen is face.main


async def test_a_payload_that_was_cut_says_so(open_face, engine):
    engine.run("r-1", "hello", "e-1", response=b'"' + b"x" * 10_000 + b'"')
    async with open_face() as face:
        await face.press("3", "enter")
        await face.press("tab")
        await face.press("tab")
        await face.press("end")
        await face.settle()
        assert "the first 4.1 KB of 10.0 KB" in face.text


async def test_a_throttled_invocation_has_no_run(open_face, engine):
    engine.refused("r-1", "hello")
    async with open_face() as face:
        await face.press("3", "enter")
        assert "! throttle" in face.text
        assert "ConcurrentInvocationLimitExceeded" in face.text


async def test_a_line_of_log_opens_its_invocation(open_face, engine):
    engine.run("r-1", "hello", "e-1")
    engine.log("INIT_START of nobody")
    async with open_face() as face:
        await face.press("4", "enter")
        assert face.app.screen is face.main
        await face.press("k", "k", "enter")
        assert "Invocation r-1" in face.text


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


async def test_details_survive_an_engine_that_forgets(open_face):
    engine = FakeEngine(keep=1)

    async def connect():
        return engine

    engine.function("hello")
    engine.run("r-1", "hello", "e-1", status=InvocationStatus.ERROR, error_type="ValueError")
    async with open_face(connect=connect) as face:
        await face.press("3", "enter")
        for number in range(2, 5):
            engine.run(f"r-{number}", "hello", "e-1")
        await face.frame()
        assert "r-1" not in face.app.mirror.invocations
        assert "ValueError" in face.text
        assert "END RequestId: r-1" in face.text
