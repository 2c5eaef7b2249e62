"""The last ten minutes: what was shown then is shown again, in little memory, and where it begins is told."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.live.script import STATES, Script
from workbench.live import past, reducer
from workbench.live.past import KEPT, PastOfDeltas, Peaks
from workbench.live.reducer import Live
from workbench.live.view import CELL_NS, Past
from workbench.model.codec import decode, encode
from workbench.tui import timeline
from workbench.tui.concurrency import Series
from workbench.tui.past import Window, columns, state_at

CELL = CELL_NS // 1_000_000


@pytest.fixture
def live() -> Live:
    return Live(began=0)


@pytest.fixture
def script(live: Live) -> Script:
    made = Script(live)
    made.change("f")
    made.change("g")
    return made


def wire(told: Past) -> Past:
    """As a face gets it."""
    answer: Past = decode(Past, json.loads(json.dumps(encode(told))))
    return answer


def drawn(states: list[Any]) -> str:
    return "".join(state.glyph if state else " " for state in states)


MOMENTS = st.lists(
    st.tuples(
        st.sampled_from(["e1", "e2"]),
        st.sampled_from(sorted(STATES)),
        st.sampled_from([0, 1, 90, CELL, 3 * CELL, 11 * CELL]),
    ),
    min_size=4,
    max_size=60,
)


@settings(max_examples=100, deadline=None)
@given(moments=MOMENTS, zoom=st.sampled_from([1, 2, 4, 8]), back=st.integers(0, 40))
def test_a_moment_is_shown_again_as_it_was_shown_then(moments: list[Any], zoom: int, back: int) -> None:
    live, deltas = Live(began=0), PastOfDeltas()
    script, then = Script(live), {}
    script.change("f")
    first = live.changes(0, script.now, 0.0)
    seq = first.seq
    deltas.take(first)
    for id, state, passes in moments:
        script.environment(id, state)
        for step in [0, *[min(passes, CELL)] * max(1, passes // CELL)]:
            script.advance(step)
            delta = live.changes(seq, script.now, 0.0)
            deltas.take(decode(type(delta), json.loads(json.dumps(encode(delta)))))
            seq = delta.seq
            views = live.changes(0, script.now, 0.0).environments
            # What the cell that is not over shows may still change: of each cell the last look counts.
            then[script.now // CELL_NS] = {
                view.id: (drawn(timeline.columns(view, script.now, 12, zoom)), view.state) for view in views
            }
    for told in (wire(live.past(None, script.now)), deltas.told(script.now, None)):
        tracks = {track.id: track for track in told.environments}
        moment = sorted(then)[-1 - back % len(then)]
        if (moment + 1) % zoom and moment != max(then):
            continue  # the newest column of then was not over yet
        for id, (shown, state) in then[moment].items():
            assert drawn(columns(tracks[id], moment, 12, zoom)) == shown
            assert state_at(tracks[id], moment) in (state, None)


@given(
    changes=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=40),
    first=st.integers(0, 60),
    length=st.integers(1, 60),
)
def test_counts_are_those_of_the_live_chart(changes: list[tuple[int, int]], first: int, length: int) -> None:
    peaks, series, cell = Peaks(), Series(), 5
    for passes, count in changes:
        cell += passes
        peaks.note(cell, count)
        series.add(cell * CELL_NS, count)
    last = max(cell, first + length)
    assert peaks.between(first, last) == series.peaks(last * CELL_NS, last + 1 - first, 1)


def test_it_keeps_ten_minutes_of_constant_change_in_few_bytes(live: Live, script: Script) -> None:
    script.environment("e", "creating")
    script.environment("e", "init")
    for turn in range(KEPT + 800):
        script.accept("r")
        script.environment("e", "busy")
        script.finish("r")
        script.advance(CELL if turn % 2 else CELL - 1)
        script.environment("e", "idle")
    told = live.past(None, script.now)
    assert told.begins == script.now // CELL_NS - KEPT + 1
    assert len(told.peaks) == KEPT
    assert set(told.peaks[:-1]) == {1}
    assert [track.first for track in told.environments] == [told.begins]
    assert len(told.environments[0].cells) == KEPT
    track = live._past._tracks["e"]
    assert sys.getsizeof(track.cells) < 4 * KEPT
    assert sys.getsizeof(live._past.running.account.peaks) < 12 * KEPT


def test_a_long_quiet_time_costs_nothing_and_its_state_goes_on(live: Live, script: Script) -> None:
    for state in ("creating", "init", "idle", "frozen"):
        script.environment("e", state)
    script.advance(3 * KEPT * CELL)
    quiet = live.past(None, script.now)
    assert len(quiet.environments[0].cells) == 1
    assert drawn(columns(quiet.environments[0], script.now // CELL_NS, 3)) == "···"
    script.environment("e", "busy")
    told = live.past(None, script.now)
    assert drawn(columns(told.environments[0], script.now // CELL_NS, 3)) == "··█"
    script.accept("r")
    script.advance(5 * KEPT * CELL)
    script.finish("r")
    assert live.past(None, script.now).peaks == [1] * KEPT


def test_environments_that_the_live_view_forgot_are_there_with_their_view(
    live: Live, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reducer, "GONE_ENVIRONMENTS", 2)
    for number in range(5):
        for state in ("creating", "init", "idle", "stopping", "stopped"):
            script.environment(f"e{number}", state, "g" if number % 2 else "f")
            script.advance(CELL)
    told = wire(live.past(None, script.now))
    assert {track.id: track.view is not None for track in told.environments} == {
        "e0": True,
        "e1": True,
        "e2": True,
        "e3": False,
        "e4": False,
    }
    first = next(track for track in told.environments if track.id == "e0")
    assert first.view is not None
    assert (first.view.state.value, len(first.view.history), first.view.timeline) == ("stopped", 5, [])
    assert drawn(columns(first, 6, 7)) == "▓▒-sS  "
    assert [track.id for track in live.past("g", script.now).environments] == ["e1", "e3"]
    script.advance((KEPT + 1) * CELL)
    assert live.past(None, script.now).environments == []


def test_beyond_its_bounds_the_past_begins_later(live: Live, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reducer, "GONE_ENVIRONMENTS", 1)
    monkeypatch.setattr(past, "ENDED", 2)
    assert live.past(None, script.now).begins == 0
    for number in range(5):
        script.environment(f"e{number}", "creating")
        script.environment(f"e{number}", "stopped")
        script.advance(4 * CELL)
    told = live.past(None, script.now)
    assert [track.id for track in told.environments] == ["e2", "e3", "e4"]
    assert told.begins == 5  # e1, which is not kept, ended in cell 4


def test_counts_of_functions_are_bounded_and_end_with_the_function(
    live: Live, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "FUNCTIONS", 2)
    script.change("h")
    for number, name in enumerate(("f", "g", "h")):
        script.accept(f"r{number}", name)
        script.advance(CELL)
    assert set(live._past.running.functions) == {"g", "h"}
    assert live.past("g", script.now).peaks == [1, 1, 1]  # from cell 1 on: it might have been dropped before
    gone = live.past("f", script.now)
    assert (gone.begins, gone.peaks) == (1, [0, 0, 0])  # what it did in cell 0 is not known any more
    script.delete("g")
    script.finish("r1")
    script.advance(CELL)
    assert live.past("g", script.now).peaks == [1, 1, 1, 0]
    assert live.past(None, script.now).peaks == [1, 2, 3, 3, 2]


def test_throttles_are_told_as_they_stood_in_each_cell(live: Live, script: Script) -> None:
    deltas, seq = PastOfDeltas(), 0
    script.change("g")
    for refused in ("f", "", "fg", "", "g"):
        for number, function in enumerate(refused):
            script.refuse(f"r{script.now}-{number}", function)
        delta = live.changes(seq, script.now, 0.0)
        deltas.take(decode(type(delta), json.loads(json.dumps(encode(delta)))))
        seq = delta.seq
        script.advance(CELL)
    for told in (live.past, lambda function, t: deltas.told(t, function)):
        for function, throttles in ((None, [1, 1, 3, 3, 4]), ("f", [1, 1, 2, 2, 2]), ("g", [0, 0, 1, 1, 2])):
            found = told(function, script.now)
            assert (found.throttles[:5], len(found.throttles)) == (throttles, len(found.peaks))
    script.delete("f")
    assert live.past("f", script.now).throttles[4:] == [2, 2]
    script.advance(CELL)
    assert live.past("f", script.now).throttles[5:] == [2, 0]  # made anew, it would begin with none
    assert live.past(None, script.now).throttles[5:] == [4, 4]


def test_without_an_event_nothing_is_known() -> None:
    told = Live().past(None, 7 * CELL_NS)
    assert (told.begins, told.peaks, told.environments) == (7, [0], [])


def window(live: Live, now: int, end: int) -> Window:
    views = {view.id: view for view in live.changes(0, now, 0.0).environments}
    return Window(live.past(None, now), end, views, 100.0)


def test_a_window_holds_what_was_there_and_stays_within_what_is_known(live: Live, script: Script) -> None:
    script.advance(10 * CELL)
    for id, passes in (("e1", 10), ("e2", 10), ("e3", 0)):
        script.environment(id, "creating")
        script.accept(f"of {id}")
        script.advance(2 * CELL)
        if id == "e1":
            script.environment(id, "failed")
        script.advance(passes * CELL)
    at = window(live, script.now, 12)
    assert [view.id for view, _ in at.shown(3, None)] == ["e1"]
    assert [view.id for view, _ in at.ending(13, 1).shown(1, None)] == []
    assert [view.id for view, _ in at.ending(25, 3).shown(3, None)] == ["e2"]
    assert at.shown(3, "g") == []
    assert at.peaks(6, 1) == (0, 0, 0, 1, 1, 1)
    assert at.peaks(4, 8) == (0, 0, 0, 1)
    assert (at.unknown(15, 1), at.unknown(13, 1), at.unknown(4, 8)) == (2, 0, 2)
    assert at.ending(-5, 8).end == 7
    assert at.ending(999, 8).end == at.newest == script.now // CELL_NS
    assert at.ending(0, 999).end == at.newest
    assert (at.wall, at.known_from) == (100.0 + 13 / 4, 100.0)
