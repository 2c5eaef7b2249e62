"""Back through the last ten minutes on the environments screen, and to now again."""

import pytest

from tests.tui.conftest import SMALL, WIDE
from tests.tui.fake_port import FakeEngine
from workbench.live import reducer
from workbench.live.view import CELL_NS
from workbench.model.environments import EnvironmentState as State
from workbench.model.errors import EngineGone
from workbench.tui.format import age, clock
from workbench.tui.screens.environment import EnvironmentDetail
from workbench.tui.screens.environments import EnvironmentsScreen
from workbench.tui.widgets.concurrency import ConcurrencyChart
from workbench.tui.widgets.lifecycles import Lifecycles

MINUTE = 60_000


@pytest.fixture(autouse=True)
def _drawn_when_looked_at() -> None:
    """Here it is drawn after every key: how far back one goes depends on how wide the list was drawn."""


async def live_through(face, engine: FakeEngine) -> None:
    """Two minutes: e-1 all the time; e-2, busy with one invocation for five seconds, ended more than a minute ago."""
    engine.warm("e-1", "counter")
    await face.frame(40_000)
    engine.warm("e-2", "hello")
    engine.accepted("r-1", "hello", "e-2")
    engine.environment("e-2", State.BUSY, "hello")
    await face.frame(5_000)
    engine.finished("r-1")
    engine.environment("e-2", State.IDLE, "hello")
    await face.frame(1_000)
    engine.environment("e-2", State.STOPPED, "hello", reason="idle")
    await face.frame(70_000)


async def back_to(face, id: str) -> None:
    """Whole windows back, until it is there."""
    for _ in range(30):
        await face.press("left_curly_bracket")
        if f" {id} " in face.text:
            return
    raise AssertionError(face.text)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_keys_move_list_and_chart_to_a_moment_of_the_past_and_back(open_face, engine, size):
    async with open_face(size) as face:
        await live_through(face, engine)
        await face.press("v")
        assert "e-2" not in face.text
        assert engine.asked_past == []
        await back_to(face, "e-2")
        assert "2 then" in face.text
        assert "S" in face.line(" e-2 ")
        screen = face.app.screen
        moment = screen.rows.window.wall
        assert clock(moment) in face.text
        ago = engine.wall - moment
        assert 50 < ago < 80
        assert f"-{age(round(ago))}" in face.text
        await face.press("left_square_bracket")
        assert "█" in face.line(" e-2 ")
        assert f"as of {clock(screen.rows.window.wall)}" in face.text
        await face.press("1")
        assert "▄" in face.text or "█" in face.text or "▂" in face.text
        assert clock(screen.rows.window.wall) in face.text
        assert engine.asked_past == [None]  # one answer served all of it
        earlier = screen.rows.window.end
        await face.press("right_square_bracket", "right_curly_bracket")
        assert screen.rows.window.end == earlier + screen.rows.span // 4 * 5
        await face.press("greater_than_sign", "2")
        assert "● live" in face.text
        assert "e-2" not in face.text


async def test_what_was_throttled_by_then_is_told(open_face, engine):
    async with open_face() as face:

        def throttled() -> str:
            return face.line("throttled").split("throttled")[1].split()[0]

        await live_through(face, engine)
        await face.press("v")
        await back_to(face, "e-2")
        assert throttled() == "0"
        await face.press("greater_than_sign")
        for id in ("t-1", "t-2", "t-3"):
            engine.refused(id, "hello")
        await face.frame(40_000)
        engine.refused("t-4", "counter")
        await face.frame(60_000)
        assert throttled() == "4"
        for _ in range(30):
            await face.press("left_curly_bracket")
            if throttled() != "4":
                break
        assert throttled() == "3"


async def test_time_goes_on_while_the_past_stands_still(open_face, engine):
    async with open_face() as face:
        await live_through(face, engine)
        await face.press("v", "less_than_sign")
        window = face.app.screen.rows.window
        before = [line for line in face.lines if "e-1" in line]
        engine.environment("e-1", State.BUSY, "counter")
        engine.warm("e-3", "hello")
        await face.frame(30_000)
        assert "e-3" not in face.text
        assert [line for line in face.lines if "e-1" in line] == before
        assert face.app.screen.rows.window is window
        assert f"-{age(round(engine.wall - window.wall))}" in face.text
        await face.press("space")
        assert "e-3" in face.text
        assert face.app.screen.rows.window is None


async def test_what_is_before_the_engines_start_is_said_to_be_unknown(open_face, engine):
    async with open_face() as face:
        await live_through(face, engine)
        await face.press("v", "minus", "minus", "minus", "less_than_sign")
        rows = face.app.screen.rows
        assert rows.window.past.begins == 1_000_000_000_000 // CELL_NS
        assert f"the past is known from {clock(rows.window.known_from)} on" in face.text
        end = rows.window.end
        await face.press("left_square_bracket", "left_curly_bracket")
        assert rows.window.end == end
        chart = face.app.screen.query_one(ConcurrencyChart)._chart
        assert chart.unknown == rows.window.unknown(len(chart.peaks), rows.zoom) > 0
        assert "?" * chart.unknown in face.text


