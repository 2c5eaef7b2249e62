"""The replay of records made by hand: what shares an environment, what is left out, what AWS would refuse."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from workbench.engine.replay import Setting
from workbench.engine.what_if import Recorded, forecast
from workbench.model.cost import Allocation
from workbench.model.errors import UsageError
from workbench.model.forecast import Forecast, Outcome, WhatIf
from workbench.model.history import PastInvocation
from workbench.model.invocations import InvocationStatus, InvocationType
from workbench.model.names import FunctionRef
from workbench.model.prices import list_prices

BEGUN = 1_700_000_000.0
SETTING = Setting(
    concurrency_limit=1000, scaling_rate=1000, idle_stop=300.0, max_life=7200.0, claim_seconds=0.02, reserved={}
)
numbers = itertools.count(1)


def past(at: float, *, cold: bool = False, takes: float = 1.0, **changes: Any) -> PastInvocation:
    """An invocation that came so many seconds after the beginning; a cold start takes 400 ms, 300 of them INIT."""
    wait = 400.0 if cold else 1.0
    made = PastInvocation(
        n=next(numbers),
        request_id=f"r-{next(numbers)}",
        function="f",
        qualifier="live",
        version="1",
        type=InvocationType.REQUEST_RESPONSE,
        status=InvocationStatus.SUCCESS,
        wall=BEGUN + at,
        started_ms=wait,
        responded_ms=wait + takes * 1000,
        finished_ms=wait + takes * 1000 + 1,
        init_ms=300.0 if cold else None,
        duration_ms=takes * 1000,
        billed_ms=int(takes * 1000) + 300 * cold,
        memory_size=1024,
        cold=cold,
        revision="r",
        engine=BEGUN - 1,
    )
    return replace(made, **changes)


def throttled(at: float, **changes: Any) -> PastInvocation:
    blank = {"version": "", "started_ms": None, "responded_ms": None, "finished_ms": 0.0, "billed_ms": 0}
    return past(at, **{"status": InvocationStatus.THROTTLED, **blank, **changes})


def ask(*records: PastInvocation, allocations: tuple[Allocation, ...] = (), **more: Any) -> Forecast:
    change, function = more.pop("change", WhatIf(provisioned=0)), more.pop("function", None)
    recorded = Recorded(invocations=records, allocations=allocations)
    return forecast(recorded, replace(SETTING, **more), change, list_prices(), function)


def one(*records: PastInvocation, **more: Any) -> Outcome:
    (found,) = ask(*records, **more).functions
    return found.what_if


# -- what shares an environment
@pytest.mark.parametrize(
    ("changes", "cold_starts"),
    [
        ({}, 1),
        ({"engine": BEGUN + 5}, 2),
        ({"revision": "s"}, 2),
        ({"version": "2"}, 2),
        ({"tenant": "blue"}, 2),
        ({"backend": "docker"}, 2),
        ({"function": "g"}, 2),
    ],
)
def test_no_environment_serves_two_of_any(changes: dict[str, Any], cold_starts: int) -> None:
    answer = ask(past(0, cold=True), past(10, cold=cold_starts == 2, **changes))
    assert sum(found.what_if.cold_starts for found in answer.functions) == cold_starts
    assert answer.notes == ()


@pytest.mark.parametrize(
    ("status", "cold_starts"),
    [
        (InvocationStatus.ERROR, 1),
        (InvocationStatus.TIMEOUT, 1),
        (InvocationStatus.CRASH, 1),
        (InvocationStatus.OOM, 2),
    ],
)
def test_an_environment_ends_with_its_memory(status: InvocationStatus, cold_starts: int) -> None:
    assert one(past(0, cold=True, status=status), past(10, cold=cold_starts == 2)).cold_starts == cold_starts


def test_a_provisioned_environment_that_ends_is_replaced() -> None:
    records = [past(at, provisioned=True, status=InvocationStatus.OOM) for at in (0, 5, 10)]
    assert one(*records, change=WhatIf(provisioned=1)).cold_starts == 0


# -- what is provisioned
def test_it_is_split_among_the_versions_by_their_traffic() -> None:
    records = [past(0.01 * at, cold=True, version="1" if at % 10 else "2") for at in range(20)]
    answer = one(*records, change=WhatIf(provisioned=10))
    assert answer.cold_starts == 9 + 1
    assert answer.bill.provisioned == pytest.approx(10 * 300 * 0.0000041667)
    only = one(*records, change=WhatIf(provisioned=10), function=FunctionRef("f", "2"))
    assert only.cold_starts == 18


def test_what_was_provisioned_for_some_time_served_for_that_time() -> None:
    there = Allocation(
        function="f",
        version="1",
        architecture="x86_64",
        memory_size=1024,
        count=2,
        since=BEGUN + 10,
        until=BEGUN + 20,
        init_ms=100.0,
    )
    records = [
        past(0, cold=True),
        *(past(15 + at, provisioned=True) for at in (0.0, 0.1)),
        past(15.2),
        past(25),
        past(25.1, cold=True),
    ]
    unchanged = ask(*records, allocations=(there,), change=WhatIf(reserved=100))
    assert unchanged.notes == ()
    (found,) = unchanged.functions
    assert (found.actual.cold_starts, found.what_if) == (2, found.actual)
    assert one(*records, allocations=(there,), change=WhatIf(provisioned=0)).cold_starts == 3


def test_what_runs_where_nothing_is_provisioned_any_more_counts_like_any_other() -> None:
    there = Allocation(
        function="f", version="1", architecture="x86_64", memory_size=1024, count=2, since=BEGUN, until=BEGUN + 5
    )
    records = [
        *(past(0.1 * at, provisioned=True, takes=10.0) for at in range(2)),
        *(past(6 + 0.1 * at, cold=True) for at in range(2)),
        *(throttled(6.2 + 0.1 * at) for at in range(2)),
    ]
    answer = ask(*records, allocations=(there,), change=WhatIf(reserved=4), reserved={"f": 4})
    assert answer.functions[0].what_if.throttles == 2
    assert answer.notes == ()


def test_a_version_that_was_never_cold_takes_its_INIT_from_what_was_made_ahead() -> None:
    ahead = Allocation(
        function="f", version="1", architecture="x86_64", memory_size=1024, count=1, since=BEGUN, until=BEGUN + 9
    )
    warm = past(0, provisioned=True)
    known = ask(warm, allocations=(replace(ahead, init_ms=500.0),))
    unknown = ask(warm, allocations=(ahead,))
    (first,), (second,) = known.functions, unknown.functions
    assert first.what_if.bill.duration - second.what_if.bill.duration == pytest.approx(0.5 * 0.0000166667)
    assert known.notes == ()
    assert unknown.notes == ("no cold start of f:1 is recorded: its INIT is taken as 0 ms",)


# -- what was throttled
def test_what_was_throttled_runs_the_version_of_its_time() -> None:
    records = [past(0, cold=True), throttled(0.1), past(50, cold=True, version="2", takes=3.0), throttled(50.1)]
    answer = one(*records, change=WhatIf(provisioned=0, reserved=2))
    assert (answer.invocations, answer.cold_starts, answer.throttles) == (4, 4, 0)
    assert answer.bill.duration == pytest.approx((2 * 1.3 + 2 * 3.3) * 0.0000166667)


def test_the_attempts_of_an_event_are_one_invocation() -> None:
    event: dict[str, Any] = {"type": InvocationType.EVENT, "request_id": "event"}
    records = [
        past(0, cold=True, takes=9.0),
        throttled(1, **event),
        throttled(2, **event),
        past(9.5, takes=2.0, **event),
    ]
    found = ask(*records, change=WhatIf(reserved=2), reserved={"f": 1}).functions[0]
    assert (found.actual.throttles, found.what_if.throttles) == (2, 0)
    assert (found.what_if.invocations, found.what_if.cold_starts) == (2, 2)
    given_up = one(past(0, cold=True), throttled(0.5, **event), change=WhatIf(reserved=2))
    assert (given_up.invocations, given_up.cold_starts) == (2, 2)


def test_nothing_runs_without_any_concurrency() -> None:
    event = past(5, type=InvocationType.EVENT)
    answer = one(past(0, cold=True), event, change=WhatIf(reserved=0))
    assert (answer.invocations, answer.throttles, answer.p50_ms, answer.bill.total) == (0, 2, None, 0.0)


def test_other_functions_take_of_the_same_account() -> None:
    others = [past(0.001 * at, cold=True, takes=3.0) for at in range(8)]
    asked = [past(1 + 0.001 * at, cold=True, function="g") for at in range(5)]
    answer = ask(*others, *asked, function=FunctionRef("g"), concurrency_limit=10)
    assert [(found.function, found.what_if.throttles) for found in answer.functions] == [("g", 3)]


# -- what is not known, and what cannot be
def test_what_cannot_be_replayed_is_said() -> None:
    failed = past(1, status=InvocationStatus.FAILED, started_ms=None)
    answer = ask(past(0, cold=True), failed, throttled(2, function="g"))
    assert answer.notes == (
        "1 invocations that the engine could not start are left out",
        "1 throttled invocations of functions that never ran are left out",
    )


def test_what_happened_for_reasons_that_are_not_recorded_is_said() -> None:
    (note,) = ask(past(0, cold=True), past(10, cold=True)).notes
    assert note.startswith("f: replayed without a change it has 1 cold starts and 0 throttles, not what was recorded")


@pytest.mark.parametrize(
    ("change", "function", "setting", "message"),
    [
        (WhatIf(provisioned=901), None, {}, "that would take 901 of the account's 1000; AWS keeps 100 of it for func"),
        (
            WhatIf(reserved=901),
            None,
            {},
            "without a reservation .`concurrency` in workbench.toml is the account's limit",
        ),
        (WhatIf(provisioned=3, reserved=2), None, {}, "f: 3 provisioned would be more than the 2 reserved for it"),
        (WhatIf(provisioned=3), None, {"reserved": {"f": 2}}, "f: 3 provisioned would be more than the 2 reserved"),
        (WhatIf(provisioned=200), None, {"reserved": {"g": 800}}, "that would take 1000"),
        (WhatIf(provisioned=1), FunctionRef("g"), {}, "the history has no traffic of g that could be replayed"),
        (WhatIf(provisioned=1), FunctionRef("f", "beta"), {}, "no traffic of f:beta that could be replayed"),
    ],
)
def test_what_cannot_be_is_refused(
    change: WhatIf, function: FunctionRef | None, setting: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        ask(past(0, cold=True), change=change, function=function, **setting)


def test_without_history_there_is_nothing_to_replay() -> None:
    with pytest.raises(UsageError, match="nothing has run yet"):
        ask()
