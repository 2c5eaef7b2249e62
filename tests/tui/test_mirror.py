"""The mirror holds what the engine has, whatever way the deltas cut it."""

import asyncio
from dataclasses import asdict

from tests.tui.fake_port import FakeEngine
from workbench.live.view import Delta, LogView
from workbench.model.environments import EnvironmentState as State
from workbench.model.invocations import InvocationStatus
from workbench.tui import mirror as mirror_module
from workbench.tui.mirror import Changed, Gap, Mirror


def pull(mirror: Mirror, engine: FakeEngine):
    return mirror.apply(asyncio.run(engine.changes(mirror.seq)))


def logs(*numbers: int) -> list[LogView]:
    return [LogView(n, 0, 0.0, "e-1", "hello", "1", "r", "function", f"line {n}") for n in numbers]


def delta(seq: int = 1, **parts) -> Delta:
    return Delta(seq=seq, t_mono_ns=0, wall=0.0, **parts)


def busy_engine(mirror: Mirror | None = None) -> FakeEngine:
    """A little life; pulled after every step if there is a mirror."""
    engine = FakeEngine()

    def step() -> None:
        if mirror is not None:
            pull(mirror, engine)

    engine.function("hello")
    step()
    for state in (State.CREATING, State.INIT, State.IDLE):
        engine.environment("e-1", state, "hello")
        step()
        engine.advance(100)
    for number in range(5):
        engine.run(f"r-{number}", "hello", "e-1")
        step()
        engine.advance(300)
    engine.environment("e-1", State.STOPPED, "hello", reason="idle")
    engine.refused("r-x", "hello")
    step()
    return engine


def test_many_small_deltas_give_what_one_big_one_gives():
    small, big = Mirror(), Mirror()
    engine = busy_engine(small)
    big.apply(asyncio.run(engine.changes(0)))
    assert {k: asdict(v) for k, v in small.environments.items()} == {k: asdict(v) for k, v in big.environments.items()}
    assert small.invocations == big.invocations
    assert list(small.invocations) == list(big.invocations)
    assert small.functions == big.functions
    assert list(small.logs) == list(big.logs)
    assert small.totals == big.totals


def test_it_says_what_changed():
    mirror, engine = Mirror(), FakeEngine()
    engine.function("hello")
    first = pull(mirror, engine)
    assert (first.functions, first.environments, first.invocations, first.logs) == (True, True, True, True)
    assert pull(mirror, engine) == Changed()
    engine.log("hi")
    changed = pull(mirror, engine)
    assert changed.logs
    assert not changed.functions
    engine.advance(250)
    assert pull(mirror, engine).tick


def test_invocations_stand_in_the_order_in_which_they_were_accepted():
    engine = FakeEngine()
    engine.function("hello")
    engine.accepted("slow", "hello", "e-1")
    engine.advance(1)
    engine.accepted("quick", "hello", "e-2")
    engine.finished("quick")
    engine.advance(1)
    engine.finished("slow")
    mirror = Mirror()
    pull(mirror, engine)
    assert list(mirror.invocations) == ["slow", "quick"]


def test_what_the_engine_forgets_is_forgotten():
    mirror, engine = Mirror(), FakeEngine(keep=2)
    engine.function("hello")
    for number in range(2):
        engine.run(f"r-{number}", "hello", "e-1")
    pull(mirror, engine)
    for number in range(2, 9):
        engine.run(f"r-{number}", "hello", "e-1")
    pull(mirror, engine)
    fresh = Mirror()
    pull(fresh, engine)
    assert list(mirror.invocations) == list(fresh.invocations)
    assert "r-0" not in mirror.invocations
    assert mirror.totals.invocations_dropped == 9 - len(mirror.invocations)


def test_a_retry_stands_where_it_was_accepted_again():
    mirror, engine = Mirror(), FakeEngine()
    engine.function("hello")
    engine.run("again", "hello", "e-1", status=InvocationStatus.ERROR)
    engine.run("other", "hello", "e-1")
    pull(mirror, engine)
    engine.run("again", "hello", "e-1")
    pull(mirror, engine)
    assert list(mirror.invocations) == ["other", "again"]


def test_lost_lines_are_counted_and_shown_as_a_gap():
    mirror = Mirror()
    mirror.apply(delta(logs=logs(1, 2)))
    mirror.apply(delta(2, logs=logs(6, 7)))
    assert [line if isinstance(line, Gap) else line.n for line in mirror.logs] == [1, 2, Gap(5, 3), 6, 7]
    assert mirror.missed_logs == 3
    assert [line.n for line in mirror.logs_of("r")] == [1, 2, 6, 7]


def test_it_keeps_no_more_than_its_own_bounds(monkeypatch):
    monkeypatch.setattr(mirror_module, "INVOCATIONS", 3)
    mirror, engine = Mirror(), FakeEngine()
    engine.function("hello")
    engine.accepted("running", "hello", "e-0")
    for number in range(5):
        engine.run(f"r-{number}", "hello", "e-1")
    pull(mirror, engine)
    assert list(mirror.invocations) == ["running", "r-3", "r-4"]
    assert mirror.logs.maxlen == mirror_module.LOGS


def test_a_full_delta_replaces_everything():
    mirror = Mirror()
    pull(mirror, busy_engine())
    mirror.apply(delta(full=True))
    assert [*mirror.functions, *mirror.environments, *mirror.invocations, *mirror.logs] == []


def test_moments_of_the_engines_clock_have_a_time_of_day():
    mirror = Mirror()
    mirror.apply(Delta(seq=1, t_mono_ns=10_000_000_000, wall=500.0))
    assert mirror.wall_at(7_500_000_000) == 497.5
