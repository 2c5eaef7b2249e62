import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.model.text import one_line, sanitize


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b]52;c;aGFjaw==\x07after", "after"),
        ("\x1b]0;title\x1b\\after", "after"),
        ("\x1b]8;;http://evil\x07link\x1b]8;;\x07", "link"),
        ("\x1bPq#0;2;0\x1b\\sixel", "sixel"),
        ("\x9b31mred\x9d52;c;aa\x9cafter", "redafter"),
        ("\x1bcreset", "reset"),
        ("a\x0bb\x08c\x00d\x7fe\x85f", "abcdef"),
        ("one\rtwo\r\nthree", "one\ntwo\nthree"),
        ("\u202eevil\u2066x\u200f", "evilx"),
        ("half \ud800 pair", "half \ufffd pair"),
        ("one\u2028two", "one\ntwo"),
        ("[@click=app.quit]click[/]", "[@click=app.quit]click[/]"),
        ("naïve 日本 👩‍🚀", "naïve 日本 👩‍🚀"),
    ],
)
def test_what_could_harm_is_gone(text, harmless):
    assert sanitize(text) == harmless


def test_a_sequence_that_never_ends_does_not_swallow_the_rest():
    assert sanitize("before \x1b]52;c;never ends\nnext line") == "before 52;c;never ends\nnext line"


def test_a_removed_sequence_does_not_leave_another_behind():
    assert "\x1b" not in sanitize("\x1b\x1b[31m[31m \x1b[\x1b[1m31m")


@given(st.text(alphabet=st.sampled_from("\x1b\x9b\x9d\x9c\x07[]0;m\\PX a\n\t\u202e\ud800")))
def test_nothing_that_a_terminal_obeys_is_left(text):
    left = sanitize(text)
    assert not [c for c in left if (ord(c) < 32 and c not in "\t\n") or 0x7F <= ord(c) <= 0x9F or c in "\u202e\ud800"]
    assert sanitize(left) == left
    left.encode("utf-8")


def test_one_line_has_no_breaks():
    assert one_line("a\tb\nc\n") == "a  b ⏎ c"
