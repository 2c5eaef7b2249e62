"""What it costs, by the worked examples that follow from AWS's price list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from workbench.model.cost import (
    Allocation,
    Bill,
    Usage,
    Used,
    cost_of,
    costs,
    paid,
    requests_of,
    tiered,
)
from workbench.model.history import PastInvocation
from workbench.model.invocations import InvocationStatus, InvocationType
from workbench.model.prices import Tier, list_prices, prices_over

PRICES = list_prices()
GB_S = 1024 * 1000


def past(**changes: Any) -> PastInvocation:
    made = PastInvocation(
        request_id="r",
        function="f",
        qualifier=None,
        version="1",
        type=InvocationType.REQUEST_RESPONSE,
        status=InvocationStatus.SUCCESS,
        wall=0.0,
        started_ms=1.0,
        billed_ms=500,
        memory_size=1024,
    )
    return replace(made, **changes)


def usage(**changes: Any) -> Usage:
    made = Usage(
        function="f",
        month="2026-11",
        architecture="x86_64",
        provisioned=False,
        invocations=1,
        requests=1,
        mb_ms=GB_S,
        storage_mb_ms=0,
    )
    return replace(made, **changes)


def allocation(since: float, until: float, **changes: Any) -> Allocation:
    made = Allocation(
        function="f", version="1", architecture="x86_64", memory_size=1024, count=1, since=since, until=until
    )
    return replace(made, **changes)


# -- one invocation
@pytest.mark.parametrize(
    ("changes", "duration"),
    [
        ({}, 0.5 * 0.0000166667),
        ({"architecture": "arm64"}, 0.5 * 0.0000133334),
        ({"memory_size": 128}, 0.0625 * 0.0000166667),
        ({"provisioned": True}, 0.5 * 0.0000097222),
        ({"provisioned": True, "architecture": "arm64"}, 0.5 * 0.0000077778),
        ({"status": InvocationStatus.TIMEOUT}, 0.5 * 0.0000166667),
        ({"billed_ms": 0}, 0.0),
    ],
)
def test_an_invocation_costs_a_request_and_its_billed_time(changes: dict[str, Any], duration: float) -> None:
    bill = cost_of(past(**changes), PRICES)
    assert bill.requests == pytest.approx(0.0000002)
    assert bill.duration == pytest.approx(duration)
    assert (bill.storage, bill.provisioned) == (0.0, 0.0)
    assert bill.total == bill.requests + bill.duration


def test_what_no_runtime_had_costs_nothing() -> None:
    assert cost_of(past(started_ms=None, status=InvocationStatus.THROTTLED, billed_ms=0), PRICES) == Bill()


def test_storage_beyond_512_mb_costs() -> None:
    assert cost_of(past(ephemeral_storage=512), PRICES).storage == 0.0
    assert cost_of(past(ephemeral_storage=1536), PRICES).storage == pytest.approx(0.5 * 0.0000000309)


@pytest.mark.parametrize(("kilobytes", "requests"), [(0, 1), (256, 1), (256.01, 2), (320, 2), (320.01, 3), (1024, 13)])
def test_a_large_asynchronous_event_is_several_requests(kilobytes: float, requests: int) -> None:
    size = int(kilobytes * 1024)
    assert requests_of(InvocationType.EVENT, size) == requests
    assert requests_of(InvocationType.REQUEST_RESPONSE, size) == 1


# -- tiers
def test_tiers_are_filled_one_after_the_other() -> None:
    tiers = (Tier(3.0, 10.0), Tier(2.0, 20.0), Tier(1.0))
    assert [tiered(tiers, used) * used for used in (5.0, 10.0, 15.0, 20.0, 30.0)] == pytest.approx([15, 30, 40, 50, 60])
    assert tiered(tiers, 0.0) == 3.0


def test_all_functions_of_an_architecture_fill_the_tiers_of_a_month_together() -> None:
    prices = prices_over({"x86_64": {"duration": [{"price": 4, "up_to": 1}, {"price": 1}]}}, "x")
    used = Used(
        since=1.0,
        usage=(
            usage(mb_ms=GB_S // 2),
            usage(function="g", mb_ms=3 * GB_S // 2),
            usage(month="2026-12"),
            usage(function="h", architecture="arm64"),
            usage(function="h", provisioned=True),
        ),
    )
    found = {one.function: one for one in costs(used, prices).functions}
    assert found["f"].bill.duration == pytest.approx(0.5 * 2.5 + 4)
    assert found["g"].bill.duration == pytest.approx(1.5 * 2.5)
    assert found["h"].bill.duration == pytest.approx(0.0000133334 + 0.0000097222)
    assert (found["f"].invocations, found["f"].gb_seconds) == (2, 1.5)


def test_a_function_alone_costs_what_it_costs_among_all() -> None:
    used = Used(since=1.0, usage=(usage(), usage(function="g")), allocations=(allocation(0, 300, function="h"),))
    everything = costs(used, PRICES)
    assert [one.function for one in everything.functions] == ["f", "g", "h"]
    assert costs(used, PRICES, "g").functions == (everything.functions[1],)
    assert everything.total.total == pytest.approx(sum(one.bill.total for one in everything.functions))
    assert costs(used, PRICES, "nobody").functions == ()


# -- provisioned concurrency
@pytest.mark.parametrize(("seconds", "charged"), [(1, 300), (300, 300), (300.001, 600), (0.3 * 1000, 300)])
def test_what_is_provisioned_is_paid_in_steps_of_five_minutes(seconds: float, charged: float) -> None:
    (found,) = paid([allocation(1_700_000_000.1, 1_700_000_000.1 + seconds)])
    assert found[1] == pytest.approx(charged)


def test_a_change_of_the_number_does_not_round_up_what_goes_on() -> None:
    parts = [allocation(100, 160, count=1), allocation(0, 100, count=5), allocation(160, 290, count=2)]
    assert [(one.count, seconds) for one, seconds in paid(parts)] == [(5, 100), (1, 60), (2, 140)]
    apart = [allocation(0, 100), allocation(101, 160), allocation(160, 170, version="2")]
    assert [seconds for _, seconds in paid(apart)] == [300, 300, 300]


def test_provisioned_environments_cost_by_memory_number_and_time() -> None:
    """AWS's pricing example: 1 GB, a concurrency of 1,000, two hours."""
    used = Used(since=0.0, allocations=(allocation(0, 7200, count=1000),))
    (one,) = costs(used, PRICES).functions
    assert (one.invocations, one.provisioned_gb_seconds) == (0, 7_200_000)
    assert one.bill == Bill(provisioned=pytest.approx(30.0, rel=0.001))
