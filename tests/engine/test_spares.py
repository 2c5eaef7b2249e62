"""Which cold start gets a spare, how many wait, and what becomes of them; on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_concurrency import Held
from tests.engine.world import World, archive, configured, world
from workbench.engine.spares import PAUSE_SECONDS, RETRY_SECONDS
from workbench.model.functions import NewFunction
from workbench.model.invocations import InvocationResult, InvocationStatus
from workbench.model.names import FunctionRef
from workbench.testing.fakes import Exit, FakeEnvironment, FakeRuntimes

#: Long enough for one spare to be made.
MADE = 2 * PAUSE_SECONDS
MISS = "cold: no environment yet; fresh: no spare was waiting"
HIT = "cold: no environment yet; spare"

Make = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[World]:
    """One spare of a kind at most; functions `f` and `g`, of which `f` has been invoked."""
    async with world(tmp_path / "state", spares=1) as made:
        await made.create("f")
        await made.create("g", code="other", memory_size=256)
        await made.invoke("f")
        yield made


def waiting(made: World) -> list[FakeEnvironment]:
    """The spares, as the backend has them."""
    return [each for each in made.backend.environments if not each.spec.function and not each.assigned and alive(each)]


def alive(environment: FakeEnvironment) -> bool:
    return not any(call.startswith("stop") for call in environment.calls)


async def why(made: World, result: InvocationResult) -> str:
    """What history says."""
    record = await made.engine.get_invocation(result.request_id)
    live = {view.request_id: view.why for view in (await made.engine.changes(0)).invocations}
    assert record.why == result.why == live[result.request_id]
    return record.why


async def roads(made: World, function: str = "f") -> list[str]:
    return [view.road for view in await made.environments() if view.function == function]


class TestHitAndMiss:
    async def test_the_first_cold_start_misses_and_the_next_one_hits(self, one: World) -> None:
        assert await roads(one) == ["fresh: no spare was waiting"]
        assert waiting(one) == []
        await one.clock.advance(MADE)
        (spare,) = waiting(one)
        assert spare.spec.memory_size == 128

        result = await one.invoke("g", payload=b"7")

        assert (result.status, result.payload, result.cold) == (InvocationStatus.SUCCESS, b"7", True)
        assert await why(one, result) == HIT
        assert await roads(one, "g") == ["spare"]
        assert spare.calls == ["start runtime", "resize 256"]
        assert len(one.backend.environments) == 2

    async def test_it_is_told_what_a_fresh_one_is_started_with(self, one: World) -> None:
        await one.create("h", memory_size=512, environment={"MINE": "1"}, handler="other.handler")
        await one.clock.advance(MADE)
        (spare,) = waiting(one)
        fresh = next(each for each in one.backend.environments if each.spec.function == "f")
        result = await one.invoke("h")
        (told,) = spare.assigned
        environment = told["environment"]
        assert told["folder"] == "/var/task"
        assert spare.calls[-1] == "resize 512"
        assert environment["MINE"] == "1"
        assert environment["_HANDLER"] == "other.handler"
        assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
        assert set(environment) - {"MINE"} == set(fresh.variables[0])
        assert result.environment != spare.id

    async def test_code_and_layers_are_linked_and_nothing_else_is_there(self, one: World) -> None:
        await one.clock.advance(MADE)
        (spare,) = waiting(one)
        assert sorted(path.name for path in spare.spec.task.iterdir()) == ["lib"]  # the linker's folder
        await one.invoke("g")
        assert [path.name for path in spare.spec.task.iterdir()] == ["app.py"]
        assert (spare.spec.task / "app.py").read_text() == "other"
        assert spare.spec.opt is not None
        assert list(spare.spec.opt.iterdir()) == []

    async def test_code_in_folders_is_linked_ahead_of_the_next_one(self, one: World) -> None:
        files = {"app.py": "h", "package/__init__.py": "p", "package/data/x.txt": "x", "lib/y.so": "y"}
        await one.engine.create_function(NewFunction(name="h", configuration=configured(), code=archive(files)))
        for _ in range(2):  # linked when it is needed, and before
            await one.clock.advance(MADE)
            (spare,) = waiting(one)
            result = await one.invoke("h")
            assert (await why(one, result)).endswith("; spare")
            found = {str(path.relative_to(spare.spec.task)) for path in spare.spec.task.rglob("*") if path.is_file()}
            assert found == set(files)
            assert (spare.spec.task / "package").stat().st_mode & 0o777 == 0o755
            await one.engine.stop_environment(result.environment)
            await one.clock.advance(MADE)
            farms = list(spare.spec.task.parent.parent.glob("farm-*"))
            assert [sorted(path.name for path in farm.iterdir()) for farm in farms] == [["app.py", "lib", "package"]]

    async def test_an_update_does_not_reach_what_runs(self, one: World) -> None:
        await one.clock.advance(MADE)
        (spare,) = waiting(one)
        held = one.backend.program = Held()
        pending = one.submit("g")
        await one.clock.settle()
        await one.change("g", code="changed")
        assert (spare.spec.task / "app.py").read_text() == "other"
        held.go.set()
        await one.clock.settle()
        await pending
        assert not spare.spec.task.exists()

    async def test_init_counts_from_the_assignment_on(self, tmp_path: Path) -> None:
        async with world(tmp_path / "state", spares=1) as made:
            await made.create("f")
            await made.create("g")

            async def slowly() -> None:
                await made.clock.sleep(3)

            made.backend.boot = slowly
            await made.invoke("f")
            await made.clock.advance(5)
            assert len(waiting(made)) == 1
            result = await made.invoke("g")
            assert (result.init_ms, await why(made, result)) == (0.0, HIT)

    async def test_two_at_once_are_a_hit_and_a_miss(self, one: World) -> None:
        await one.clock.advance(MADE)
        first, second = one.submit("g"), one.submit("g")
        await one.clock.settle()
        assert {(await first).why, (await second).why} == {
            HIT,
            MISS,
        }

    async def test_a_failed_init_runs_again_in_what_was_a_spare(self, one: World) -> None:
        await one.clock.advance(MADE)
        (spare,) = waiting(one)

        async def fails(runtime: Any) -> None:
            raise Exit(1)

        one.backend.program = fails
        result = await one.invoke("g")
        assert result.status is InvocationStatus.INIT_ERROR
        assert spare.calls[:4] == ["start runtime", "resize 256", "reset", "start runtime"]


class TestWhatTakesTheFreshRoad:
    @pytest.mark.parametrize("name", ["PYTHONPATH", "PYTHONHASHSEED", "LD_PRELOAD", "LC_ALL", "LANG"])
    async def test_variables_that_are_read_at_start(self, one: World, name: str) -> None:
        await one.create("h", environment={name: "/x"})
        await one.clock.advance(MADE)
        result = await one.invoke("h")
        assert (await why(one, result)).endswith(f"fresh: {name} is read when the runtime starts")
        assert len(waiting(one)) == 1

    async def test_code_with_a_module_that_is_loaded(self, one: World) -> None:
        code = archive({"app.py": "", "json.txt": "no module", "simplejson/__init__.py": ""})
        await one.engine.create_function(NewFunction(name="h", configuration=configured(), code=code))
        await one.clock.advance(MADE)
        for _ in range(2):  # found out, and known
            result = await one.invoke("h")
            assert (await why(one, result)).endswith("fresh: it brings its own simplejson")
            assert len(waiting(one)) == 1
            await one.engine.stop_environment(result.environment)
            await one.clock.settle()

    async def test_what_code_is_not_for_spares_depends_on_the_backend(self, one: World) -> None:
        """Without mounts the linker's path is set before the place of libraries is known."""
        files = {"app.py": "", "libmine.so": ""}
        await one.engine.create_function(NewFunction(name="h", configuration=configured(), code=archive(files)))
        one.backend.capabilities = replace(one.backend.capabilities, mounts=False)
        await one.clock.advance(MADE)
        assert "it brings libraries" in (await one.invoke("h")).why
        other = await one.engine.backend("other")
        assert other.capabilities is one.backend.capabilities
        one.backend.capabilities = replace(one.backend.capabilities, mounts=True)
        await one.clock.advance(1)
        assert (await one.invoke("h", backend="other")).why == MISS
        await one.clock.advance(MADE)
        pending = [one.submit("h", backend="other") for _ in range(2)]
        await one.clock.settle()
        assert HIT.rpartition("; ")[2] in {(await each).why.rpartition("; ")[2] for each in pending}

    async def test_another_size_of_tmp_is_another_kind(self, one: World) -> None:
        await one.create("h", ephemeral_storage=1024)
        await one.clock.advance(MADE)
        assert (await one.invoke("h")).why == MISS
        await one.clock.advance(MADE)
        assert {spare.spec.tmp_size for spare in waiting(one)} == {512, 1024}

    async def test_off_nothing_is_made_or_said(self, tmp_path: Path) -> None:
        async with world(tmp_path / "state") as made:
            await made.create()
            result = await made.invoke()
            await made.clock.advance(10)
            assert result.why == "cold: no environment yet"
            assert await roads(made) == ["fresh: spares are off"]
            assert len(made.backend.environments) == 1


