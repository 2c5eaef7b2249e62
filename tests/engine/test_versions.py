"""Versions: when a number is taken, what a version keeps, and what is there after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import ROLE, World, archive, code_of, configured, get, numbers, sha256, world
from workbench.model.errors import InvalidParameterValue, StateError
from workbench.model.functions import FunctionState, NewFunction, UpdateStatus
from workbench.model.layers import NewLayerVersion
from workbench.model.names import FunctionRef

PENDING = "The operation cannot be performed at this time. The function is currently in the following state: Pending"


async def test_versions_are_numbered_from_one_and_frozen(made: World) -> None:
    await made.create(timeout=3)
    first = await made.engine.publish_version("f", description="the first")
    await made.change(code="2")
    await made.engine.update_function_configuration("f", configured(timeout=9))
    await made.clock.settle()
    second = await made.engine.publish_version("f")
    assert [first.version, second.version] == ["1", "2"]
    assert await get(made, "f", "1") == first
    assert (first.configuration.timeout, first.configuration.description) == (3, "the first")
    assert (second.configuration.timeout, second.configuration.description) == (9, "")
    assert (await get(made)).configuration.description == ""
    assert len({first.revision_id, second.revision_id, (await get(made)).revision_id}) == 3
    assert await made.engine.list_versions("f") == (await get(made), first, second)
    for qualifier in ("1", "2", "$LATEST", None):
        await made.invoke(qualifier=qualifier)
    assert code_of(made) == ["1", "2", "2"]


async def test_publishing_without_a_change_uses_no_number(made: World) -> None:
    await made.create()
    first = await made.engine.publish_version("f", description="only here")
    assert await made.engine.publish_version("f") == first
    assert await made.engine.publish_version("f", description="ignored") == first
    await made.change(code="2")
    await made.change(code="1")
    assert await made.engine.publish_version("f") == first
    await made.change(code="3")
    assert (await made.engine.publish_version("f")).version == "2"


@pytest.mark.parametrize(
    "change",
    [
        {"runtime": "python3.13"},
        {"handler": "x.y"},
        {"role": ROLE + "2"},
        {"description": "new"},
        {"timeout": 9},
        {"memory_size": 256},
        {"ephemeral_storage": 1024},
        {"architecture": "arm64"},
        {"environment": {"A": "b"}},
        {"environment": {}},
        {"layers": ("arn:aws:lambda:us-east-1:000000000000:layer:l:1",)},
        {"settings": {"TracingConfig": {"Mode": "Active"}}},
        {"settings": {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"}}},
    ],
    ids=str,
)
async def test_what_counts_as_a_change(made: World, change: dict[str, Any]) -> None:
    await made.engine.publish_layer_version(NewLayerVersion(name="l", code=archive({"a": "1"})))
    await made.create()
    await made.engine.publish_version("f")
    await made.clock.advance(1)
    await made.engine.update_function_configuration("f", configured(**change))
    await made.clock.settle()
    assert (await made.engine.publish_version("f")).version == "2"
    await made.clock.advance(1)
    await made.engine.update_function_configuration("f", configured(**change))
    await made.clock.settle()
    assert (await made.engine.publish_version("f")).version == "2"


async def test_the_guard_of_the_code_is_aws_base64(made: World) -> None:
    await made.create(code="1")
    with pytest.raises(InvalidParameterValue) as caught:
        await made.engine.publish_version("f", code_sha256=sha256("2"))
    assert caught.value.message == (
        f"CodeSHA256 ({sha256('2')}) is different from current CodeSHA256 in $LATEST ({sha256('1')}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )
    assert await numbers(made) == ["$LATEST"]
    assert (await made.engine.publish_version("f", code_sha256=sha256("1"))).version == "1"


async def test_many_versions_are_listed_oldest_first(made: World) -> None:
    await made.create()
    for number in range(12):
        await made.change(code=f"{number}")
        await made.engine.publish_version("f")
    assert await numbers(made) == ["$LATEST", *(str(number) for number in range(1, 13))]


async def test_publishing_at_once_gives_one_version(made: World) -> None:
    await made.create()
    published = await asyncio.gather(*(made.engine.publish_version("f") for _ in range(5)))
    assert {version.version for version in published} == {"1"}


async def test_numbers_are_not_used_again(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await made.create()
        await made.engine.publish_version("f")
        await made.engine.delete_function(FunctionRef("f", "1"))
        assert (await made.engine.publish_version("f")).version == "2"
        await made.engine.delete_function(FunctionRef("f"))
        await made.create()
        assert await numbers(made) == ["$LATEST"]
        assert (await made.engine.publish_version("f")).version == "3"
    async with world(tmp_path / "state") as made:
        await made.change(code="another")
        assert (await made.engine.publish_version("f")).version == "4"
        assert await numbers(made) == ["$LATEST", "3", "4"]


async def test_creating_with_publish_gives_version_one_which_becomes_active(made: World) -> None:
    new = NewFunction(name="f", configuration=configured(), code=archive({"app.py": "1"}), publish=True)
    first = await made.engine.create_function(new)
    assert (first.version, first.state) == ("1", FunctionState.PENDING)
    await made.clock.settle()
    for qualifier in ("1", "$LATEST"):
        version = await get(made, "f", qualifier)
        assert (version.state, version.update_status) == (FunctionState.ACTIVE, UpdateStatus.SUCCESSFUL)
    assert (await get(made, "f", "1")).revision_id != first.revision_id
    assert (await made.invoke(qualifier="1")).executed_version == "1"
    (view,) = (await made.engine.changes(0)).functions
    assert (view.versions, view.dirty) == (["1"], False)
    assert (await made.engine.publish_version("f")).version == "1"


async def test_updating_with_publish_gives_a_version_that_leaves_in_progress(made: World) -> None:
    await made.create()
    published = await made.engine.update_function_code("f", archive({"app.py": "2"}), publish=True)
    assert published.version == "1"
    await made.clock.settle()
    for qualifier in ("1", "$LATEST"):
        version = await get(made, "f", qualifier)
        assert (version.state, version.update_status, version.update_reason) == (
            FunctionState.ACTIVE,
            UpdateStatus.SUCCESSFUL,
            None,
        )
    await made.invoke(qualifier="1")
    assert code_of(made) == ["2"]
    (view,) = (await made.engine.changes(0)).functions
    assert (view.versions, view.dirty) == (["1"], False)


async def test_updating_with_publish_and_the_same_code_uses_no_number(made: World) -> None:
    await made.create()
    first = await made.engine.publish_version("f")
    assert await made.engine.update_function_code("f", archive({"app.py": "1"}), publish=True) == first
    await made.clock.settle()
    assert await numbers(made) == ["$LATEST", "1"]
    assert (await get(made)).update_status is UpdateStatus.SUCCESSFUL


async def test_the_code_of_every_version_can_be_had(made: World) -> None:
    await made.create(code="1")
    await made.engine.publish_version("f")
    await made.change(code="2")
    for qualifier, code in (("1", "1"), ("$LATEST", "2")):
        version = await get(made, "f", qualifier)
        assert await made.engine.code(version.code.sha256) == archive({"app.py": code})
    with pytest.raises(StateError):
        await made.engine.code("0" * 64)


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await made.create()
        await made.engine.publish_version("f")
        await made.change()
        await made.engine.publish_version("f")
        await made.engine.create_alias("f", "live", "1", weights={"2": 0.5})
        before = (await made.engine.list_versions("f"), await made.engine.list_aliases("f"))
        view = (await made.engine.changes(0)).functions
    async with world(tmp_path / "state") as made:
        assert (await made.engine.list_versions("f"), await made.engine.list_aliases("f")) == before
        again = (await made.engine.changes(0)).functions
        assert again == view
        assert not again[0].dirty
