"""What is there now, out of events: deltas that add up, bounds that are told, costs that follow what changed."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.live.script import Script
from workbench.live import reducer
from workbench.live.reducer import EXCERPT, Live
from workbench.live.view import CELL_NS, CELLS, Delta
from workbench.model.attached import Provisioned, RuntimeManagement, UpdateRuntimeOn
from workbench.model.codec import decode, encode
from workbench.model.environments import EnvironmentState
from workbench.model.functions import FunctionState
from workbench.model.invocations import InvocationStatus
from workbench.tui.mirror import Mirror as TerminalMirror


class Mirror:
    """What a program knows that reads docs/live.md: JSON in, dictionaries out."""

    def __init__(self, logs: int = 10_000) -> None:
        self.seq = 0
        self.tables: dict[str, dict[str, Any]] = {"functions": {}, "environments": {}, "invocations": {}}
        self.logs: deque[Any] = deque(maxlen=logs)
        self.totals: dict[str, int] = {}
        self.full = 0

    def pull(self, live: Live, now: int = 0) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(json.dumps(encode(live.changes(self.seq, now, 0.0))))
        if data["full"]:
            self.full += 1
            for table in self.tables.values():
                table.clear()
            self.logs.clear()
        for kind, key in (("functions", "name"), ("environments", "id"), ("invocations", "request_id")):
            for view in data[kind]:
                if kind == "environments":
                    view["timeline"] = self.cells(view)
                self.tables[kind][view[key]] = view
        self.logs.extend(data["logs"])
        for kind, keys in data["gone"].items():
            for key in keys:
                self.tables[kind].pop(key, None)
        self.seq, self.totals = data["seq"], data["totals"]
        return data

    def cells(self, view: dict[str, Any]) -> list[Any]:
        known = self.tables["environments"].get(view["id"], {"timeline": []})["timeline"]
        cells = {cell["index"]: cell for cell in [*known, *view["timeline"]]}
        return sorted(cells.values(), key=lambda cell: cell["index"])[-CELLS:]

    def state(self) -> Any:
        return self.seq, self.tables, list(self.logs), self.totals


@pytest.fixture
def live() -> Live:
    return Live()


@pytest.fixture
def script(live: Live) -> Script:
    return Script(live)


def view_of(live: Live, kind: str, key: str = "f") -> Any:
    return {next(iter(encode(view).values())): view for view in getattr(live.changes(0, 0, 0.0), kind)}[key]


# -- deltas add up
SMALL = st.integers(0, 5)
NAMES = st.sampled_from(["f", "g"])
REQUESTS = SMALL.map("r{}".format)
ENVIRONMENTS = st.integers(0, 8).map("e{}".format)
STEPS = st.one_of(
    st.tuples(st.just("change"), NAMES, SMALL.map(str)),
    st.tuples(st.just("publish"), NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("delete"), NAMES, SMALL.map(str)),
    st.tuples(st.just("alias"), NAMES, st.sampled_from(["live", "test"]), SMALL.map(str)),
    st.tuples(st.just("no_alias"), NAMES, st.sampled_from(["live", "test"])),
    st.tuples(st.just("environment"), ENVIRONMENTS, st.sampled_from([state.value for state in EnvironmentState])),
    st.tuples(st.just("environment"), ENVIRONMENTS, st.sampled_from(["creating", "stopping", "stopped"])),
    st.tuples(st.just("accept"), REQUESTS, NAMES),
    st.tuples(st.just("start"), REQUESTS),
    st.tuples(st.just("finish"), REQUESTS, st.sampled_from([InvocationStatus.SUCCESS, InvocationStatus.ERROR])),
    st.tuples(st.just("refuse"), REQUESTS, NAMES),
    st.tuples(st.just("log")),
    st.tuples(st.just("advance"), st.sampled_from([0.001, 1, 100, 250, 60_000, 200_000])),
    st.tuples(st.just("pull"), st.integers(0, 2)),
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=10, max_size=150))
def test_deltas_add_up_to_what_is_there(monkeypatch: pytest.MonkeyPatch, steps: list[tuple[Any, ...]]) -> None:
    monkeypatch.setattr(reducer, "GONE_ENVIRONMENTS", 3)
    live = Live(logs=5, invocations=3)
    live._gone = deque(maxlen=4)
    script, mirrors, terminal = Script(live), [Mirror(5), Mirror(5), Mirror(5)], TerminalMirror()
    for name, *arguments in [*steps, ("pull", 0), ("pull", 1)]:
        if name != "pull":
            getattr(script, name)(*arguments)
        elif arguments[0] < 2:
            whole = Mirror(5)
            whole.pull(live, script.now)
            mirrors[arguments[0]].pull(live, script.now)
            assert mirrors[arguments[0]].state() == whole.state()
        else:
            delta = live.changes(terminal.seq, script.now, 0.0)
            terminal.apply(decode(Delta, json.loads(json.dumps(encode(delta)))))
            whole = Mirror(5)
            whole.pull(live, script.now)
            for kind, table in whole.tables.items():
                assert encode(getattr(terminal, kind)) == table
    totals = live.changes(0, 0, 0.0).totals
    assert totals.running == len(script.running)
    assert totals.environments == sum(not state.final for state in script.environments.values())
    open_ = {key for key, view in whole.tables["invocations"].items() if view["status"] in ("waiting", "running")}
    assert open_ == set(script.running)
    for name, versions in script.functions.items():
        view = whole.tables["functions"][name]
        assert view["versions"] == sorted(set(versions) - {"$LATEST"}, key=int)
        assert 0 <= view["running"] <= len(script.running)


def test_a_delta_has_only_what_changed(live: Live, script: Script) -> None:
    mirror = Mirror()
    for name in "fgh":
        script.change(name)
        script.environment(f"e-{name}", "creating", name)
        script.accept(f"r-{name}", name)
    script.log()
    mirror.pull(live)
    script.start("r-g")
    data = mirror.pull(live)
    assert (data["functions"], data["environments"], data["logs"], data["gone"]) == ([], [], [], {})
    assert [(view["request_id"], view["status"]) for view in data["invocations"]] == [("r-g", "running")]
    assert mirror.full == 1


def test_nothing_new_is_an_empty_delta(live: Live, script: Script) -> None:
    script.change("f")
    delta = live.changes(live.seq, 7, 9.5)
    assert delta.empty
    assert (delta.seq, delta.t_mono_ns, delta.wall, delta.full) == (live.seq, 7, 9.5, False)


@pytest.mark.parametrize("since", [0, -1, 10**9])
def test_a_face_that_knows_nothing_or_another_engine_gets_everything(live: Live, script: Script, since: int) -> None:
    script.change("f")
    script.delete("f")
    script.change("g")
    delta = live.changes(since, 0, 0.0)
    assert delta.full
    assert not delta.empty
    assert ([view.name for view in delta.functions], delta.gone) == (["g"], {})


def test_a_face_that_is_too_far_behind_gets_everything(live: Live, script: Script) -> None:
    live._gone = deque(maxlen=3)
    at = []
    for number in range(6):
        script.change(f"f{number}")
        script.delete(f"f{number}")
        at.append(live.seq)
    deltas = [live.changes(seq, 0, 0.0) for seq in at]
    assert [delta.full for delta in deltas] == [True, True, False, False, False, False]
    assert [delta.gone.get("functions", []) for delta in deltas] == [
        [],
        [],
        ["f5", "f4", "f3"],
        ["f5", "f4"],
        ["f5"],
        [],
    ]


def test_what_went_and_came_back_is_not_gone(live: Live, script: Script) -> None:
    mirror = Mirror()
    script.change("f")
    mirror.pull(live)
    script.delete("f")
    script.change("f", timeout=9)
    data = mirror.pull(live)
    assert data["gone"] == {}
    assert mirror.tables["functions"]["f"]["timeout"] == 9


# -- functions
def test_a_function_shows_its_latest_and_its_numbers(live: Live, script: Script) -> None:
    script.change("f", timeout=3)
    script.publish("f")
    script.change("f", "2", timeout=9, memory_size=512, handler="x.y")
    script.publish("f")
    view = view_of(live, "functions")
    assert (view.timeout, view.memory_size, view.handler, view.state) == (9, 512, "x.y", FunctionState.ACTIVE)
    assert view.versions == ["1", "2"]
    script.delete("f", "1")
    assert view_of(live, "functions").versions == ["2"]


def test_dirty_is_what_publishing_would_find(live: Live, script: Script) -> None:
    def dirty() -> bool:
        result: bool = view_of(live, "functions").dirty
        return result

    script.change("f")
    assert dirty()
    script.publish("f")
    assert not dirty()
    script.change("f")  # it left Pending
    assert not dirty()
    script.change("f", "2")
    assert dirty()
    script.change("f", "1")
    assert not dirty()
    script.advance(1000)
    script.change("f", "1", description="another")
    assert dirty()
    script.change("f", "1", timeout=9)
    script.publish("f")
    assert not dirty()
    script.delete("f", "2")
    assert dirty()
    script.change("f", "1")
    assert not dirty()
    script.delete("f", "1")
    assert dirty()


def test_aliases_have_the_weights_of_both_versions(live: Live, script: Script) -> None:
    script.change("f")
    script.alias("f", "live", "1")
    assert view_of(live, "functions").aliases == {"live": {"1": 1.0}}
    script.alias("f", "live", "1", **{"2": 0.25})
    script.alias("f", "other", "3")
    assert view_of(live, "functions").aliases == {"live": {"1": 0.75, "2": 0.25}, "other": {"3": 1.0}}
    script.no_alias("f", "live")
    script.no_alias("f", "live")
    assert view_of(live, "functions").aliases == {"other": {"3": 1.0}}


def test_a_function_shows_what_is_attached_to_it(live: Live, script: Script) -> None:
    script.attach("f", reserved=1)  # nobody knows it yet
    script.change("f")
    view = view_of(live, "functions")
    assert (view.reserved, view.provisioned, view.runtime_mode) == (None, {}, "Auto")
    since = live.seq
    script.attach(
        "f",
        reserved=0,
        provisioned={"live": Provisioned(requested=3, allocated=1, last_modified=0.0)},
        runtime_management={
            "$LATEST": RuntimeManagement(update_runtime_on=UpdateRuntimeOn.FUNCTION_UPDATE),
            "1": RuntimeManagement(update_runtime_on=UpdateRuntimeOn.MANUAL, runtime_version_arn="arn"),
        },
    )
    (view,) = live.changes(since, 0, 0.0).functions
    assert (view.reserved, view.provisioned, view.runtime_mode) == (0, {"live": 3}, "FunctionUpdate")
    script.attach("f")
    view = view_of(live, "functions")
    assert (view.reserved, view.provisioned, view.runtime_mode) == (None, {}, "Auto")


def test_a_function_counts_what_it_ran(live: Live, script: Script) -> None:
    script.change("f", memory_size=256)
    script.accept("a", cold=True)
    script.accept("b")
    script.start("a")
    script.finish("a", InvocationStatus.ERROR)
    script.refuse("c")
    view = view_of(live, "functions")
    assert (view.invocations, view.errors, view.throttles, view.cold_starts, view.running) == (2, 1, 1, 1, 1)
    assert (view.duration_ms, view.billed_ms, view.executed) == (1.5, 2, {"$LATEST": 2})
    totals = live.changes(0, 0, 0.0).totals
    assert (totals.invocations, totals.errors, totals.throttles, totals.cold_starts) == (2, 1, 1, 1)
    assert (totals.running, totals.billed_ms) == (1, 2)


def test_an_invocation_has_the_memory_of_the_version_that_ran_and_not_of_latest(live: Live, script: Script) -> None:
    script.change("f", memory_size=256)
    script.accept("a", memory_size=128)
    assert view_of(live, "invocations", "a").memory_size == 128


def test_a_function_made_anew_does_not_count_what_the_old_one_runs(live: Live, script: Script) -> None:
    script.change("f")
    script.accept("a")
    script.delete("f")
    script.change("f")
    script.finish("a")
    view = view_of(live, "functions")
    assert (view.running, view.invocations, view.billed_ms) == (0, 0, 0)
    assert live.changes(0, 0, 0.0).totals.running == 0


# -- environments
def timeline(live: Live) -> list[tuple[int, list[str], str]]:
    view = view_of(live, "environments", "e")
    return [(cell.index, [state.value for state in cell.seen], cell.last.value) for cell in view.timeline]


def test_an_environment_tells_its_state_and_its_history(live: Live, script: Script) -> None:
    script.environment("e", "creating")
    script.advance(30)
    script.environment("e", "init", pid=77)
    script.advance(40)
    script.environment("e", "busy", init_ms=40.0)
    for _ in range(3):
        script.advance(10)
        script.environment("e", "idle", max_memory_mb=64)
        script.environment("e", "frozen", max_memory_mb=48)
        script.environment("e", "busy")
    view = view_of(live, "environments", "e")
    assert (view.state, view.pid, view.init_ms, view.max_memory_mb) == (EnvironmentState.BUSY, 77, 40.0, 64)
    assert (view.invocations, view.created, view.since) == (4, 0, 100_000_000)
    assert [(t // 1_000_000, state.value) for t, state, _ in view.history] == [
        (0, "creating"),
        (30, "init"),
        (70, "busy"),
    ]


def test_the_timeline_has_a_cell_for_every_quarter_of_a_second_with_a_change(live: Live, script: Script) -> None:
    script.environment("e", "creating")
    script.advance(100)
    script.environment("e", "init")
    assert timeline(live) == [(0, ["creating", "init"], "init")]
    script.advance(149.999999)
    script.environment("e", "busy")
    script.advance(0.000001)
    script.environment("e", "idle")
    assert timeline(live) == [(0, ["creating", "init", "busy"], "busy"), (1, ["busy", "idle"], "idle")]
    script.advance(10_000)
    script.environment("e", "frozen")
    script.environment("e", "busy")
    script.environment("e", "idle")
    assert timeline(live)[2:] == [(41, ["idle", "frozen", "busy"], "idle")]


def test_the_timeline_keeps_a_minute(live: Live, script: Script) -> None:
    script.environment("e", "creating")
    script.environment("e", "init")
    mirror = Mirror()
    for number in range(CELLS * 3):
        script.environment("e", ["busy", "idle"][number % 2])
        script.advance(CELL_NS / 1e6)
        if number % 7 == 0:
            mirror.pull(live)
    mirror.pull(live)
    assert len(timeline(live)) == CELLS
    assert [cell["index"] for cell in mirror.tables["environments"]["e"]["timeline"]] == list(
        range(CELLS * 2, CELLS * 3)
    )


def test_a_delta_has_only_the_cells_that_changed(live: Live, script: Script) -> None:
    script.environment("e", "creating")
    script.environment("e", "init")
    for number in range(20):
        script.environment("e", ["busy", "idle"][number % 2])
        script.advance(250)
    since = live.seq
    script.advance(-250)
    script.environment("e", "frozen")
    script.advance(500)
    script.environment("e", "busy")
    (view,) = live.changes(since, 0, 0.0).environments
    assert [cell.index for cell in view.timeline] == [19, 21]


def test_ended_environments_stay_to_be_looked_at_and_then_go(live: Live, script: Script) -> None:
    mirror = Mirror()
    for number in range(reducer.GONE_ENVIRONMENTS + 5):
        script.environment(f"e{number}", "creating")
        script.environment(f"e{number}", "failed" if number % 2 else "stopped")
        mirror.pull(live)
    script.environment("alive", "creating")
    mirror.pull(live)
    assert set(mirror.tables["environments"]) == {f"e{n}" for n in range(5, reducer.GONE_ENVIRONMENTS + 5)} | {"alive"}
    assert mirror.totals["environments"] == 1
    assert set(live._cell_seqs) == set(mirror.tables["environments"])


# -- rings
def test_lines_of_log_are_bounded_by_what_they_hold(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.live.reducer.LOG_CHARACTERS", 100)
    live = Live(logs=50)
    script.lives = (live,)
    for number in range(25):
        script.log(str(number % 10) * 30)
    delta = live.changes(0, 0, 0.0)
    assert [line.text[0] for line in delta.logs] == ["2", "3", "4"]
    assert (delta.totals.log_lines, delta.totals.log_dropped) == (25, 22)


def test_the_ring_of_logs_tells_what_it_dropped(script: Script) -> None:
    live = Live(logs=10)
    script.lives = (live,)
    since = []
    for number in range(25):
        script.log(f"{number}")
        since.append(live.seq)
    delta = live.changes(0, 0, 0.0)
    assert [line.text for line in delta.logs] == [f"{number}" for number in range(15, 25)]
    assert [line.n for line in delta.logs] == list(range(16, 26))
    assert (delta.totals.log_lines, delta.totals.log_dropped) == (25, 15)
    assert [line.n for line in live.changes(since[21], 0, 0.0).logs] == [23, 24, 25]
    behind = live.changes(since[4], 0, 0.0)
    assert not behind.full
    assert behind.logs[0].n == 16  # after line 5: the gap shows


def test_the_ring_of_finished_invocations_tells_what_it_dropped(script: Script) -> None:
    live = Live(invocations=3)
    script.lives = (live,)
    for number in range(10):
        script.accept(f"{number}")
        script.finish(f"{number}")
        script.refuse(f"refused {number}")
    delta = live.changes(0, 0, 0.0)
    assert [view.request_id for view in delta.invocations] == ["refused 8", "9", "refused 9"]
    assert (delta.totals.invocations, delta.totals.invocations_dropped) == (10, 17)


def test_running_invocations_are_never_dropped(script: Script) -> None:
    live = Live(invocations=2)
    script.lives = (live,)
    for number in range(50):
        script.accept(f"slow {number}")
        script.start(f"slow {number}")
    for number in range(50):
        script.accept(f"{number}")
        script.finish(f"{number}")
    script.refuse("last")
    kept = [view.request_id for view in live.changes(0, 0, 0.0).invocations]
    assert kept == [*(f"slow {number}" for number in range(50)), "49", "last"]
    script.finish("slow 7")
    script.accept("one more")
    kept = [view.request_id for view in live.changes(0, 0, 0.0).invocations]
    assert "49" not in kept
    assert kept[-2:] == ["slow 7", "one more"]


def test_a_retried_event_is_one_invocation_that_runs_again(script: Script) -> None:
    live = Live(invocations=2)
    script.lives = (live,)
    script.accept("retried")
    script.finish("retried", InvocationStatus.ERROR)
    script.accept("retried")
    for number in range(5):
        script.refuse(f"{number}")
    views = {view.request_id: view.status for view in live.changes(0, 0, 0.0).invocations}
    assert views["retried"] is InvocationStatus.WAITING
    assert len(views) == 3
    script.finish("retried")
    assert live.changes(0, 0, 0.0).totals.running == 0


# -- excerpts
@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"{}", "{}"),
        ("ünï".encode(), "ünï"),
        (b"", ""),
        (b"\xff\xfe", "//4="),
        (b"x" * EXCERPT, "x" * EXCERPT),
        (b"x" * 10 * EXCERPT, "x" * EXCERPT),
        (b"x" * (EXCERPT - 1) + "ü".encode(), "x" * (EXCERPT - 1)),
        (b"x" * (EXCERPT - 3) + "\U0001f600".encode(), "x" * (EXCERPT - 3)),
        (b"x" * (EXCERPT - 4) + "\U0001f600".encode(), "x" * (EXCERPT - 4) + "\U0001f600"),
    ],
    ids=lambda value: f"{value[:8]!r}…{value[-3:]!r}",
)
def test_payloads_are_shown_as_text_cut_between_characters(
    live: Live, script: Script, payload: bytes, text: str
) -> None:
    script.change("f")
    script.accept("a", payload=payload)
    script.finish("a", payload=payload)
    view = view_of(live, "invocations", "a")
    assert (view.event, view.event_size) == (text, len(payload))
    assert (view.response, view.response_size) == (text, len(payload))


# -- costs, in steps and not in time
class Counted:
    """Counts how many items of the reducer's collections are looked at."""

    def __init__(self, live: Live) -> None:
        self.items = 0
        count = self.count

        class Ring(deque[Any]):
            def __iter__(self) -> Iterator[Any]:
                return count(super().__iter__())

            def __reversed__(self) -> Iterator[Any]:
                return count(super().__reversed__())

        class Values:
            def __init__(self, values: Any) -> None:
                self.values = values

            def __iter__(self) -> Iterator[Any]:
                return count(iter(self.values))

            def __reversed__(self) -> Iterator[Any]:
                return count(reversed(self.values))

        class Table(reducer._Table):
            def values(self) -> Any:
                return Values(super().values())

            def __iter__(self) -> Iterator[Any]:
                return count(super().__iter__())

        for name in ("_functions", "_environments", "_invocations"):
            setattr(live, name, Table())
        for name in ("_logs", "_log_seqs", "_gone"):
            setattr(live, name, Ring(maxlen=getattr(live, name).maxlen))

    def count(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self.items += 1
            yield item


def lines_of(call: Callable[[], Any]) -> int:
    """How many lines of the reducer a call runs through."""
    count, file = 0, str(Path(reducer.__file__))

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename != file:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def crowded(size: int) -> tuple[Live, Script, Counted]:
    live = Live(logs=size, invocations=size)
    counted, script = Counted(live), Script(live)
    for number in range(size):
        script.change(f"f{number}")
        script.environment(f"e{number}", "creating")
        script.environment(f"e{number}", "init")
        script.accept(f"running {number}")
        script.accept(f"done {number}")
        script.finish(f"done {number}")
        script.change(f"gone {number}")
        script.delete(f"gone {number}")
        script.log()
        script.log()
    return live, script, counted


def test_the_cost_of_changes_follows_what_changed() -> None:
    costs = set()
    for size in (10, 100, 1000):
        live, script, counted = crowded(size)
        since = live.seq
        script.start("running 0")
        script.environment("e0", "busy")
        script.log()
        counted.items = 0
        lines = lines_of(lambda live=live, since=since: live.changes(since, 0, 0.0))
        costs.add((lines, counted.items))
        counted.items = 0
        live.changes(live.seq, 0, 0.0)
        assert counted.items <= 6
    assert len(costs) == 1
    assert costs.pop()[1] < 20


def test_the_cost_of_an_event_does_not_depend_on_what_there_is() -> None:
    steps: dict[str, Callable[[Script], None]] = {
        "accept": lambda script: script.accept("new", "f0"),
        "start": lambda script: script.start("new"),
        "finish": lambda script: script.finish("new"),
        "refuse": lambda script: script.refuse("other", "f0"),
        "log": lambda script: script.log(),
        "change": lambda script: script.change("f0"),
        "environment": lambda script: script.environment("e0", "busy"),
        "end": lambda script: script.environment("e0", "failed"),
    }
    costs = []
    for size in (10, 1000):
        _, script, counted = crowded(size)
        script.accept("full")
        script.finish("full")  # so that the rings drop something
        counted.items = 0
        costs.append({name: lines_of(lambda step=step, script=script: step(script)) for name, step in steps.items()})
        assert counted.items == 0
    assert costs[0] == costs[1]
    assert max(costs[0].values()) < 60
