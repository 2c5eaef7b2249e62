"""What a template has brought: kept in mind across restarts, told when it has left, and taken away again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.world import archive, configured, world
from workbench.client.port import EnginePort
from workbench.model.errors import UsageError
from workbench.model.functions import NewFunction
from workbench.model.layers import NewLayerVersion
from workbench.model.names import FunctionRef
from workbench.model.records import Deployment
from workbench.templates.deploy import deploy
from workbench.templates.deployments import destroy, left, remember
from workbench.templates.layers import DesiredLayer
from workbench.templates.sam import DesiredFunction


def want(tmp_path: Path, name: str) -> DesiredFunction:
    folder = tmp_path / "code" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(name)
    return DesiredFunction(name=name, logical_id=name, configuration=configured(), folder=folder)


async def bring(port: EnginePort, tmp_path: Path, source: str, *names: str, layers: tuple[str, ...] = ()) -> None:
    functions = [want(tmp_path, name) for name in names]
    content = want(tmp_path, "layer").folder
    wanted = [DesiredLayer(name=name, logical_id=name, content=content) for name in layers]
    await deploy(port, functions, wanted)
    await remember(port, source, functions, wanted)


async def test_what_left_a_template_is_told_until_it_is_deleted(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await bring(made.engine, tmp_path, "t", "a", "b", "c")
        assert await left(made.engine, "t", ["a"]) == ["b", "c"]
    async with world(tmp_path / "state") as made:
        assert await left(made.engine, "t", ["a"]) == ["b", "c"]
        await made.engine.delete_function(FunctionRef("b"))
        assert await left(made.engine, "t", ["a"]) == ["c"]
        assert await left(made.engine, "another", []) == []


async def test_destroy_takes_away_what_the_template_brought_and_nothing_else(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        port = made.engine
        await port.create_function(NewFunction(name="mine", configuration=configured(), code=archive({"a": "1"})))
        await port.publish_layer_version(NewLayerVersion(name="words", code=archive({"w": "1"})))
        await bring(port, tmp_path, "t", "a", "b", layers=("words",))
        assert await destroy(port, "t") == ["deleted a", "deleted b", "deleted version 2 of layer words"]
        assert [version.name for version in await port.list_functions()] == ["mine"]
        assert [version.version for version in await port.list_layer_versions("words")] == [1]
        with pytest.raises(UsageError, match="nothing here was deployed from t"):
            await destroy(port, "t")


async def test_a_function_belongs_to_the_template_that_brought_it_last(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await bring(made.engine, tmp_path, "one", "a", "b")
        await bring(made.engine, tmp_path, "two", "b")
        assert await made.engine.list_deployments() == (
            Deployment(id="one", functions=("a",)),
            Deployment(id="two", functions=("b",)),
        )
        assert await destroy(made.engine, "one") == ["deleted a"]


async def test_what_was_deleted_and_made_by_hand_is_no_templates(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await bring(made.engine, tmp_path, "t", "a")
        await made.engine.delete_function(FunctionRef("a"))
        await made.create("a")
        assert await made.engine.list_deployments() == ()
