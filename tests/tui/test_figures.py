"""Rates, and figures as short text."""

import pytest

from workbench.live.view import Totals
from workbench.tui import format as f
from workbench.tui.rates import Rates

SECOND = 1_000_000_000


def rates(*counts: tuple[float, int, int, int]) -> Rates:
    made = Rates()
    for second, invocations, errors, cold in counts:
        made.add(int(second * SECOND), Totals(invocations=invocations, errors=errors, cold_starts=cold))
    return made


def test_the_rate_is_taken_over_the_last_seconds():
    assert rates((0, 0, 0, 0), (100, 50, 0, 0), (101.5, 80, 0, 0), (103, 110, 0, 0)).per_second == 20
    assert rates((0, 7, 0, 0)).per_second == 0
    assert Rates().per_second == 0


def test_shares_are_of_the_last_minute():
    assert rates((0, 100, 10, 5), (10, 150, 12, 6)).shares() == (50, 2, 1)
    assert Rates().shares() == (0, 0, 0)


def test_the_history_counts_whole_seconds():
    assert rates((10, 0, 0, 0), (10.5, 4, 0, 0), (11.2, 9, 0, 0), (13.1, 10, 0, 0)).history(5) == [0, 4, 5, 0, 1]


def test_samples_closer_than_a_quarter_second_are_left_out():
    assert rates((1, 0, 0, 0), (1.1, 100, 0, 0)).shares() == (0, 0, 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.42, "0.4 ms"), (38, "38 ms"), (999.4, "999 ms"), (1240, "1.24 s"), (123_000, "2m03s")],
)
def test_milliseconds(value, text):
    assert f.milliseconds(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0s"), (7.9, "7s"), (123, "2m03s"), (11_400, "3h10m"), (439_200, "5d02h")]
)
def test_age(seconds, text):
    assert f.age(seconds) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(0, 0, "–"), (0, 5, "0%"), (1, 1000, "0.1%"), (1, 3, "33%"), (5, 5, "100%")]
)
def test_share(part, whole, text):
    assert f.share(part, whole) == text


@pytest.mark.parametrize(("count", "text"), [(7, "7"), (9999, "9999"), (12_345, "12k"), (1_250_000, "1.2M")])
def test_short_counts_have_four_characters_at_most(count, text):
    assert f.short(count) == text


@pytest.mark.parametrize(
    ("text", "width", "right", "fitted"),
    [
        ("abc", 5, False, "abc  "),
        ("abc", 5, True, "  abc"),
        ("abcdef", 4, False, "abc…"),
        ("日本語", 4, False, "日 …"),
        ("日本", 4, False, "日本"),
        ("a\x1b[31mb\nc", 8, False, "ab ⏎ c  "),
        ("abc", 0, False, ""),
    ],
)
def test_fit(text, width, right, fitted):
    assert f.fit(text, width, right=right) == fitted


def test_a_sparkline_has_a_bar_for_each_value():
    assert f.sparkline([0, 1, 4, 8]) == "▁▁▄█"
    assert f.sparkline([0, 0]) == "▁▁"
