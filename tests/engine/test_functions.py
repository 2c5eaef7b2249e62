"""Functions that are created: what state they are in, and what is refused, with the real store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import CHANGES, Gate, World, archive, code_of, configured, get, numbers, world
from workbench.model.errors import (
    CodeSigningConfigNotFound,
    InvalidParameterValue,
    ResourceConflict,
    RuntimeUnavailable,
    StateError,
)
from workbench.model.functions import FunctionState, NewFunction, UpdateStatus
from workbench.model.invocations import InvocationType, InvokeRequest
from workbench.model.names import FunctionRef
from workbench.model.records import CodeSigningConfig

PENDING = "The operation cannot be performed at this time. The function is currently in the following state: Pending"


async def test_a_new_function_is_pending_then_active_with_another_revision(made: World, gate: Gate) -> None:
    gate.opened.clear()
    created = await made.engine.create_function(
        NewFunction(name="f", configuration=configured(), code=archive({"app.py": "1"}), tags={"a": "b"})
    )
    await made.clock.settle()
    assert await get(made) == created
    assert (created.state, created.state_reason, created.state_reason_code, created.update_status) == (
        FunctionState.PENDING,
        "The function is being created.",
        "Creating",
        None,
    )
    gate.opened.set()
    await made.clock.settle()
    active = await get(made)
    assert active == replace(
        created,
        revision_id=active.revision_id,
        state=FunctionState.ACTIVE,
        state_reason=None,
        state_reason_code=None,
        update_status=UpdateStatus.SUCCESSFUL,
    )
    assert active.revision_id != created.revision_id


INVOCATIONS: dict[str, Callable[[World], Awaitable[Any]]] = {
    kind.value: lambda made, kind=kind: _invoke(made, kind)  # type: ignore[misc]
    for kind in InvocationType
}


async def _invoke(made: World, kind: InvocationType) -> Any:
    return await made.engine.invoke(InvokeRequest(function=FunctionRef("f"), type=kind))


@pytest.mark.parametrize("call", {**CHANGES, **INVOCATIONS})
async def test_what_is_pending_can_be_read_and_deleted_only(made: World, gate: Gate, call: str) -> None:
    gate.opened.clear()
    await made.create()
    with pytest.raises(ResourceConflict) as caught:
        await {**CHANGES, **INVOCATIONS}[call](made)
    assert caught.value.message == PENDING
    assert (await get(made)).state is FunctionState.PENDING
    assert [version.name for version in await made.engine.list_functions()] == ["f"]
    await made.engine.delete_function(FunctionRef("f"))
    gate.opened.set()
    await made.clock.settle()
    assert await made.engine.list_functions() == ()


async def test_a_function_whose_runtime_is_missing_becomes_active_and_its_invocation_says_why(
    made: World, gate: Gate
) -> None:
    gate.missing = "no Python 3.12 here"
    assert (await made.create()).state is FunctionState.ACTIVE
    pending = made.submit()
    await made.clock.settle()
    with pytest.raises(RuntimeUnavailable, match=r"no Python 3\.12 here"):
        await pending
    gate.missing = None
    assert (await made.invoke()).function_error is None


async def test_a_function_that_cannot_be_made_ready_fails_and_says_why(made: World, gate: Gate) -> None:
    gate.broken = "the disk is full"
    failed = await made.create()
    assert (failed.state, failed.state_reason, failed.state_reason_code) == (
        FunctionState.FAILED,
        "the disk is full",
        "InternalError",
    )
    assert failed.update_status is UpdateStatus.FAILED
    with pytest.raises(ResourceConflict, match=r"in the following state: Failed.*the disk is full"):
        await made.invoke()
    gate.broken = None
    assert (await made.change()).state is FunctionState.ACTIVE
    assert (await made.invoke()).function_error is None


async def test_an_update_is_in_progress_for_a_while(tmp_path: Path) -> None:
    async with world(tmp_path / "slow", update_seconds=0.25) as made:
        await made.create()
        await made.change()
        with pytest.raises(ResourceConflict, match="An update is in progress for resource"):
            await made.engine.publish_version("f")
        await made.invoke()
        assert code_of(made) == ["1"]
        await made.clock.advance(0.25)
        assert (await get(made)).update_status is UpdateStatus.SUCCESSFUL
        await made.invoke()
        assert code_of(made) == ["1", "2"]


async def test_a_function_is_created_with_a_code_signing_configuration_that_exists(made: World) -> None:
    config = await made.engine.put_code_signing_config(
        CodeSigningConfig(id="", publishers=("arn",), last_modified=0.0), new=True
    )
    new = NewFunction(
        name="f", configuration=configured(), code=archive({"app.py": "1"}), code_signing_config=config.id
    )
    with pytest.raises(CodeSigningConfigNotFound, match="cannot be found"):
        await made.engine.create_function(replace(new, code_signing_config="csc-0"))
    await made.engine.create_function(new)
    assert (await made.engine.get_attached("f")).code_signing_config == config.id


async def test_a_name_is_taken_once(made: World) -> None:
    new = NewFunction(name="f", configuration=configured(), code=archive({"app.py": "1"}))
    answers = await asyncio.gather(*(made.engine.create_function(new) for _ in range(5)), return_exceptions=True)
    conflicts = [answer for answer in answers if isinstance(answer, ResourceConflict)]
    assert len(conflicts) == 4
    assert {conflict.message for conflict in conflicts} == {"Function already exist: f"}


async def test_a_bad_archive_is_refused_and_leaves_no_function(made: World, tmp_path: Path) -> None:
    for code in (b"", b"no zip", archive({"../out": "x"})):
        with pytest.raises(InvalidParameterValue):
            await made.engine.create_function(NewFunction(name="f", configuration=configured(), code=code))
    assert await made.engine.list_functions() == ()
    await made.create()
    before = await get(made)
    with pytest.raises(InvalidParameterValue):
        await made.engine.update_function_code("f", b"no zip")
    assert await get(made) == before
    assert not list((tmp_path / "state" / "trees").glob(".*"))


async def test_what_the_store_does_not_take_is_told_and_not_done(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await made.create()
    await made.engine.publish_version("f")
    await made.engine.create_alias("f", "live", "1")
    before = (await get(made), await numbers(made), await made.engine.list_aliases("f"))

    def full(*args: object) -> None:
        raise StateError("database or disk is full")

    for call in (
        "put_code",
        "put_version",
        "publish",
        "put_alias",
        "delete_alias",
        "delete_version",
        "delete_function",
    ):
        monkeypatch.setattr(made.engine._store, call, full)
    new = NewFunction(name="g", configuration=configured(), code=archive({"app.py": "1"}))
    for attempt in (
        made.engine.create_function(new),
        made.engine.update_function_code("f", archive({"app.py": "9"})),
        made.engine.update_function_configuration("f", configured(timeout=9)),
        made.engine.create_alias("f", "other", "1"),
        made.engine.update_alias("f", "live", version="1", description="x"),
        made.engine.delete_alias("f", "live"),
        made.engine.delete_function(FunctionRef("f")),
    ):
        with pytest.raises(StateError, match="disk is full"):
            await attempt
    await made.clock.settle()
    assert (await get(made), await numbers(made), await made.engine.list_aliases("f")) == before
    assert [version.name for version in await made.engine.list_functions()] == ["f"]
    assert (await made.invoke(qualifier="live")).executed_version == "1"


async def test_pending_is_left_even_if_the_store_fails_just_then(
    tmp_path: Path, made: World, gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate.opened.clear()
    await made.create()

    def full(*args: object) -> None:
        raise StateError("database or disk is full")

    monkeypatch.setattr(made.engine._store, "put_version", full)
    gate.opened.set()
    await made.clock.settle()
    assert (await get(made)).state is FunctionState.ACTIVE
    assert (await made.invoke()).payload == b'{"n":1}'
    assert "the state of f:$LATEST cannot be written: database or disk is full" in caplog.text


async def test_a_function_that_was_pending_becomes_active_in_the_next_engine(tmp_path: Path) -> None:
    gate = Gate()
    gate.opened.clear()
    async with world(tmp_path / "state") as first:
        first.engine._functions._runtimes = gate
        await first.create()
        assert (await get(first)).state is FunctionState.PENDING
    async with world(tmp_path / "state") as second:
        await second.clock.settle()
        assert (await get(second)).state is FunctionState.ACTIVE
        assert (await second.invoke()).function_error is None