async def test_if_all_is_in_view_it_says_so_and_stays_live(open_face, engine):
    engine.warm("e-1", "hello")
    async with open_face() as face:
        await face.press("v", "left_square_bracket")
        assert "All that is known is in view" in face.said[-1]
        assert face.app.screen.rows.window is None
        assert "● live" in face.text


async def test_forth_beyond_what_was_told_asks_again(open_face, engine):
    async with open_face() as face:
        await live_through(face, engine)
        await face.press("v", "left_square_bracket")
        told = face.app.screen.rows.window.newest
        engine.environment("e-1", State.BUSY, "counter")
        await face.frame(2 * MINUTE)
        for _ in range(4):
            await face.press("right_square_bracket")
        assert len(engine.asked_past) == 2
        assert face.app.screen.rows.window.newest > told
        assert "█" in face.line("e-1")
        assert "busy" in face.line("e-1")


async def test_one_that_the_engine_has_forgotten_can_be_opened(open_face, engine, monkeypatch):
    monkeypatch.setattr(reducer, "GONE_ENVIRONMENTS", 1)
    async with open_face() as face:
        await live_through(face, engine)
        for id in ("e-4", "e-5"):
            engine.warm(id, "counter")
            engine.environment(id, State.STOPPED, "counter", reason="idle")
        await face.frame(2 * MINUTE)
        assert "e-2" not in face.app.mirror.environments
        await face.press("v")
        await back_to(face, "e-2")
        await face.press("G")
        assert face.app.screen.rows.selected.id == "e-2"
        assert "stopped" in face.text  # what became of it, in the third pane
        await face.press("enter")
        assert isinstance(face.app.screen, EnvironmentDetail)
        assert "idle" in face.text
        await face.press("K")
        assert "has ended already" in face.said[-1]


async def test_one_function_alone_has_its_own_counts(open_face, engine):
    async with open_face() as face:
        await live_through(face, engine)
        await face.press("v", "less_than_sign")
        assert isinstance(face.app.screen, EnvironmentsScreen)
        await face.press("o")
        assert engine.asked_past == [None, "counter"]
        assert "Concurrency  counter" in face.text
        await face.press("escape")
        assert face.app.screen.rows.window is None
        assert "Concurrency  counter" in face.text
        await face.press("escape")
        assert "all functions" in face.text


async def test_an_engine_that_does_not_tell_leaves_the_list_live(open_face, engine):
    async with open_face() as face:
        await live_through(face, engine)
        await face.press("v")
        engine.raises = EngineGone("connection refused")
        await face.press("left_square_bracket")
        assert "connection refused" in face.said[-1]
        assert "● live" in face.text
        engine.raises = None
        await face.press("less_than_sign")
        told = face.app.screen.rows.window.newest
        engine.raises = EngineGone("connection refused")
        await face.frame(10 * MINUTE)
        for _ in range(12):
            await face.press("right_curly_bracket")
        assert told - face.app.screen.rows.span <= face.app.screen.rows.window.end < told
        assert "connection refused" in face.said[-1]


async def test_the_wheel_moves_it_too(open_face, engine):
    async with open_face() as face:
        await live_through(face, engine)
        await face.press("v")
        rows = face.app.screen.rows
        chart = face.app.screen.query_one(ConcurrencyChart)
        await face.pilot._post_mouse_events([_wheel("Up")], chart, button=0)
        await face.settle()
        end = rows.window.end
        await face.pilot._post_mouse_events([_wheel("Up")], Lifecycles, button=0, shift=True)
        await face.settle()
        assert rows.window.end < end
        await face.pilot._post_mouse_events([_wheel("Down")], chart, button=0)
        await face.settle()
        assert rows.window.end == end
        await face.pilot._post_mouse_events([_wheel("Down")], chart, button=0)
        await face.settle()
        assert rows.window is None


def _wheel(way: str):
    from textual import events

    return getattr(events, f"MouseScroll{way}")


async def test_zoom_and_pause_go_with_it(open_face, engine):
    async with open_face() as face:
        await live_through(face, engine)
        await face.press("v", "space")
        await face.frame(MINUTE)
        held = face.app.screen.rows.end
        await face.press("left_square_bracket")
        rows = face.app.screen.rows
        assert held - rows.span < rows.window.end < held
        end, span = rows.window.end, rows.span
        await face.press("minus")
        assert (rows.window.end, rows.span) == (end, 2 * span)
        await face.press("escape")
        assert rows.window is None
        assert not rows.paused
