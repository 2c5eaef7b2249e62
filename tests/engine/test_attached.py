"""What is attached to functions: it lasts, it ends with what it belongs to, and changes are decided one at a time."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import World, configured, world
from workbench.model.attached import Attached, EventInvokeConfig, RuntimeManagement, ScalingConfig, UpdateRuntimeOn
from workbench.model.errors import (
    InvalidParameterValue,
    PolicyLengthExceeded,
    PreconditionFailed,
    ResourceConflict,
    ResourceInUse,
    ResourceNotFound,
)
from workbench.model.names import FunctionRef
from workbench.model.records import CapacityProvider, CodeSigningConfig, EventSourceMapping
from workbench.store.folder import StateFolder
from workbench.store.sqlite import MIGRATIONS, SqliteStore

F = FunctionRef("f")
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[World]:
    """`f` with version 1 and the alias `live` to it."""
    async with world(tmp_path / "state") as engine:
        await prepare(engine)
        yield engine


async def prepare(made: World) -> None:
    await made.create()
    await made.engine.publish_version("f")
    await made.engine.create_alias("f", "live", "1")


async def attach_everything(made: World, ref: FunctionRef) -> None:
    engine = made.engine
    await engine.add_permission(ref, {"Sid": "s", "Effect": "Allow"})
    if ref.qualifier != "1":
        await engine.create_function_url(ref, "NONE", cors={"MaxAge": 1})
    await engine.put_event_invoke_config(ref, EventInvokeConfig(maximum_retry_attempts=1))
    if ref.qualifier != "live":
        await engine.put_runtime_management(ref, RuntimeManagement(update_runtime_on=UpdateRuntimeOn.FUNCTION_UPDATE))


async def attached(made: World) -> Attached:
    return await made.engine.get_attached("f")


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await prepare(made)
        for qualifier in (None, "1", "live"):
            await attach_everything(made, FunctionRef("f", qualifier))
        await made.engine.put_concurrency(F, 7)
        await made.engine.put_recursive_loop("f", "Allow")
        await made.engine.put_scaling_config(FunctionRef("f", "1"), ScalingConfig(minimum=1, maximum=2))
        signing = await made.engine.put_code_signing_config(
            CodeSigningConfig(id="", publishers=("p",), last_modified=0.0), new=True
        )
        await made.engine.put_function_code_signing("f", signing.id)
        await made.engine.change_tags("arn:aws:lambda:us-east-1:000000000000:function:f", {"a": "b"})
        await made.engine.create_event_source_mapping(
            EventSourceMapping(id="", function="f", source=QUEUE, settings={"BatchSize": 1}, last_modified=0.0)
        )
        await made.engine.put_capacity_provider(CapacityProvider(id="cp", last_modified=0.0), new=True)
        await made.clock.advance(1)
        before = await everything(made)
        routes = await made.engine.list_routes()
    async with world(tmp_path / "state") as made:
        assert await everything(made) == before
        assert sorted(map(str, await made.engine.list_routes())) == sorted(map(str, routes))
    assert [mapping.state for mapping in before[1]] == ["Enabled"]
    assert [provider.state for provider in before[3]] == ["Active"]


async def everything(made: World) -> Any:
    engine = made.engine
    return (
        await attached(made),
        await engine.list_event_source_mappings(),
        await engine.list_code_signing_configs(),
        await engine.list_capacity_providers(),
    )


@pytest.mark.parametrize("qualifier", ["1", "live"])
async def test_what_belongs_to_a_version_or_an_alias_ends_with_it(tmp_path: Path, qualifier: str) -> None:
    ref = FunctionRef("f", qualifier)
    async with world(tmp_path / "state") as made:
        await prepare(made)
        await attach_everything(made, F)
        before = await attached(made)
        await attach_everything(made, ref)
        assert await attached(made) != before
        await made.engine.delete_alias("f", "live")
        if qualifier == "1":
            await made.engine.delete_function(ref)
        else:
            await made.engine.create_alias("f", "live", "1")
        assert await attached(made) == before
        assert [str(route) for route in await made.engine.list_routes()] == ["function URL /_url/f/"]
    async with world(tmp_path / "state") as made:
        assert await attached(made) == before


async def test_a_function_that_is_made_anew_has_nothing_of_the_old(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await prepare(made)
        await attach_everything(made, F)
        await made.engine.put_concurrency(F, 900)
        await made.engine.delete_function(F)
        assert await made.engine.list_routes() == ()
        await made.create()
        assert await attached(made) == Attached()
        await made.create("g")
        await made.engine.put_concurrency(FunctionRef("g"), 900)
    async with world(tmp_path / "state") as made:
        assert await attached(made) == Attached()


# -- policies
async def test_a_policy_guards_itself_by_its_revision(made: World) -> None:
    engine, alias = made.engine, await made.engine.get_alias("f", "live")
    live = FunctionRef("f", "live")
    with pytest.raises(PreconditionFailed, match="Call the GetPolicy API"):
        await engine.add_permission(live, {"Sid": "a"}, revision_id="wrong")
    await engine.add_permission(live, {"Sid": "a"}, revision_id=alias.revision_id)
    first = (await engine.get_policy(live)).revision_id
    await engine.add_permission(live, {"Sid": "b"}, revision_id=first)
    second = (await engine.get_policy(live)).revision_id
    assert first != second
    with pytest.raises(PreconditionFailed):
        await engine.remove_permission(live, "a", revision_id=first)
    await engine.remove_permission(live, "a", revision_id=second)
    await engine.remove_permission(live, "b")
    with pytest.raises(ResourceNotFound, match=r"The resource you requested does not exist\."):
        await engine.get_policy(live)


async def test_a_policy_and_a_publication_change_the_revision_but_not_what_runs(made: World) -> None:
    engine = made.engine
    await made.invoke()
    (before,) = await made.environments()
    revisions = [(await engine.get_function(F)).revision_id]
    await engine.add_permission(F, {"Sid": "a"})
    revisions.append((await engine.get_function(F)).revision_id)
    assert (await engine.get_policy(F)).revision_id == revisions[-1]
    await engine.update_function_configuration("f", configured(timeout=9))
    await made.clock.settle()
    revisions.append((await engine.get_function(F)).revision_id)
    await engine.publish_version("f", revision_id=revisions[-1])
    revisions.append((await engine.get_function(F)).revision_id)
    assert len(set(revisions)) == 4
    live, alias = FunctionRef("f", "live"), await engine.get_alias("f", "live")
    await engine.add_permission(live, {"Sid": "a"}, revision_id=alias.revision_id)
    assert (await engine.get_policy(live)).revision_id == (await engine.get_alias("f", "live")).revision_id
    await made.invoke()
    ran = [view.id for view in await made.environments() if view.invocations and not view.state.final]
    await engine.add_permission(F, {"Sid": "b"})
    await engine.remove_permission(F, "a")
    await made.invoke()
    assert [view.id for view in await made.environments() if view.invocations and not view.state.final] == ran
    assert before.id not in ran


async def test_statements_that_come_at_once_are_all_kept(made: World) -> None:
    await asyncio.gather(*(made.engine.add_permission(F, {"Sid": f"s{number}"}) for number in range(20)))
    assert len((await made.engine.get_policy(F)).statements) == 20
    with pytest.raises(ResourceConflict, match=r"The statement id \(s3\) provided already exists"):
        await made.engine.add_permission(F, {"Sid": "s3"})


async def test_a_policy_has_an_end(made: World) -> None:
    await made.engine.add_permission(F, {"Sid": "a", "Principal": "x" * 20_000})
    before = await made.engine.get_policy(F)
    with pytest.raises(PolicyLengthExceeded, match=r"is bigger than the limit \(20480\)"):
        await made.engine.add_permission(F, {"Sid": "b", "Principal": "x" * 500})
    assert await made.engine.get_policy(F) == before


# -- records of the account
async def test_a_mapping_settles_and_is_not_changed_before(made: World) -> None:
    engine = made.engine
    new = EventSourceMapping(id="", function="f", source=QUEUE, enabled=False, last_modified=0.0)
    mapping = await engine.create_event_source_mapping(new)
    with pytest.raises(ResourceInUse, match="Cannot update the event source mapping because it is in use"):
        await engine.update_event_source_mapping(mapping.id, enabled=True)
    with pytest.raises(ResourceInUse, match="Cannot delete the event source mapping because it is in use"):
        await engine.delete_event_source_mapping(mapping.id)
    await made.clock.advance(1)
    states = []
    for changes in ({"enabled": True}, {"settings": {"BatchSize": 2}}, {"enabled": False}):
        states.append((await engine.update_event_source_mapping(mapping.id, **changes)).state.value)
        await made.clock.advance(1)
        states.append((await engine.list_event_source_mappings())[0].state.value)
    assert states == ["Enabling", "Enabled", "Updating", "Enabled", "Disabling", "Disabled"]
    assert (await engine.delete_event_source_mapping(mapping.id)).state.value == "Deleting"
    await made.clock.advance(1)
    assert await engine.list_event_source_mappings() == ()


async def test_a_mapping_outlives_its_function(made: World) -> None:
    new = EventSourceMapping(id="", function="f", source=QUEUE, last_modified=0.0)
    mapping = await made.engine.create_event_source_mapping(new)
    with pytest.raises(ResourceConflict, match=f"delete the existing mapping with UUID {mapping.id}"):
        await made.engine.create_event_source_mapping(new)
    await made.clock.advance(1)
    await made.engine.delete_function(F)
    (left,) = await made.engine.list_event_source_mappings()
    assert (left.function, left.state.value) == ("f", "Enabled")
    with pytest.raises(InvalidParameterValue, match="Function does not exist"):
        await made.engine.create_event_source_mapping(new)


async def test_a_mapping_that_was_deleting_is_gone_in_the_next_engine(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await made.create()
        new = EventSourceMapping(id="", function="f", source=QUEUE, last_modified=0.0)
        mapping = await made.engine.create_event_source_mapping(new)
        await made.clock.advance(1)
        await made.engine.delete_event_source_mapping(mapping.id)
    async with world(tmp_path / "state") as made:
        await made.clock.advance(1)
        assert await made.engine.list_event_source_mappings() == ()


# -- the store
def test_tags_of_an_older_store_are_taken_over(tmp_path: Path) -> None:
    state = tmp_path / "state"
    SqliteStore(StateFolder(state)).close()
    number = next(index for index, script in enumerate(MIGRATIONS) if "CREATE TABLE attached" in script)
    (state / "state.db").unlink()
    database = sqlite3.connect(state / "state.db")
    for script in MIGRATIONS[:number]:
        database.executescript(script)
    for name, version, tags in (("f", "$LATEST", {"a": "b"}), ("f", "1", {"old": "x"}), ("g", "$LATEST", {})):
        document = json.dumps({"name": name, "tags": tags})
        database.execute("INSERT INTO versions VALUES (?, ?, ?)", (name, version, document))
    database.execute(f"PRAGMA user_version = {number}")
    database.commit()
    database.close()
    store = SqliteStore(StateFolder(state))
    assert store.attached() == {"f": Attached(tags={"a": "b"})}
    store.close()
