"""Updates of code and configuration: what serves meanwhile, and what is refused, in AWS's words."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import CHANGES, Gate, World, archive, code_of, configured, get, world
from workbench.model.errors import PreconditionFailed, ResourceConflict, ResourceNotFound
from workbench.model.functions import FunctionState, FunctionVersion, UpdateStatus
from workbench.model.invocations import InvokeRequest
from workbench.model.names import FunctionRef
from workbench.testing.fakes import FakeRuntime

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
IN_PROGRESS = f"The operation cannot be performed at this time. An update is in progress for resource: {ARN}f"
REVISION = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)


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
