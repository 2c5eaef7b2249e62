"""The last line: which keys it shows where there is room for some of them."""

import pytest

from tests.tui.conftest import SMALL
from workbench.tui.widgets.keys import Shown, fitting

HELP, QUIT = Shown("?", "?", "help", True), Shown("q", "q", "quit", True)
KEYS = [Shown(letter, letter, "word", True) for letter in "abcdefghij"]


@pytest.mark.parametrize("width", range(120))
def test_nothing_is_cut_in_the_middle_and_help_stays(width):
    left, right, more = fitting(KEYS, [HELP, QUIT], width)
    assert right[0] is HELP
    assert left == KEYS[: len(left)]
    assert more == (len(left) + len(right) < 12)
    if left:
        assert sum(shown.width for shown in [*left, *right]) + (3 if more and len(left) < 10 else 0) <= width


@pytest.mark.parametrize("keys", [(), ("enter",), ("enter", "2", "e"), ("v",)])
async def test_no_word_of_it_is_cut_on_a_small_terminal(open_face, engine, keys):
    engine.alias("counter", "live", "1")
    async with open_face(SMALL) as face:
        await face.press(*keys)
        line = face.lines[-1]
        assert "? help" in line
        words = {binding.description for _, binding, _, _ in face.app.screen.active_bindings.values()}
        shown = [part.strip().split(" ", 1)[-1] for part in line.replace("…", "").split("  ") if part.strip()]
        assert shown
        assert set(shown) <= words, line


async def test_a_click_presses_the_key(open_face):
    async with open_face() as face:
        at = face.lines[-1].index("? help")
        await face.pilot.click("KeyLine", offset=(at, 0))
        await face.settle()
        assert "Everywhere" in face.text
