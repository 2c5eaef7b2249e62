"""How an environment's life becomes glyphs on an axis of time."""

from workbench.live.view import CELL_NS, Cell, EnvironmentView
from workbench.model.environments import EnvironmentState as S
from workbench.tui.timeline import columns, merge, trail


def environment(*cells: Cell, created: int = 0, state: S = S.IDLE) -> EnvironmentView:
    return EnvironmentView(
        id="e-1",
        function="hello",
        version="1",
        backend="x",
        memory_size=128,
        state=state,
        reason="",
        created=created * CELL_NS,
        since=0,
        timeline=list(cells),
    )


def drawn(view: EnvironmentView, now: int, count: int, zoom: int = 1) -> str:
    return "".join(state.glyph if state else " " for state in columns(view, now * CELL_NS, count, zoom))


LIFE = (
    Cell(10, [S.CREATING], S.CREATING),
    Cell(12, [S.CREATING, S.INIT], S.INIT),
    Cell(13, [S.INIT], S.INIT),
    Cell(14, [S.INIT, S.BUSY], S.BUSY),
    Cell(16, [S.BUSY, S.IDLE], S.IDLE),
    Cell(18, [S.IDLE, S.FROZEN], S.FROZEN),
)


def test_a_state_lasts_until_the_next_one():
    assert drawn(environment(*LIFE, created=10), 20, 12) == " ▓▓▒▒███-···"


def test_the_axis_ends_now():
    view = environment(*LIFE, created=10)
    assert drawn(view, 16, 4) == "▒███"
    assert drawn(view, 25, 4) == "····"


def test_a_cell_with_many_states_shows_the_most_telling_one():
    view = environment(Cell(5, [S.CREATING, S.INIT, S.BUSY, S.IDLE], S.IDLE), created=5)
    assert drawn(view, 6, 3) == " ▓-"
    view = environment(Cell(5, [S.FROZEN, S.BUSY, S.IDLE], S.FROZEN), created=1)
    assert drawn(view, 6, 3) == "·█·"


def test_a_cold_start_that_crosses_cells_shows_each_of_its_phases():
    view = environment(
        Cell(5, [S.CREATING], S.CREATING),
        Cell(6, [S.CREATING, S.INIT], S.INIT),
        Cell(7, [S.INIT, S.BUSY, S.IDLE], S.IDLE),
        created=5,
    )
    assert drawn(view, 8, 5) == " ▓▒█-"


def test_a_cell_that_began_busy_is_busy():
    view = environment(Cell(5, [S.FROZEN, S.BUSY], S.BUSY), Cell(6, [S.BUSY, S.IDLE], S.IDLE), created=1)
    assert drawn(view, 7, 4) == "·██-"


def test_after_the_end_there_is_nothing():
    view = environment(Cell(3, [S.BUSY], S.BUSY), Cell(5, [S.BUSY, S.FAILED], S.FAILED), created=3, state=S.FAILED)
    assert drawn(view, 8, 6) == "██!   "
    assert drawn(view, 30, 6) == "      "


def test_cells_that_were_forgotten_are_filled_from_the_oldest_kept():
    view = environment(Cell(50, [S.FROZEN, S.BUSY], S.BUSY), created=1)
    assert drawn(view, 51, 5) == "···██"


def test_columns_keep_their_content_as_time_moves_on_when_zoomed_out():
    view = environment(*LIFE, created=10)
    early, late = drawn(view, 20, 8, zoom=4), drawn(view, 24, 8, zoom=4)
    assert late[:-2] == early[1:-1]


def test_the_trail_tells_what_one_cell_went_through():
    assert trail(environment(Cell(5, [S.CREATING, S.INIT, S.BUSY, S.IDLE], S.IDLE))) == "▓▒█-"
    assert trail(environment(Cell(5, [S.FROZEN, S.BUSY, S.IDLE], S.FROZEN))) == "·█-·"
    assert trail(environment()) == "-"


def test_fresh_cells_replace_and_follow_the_known_ones():
    known = [Cell(1, [S.INIT], S.INIT), Cell(2, [S.BUSY], S.BUSY)]
    merged = merge(known, [Cell(2, [S.BUSY, S.IDLE], S.IDLE), Cell(4, [S.IDLE, S.BUSY], S.BUSY)], keep=3)
    assert [(cell.index, cell.last) for cell in merged] == [(1, S.INIT), (2, S.IDLE), (4, S.BUSY)]
    assert [cell.index for cell in merge(merged, [Cell(9, [S.BUSY], S.BUSY)], keep=2)] == [4, 9]
