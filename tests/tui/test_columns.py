from hypothesis import given
from hypothesis import strategies as st

from workbench.tui.widgets.columns import GAP, Column, place
from workbench.tui.widgets.environments import EnvironmentList
from workbench.tui.widgets.functions import FunctionList
from workbench.tui.widgets.invocations import InvocationList
from workbench.tui.widgets.logs import LogList

COLUMNS = (
    Column("name", "NAME", 10, flex=1, most=20),
    Column("memory", "MEM", 5, keep=10),
    Column("why", "WHY", 8, keep=50, flex=3),
)


def widths(width: int) -> dict[str, int]:
    return {column.name: column.width for column in place(COLUMNS, width)}


def test_what_matters_least_goes_first():
    assert widths(25) == {"name": 10, "memory": 5, "why": 8}
    assert widths(24) == {"name": 12, "why": 11}
    assert widths(18) == {"name": 18}
    assert widths(4) == {"name": 4}


def test_what_is_left_over_is_shared():
    assert widths(33) == {"name": 12, "memory": 5, "why": 14}
    assert widths(125)["name"] == 20


@given(st.integers(1, 300), st.sampled_from([EnvironmentList, FunctionList, InvocationList, LogList]))
def test_columns_never_take_more_than_there_is(width, rows):
    placed = place(rows.COLUMNS, width)
    assert sum(column.width for column in placed) + GAP * (len(placed) - 1) <= width
    assert all(column.width > 0 for column in placed)
