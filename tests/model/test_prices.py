"""The price list, and what a project puts over it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from workbench.model.codec import decode, encode
from workbench.model.errors import UsageError
from workbench.model.prices import ARCHITECTURES, Prices, Tier, list_prices, prices_over


def test_the_list_says_where_and_when_it_was_read() -> None:
    prices = list_prices()
    assert (prices.region, prices.source) == ("us-east-1", "https://aws.amazon.com/lambda/pricing/")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", prices.read)
    assert decode(Prices, encode(prices)) == prices


def test_more_costs_less_and_arm_less_than_x86() -> None:
    rates = list_prices().rates
    for architecture in ARCHITECTURES:
        tiers = rates[architecture].duration
        assert [tier.price for tier in tiers] == sorted((tier.price for tier in tiers), reverse=True)
        assert tiers[-1].up_to is None
    assert rates["arm64"].duration[0].price < rates["x86_64"].duration[0].price
    assert rates["arm64"].provisioned < rates["x86_64"].provisioned


def test_a_project_replaces_what_it_names() -> None:
    prices = prices_over({"region": "eu-central-1", "requests": 0.25, "arm64": {"duration": 0.5, "storage": 0}}, "x")
    assert (prices.region, prices.requests, prices.read) == ("eu-central-1", 0.25, list_prices().read)
    assert prices.rates["arm64"].duration == (Tier(0.5),)
    assert (prices.rates["arm64"].storage, prices.rates["arm64"].provisioned) == (0.0, 0.0000033334)
    assert prices.rates["x86_64"] == list_prices().rates["x86_64"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"request": 1}, "no price is called 'request'; known: region, read, source, requests, x86_64, arm64"),
        ({"x86_64": {"memory": 1}}, "no price is called 'memory'; known: duration, provisioned,"),
        ({"x86_64": 1}, r"\[x86_64\] is a table of prices, not 1"),
        ({"requests": -1}, "'requests' takes a number that is not negative, not -1"),
        ({"requests": True}, "'requests' takes a number"),
        ({"requests": float("nan")}, "'requests' takes a number"),
        ({"region": 1}, "'region' takes text, not 1"),
        ({"arm64": {"storage": "free"}}, "'arm64.storage' takes a number that is not negative, not 'free'"),
        ({"arm64": {"duration": []}}, "'arm64.duration' has no tier"),
        ({"arm64": {"duration": [{"price": 1}, {"price": 1}]}}, "each tier of 'arm64.duration' but the last has"),
        (
            {"arm64": {"duration": [{"price": 2, "up_to": 5}, {"price": 2, "up_to": 5}, {"price": 1}]}},
            "the tiers of 'arm64.duration' do not rise: 5 after 5",
        ),
    ],
)
def test_a_price_that_is_none_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"^workbench.toml: {message}"):
        prices_over(changes, "workbench.toml")