class TestHowManyWait:
    async def test_after_a_hit_another_is_made_when_it_is_quiet(self, one: World) -> None:
        await one.clock.advance(MADE)
        await one.invoke("g")
        assert waiting(one) == []
        await one.clock.advance(PAUSE_SECONDS / 2)
        assert waiting(one) == []
        await one.clock.advance(MADE)
        assert len(waiting(one)) == 1

    async def test_their_number_follows_demand_within_the_bound(self, tmp_path: Path) -> None:
        held = Held()
        async with world(tmp_path / "state", held, spares=3) as made:
            await made.create()
            pending = [made.submit() for _ in range(5)]
            await made.clock.settle()
            await made.clock.advance(1)
            assert len(waiting(made)) == 3
            assert (await made.engine.status()).spares == ("python3.12 on fake: 3 of 3 waiting",)
            held.go.set()
            await made.clock.settle()
            await asyncio.gather(*pending)
            await made.clock.advance(80)  # one minute without a cold start, and the sweep
            assert len(waiting(made)) == 1

    async def test_unused_they_go(self, tmp_path: Path) -> None:
        async with world(tmp_path / "state", spares=1, idle_stop=100) as made:
            await made.create()
            await made.invoke()
            await made.clock.advance(90)
            assert len(waiting(made)) == 1
            await made.clock.advance(20)
            assert waiting(made) == []
            assert not list((tmp_path / "state" / "spares").iterdir())
            assert (await made.engine.status()).spares == ()

    async def test_old_ones_are_made_anew(self, tmp_path: Path) -> None:
        async with world(tmp_path / "state", spares=1, idle_stop=1000, max_life=100) as made:
            await made.create()
            await made.invoke()
            await made.clock.advance(50)
            (first,) = waiting(made)
            await made.clock.advance(110)
            (second,) = waiting(made)
            assert first is not second

    async def test_without_memory_none_is_made(self, tmp_path: Path) -> None:
        room = False
        async with world(tmp_path / "state", spares=1, room=lambda: room) as made:
            await made.create("f")
            await made.create("g")
            await made.invoke("f")
            await made.clock.advance(MADE)
            assert waiting(made) == []
            assert (await made.invoke("g")).why == f"{MISS} (there is too little memory for one)"
            room = True
            await made.clock.advance(20)  # the sweep
            assert len(waiting(made)) == 1

    async def test_a_new_runtime_version_ends_those_of_the_old_one(self, tmp_path: Path) -> None:
        runtimes = FakeRuntimes("python3.12", versions=("1",))
        async with world(tmp_path / "state", runtimes=runtimes, spares=1, rollout_seconds=10) as made:
            await made.create()
            await made.invoke()
            await made.clock.advance(MADE)
            (old,) = waiting(made)
            runtimes.versions = ("1", "2")
            await made.engine.publish_runtime("python3.12", "2")
            await made.clock.advance(9)
            assert waiting(made) == [old]
            await made.clock.advance(2)
            assert waiting(made) == []
            await made.invoke()
            await made.clock.advance(MADE)
            assert [spare.spec.runtime.arn for spare in waiting(made)] == [FakeRuntimes.arn("2")]

    async def test_without_functions_there_are_none(self, one: World) -> None:
        await one.clock.advance(MADE)
        await one.engine.delete_function(FunctionRef("f"))
        await one.engine.delete_function(FunctionRef("g"))
        await one.clock.settle()
        assert waiting(one) == []


