"""Weights as people write them."""

import pytest

from workbench.model.functions import weight_of


@pytest.mark.parametrize(
    ("text", "weight"), [("0.25", 0.25), ("25%", 0.25), (" 12.5 % ", 0.125), ("100%", 1.0), ("25", 25.0), ("-1", -1.0)]
)
def test_a_weight_is_a_share_or_percent(text: str, weight: float) -> None:
    assert weight_of(text) == weight


@pytest.mark.parametrize("text", ["", "%", "half", "25%%", "25% of it", "nan"])
def test_what_is_no_weight(text: str) -> None:
    with pytest.raises(ValueError, match="no weight: "):
        weight_of(text)
