"""Aliases: the rules of their weights, and how invocations are split by them."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from dataclasses import replace

import pytest

from tests.engine.world import World, get
from workbench.model.errors import InvalidParameterValue, ResourceConflict, ResourceNotFound, ValidationException
from workbench.model.invocations import InvocationType, InvokeRequest
from workbench.model.names import FunctionRef

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


async def test_an_alias_names_a_version(aliased: World) -> None:
    alias = await aliased.engine.create_alias("f", "live", "1", description="d")
    assert (alias.function, alias.name, alias.version, alias.description, alias.weights) == ("f", "live", "1", "d", {})
    assert await aliased.engine.get_alias("f", "live") == alias
    assert await get(aliased, "f", "live") == await get(aliased, "f", "1")
    assert (await aliased.invoke(qualifier="live")).executed_version == "1"
    latest = await aliased.engine.create_alias("f", "edge", "$LATEST")
    assert await aliased.engine.list_aliases("f") == (latest, alias)


async def test_an_update_keeps_what_is_not_given(aliased: World) -> None:
    first = await aliased.engine.create_alias("f", "live", "1", description="d", weights={"2": 0.5})
    second = await aliased.engine.update_alias("f", "live", description="e")
    assert second == replace(first, description="e", revision_id=second.revision_id)
    third = await aliased.engine.update_alias("f", "live", weights={"2": 0.1})
    assert (third.version, third.description, third.weights) == ("1", "e", {"2": 0.1})
    fourth = await aliased.engine.update_alias("f", "live", weights={})
    assert (fourth.version, fourth.weights) == ("1", {})
    fifth = await aliased.engine.update_alias("f", "live", version="2", description="")
    assert (fifth.version, fifth.description) == ("2", "")
    assert len({alias.revision_id for alias in (first, second, third, fourth, fifth)}) == 5
    assert await aliased.engine.get_alias("f", "live") == fifth


RANGE = (
    "1 validation error detected: Value '{{{entry}}}' at 'routingConfig.additionalVersionWeights' failed to satisfy "
    "constraint: Map value must satisfy constraint: [Member must have value {bound}]"
)
LATEST_WITH_ROUTING = "$LATEST is not supported for an alias pointing to more than 1 version"


@pytest.mark.parametrize(
    ("version", "weights", "kind", "message"),
    [
        (
            "1",
            {"2": 0.1, "3": 0.1},
            InvalidParameterValue,
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        ("$LATEST", {"1": 0.1}, InvalidParameterValue, LATEST_WITH_ROUTING),
        ("1", {"$LATEST": 0.1}, InvalidParameterValue, LATEST_WITH_ROUTING),
        (
            "1",
            {"1": 0.1},
            InvalidParameterValue,
            "Invalid function version 1. Function version 1 is already included in routing configuration.",
        ),
        ("1", {"2": 1.1}, ValidationException, RANGE.format(entry="2=1.1", bound="less than or equal to 1.0")),
        ("1", {"2": -0.1}, ValidationException, RANGE.format(entry="2=-0.1", bound="greater than or equal to 0.0")),
        ("1", {"2": math.nan}, ValidationException, RANGE.format(entry="2=nan", bound="greater than or equal to 0.0")),
        ("1", {"2": math.inf}, ValidationException, RANGE.format(entry="2=inf", bound="less than or equal to 1.0")),
        ("9", {}, ResourceNotFound, f"Function not found: {ARN}f:9"),
        ("1", {"9": 0.1}, ResourceNotFound, f"Function not found: {ARN}f:9"),
        ("2", {"3": 0.1}, InvalidParameterValue, "Both versions of an alias must have the same execution role"),
        (
            "2",
            {"4": 0.1},
            InvalidParameterValue,
            "Both versions of an alias must have the same dead-letter queue configuration",
        ),
    ],
)
async def test_the_rules_of_weights(
    aliased: World, version: str, weights: dict[str, float], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        await aliased.engine.create_alias("f", "live", version, weights=weights)
    assert caught.value.message == message  # type: ignore[attr-defined]
    assert await aliased.engine.list_aliases("f") == ()
    alias = await aliased.engine.create_alias("f", "live", "1")
    with pytest.raises(kind) as caught:
        await aliased.engine.update_alias("f", "live", version=version, weights=weights)
    assert caught.value.message == message  # type: ignore[attr-defined]
    assert await aliased.engine.get_alias("f", "live") == alias


@pytest.mark.parametrize("name", ["1", "42", "", "a.b", "ünï", "n" * 129, "$LATEST", "a b"])
async def test_an_alias_that_could_be_a_version_or_no_name_is_refused(aliased: World, name: str) -> None:
    with pytest.raises(ValidationException) as caught:
        await aliased.engine.create_alias("f", name, "1")
    assert caught.value.message == (
        f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
    )


async def test_aliases_that_are_there_or_are_not(aliased: World) -> None:
    await aliased.engine.create_alias("f", "live", "1")
    with pytest.raises(ResourceConflict) as conflict:
        await aliased.engine.create_alias("f", "live", "2")
    assert conflict.value.message == f"Alias already exists: {ARN}f:live"
    with pytest.raises(ResourceNotFound) as missing:
        await aliased.engine.get_alias("f", "dead")
    assert missing.value.message == f"Cannot find alias arn: {ARN}f:dead"
    with pytest.raises(ResourceNotFound) as missing:
        await aliased.engine.update_alias("f", "dead", version="1")
    assert missing.value.message == f"Alias not found: {ARN}f:dead"
    await aliased.engine.delete_alias("f", "dead")
    await aliased.engine.delete_alias("f", "live")
    await aliased.engine.delete_alias("f", "live")
    assert await aliased.engine.list_aliases("f") == ()


async def test_aliases_made_at_once_are_made_once(aliased: World) -> None:
    answers = await asyncio.gather(
        *(aliased.engine.create_alias("f", "live", str(n % 2 + 1)) for n in range(4)), return_exceptions=True
    )
    assert sum(isinstance(answer, ResourceConflict) for answer in answers) == 3


# -- the split
async def runs(made: World, count: int) -> list[str]:
    """The versions that invocations of the alias ran, in their order."""
    ran = []
    for _ in range(count):
        result = await made.invoke(qualifier="live", logs=False)
        assert result.executed_version is not None
        ran.append(result.executed_version)
    return ran


async def test_a_seeded_draw_splits_exactly(aliased: World) -> None:
    await aliased.engine.create_alias("f", "live", "1", weights={"2": 0.3})
    rng = random.Random(7)  # the seed of the world
    expected = ["2" if rng.random() < 0.3 else "1" for _ in range(200)]
    assert await runs(aliased, 200) == expected
    # What only checks does not draw.
    await aliased.engine.invoke(InvokeRequest(function=FunctionRef("f", "live"), type=InvocationType.DRY_RUN))
    assert await runs(aliased, 20) == ["2" if rng.random() < 0.3 else "1" for _ in range(20)]


@pytest.mark.parametrize("weight", [0.1, 0.5])
async def test_an_unseeded_draw_keeps_its_weight_within_five_sigma(aliased: World, weight: float) -> None:
    aliased.engine._dispatcher._random = random.Random()
    await aliased.engine.create_alias("f", "live", "1", weights={"2": weight})
    counted: Counter[str | None] = Counter()
    for _ in range(20):
        pending = [aliased.submit(qualifier="live", logs=False) for _ in range(100)]
        await aliased.clock.settle()
        await aliased.clock.advance(0.1)
        counted.update([(await one).executed_version for one in pending])
    assert counted.total() == 2000
    sigma = math.sqrt(2000 * weight * (1 - weight))
    assert abs(counted["2"] - 2000 * weight) < 5 * sigma


@pytest.mark.parametrize(("weight", "version"), [(0.0, "1"), (1.0, "2")])
async def test_weights_of_nothing_and_of_everything_are_certain(aliased: World, weight: float, version: str) -> None:
    await aliased.engine.create_alias("f", "live", "1", weights={"2": weight})
    assert set(await runs(aliased, 50)) == {version}


async def test_a_changed_weight_counts_from_the_next_invocation(aliased: World) -> None:
    await aliased.engine.create_alias("f", "live", "1", weights={"2": 1.0})
    assert await runs(aliased, 3) == ["2"] * 3
    await aliased.engine.update_alias("f", "live", weights={})
    assert await runs(aliased, 3) == ["1"] * 3
    await aliased.engine.update_alias("f", "live", version="2")
    assert await runs(aliased, 3) == ["2"] * 3
