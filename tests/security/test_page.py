"""docs/security.md names every attack, in the line of its row, and none that there is not."""

from __future__ import annotations

import re

import pytest

from tests.security.arena import ROOT
from tests.security.table import attacks

ROWS = [
    line.split("|") for line in (ROOT / "docs" / "security.md").read_text().splitlines() if re.match(r"\| \d", line)
]


def numbers(cell: str) -> set[int]:
    """The rows of a cell such as `4–6` or `1, 2`."""
    found: set[int] = set()
    for part in cell.split(","):
        first, _, last = part.strip().partition("–")
        found |= set(range(int(first), int(last or first) + 1))
    return found


@pytest.mark.parametrize("name", attacks())
def test_an_attack_is_in_the_line_of_its_row(name: str) -> None:
    (line,) = [cells for cells in ROWS if attacks()[name].row in numbers(cells[1])]
    assert f"`{name}`" in line[3]


def test_every_row_has_a_line() -> None:
    assert {number for cells in ROWS for number in numbers(cells[1])} == {*range(1, 32), 48, 57}


def test_every_file_that_is_named_is_there() -> None:
    for name in re.findall(r"`((?:tests/|test_)[\w/]+\.py)`", (ROOT / "docs" / "security.md").read_text()):
        assert (ROOT / name).exists() or (ROOT / "tests" / "security" / name).exists(), name
