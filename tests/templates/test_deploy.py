"""Templates brought to a real engine: what is missing is created, what differs is updated, the rest is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.world import World, configured, world
from workbench.client.port import EnginePort
from workbench.model.errors import ResourceNotFound, StateError, WorkbenchError
from workbench.model.functions import FunctionState, UpdateStatus
from workbench.model.names import FunctionRef
from workbench.model.routes import ApiKind, Route
from workbench.model.runtimes import RuntimeVersion
from workbench.templates.deploy import deploy, deploy_routes, publish_aliases
from workbench.templates.sam import DesiredFunction
from workbench.testing.fakes import FakeRuntimes

Want = Callable[..., DesiredFunction]


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def port(made: World) -> EnginePort:
    return made.engine


@pytest.fixture
def want(tmp_path: Path) -> Want:
    """A desired function; its code is a folder of its own."""

    def want(name: str = "f", code: str = "1", **configuration: object) -> DesiredFunction:
        folder = tmp_path / "code" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "app.py").write_text(code)
        return DesiredFunction(
            name=name,
            logical_id=name,
            configuration=configured(**configuration),
            folder=folder,
            tags={"a": "b"},
            notes=(f"{name}: a note",),
        )

    return want


async def test_what_is_missing_is_created_and_can_be_invoked(made: World, port: EnginePort, want: Want) -> None:
    done = await deploy(port, [want("f"), want("g", timeout=9)])
    assert done == ["created f", "f: a note", "created g", "g: a note"]
    function = await port.get_function(FunctionRef("g"))
    assert (function.state, function.configuration.timeout) == (FunctionState.ACTIVE, 9)
    assert (await port.get_attached("g")).tags == {"a": "b"}
    assert (await made.invoke("g")).payload == b'{"n":1}'


async def test_nothing_is_done_twice(port: EnginePort, want: Want) -> None:
    await deploy(port, [want()])
    before = await port.get_function(FunctionRef("f"))
    assert await deploy(port, [want()]) == []
    assert await port.get_function(FunctionRef("f")) == before


@pytest.mark.parametrize(
    ("change", "done"),
    [
        ({"timeout": 9}, ["updated the configuration of f"]),
        ({"environment": {"A": "b"}}, ["updated the configuration of f"]),
        ({"code": "2"}, ["updated the code of f"]),
        ({"code": "2", "memory_size": 256}, ["updated the configuration of f", "updated the code of f"]),
    ],
)
async def test_what_differs_is_updated(
    made: World, port: EnginePort, want: Want, change: dict[str, object], done: list[str]
) -> None:
    await deploy(port, [want(), want("other")])
    other = await port.get_function(FunctionRef("other"))
    assert await deploy(port, [want(**change), want("other")]) == done
    function = await port.get_function(FunctionRef("f"))
    assert (function.state, function.update_status) == (FunctionState.ACTIVE, UpdateStatus.SUCCESSFUL)
    assert function.configuration == want(**change).configuration
    assert await port.get_function(FunctionRef("other")) == other
    assert (await made.invoke("f")).function_error is None


async def test_a_file_that_only_was_touched_changes_nothing(port: EnginePort, want: Want) -> None:
    await deploy(port, [want()])
    desired = want()
    (desired.folder / "app.py").chmod(0o640)
    assert await deploy(port, [desired]) == []


async def test_an_alias_of_the_template_follows_what_is_deployed(port: EnginePort, want: Want) -> None:
    first = replace(want(), auto_publish_alias="live")
    await deploy(port, [first])
    assert await publish_aliases(port, [first]) == ["published version 1 of f for its alias live"]
    await deploy(port, [first])
    assert await publish_aliases(port, [first]) == []
    changed = replace(want(code="2"), auto_publish_alias="live")
    await deploy(port, [changed])
    assert await publish_aliases(port, [changed, want("g")]) == ["published version 2 of f for its alias live"]
    assert (await port.get_alias("f", "live")).version == "2"


async def test_a_route_that_differs_is_changed_and_not_lost(port: EnginePort, want: Want) -> None:
    def routed(timeout: float, *paths: str) -> list[DesiredFunction]:
        facts = {"function": "f", "kind": ApiKind.REST, "payload": "1.0", "stage": "Prod", "api": "a"}
        routes = [Route(method="GET", path=path, timeout=timeout, **facts) for path in paths]
        return [replace(want(), routes=tuple(routes))]

    assert await deploy_routes(port, "t", routed(29, "/a", "/b")) == ["routed GET /a to f", "routed GET /b to f"]
    assert await deploy_routes(port, "t", routed(9, "/a")) == [
        "changed the route GET /a to f",
        "took away the route GET /b to f",
    ]


async def test_functions_of_nobody_are_left_alone(made: World, port: EnginePort, want: Want) -> None:
    await made.create("mine")
    before = await port.get_function(FunctionRef("mine"))
    await deploy(port, [want()])
    assert await port.get_function(FunctionRef("mine")) == before


async def test_a_refused_function_is_named_and_the_others_are_brought(port: EnginePort, want: Want) -> None:
    bad = want("bad", runtime="cobol74")
    worse = want("worse")
    (worse.folder / "link").symlink_to("/etc")
    with pytest.raises(WorkbenchError) as caught:
        await deploy(port, [bad, want("good"), worse])
    first, second = str(caught.value).split("; worse: ")
    assert first.startswith("bad: there is no runtime 'cobol74'")
    assert "is a link out of" in second
    assert [function.name for function in await port.list_functions()] == ["good"]


class Missing(FakeRuntimes):
    """Runtimes that nobody can prepare."""

    gone = True

    async def resolve(self, runtime: str, arn: str | None = None) -> RuntimeVersion:
        if self.gone:
            raise StateError("no room on the disk", mend="make some")
        return await super().resolve(runtime, arn)


async def test_a_function_that_does_not_become_ready_is_told_and_tried_again(
    made: World, port: EnginePort, want: Want
) -> None:
    runtimes = Missing()
    made.engine._functions._runtimes = runtimes
    for _ in range(2):
        with pytest.raises(WorkbenchError, match=r"f: no room on the disk \(make some\)"):
            await deploy(port, [want()])
    runtimes.gone = False
    assert await deploy(port, [want()]) == ["updated the code of f"]
    assert (await port.get_function(FunctionRef("f"))).state is FunctionState.ACTIVE
    assert await deploy(port, [want()]) == []


async def test_a_function_that_is_still_in_progress_is_waited_for(made: World, port: EnginePort, want: Want) -> None:
    await asyncio.gather(deploy(port, [want()]), deploy(port, [want(code="1")]), return_exceptions=True)
    desired = want()
    await port.update_function_configuration("f", replace(desired.configuration, timeout=77))
    done = await deploy(port, [desired])
    assert done == ["updated the configuration of f"]
    assert (await port.get_function(FunctionRef("f"))).configuration.timeout == 3


async def test_tags_from_a_template_survive_a_restart(tmp_path: Path) -> None:
    from workbench.model.names import Account
    from workbench.templates.sam import read_template

    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").touch()
    (tmp_path / "template.yaml").write_text(
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: app.handler, Runtime: python3.12,"
        " CodeUri: src, Tags: {CostCenter: 1234, Live: true}, LoggingConfig: {LogFormat: JSON, When: 2012-10-17}}}}"
    )
    desired = read_template(tmp_path / "template.yaml", {}, Account())
    async with world(tmp_path / "state") as first:
        await deploy(first.engine, desired)
        before = await first.engine.get_function(FunctionRef("F"))
        attached = await first.engine.get_attached("F")
    async with world(tmp_path / "state") as second:
        assert await second.engine.get_function(FunctionRef("F")) == before
        assert await second.engine.get_attached("F") == attached
        assert attached.tags == {"CostCenter": "1234", "Live": "true", "lambda:createdBy": "SAM"}
        assert await deploy(second.engine, desired) == []


async def test_an_error_that_is_no_refusal_is_not_swallowed(want: Want) -> None:
    class Broken:
        async def get_function(self, ref: FunctionRef) -> None:
            raise ZeroDivisionError

    broken: EnginePort = Broken()  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError):
        await deploy(broken, [want()])


async def test_nothing_wanted_is_nothing_done(port: EnginePort) -> None:
    assert await deploy(port, []) == []
    with pytest.raises(ResourceNotFound):
        await port.get_function(FunctionRef("f"))
