"""Layers of functions: what may be attached, what stays attached, and what an environment gets to see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.world import World, archive, configured, world
from workbench.engine import layers
from workbench.model.errors import AccessDenied, ApiError, InvalidParameterValue
from workbench.model.layers import NewLayerVersion
from workbench.model.names import FunctionRef

ARN = "arn:aws:lambda:us-east-1:000000000000:layer:"
TWICE = "Two different versions of the same layer are not allowed to be referenced in the same function. "


async def publish(engine: World, name: str = "l", **files: str) -> str:
    made = await engine.engine.publish_layer_version(NewLayerVersion(name=name, code=archive(files or {"a": name})))
    return f"{ARN}{name}:{made.version}"


@pytest.mark.parametrize(
    ("arns", "kind", "message"),
    [
        ([f"{ARN}l{number}:1" for number in range(6)], InvalidParameterValue, "Cannot reference more than 5 layers."),
        ([f"{ARN}l:3"], InvalidParameterValue, f"Layer version {ARN}l:3 does not exist."),
        ([f"{ARN}other:1"], InvalidParameterValue, f"Layer version {ARN}other:1 does not exist."),
        (
            [f"{ARN}l:1", f"{ARN}l:2"],
            InvalidParameterValue,
            f"{TWICE}{ARN}l:1 and {ARN}l:2 are versions of the same layer.",
        ),
        (
            [f"{ARN}l:1", f"{ARN}l:1"],
            InvalidParameterValue,
            f"{TWICE}{ARN}l:1 and {ARN}l:1 are versions of the same layer.",
        ),
        (
            ["arn:aws:lambda:eu-west-1:000000000000:layer:l:1"],
            InvalidParameterValue,
            "Layers are not in the same region as the function. Layers are expected to be in region us-east-1.",
        ),
        (
            ["arn:aws:lambda:us-east-1:017000801446:layer:l:1"],
            AccessDenied,
            "User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:GetLayerVersion on resource: "
            "arn:aws:lambda:us-east-1:017000801446:layer:l:1 because no resource-based policy allows the "
            "lambda:GetLayerVersion action",
        ),
    ],
)
async def test_what_cannot_be_attached(engine: World, arns: list[str], kind: type[ApiError], message: str) -> None:
    await publish(engine)
    await publish(engine)
    with pytest.raises(kind) as refused:
        await engine.create(layers=tuple(arns))
    assert refused.value.message == message
    await engine.create()
    with pytest.raises(kind) as refused:
        await engine.engine.update_function_configuration("f", configured(layers=tuple(arns)))
    assert refused.value.message == message


async def test_an_environment_sees_the_layers_over_one_another(engine: World) -> None:
    first, second = await publish(engine, "one", a="1", b="1"), await publish(engine, "two", b="2")
    made = await engine.create(layers=(first, second))
    assert [code.size for code in made.layers] == [len(archive({"a": "1", "b": "1"})), len(archive({"b": "2"}))]
    await engine.invoke()
    (environment,) = engine.backend.environments
    assert environment.spec.opt is not None
    assert {path.name: path.read_text() for path in environment.spec.opt.iterdir()} == {"a": "1", "b": "2"}


async def test_a_function_without_layers_has_nothing_there(engine: World) -> None:
    await engine.create()
    await engine.invoke()
    assert engine.backend.environments[0].spec.opt is None


async def test_other_layers_are_another_configuration_for_new_environments(engine: World) -> None:
    first, second = await publish(engine, "one"), await publish(engine, "two")
    await engine.create(layers=(first,))
    await engine.invoke()
    await engine.engine.update_function_configuration("f", configured(layers=(second,)))
    await engine.clock.settle()
    await engine.invoke()
    opts = [environment.spec.opt for environment in engine.backend.environments]
    assert [(opt / "a").read_text() for opt in opts if opt is not None] == ["one", "two"]


async def test_a_deleted_version_stays_with_who_has_it_and_comes_to_nobody_else(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as engine:
        arn = await publish(engine)
        await engine.create(layers=(arn,))
        await engine.engine.delete_layer_version("l", 1)
        await engine.engine.delete_layer_version("l", 1)  # twice is no error
        with pytest.raises(InvalidParameterValue, match="does not exist"):
            await engine.create("g", layers=(arn,))
        await engine.engine.update_function_configuration("f", configured(layers=(arn,), timeout=9))
        await engine.clock.settle()
        await engine.change(code="2")
        assert (await engine.engine.publish_version("f")).layers != ()
    async with world(tmp_path / "state") as engine:
        await engine.invoke("f", "1")
        (environment,) = engine.backend.environments
        assert environment.spec.opt is not None
        assert (environment.spec.opt / "a").read_text() == "l"
        assert await publish(engine) == f"{ARN}l:2"
        assert await engine.engine.list_layer_versions("l") != ()


async def test_code_and_layers_share_one_limit(engine: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "MAX_TOGETHER", 10)
    said = (
        "Function code combined with layers exceeds the maximum allowed size of 10 bytes. The actual size is 11 bytes."
    )
    arn, large = await publish(engine, "small", a="123456789"), await publish(engine, "large", a="1234567890")
    await engine.create(code="1", layers=(arn,))
    for attempt in (
        engine.engine.update_function_code("f", archive({"app.py": "12"})),
        engine.engine.update_function_configuration("f", configured(layers=(large,))),
        engine.create("g", code="12", layers=(arn,)),
    ):
        with pytest.raises(InvalidParameterValue) as refused:
            await attempt
        assert refused.value.message == said
    assert (await engine.engine.get_function(FunctionRef("f"))).configuration.layers == (arn,)


async def test_a_hostile_archive_is_no_layer(engine: World) -> None:
    with pytest.raises(InvalidParameterValue):
        await publish(engine, **{"../x": "1"})
    assert await engine.engine.list_layer_versions(None) == ()
    assert await publish(engine) == f"{ARN}l:1"
