"""The environments screen, and the series and chart of concurrency that it draws."""

import pytest

from tests.tui.conftest import SMALL, WIDE
from workbench.live.view import CELL_NS, FunctionView, Totals
from workbench.model.attached import Attached
from workbench.model.environments import EnvironmentState as State
from workbench.model.events import AttachedChanged
from workbench.model.functions import FunctionState
from workbench.tui.concurrency import KEPT, Concurrency, Series
from workbench.tui.screens.environment import EnvironmentDetail
from workbench.tui.screens.environments import EnvironmentsScreen
from workbench.tui.screens.function import FunctionScreen
from workbench.tui.widgets.concurrency import Chart, ceiling, rows


def series(*counts: tuple[int, int]) -> Series:
    made = Series()
    for cell, count in counts:
        made.add(cell * CELL_NS, count)
    return made


def test_a_count_goes_on_until_it_changes():
    assert series((10, 2), (13, 5), (15, 0)).peaks(17 * CELL_NS, 9, 1) == [0, 2, 2, 2, 5, 5, 5, 0, 0]


def test_a_cell_shows_its_greatest_count():
    made = series((10, 1), (10, 7), (10, 0), (12, 3))
    assert made.peaks(13 * CELL_NS, 4, 1) == [7, 0, 3, 3]
    assert made.now == 3
    assert made.peaks(13 * CELL_NS, 2, 2) == [7, 3]


def test_what_came_before_the_window_is_carried_in():
    assert series((1, 4)).peaks(100 * CELL_NS, 3, 1) == [4, 4, 4]
    assert series((1, 4), (2, 0)).peaks(100 * CELL_NS, 3, 1) == [0, 0, 0]
    assert Series().peaks(100 * CELL_NS, 3, 1) == [0, 0, 0]


def test_ten_minutes_of_constant_change_are_kept_and_no_more():
    made = series(*((cell, cell % 2) for cell in range(4 * KEPT)))
    assert len(made) <= KEPT * 5 // 4
    assert made.peaks((4 * KEPT - 1) * CELL_NS, KEPT, 1) == [1] * KEPT


def test_functions_have_series_of_their_own():
    def function(name: str, running: int) -> FunctionView:
        return FunctionView(name, "python3.12", "h", 128, 3, FunctionState.ACTIVE, running=running)

    concurrency = Concurrency()
    concurrency.add(CELL_NS, Totals(running=3), [function("a", 3), function("b", 0)])
    concurrency.add(2 * CELL_NS, Totals(running=1), [function("a", 1)])
    assert concurrency.of(None).peaks(2 * CELL_NS, 2, 1) == [3, 3]
    assert concurrency.of("a").now == 1
    assert concurrency.of("b").peaks(2 * CELL_NS, 2, 1) == [0, 0]
    concurrency.forget("a")
    assert concurrency.of("a").now == 0


@pytest.mark.parametrize(("value", "top"), [(0, 5), (4, 5), (5, 5), (6, 10), (11, 20), (99, 100), (1000, 1000)])
def test_the_axis_ends_at_a_round_figure(value, top):
    assert ceiling(value) == top


def test_the_chart_draws_eighths_and_the_lines_of_the_limits():
    assert rows(Chart((0, 5, 10)), 2) == ["  █", " ██"]
    assert rows(Chart((1, 0, 10)), 1) == ["▁ █"]
    assert rows(Chart((0, 1000)), 2) == [" █", " █"]
    assert rows(Chart((2, 2), reserved=10, provisioned=4), 5) == ["┄┄", "  ", "  ", "╌╌", "██"]


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_it_shows_concurrency_lives_and_the_selected_one(open_face, engine, size):
    engine.warm("e-1", "hello")
    engine.warm("e-2", "counter")
    async with open_face(size) as face:
        await face.press("v")
        assert isinstance(face.app.screen, EnvironmentsScreen)
        engine.accepted("r-1", "hello", "e-1")
        engine.environment("e-1", State.BUSY, "hello")
        await face.frame(1000)
        assert "█ 1 busy" in face.line("Environments")
        assert "busy" in face.line("hello  ") or "busy" in face.line("e-1")
        await face.press("1")
        assert "in use" in face.text
        assert "all functions" in face.text
        assert "▄" in face.text or "▃" in face.text or "▅" in face.text or "▆" in face.text or "█" in face.text
        await face.press("2", "3")
        assert "what ran in it" in face.text or "▓ creating" in face.text
        await face.press("escape")
        assert face.app.screen is face.main


async def test_o_shows_one_function_with_its_limits(open_face, engine):
    engine.warm("e-1", "counter")
    engine.warm("e-2", "hello")
    engine.live.apply(AttachedChanged(engine.now, "hello", Attached(reserved=3)))
    async with open_face() as face:
        await face.press("v", "j", "o")
        assert "Concurrency  hello" in face.text
        assert "┄┄┄" in face.text
        assert "reserved" in face.line("┄ reserved")
        assert "e-1" not in face.text
        await face.press("escape")
        assert "all functions" in face.text
        assert "e-1" in face.text


async def test_the_count_is_that_of_the_function_shown(open_face, engine):
    for id in ("e-1", "e-2"):
        engine.warm(id, "counter")
    engine.warm("e-3", "hello")
    async with open_face() as face:
        await face.press("v")
        assert "3 alive" in face.text
        await face.press("j", "j", "o")
        assert "1 alive" in face.text


async def test_it_leads_on(open_face, engine):
    engine.warm("e-1", "hello")
    async with open_face() as face:
        await face.press("v", "enter")
        assert isinstance(face.app.screen, EnvironmentDetail)
        await face.press("escape", "F")
        assert isinstance(face.app.screen, FunctionScreen)
        await face.press("v")
        assert face.app.screen.rows.only == "hello"
        await face.press("escape", "escape", "K", "K")
        assert engine.stopped_environments == ["e-1"]


@pytest.mark.parametrize(
    ("road", "shown"), [("spare", "of a spare"), ("fresh: no spare was waiting", "fresh: no spare was waiting")]
)
async def test_one_says_how_it_was_made(open_face, engine, road, shown):
    engine.environment("e-1", State.IDLE, "hello", road=road)
    async with open_face() as face:
        await face.press("v", "enter")
        assert shown in face.text


async def test_space_holds_list_and_chart(open_face, engine):
    engine.environment("e-1", State.BUSY, "hello")
    async with open_face() as face:
        await face.press("v", "space")
        before = face.lines[3:-10]  # chart and list
        engine.accepted("r-1", "hello", "e-1")
        await face.frame(5000)
        assert face.lines[3:-10] == before
        await face.press("space")
        await face.frame(250)
        assert face.lines[3:-10] != before


async def test_without_environments_it_teaches(open_face):
    async with open_face() as face:
        await face.press("v")
        assert "No environments yet." in face.text
        assert "None is selected." in face.text
        await face.press("o", "enter", "K", "F")
        assert isinstance(face.app.screen, EnvironmentsScreen)
