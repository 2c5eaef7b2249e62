"""Functions, versions and aliases: AWS's rules and texts, with the real store."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import ROLE, World, archive, configured, world
from workbench.model.errors import (
    CodeSigningConfigNotFound,
    InvalidParameterValue,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
    RuntimeUnavailable,
    StateError,
    ValidationException,
    WorkbenchError,
)
from workbench.model.functions import FunctionState, FunctionVersion, NewFunction, UpdateStatus
from workbench.model.invocations import InvocationType, InvokeRequest
from workbench.model.layers import NewLayerVersion
from workbench.model.names import FunctionRef
from workbench.model.records import CodeSigningConfig
from workbench.model.runtimes import RuntimeVersion
from workbench.testing.fakes import FakeRuntime, FakeRuntimes

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
PENDING = "The operation cannot be performed at this time. The function is currently in the following state: Pending"
IN_PROGRESS = f"The operation cannot be performed at this time. An update is in progress for resource: {ARN}f"
REVISION = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)


class Gate(FakeRuntimes):
    """Runtimes that are found once somebody opens the gate, or not at all."""

    def __init__(self) -> None:
        super().__init__("python3.12", "python3.13")
        self.opened = asyncio.Event()
        self.opened.set()
        self.missing: str | None = None
        self.broken: str | None = None

    async def resolve(self, runtime: str, arn: str | None = None) -> RuntimeVersion:
        await self.opened.wait()
        if self.missing is not None:
            raise RuntimeUnavailable(self.missing)
        if self.broken is not None:
            raise StateError(self.broken)
        return await super().resolve(runtime, arn)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def made(tmp_path: Path, gate: Gate) -> AsyncIterator[World]:
    async with world(tmp_path / "state", runtimes=gate) as opened:
        yield opened


def sha256(code: str) -> str:
    """The guard of a function whose app.py has this content."""
    return base64.b64encode(hashlib.sha256(archive({"app.py": code})).digest()).decode()


async def get(made: World, name: str = "f", qualifier: str | None = None) -> FunctionVersion:
    return await made.engine.get_function(FunctionRef(name, qualifier))


def code_of(made: World) -> list[str]:
    """What app.py holds in each environment that was launched."""
    return [environment.spec.task.joinpath("app.py").read_text() for environment in made.backend.environments]


async def numbers(made: World) -> list[str]:
    return [version.version for version in await made.engine.list_versions("f")]


# -- creation and its states
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


CHANGES: dict[str, Callable[[World], Awaitable[Any]]] = {
    "code": lambda made: made.engine.update_function_code("f", archive({"app.py": "2"})),
    "dry run": lambda made: made.engine.update_function_code("f", archive({"app.py": "2"}), dry_run=True),
    "configuration": lambda made: made.engine.update_function_configuration("f", configured(timeout=9)),
    "publish": lambda made: made.engine.publish_version("f"),
}
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


# -- updates
async def test_while_an_update_is_in_progress_the_previous_code_and_configuration_serve(
    made: World, gate: Gate
) -> None:
    await made.create(memory_size=128)
    gate.opened.clear()
    gate_open = gate.opened
    updated = await made.engine.update_function_code("f", archive({"app.py": "2"}))
    assert (updated.state, updated.update_status, updated.update_reason, updated.update_reason_code) == (
        FunctionState.ACTIVE,
        UpdateStatus.IN_PROGRESS,
        "The function is being created.",
        "Creating",
    )
    for name, call in CHANGES.items():
        with pytest.raises(ResourceConflict) as caught:
            await call(made)
        assert caught.value.message == IN_PROGRESS, name
    assert await get(made) == updated
    assert made.engine._tables.functions["f"].serving.code.sha256 != updated.code.sha256  # type: ignore[union-attr]
    gate_open.set()
    await made.clock.settle()
    done = await get(made)
    assert (done.update_status, done.update_reason, done.update_reason_code) == (UpdateStatus.SUCCESSFUL, None, None)
    assert done.revision_id not in (updated.revision_id, "")
    await made.invoke()
    assert code_of(made) == ["2"]


async def test_invocations_meanwhile_run_the_previous_code(made: World, gate: Gate) -> None:
    await made.create(memory_size=128)
    await made.invoke()
    gate.opened.clear()
    await made.engine.update_function_code("f", archive({"app.py": "2"}))
    warm, cold = made.submit(), made.submit()
    gate.opened.set()
    await made.clock.settle()
    assert [(await result).executed_version for result in (warm, cold)] == ["$LATEST", "$LATEST"]
    assert code_of(made) == ["1", "1"]
    await made.invoke()
    assert code_of(made) == ["1", "1", "2"]


async def test_configuration_meanwhile_is_the_previous_one_too(made: World, gate: Gate) -> None:
    await made.create(memory_size=128)
    await made.invoke()
    gate.opened.clear()
    await made.engine.update_function_configuration("f", configured(memory_size=512))
    assert (await made.invoke()).memory_size == 128
    assert (await get(made)).configuration.memory_size == 512
    gate.opened.set()
    await made.clock.settle()
    assert (await made.invoke()).memory_size == 512


async def test_an_update_ends_the_environments_but_lets_invocations_finish(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            await made.clock.sleep(1)
            runtime.respond(event.request_id, b'"done"')

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=60)
        running = made.submit()
        await made.clock.settle()
        await made.change()
        await made.clock.advance(2)
        assert (await running).payload == b'"done"'
        again = made.submit()
        await made.clock.advance(2)
        await again
        assert code_of(made) == ["1", "2"]
        await made.clock.advance(10)
        assert [view.state.value for view in await made.environments()] == ["stopped", "frozen"]


async def test_a_failed_update_leaves_the_old_code_in_service(made: World, gate: Gate) -> None:
    await made.create()
    gate.broken = "it is gone"
    failed = await made.change()
    assert (failed.state, failed.update_status, failed.update_reason, failed.update_reason_code) == (
        FunctionState.ACTIVE,
        UpdateStatus.FAILED,
        "it is gone",
        "InternalError",
    )
    gate.broken = None
    await made.invoke()
    assert code_of(made) == ["1"]
    assert (await made.change(code="3")).update_status is UpdateStatus.SUCCESSFUL
    await made.invoke()
    assert code_of(made) == ["1", "3"]


async def test_a_dry_run_changes_nothing(made: World) -> None:
    before = await made.create()
    answer = await made.engine.update_function_code("f", archive({"app.py": "2"}), dry_run=True, architecture="arm64")
    assert (answer.code.sha256, answer.configuration.architecture) == (
        hashlib.sha256(archive({"app.py": "2"})).hexdigest(),
        "arm64",
    )
    assert await get(made) == before


async def test_code_and_architecture_can_change_together(made: World) -> None:
    await made.create()
    await made.engine.update_function_code("f", archive({"app.py": "2"}), architecture="arm64")
    await made.clock.settle()
    assert (await get(made)).configuration.architecture == "arm64"


async def test_one_of_two_updates_at_once_is_refused(made: World) -> None:
    await made.create()
    answers = await asyncio.gather(
        made.engine.update_function_code("f", archive({"app.py": "2"})),
        made.engine.update_function_configuration("f", configured(timeout=9)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [FunctionVersion, ResourceConflict]


@pytest.mark.parametrize("call", ["code", "configuration", "publish", "alias"])
async def test_a_wrong_revision_is_refused_in_awss_words(made: World, call: str) -> None:
    await made.create()
    await made.engine.publish_version("f")
    latest = await get(made)
    alias = await made.engine.create_alias("f", "live", "1")
    calls: dict[str, Callable[[str], Awaitable[Any]]] = {
        "code": lambda given: made.engine.update_function_code("f", archive({"app.py": "2"}), revision_id=given),
        "configuration": lambda given: made.engine.update_function_configuration(
            "f", configured(timeout=9), revision_id=given
        ),
        "publish": lambda given: made.engine.publish_version("f", revision_id=given),
        "alias": lambda given: made.engine.update_alias("f", "live", description="x", revision_id=given),
    }
    with pytest.raises(PreconditionFailed) as caught:
        await calls[call]("00000000-0000-4000-8000-000000000000")
    assert caught.value.message == REVISION
    assert await get(made) == latest
    answer = await calls[call](alias.revision_id if call == "alias" else latest.revision_id)
    assert answer.revision_id not in (latest.revision_id, alias.revision_id)


@pytest.mark.parametrize(
    "call",
    [
        lambda engine: engine.update_function_code("nobody", b""),
        lambda engine: engine.update_function_configuration("nobody", configured()),
        lambda engine: engine.publish_version("nobody"),
        lambda engine: engine.get_function(FunctionRef("nobody")),
        lambda engine: engine.list_versions("nobody"),
        lambda engine: engine.delete_function(FunctionRef("nobody")),
        lambda engine: engine.delete_function(FunctionRef("nobody", "1")),
        lambda engine: engine.update_alias("nobody", "live"),
        lambda engine: engine.get_alias("nobody", "live"),
        lambda engine: engine.list_aliases("nobody"),
        lambda engine: engine.delete_alias("nobody", "live"),
    ],
)
async def test_a_missing_function_is_named_by_its_arn(made: World, call: Callable[[Any], Awaitable[Any]]) -> None:
    with pytest.raises(ResourceNotFound) as caught:
        await call(made.engine)
    assert caught.value.message == f"Function not found: {ARN}nobody"


@pytest.mark.parametrize("qualifier", ["7", "live", "LATEST"])
async def test_a_missing_qualifier_is_named_with_it(made: World, qualifier: str) -> None:
    await made.create()
    for call in (get(made, "f", qualifier), _invoke_qualified(made, qualifier)):
        with pytest.raises(ResourceNotFound) as caught:
            await call
        assert caught.value.message == f"Function not found: {ARN}f:{qualifier}"


async def _invoke_qualified(made: World, qualifier: str) -> Any:
    return await made.engine.invoke(InvokeRequest(function=FunctionRef("f", qualifier)))


# -- versions
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


# -- aliases
@pytest.fixture
async def aliased(made: World) -> World:
    """A function with versions 1 to 3; 3 has another role, 4 another dead-letter queue."""
    await made.create()
    await made.engine.publish_version("f")
    for changes in ({"timeout": 9}, {"role": ROLE + "2"}, {"settings": {"DeadLetterConfig": {"TargetArn": "q"}}}):
        await made.engine.update_function_configuration("f", configured(**changes))
        await made.clock.settle()
        await made.engine.publish_version("f")
    return made


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


# -- deletion
async def test_a_function_goes_with_all_that_is_its_own(aliased: World, tmp_path: Path) -> None:
    await aliased.engine.create_alias("f", "live", "1")
    await aliased.create("g")
    await aliased.invoke()
    await aliased.engine.delete_function(FunctionRef("f"))
    await aliased.clock.settle()
    assert [version.name for version in await aliased.engine.list_functions()] == ["g"]
    assert {view.state.value for view in await aliased.environments()} == {"stopped"}
    await aliased.create("f")
    assert await aliased.engine.list_aliases("f") == ()
    assert await numbers(aliased) == ["$LATEST"]


async def test_an_unreferenced_version_goes_alone(aliased: World) -> None:
    await aliased.invoke(qualifier="2")
    await aliased.engine.delete_function(FunctionRef("f", "2"))
    await aliased.clock.settle()
    assert await numbers(aliased) == ["$LATEST", "1", "3", "4"]
    assert [view.state.value for view in await aliased.environments()] == ["stopped"]
    await aliased.engine.delete_function(FunctionRef("f", "2"))
    await aliased.engine.delete_function(FunctionRef("f", "99"))


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_version_that_aliases_use_stays(aliased: World, version: str) -> None:
    await aliased.engine.create_alias("f", "live", "1", weights={"2": 0.1})
    await aliased.engine.create_alias("f", "before", version)
    with pytest.raises(ResourceConflict) as caught:
        await aliased.engine.delete_function(FunctionRef("f", version))
    assert caught.value.message == (
        "Unable to delete version because the following aliases reference it: [before, live]"
    )
    await aliased.engine.update_alias("f", "live", version="3", weights={})
    await aliased.engine.delete_alias("f", "before")
    await aliased.engine.delete_function(FunctionRef("f", version))
    assert version not in await numbers(aliased)


@pytest.mark.parametrize(
    ("qualifier", "message"),
    [
        ("$LATEST", "$LATEST version cannot be deleted without deleting the function."),
        ("live", "Deletion of aliases is not currently supported."),
        ("nobody", "Deletion of aliases is not currently supported."),
    ],
)
async def test_what_cannot_be_deleted_by_itself(aliased: World, qualifier: str, message: str) -> None:
    await aliased.engine.create_alias("f", "live", "1")
    with pytest.raises(InvalidParameterValue) as caught:
        await aliased.engine.delete_function(FunctionRef("f", qualifier))
    assert caught.value.message == message


async def test_a_deletion_during_an_update_is_final(made: World, gate: Gate, tmp_path: Path) -> None:
    await made.create()
    gate.opened.clear()
    await made.engine.update_function_code("f", archive({"app.py": "2"}), publish=True)
    await made.engine.delete_function(FunctionRef("f"))
    recreated = await made.engine.create_function(
        NewFunction(name="f", configuration=configured(timeout=77), code=archive({"app.py": "3"}))
    )
    gate.opened.set()
    await made.clock.settle()
    now = await get(made)
    assert (now.configuration, now.code, now.state) == (recreated.configuration, recreated.code, FunctionState.ACTIVE)
    assert await numbers(made) == ["$LATEST"]
    await made.invoke()
    assert code_of(made) == ["3"]


async def test_a_running_invocation_outlives_its_function(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            await made.clock.sleep(1)
            runtime.respond(event.request_id, b'"done"')

    async with world(tmp_path / "state", program) as made:
        await made.create(timeout=60)
        running = made.submit()
        await made.clock.settle()
        await made.engine.delete_function(FunctionRef("f"))
        await made.clock.advance(2)
        assert (await running).payload == b'"done"'
        await made.clock.advance(2)
        assert [view.state.value for view in await made.environments()] == ["stopped"]
        with pytest.raises(WorkbenchError):
            await made.invoke()
