"""Which runtime version a version of a function runs on, and when that changes: docs/runtime-management.md, on the
virtual clock. Every rule is read where it counts: in the INIT_START line of the next cold start, and in GetFunction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_concurrency import Held
from tests.engine.world import World, archive, world
from workbench.model.attached import RuntimeManagement, UpdateRuntimeOn
from workbench.model.errors import InvalidParameterValue, ResourceNotFound, RuntimeUnavailable, UsageError
from workbench.model.functions import NewFunction
from workbench.model.names import LATEST, FunctionRef
from workbench.testing.fakes import FakeRuntimes

OLD, NEW, GONE = map(FakeRuntimes.arn, ("1", "2", "3"))
ROLLOUT = timedelta(minutes=5).total_seconds()
AUTO, ON_UPDATE, MANUAL = UpdateRuntimeOn


@pytest.fixture
def runtimes() -> FakeRuntimes:
    return FakeRuntimes("python3.12", "python3.13", versions=("1",))


@pytest.fixture
async def made(tmp_path: Path, runtimes: FakeRuntimes) -> AsyncIterator[World]:
    """Function `f` on the only runtime version; its reclaim and its life are out of the way."""
    async with world(tmp_path / "state", runtimes=runtimes, **PATIENT) as opened:
        await opened.create()
        yield opened


PATIENT: dict[str, Any] = {"rollout_seconds": ROLLOUT, "idle_stop": 1e6, "max_life": 1e6}


async def publish(made: World, runtimes: FakeRuntimes, version: str = "2") -> None:
    """A version appears on the machine, and is published."""
    runtimes.versions = tuple(sorted({*runtimes.versions, version}))
    await made.engine.publish_runtime("python3.12", version)
    await made.clock.settle()


async def manage(made: World, mode: UpdateRuntimeOn, arn: str | None = None, qualifier: str | None = None) -> None:
    await made.engine.put_runtime_management(
        FunctionRef("f", qualifier), RuntimeManagement(update_runtime_on=mode, runtime_version_arn=arn)
    )


async def on(made: World, qualifier: str = LATEST, name: str = "f") -> str:
    """The ARN that GetFunction shows, which is also what an invocation finds in its environment."""
    shown = (await made.engine.get_function(FunctionRef(name, qualifier))).runtime_version
    result = await made.invoke(name, qualifier)
    assert result.function_error is None
    (ran,) = [environment for environment in made.backend.environments if environment.spec.id == result.environment]
    started = ran.spec.runtime.arn
    if result.init_ms is not None:
        assert f"Runtime Version ARN: {started}" in (result.log or "")
    assert shown == started
    return started


# -- the two phases
async def test_auto_moves_at_an_update_and_else_when_phase_two_comes(made: World, runtimes: FakeRuntimes) -> None:
    await made.create("g")
    await publish(made, runtimes)
    assert (await on(made, name="f"), (await on(made, name="f"))) == (OLD, OLD)
    await made.change("f")
    assert await on(made, name="f") == NEW
    await made.create("h")
    assert await on(made, name="h") == NEW
    assert await on(made, name="g") == OLD
    await made.clock.advance(ROLLOUT - 1)
    assert (await made.engine.get_function(FunctionRef("g"))).runtime_version == OLD
    await made.clock.advance(1)
    assert await on(made, name="g") == NEW


async def test_an_update_of_the_configuration_moves_it_too(made: World, runtimes: FakeRuntimes) -> None:
    await publish(made, runtimes)
    configuration = (await made.engine.get_function(FunctionRef("f"))).configuration
    await made.engine.update_function_configuration("f", replace(configuration, timeout=9))
    await made.clock.settle()
    assert await on(made) == NEW


async def test_phase_two_reaches_published_versions(made: World, runtimes: FakeRuntimes) -> None:
    await made.engine.publish_version("f")
    revision = (await made.engine.get_function(FunctionRef("f", "1"))).revision_id
    await publish(made, runtimes)
    await made.change()
    assert (await on(made), await on(made, "1")) == (NEW, OLD)
    await made.clock.advance(ROLLOUT)
    assert await on(made, "1") == NEW
    assert (await made.engine.get_function(FunctionRef("f", "1"))).revision_id == revision


async def test_environments_of_the_older_version_end_and_running_invocations_finish_there(
    tmp_path: Path, runtimes: FakeRuntimes
) -> None:
    held = Held()
    async with world(tmp_path / "state", held, runtimes=runtimes, **PATIENT) as made:
        await made.create(timeout=900)
        running = made.submit()
        await publish(made, runtimes)
        await made.clock.advance(ROLLOUT)
        assert await made.states() == ["busy"]
        held.go.set()
        await made.clock.settle()
        assert (await running).function_error is None
        (ended,) = await made.environments()
        assert (ended.state.value, ended.reason) == ("stopped", "its runtime version was changed")
        assert await on(made) == NEW


async def test_provisioned_environments_are_made_anew(made: World, runtimes: FakeRuntimes) -> None:
    await made.engine.publish_version("f")
    await made.engine.put_provisioned_concurrency(FunctionRef("f", "1"), 2)
    await made.clock.settle()
    await publish(made, runtimes)
    await made.clock.advance(ROLLOUT)
    await made.clock.settle()
    arns = [environment.spec.runtime.arn for environment in made.backend.environments]
    assert arns == [OLD, OLD, NEW, NEW]
    assert (await made.states()).count("stopped") == 2
    assert (await made.engine.get_provisioned_concurrency(FunctionRef("f", "1"))).available == 2


async def test_what_is_new_on_the_machine_is_taken_only_when_published(made: World, runtimes: FakeRuntimes) -> None:
    runtimes.versions = ("1", "2")
    await made.change()
    await made.clock.advance(10 * ROLLOUT)
    assert await on(made) == OLD


async def test_a_publication_overtakes_the_one_before(made: World, runtimes: FakeRuntimes) -> None:
    await publish(made, runtimes, "2")
    await made.clock.advance(ROLLOUT / 2)
    await publish(made, runtimes, "1")
    await made.clock.advance(ROLLOUT / 2)
    assert await on(made) == OLD
    await made.clock.advance(ROLLOUT)
    assert await on(made) == OLD


async def test_a_roll_out_goes_on_in_the_next_engine(tmp_path: Path, runtimes: FakeRuntimes) -> None:
    async with world(tmp_path / "state", runtimes=runtimes, **PATIENT) as first:
        await first.create()
        await publish(first, runtimes)
        began = first.clock.time()
    async with world(tmp_path / "state", runtimes=runtimes, **PATIENT) as second:
        await second.create("g")
        assert (await on(second), await on(second, name="g")) == (OLD, NEW)
        await second.clock.advance(began + ROLLOUT - second.clock.time())
        assert await on(second) == NEW
    async with world(tmp_path / "state", runtimes=runtimes, **PATIENT) as third:
        assert await on(third) == NEW
        (one, other) = await third.engine.list_runtimes()
        assert (one.id, one.published, one.moves, other.id) == ("python3.12", NEW, None, "python3.13")


@pytest.mark.parametrize(
    ("runtime", "version", "said"),
    [("python3.12", "9", "there is no version 9 .*; there is: 1"), ("cobol74", "1", "there is no runtime 'cobol74'")],
)
async def test_only_what_is_here_can_be_published(made: World, runtime: str, version: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        await made.engine.publish_runtime(runtime, version)


# -- FunctionUpdate
async def test_function_update_moves_only_at_an_update(made: World, runtimes: FakeRuntimes) -> None:
    await manage(made, ON_UPDATE)
    await publish(made, runtimes)
    await made.clock.advance(ROLLOUT)
    assert await on(made) == OLD
    await made.change()
    assert await on(made) == NEW


async def test_a_version_published_in_function_update_never_changes(made: World, runtimes: FakeRuntimes) -> None:
    await manage(made, ON_UPDATE)
    await made.engine.publish_version("f")
    assert (await made.engine.get_runtime_management(FunctionRef("f", "1"))).update_runtime_on is ON_UPDATE
    await manage(made, AUTO)
    await publish(made, runtimes)
    await made.change()
    await made.clock.advance(ROLLOUT)
    assert (await on(made), await on(made, "1")) == (NEW, OLD)


# -- Manual
async def test_manual_never_moves(made: World, runtimes: FakeRuntimes) -> None:
    await manage(made, MANUAL, OLD)
    await publish(made, runtimes)
    await made.change()
    await made.clock.advance(ROLLOUT)
    assert await on(made) == OLD


async def test_manual_with_the_older_arn_rolls_back_at_once(made: World, runtimes: FakeRuntimes) -> None:
    await publish(made, runtimes)
    await made.clock.advance(ROLLOUT)
    assert await on(made) == NEW
    await manage(made, MANUAL, OLD)
    assert await on(made) == OLD


async def test_auto_again_takes_at_once_what_every_function_has_by_now(made: World, runtimes: FakeRuntimes) -> None:
    await manage(made, MANUAL, OLD)
    await publish(made, runtimes)
    await manage(made, AUTO)
    assert await on(made) == OLD
    await manage(made, MANUAL, OLD)
    await made.clock.advance(ROLLOUT)
    await manage(made, AUTO)
    assert await on(made) == NEW


async def test_each_version_has_a_mode_of_its_own(made: World, runtimes: FakeRuntimes) -> None:
    await made.engine.publish_version("f")
    await manage(made, MANUAL, OLD, "1")
    await publish(made, runtimes)
    await made.clock.advance(ROLLOUT)
    assert (await on(made), await on(made, "1")) == (NEW, OLD)
    await manage(made, MANUAL, NEW, "1")
    assert await on(made, "1") == NEW


@pytest.mark.parametrize(
    ("mode", "arn", "error"),
    [
        (MANUAL, None, InvalidParameterValue),
        (MANUAL, GONE, InvalidParameterValue),
        (AUTO, OLD, InvalidParameterValue),
        (ON_UPDATE, OLD, InvalidParameterValue),
    ],
)
async def test_an_arn_belongs_to_manual_and_is_one_of_the_runtimes(
    made: World, mode: UpdateRuntimeOn, arn: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await manage(made, mode, arn)
    assert (await made.engine.get_runtime_management(FunctionRef("f"))).update_runtime_on is AUTO


async def test_aliases_have_no_mode(made: World) -> None:
    await made.engine.publish_version("f")
    await made.engine.create_alias("f", "live", "1")
    with pytest.raises(ResourceNotFound):
        await manage(made, ON_UPDATE, qualifier="live")


async def test_container_images_are_not_covered(made: World) -> None:
    configuration = (await made.engine.get_function(FunctionRef("f"))).configuration
    image = replace(configuration, runtime="", handler="")
    await made.engine.create_function(NewFunction(name="i", configuration=image, code=b"", image="repository:tag"))
    assert (await made.engine.get_function(FunctionRef("i"))).runtime_version is None
    with pytest.raises(InvalidParameterValue, match="PackageType Image"):
        await made.engine.put_runtime_management(FunctionRef("i"), RuntimeManagement(update_runtime_on=ON_UPDATE))


async def test_the_runtime_and_the_architecture_stay_while_the_mode_is_manual(made: World) -> None:
    await manage(made, MANUAL, OLD)
    configuration = (await made.engine.get_function(FunctionRef("f"))).configuration
    other = replace(configuration, runtime="python3.13")
    with pytest.raises(InvalidParameterValue, match=r"Runtime cannot be changed from python3\.12 to python3\.13"):
        await made.engine.update_function_configuration("f", other)
    with pytest.raises(InvalidParameterValue, match="Architectures cannot be changed from x86_64 to arm64"):
        await made.engine.update_function_code("f", archive({"app.py": "2"}), architecture="arm64")
    await manage(made, AUTO)
    await made.engine.update_function_configuration("f", other)
    await made.clock.settle()
    assert (await made.engine.get_function(FunctionRef("f"))).configuration.runtime == "python3.13"


# -- deprecation
REFUSED = (
    "The runtime parameter of {} is no longer supported for creating or updating AWS Lambda functions. "
    "We recommend you use a supported runtime while creating or updating functions."
)


async def test_no_function_is_given_a_runtime_that_is_blocked_but_one_that_has_it_is_updated(
    made: World, runtimes: FakeRuntimes
) -> None:
    await made.create("g", runtime="python3.13")
    runtimes.no_creation = {"python3.12"}
    configuration = (await made.engine.get_function(FunctionRef("g"))).configuration
    for refused in (
        made.create("h"),
        made.engine.update_function_configuration("g", replace(configuration, runtime="python3.12")),
    ):
        with pytest.raises(InvalidParameterValue) as caught:
            await refused
        assert caught.value.message == REFUSED.format("python3.12")
    await made.change("f")
    assert (await made.invoke("f")).function_error is None


async def test_a_function_whose_runtime_is_blocked_for_good_can_only_leave_it(
    made: World, runtimes: FakeRuntimes
) -> None:
    runtimes.no_updates = {"python3.12"}
    configuration = (await made.engine.get_function(FunctionRef("f"))).configuration
    for refused in (
        made.engine.update_function_code("f", archive({"app.py": "2"})),
        made.engine.update_function_configuration("f", replace(configuration, timeout=9)),
    ):
        with pytest.raises(InvalidParameterValue) as caught:
            await refused
        assert caught.value.message == REFUSED.format("python3.12")
    assert (await made.invoke("f")).function_error is None
    await made.engine.update_function_configuration("f", replace(configuration, runtime="python3.13"))
    await made.clock.settle()
    assert (await made.engine.get_function(FunctionRef("f"))).configuration.runtime == "python3.13"


# -- a version that is gone from the machine
async def test_auto_leaves_a_version_that_is_gone_and_manual_says_so(made: World, runtimes: FakeRuntimes) -> None:
    await made.create("g")
    await manage(made, MANUAL, OLD)
    runtimes.versions = ("2",)
    result = await made.invoke("g")
    assert result.function_error is None
    assert (await made.engine.get_function(FunctionRef("g"))).runtime_version == NEW
    pending = made.submit("f")
    await made.clock.settle()
    with pytest.raises(RuntimeUnavailable, match="no longer on this machine"):
        await pending