class TestTrouble:
    async def test_one_that_dies_while_it_waits_is_replaced(self, one: World) -> None:
        await one.clock.advance(MADE)
        (dead,) = waiting(one)
        await dead.signal(1, 9)
        await one.clock.settle()
        assert waiting(one) == []
        assert (await one.invoke("g")).why == MISS
        await one.clock.advance(MADE)
        (other,) = waiting(one)
        assert other is not dead

    async def test_one_that_fails_at_its_assignment_leaves_the_invocation_a_fresh_one(self, one: World) -> None:
        await one.clock.advance(MADE)
        (spare,) = waiting(one)
        one.backend.refuse_resize = "the kernel says no"
        result = await one.invoke("g", payload=b"8")
        assert (result.status, result.payload) == (InvocationStatus.SUCCESS, b"8")
        assert await why(one, result) == "cold: no environment yet; fresh: the spare failed: the kernel says no"
        assert not alive(spare)
        assert "failed" not in await one.states()

    async def test_one_that_ends_during_its_assignment_does_too(self, one: World) -> None:
        await one.clock.advance(MADE)
        (spare,) = waiting(one)
        pending = one.submit("g")
        await spare.stop(0)
        await one.clock.settle()
        result = await pending
        assert result.status is InvocationStatus.SUCCESS

    async def test_code_that_cannot_be_linked_takes_the_fresh_road(self, one: World) -> None:
        await one.clock.advance(MADE)
        (spare,) = waiting(one)
        (spare.spec.task / "app.py").write_text("in the way")
        result = await one.invoke("g")
        assert result.status is InvocationStatus.SUCCESS
        assert "fresh: the spare failed: code cannot be linked" in await why(one, result)

    async def test_one_that_cannot_be_made_is_said_and_not_tried_at_once_again(self, one: World) -> None:
        one.backend.refuse = "no more"
        await one.clock.advance(MADE)
        one.backend.refuse = None
        tried = len(one.backend.environments)
        assert (await one.invoke("g")).why == f"{MISS} (one could not be made: no more)"
        await one.clock.advance(RETRY_SECONDS - 1)
        assert len(one.backend.environments) == tried + 1
        await one.clock.advance(20)
        assert len(waiting(one)) == 1

    async def test_one_whose_runtime_never_asks_is_given_up(self, one: World) -> None:
        async def forever() -> None:
            await asyncio.Event().wait()

        one.backend.boot = forever
        await one.clock.advance(40)
        assert waiting(one) == []
        assert (await one.invoke("g")).why == f"{MISS} (one could not be made: {_id(one)}: it did not boot within 30 s)"

    async def test_the_end_of_the_engine_ends_them(self, tmp_path: Path) -> None:
        async with world(tmp_path / "state", spares=2) as made:
            await made.create()
            await made.invoke()
            await made.clock.advance(MADE)
            environments = made.backend.environments
            assert len(waiting(made)) == 1
        assert not any(alive(environment) for environment in environments)
        assert not list((tmp_path / "state" / "spares").iterdir())


def _id(made: World) -> str:
    spare = next(each for each in reversed(made.backend.environments) if not each.spec.function)
    return f"spare {spare.id}"
