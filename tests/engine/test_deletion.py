"""What goes with a function or a version, and what may not go."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.world import Gate, World, archive, code_of, configured, get, numbers, world
from workbench.model.errors import InvalidParameterValue, ResourceConflict, WorkbenchError
from workbench.model.functions import FunctionState, NewFunction
from workbench.model.names import FunctionRef
from workbench.testing.fakes import FakeRuntime


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
