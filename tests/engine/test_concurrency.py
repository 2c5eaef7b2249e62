"""Reserved and provisioned concurrency: who is admitted, and environments that are made ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import World, world
from workbench.engine.decide import Tables, grow
from workbench.engine.engine import Options
from workbench.model.errors import ApiError, InvalidParameterValue, ResourceConflict, ResourceNotFound, TooManyRequests
from workbench.model.invocations import InvocationStatus
from workbench.model.names import Account, FunctionRef
from workbench.testing.fakes import Exit, FakeRuntime

RESERVED, ACCOUNT = "ReservedFunctionConcurrentInvocationLimitExceeded", "ConcurrentInvocationLimitExceeded"


class Held:
    """A program that keeps every invocation until it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            await self.go.wait()
            runtime.respond(event.request_id, event.payload)


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
async def small(tmp_path: Path, held: Held) -> AsyncIterator[World]:
    """Functions `f` and `g` on an account with room for 104."""
    async with world(tmp_path / "state", held, concurrency_limit=104) as made:
        await made.create("f")
        await made.create("g")
        yield made
        held.go.set()
        await made.clock.settle()


async def occupy(made: World, name: str, count: int, qualifier: str | None = None) -> list[Any]:
    pending = [made.submit(name, qualifier) for _ in range(count)]
    await made.clock.settle()
    return pending


def refused(made: World, name: str, qualifier: str | None = None) -> str:
    with pytest.raises(TooManyRequests) as caught:
        made.submit(name, qualifier)
    return caught.value.reason


# -- admission
async def test_a_reservation_is_all_that_a_function_has(small: World, held: Held) -> None:
    await small.engine.put_concurrency(FunctionRef("f"), 2)
    pending = await occupy(small, "f", 2)
    assert refused(small, "f") == RESERVED
    pending += await occupy(small, "g", 1)  # the others are not touched
    held.go.set()
    await small.clock.settle()
    assert [(await one).payload for one in pending] == [b'{"n":1}'] * 3
    assert (await small.invoke("f")).payload == b'{"n":1}'


async def test_nothing_reserved_stops_a_function_until_it_is_given_back(small: World, held: Held) -> None:
    held.go.set()
    await small.engine.put_concurrency(FunctionRef("f"), 0)
    assert refused(small, "f") == RESERVED
    (view,) = [view for view in (await small.engine.changes(0)).functions if view.name == "f"]
    assert (view.reserved, view.throttles) == (0, 1)
    await small.engine.put_concurrency(FunctionRef("f"), None)
    assert (await small.invoke("f")).function_error is None


async def test_the_others_share_what_is_not_reserved(small: World, held: Held) -> None:
    await small.engine.put_concurrency(FunctionRef("f"), 3)
    await occupy(small, "f", 1)
    await occupy(small, "g", 101)
    assert refused(small, "g") == ACCOUNT
    await occupy(small, "f", 2)
    assert refused(small, "f") == RESERVED


async def test_what_is_provisioned_without_a_reservation_is_taken_out_of_the_pool(small: World) -> None:
    await small.engine.publish_version("f")
    await small.engine.put_provisioned_concurrency(FunctionRef("f", "1"), 3)
    await small.clock.settle()
    settings = await small.engine.account_settings()
    assert (settings.concurrent_executions, settings.unreserved_concurrent_executions) == (104, 101)
    await occupy(small, "g", 101)
    assert refused(small, "g") == ACCOUNT
    assert refused(small, "f") == ACCOUNT
    await occupy(small, "f", 3, "1")  # its own are there whatever the others do
    assert refused(small, "f", "1") == ACCOUNT


async def test_what_runs_on_provisioned_concurrency_that_is_taken_away_counts_in_the_pool(small: World) -> None:
    await small.engine.publish_version("f")
    ref = FunctionRef("f", "1")
    await small.engine.put_provisioned_concurrency(ref, 3)
    await small.clock.settle()
    await occupy(small, "f", 3, "1")
    await small.engine.put_provisioned_concurrency(ref, 1)
    await occupy(small, "g", 101)  # and 1 is claimed, and 2 run on
    assert refused(small, "g") == ACCOUNT
    await small.engine.delete_provisioned_concurrency(ref)
    assert refused(small, "g") == ACCOUNT


async def test_what_runs_counts_where_the_function_is_now(small: World) -> None:
    """A reservation that comes while invocations run counts them."""
    await occupy(small, "f", 2)
    await small.engine.put_concurrency(FunctionRef("f"), 2)
    assert refused(small, "f") == RESERVED
    await occupy(small, "g", 102)
    assert refused(small, "g") == ACCOUNT


@pytest.mark.parametrize(
    ("reserved", "message"),
    [
        (5, "below its minimum value of [100]."),
        (105, "below its minimum value of [100]."),
    ],
)
async def test_a_hundred_stay_for_the_others(small: World, reserved: int, message: str) -> None:
    with pytest.raises(InvalidParameterValue, match="decreases account's UnreservedConcurrentExecution") as caught:
        await small.engine.put_concurrency(FunctionRef("f"), reserved)
    assert str(caught.value).endswith(message)
    await small.engine.put_concurrency(FunctionRef("f"), 4)
    await small.engine.put_concurrency(FunctionRef("f"), 3)  # its own is given back first
    with pytest.raises(InvalidParameterValue):
        await small.engine.put_concurrency(FunctionRef("g"), 2)
    await small.engine.put_concurrency(FunctionRef("g"), 1)


async def test_two_at_once_cannot_take_the_same(small: World) -> None:
    functions = small.engine._functions
    at_once = functions._thread

    class Disk:
        """Takes its time, as a real one does."""

        async def run(self, call: Any, *args: Any) -> Any:
            await asyncio.sleep(0)
            return await at_once.run(call, *args)

        async def aclose(self) -> None:
            await at_once.aclose()

    functions._thread = Disk()
    results = await asyncio.gather(
        small.engine.put_concurrency(FunctionRef("f"), 3),
        small.engine.put_concurrency(FunctionRef("g"), 3),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), InvalidParameterValue]


# -- rates
def test_a_function_may_have_a_thousand_new_environments_in_ten_seconds() -> None:
    """A hundred come back each second, and no more than a thousand are ever saved up."""
    tables = Tables(account=Account(), scaling_rate=Options().scaling_rate)
    second = 10**9

    def made(now: int, name: str = "f") -> int:
        count = 0
        while grow(tables, name, now) is None:
            tables.scaling.take(name, tables.scaling_rate, now)
            count += 1
        return count

    assert made(5 * second) == 1000
    assert grow(tables, "f", 5 * second) == ACCOUNT
    assert made(5 * second + second // 100 - 1) == 0
    assert made(5 * second + second // 100) == 1
    assert made(7 * second) == 199
    assert made(7 * second, "g") == 1000  # each function has its own
    assert made(100 * second) == 1000


async def test_growing_too_fast_is_throttled_as_the_account_is(tmp_path: Path, held: Held) -> None:
    async with world(tmp_path / "state", held, scaling_rate=10) as made:
        await made.create("f")
        await made.create("g")
        await occupy(made, "f", 10)
        assert refused(made, "f") == ACCOUNT
        await occupy(made, "g", 1)
        await made.clock.advance(1)
        await occupy(made, "f", 1)
        assert refused(made, "f") == ACCOUNT
        held.go.set()
        await made.clock.settle()
        assert (await made.invoke("f")).why == "warm"  # what is there may always be used
        past = await made.engine.list_invocations(status=InvocationStatus.THROTTLED)
        assert [(one.function, one.why) for one in past] == [("f", ACCOUNT)] * 2


async def test_a_promise_that_was_not_kept_is_no_way_around_the_scaling_rate(tmp_path: Path) -> None:
    """The second invocation waits for the first one's environment, which does not come free; the next one may wait."""

    async def slow_to_ask(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            runtime.respond(event.request_id, b"1")
            await made.clock.sleep(5)

    async with world(tmp_path / "state", slow_to_ask, scaling_rate=1) as made:
        await made.create(timeout=60)
        first, _ = made.submit(logs=False), await made.clock.settle()
        second = made.submit(logs=False)
        await made.clock.advance(1)
        assert (await first).payload == b"1"
        with pytest.raises(TooManyRequests) as caught:
            await second
        assert caught.value.reason == ACCOUNT
        statuses = [one.status.value for one in await made.engine.list_invocations()]
        await made.clock.advance(10)
        assert statuses == ["throttled"]
        assert (await made.invoke(logs=False)).payload == b"1"  # it counts no longer


async def test_ten_requests_a_second_for_each_unit_of_concurrency(tmp_path: Path) -> None:
    async with world(tmp_path / "state", concurrency_limit=102) as made:
        await made.create("f")
        await made.create("g")
        await made.engine.put_concurrency(FunctionRef("f"), 2)
        for _ in range(20):
            await made.invoke("f")
        assert refused(made, "f") == "ReservedFunctionInvocationRateLimitExceeded"
        for _ in range(1020):
            await made.invoke("g", logs=False)
        assert refused(made, "g") == "FunctionInvocationRateLimitExceeded"
        await made.event("g")  # events are limited by concurrency alone
        await made.clock.settle()
        assert (await made.engine.list_invocations(limit=1))[0].status is InvocationStatus.SUCCESS
        await made.clock.advance(0.05)
        await made.invoke("f")
        assert refused(made, "f") == "ReservedFunctionInvocationRateLimitExceeded"


async def test_provisioned_environments_have_ten_requests_a_second_each(published: World) -> None:
    await published.engine.put_provisioned_concurrency(FunctionRef("f", "live"), 1)
    await published.clock.settle()
    (ahead,) = [view.id for view in await published.environments()]
    served = [(await published.invoke("f", "live")).environment for _ in range(11)]
    assert served[:10] == [ahead] * 10
    assert served[10] != ahead
    await published.clock.advance(0.1)
    assert (await published.invoke("f", "live")).environment == ahead


# -- provisioned concurrency
@pytest.fixture
async def published(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path / "state") as made:
        await made.create()
        await made.engine.publish_version("f")
        await made.change()
        await made.engine.publish_version("f")
        await made.engine.create_alias("f", "live", "1")
        yield made


async def provisioned(made: World, qualifier: str = "live") -> tuple[str, int, int]:
    config = await made.engine.get_provisioned_concurrency(FunctionRef("f", qualifier))
    return config.status.value, config.allocated, config.available


async def versions(made: World) -> list[str]:
    return sorted(view.version for view in await made.environments() if not view.state.final)


async def test_environments_are_made_ahead_and_serve(published: World) -> None:
    asked = await published.engine.put_provisioned_concurrency(FunctionRef("f", "live"), 2)
    assert (asked.status.value, asked.allocated, asked.available) == ("IN_PROGRESS", 0, 0)
    await published.clock.settle()
    assert await provisioned(published) == ("READY", 2, 2)
    assert await versions(published) == ["1", "1"]
    (view,) = (await published.engine.changes(0)).functions
    assert view.provisioned == {"live": 2}
    first = await published.invoke("f", "live")
    assert (first.init_ms, first.executed_version) == (None, "1")
    assert await versions(published) == ["1", "1"]
    spec = {environment.spec.id for environment in published.backend.environments}
    assert first.environment in spec


async def test_none_serves_before_all_are_there(tmp_path: Path) -> None:
    started = 0

    async def program(runtime: FakeRuntime) -> None:
        nonlocal started
        started += 1
        if started == 2:
            await made.clock.sleep(5)
        while True:
            event = await runtime.next()
            runtime.respond(event.request_id, event.payload)

    async with world(tmp_path / "state", program) as made:
        await made.create()
        await made.engine.publish_version("f")
        await made.engine.put_provisioned_concurrency(FunctionRef("f", "1"), 2)
        await made.clock.settle()
        ahead = {view.id for view in await made.environments()}
        assert await provisioned(made, "1") == ("IN_PROGRESS", 0, 0)
        early = await made.invoke("f", "1")
        assert early.cold
        assert early.environment not in ahead
        await made.clock.advance(6)
        assert await provisioned(made, "1") == ("READY", 2, 2)
        assert (await made.invoke("f", "1")).environment in ahead


async def test_they_tell_the_function_how_they_were_initialised(tmp_path: Path) -> None:
    async def program(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            runtime.respond(event.request_id, runtime.env["AWS_LAMBDA_INITIALIZATION_TYPE"].encode())

    async with world(tmp_path / "state", program) as made:
        await made.create()
        await made.engine.publish_version("f")
        await made.engine.put_provisioned_concurrency(FunctionRef("f", "1"), 1)
        await made.clock.settle()
        assert (await made.invoke("f", "1")).payload == b"provisioned-concurrency"
        assert (await made.invoke("f")).payload == b"on-demand"


async def test_what_they_cannot_take_spills_over(tmp_path: Path, held: Held) -> None:
    async with world(tmp_path / "state", held) as made:
        await made.create()
        await made.engine.publish_version("f")
        await made.engine.put_concurrency(FunctionRef("f"), 2)
        await made.engine.put_provisioned_concurrency(FunctionRef("f", "1"), 1)
        await made.clock.settle()
        await occupy(made, "f", 1, "1")
        assert await provisioned(made, "1") == ("READY", 1, 0)
        await occupy(made, "f", 1, "1")
        assert await versions(made) == ["1", "1"]
        assert refused(made, "f", "1") == RESERVED
        assert refused(made, "f") == RESERVED
        held.go.set()
        await made.clock.settle()
        assert await provisioned(made, "1") == ("READY", 1, 1)


async def test_one_that_is_gone_before_it_could_serve_spills_over_where_there_is_room(tmp_path: Path) -> None:
    """Its invocation is admitted like any other then."""

    async def slow_to_ask(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            runtime.respond(event.request_id, b"1")
            await made.clock.sleep(5)

    async with world(tmp_path / "state", slow_to_ask) as made:
        await made.create()
        await made.engine.publish_version("f")
        await made.engine.put_concurrency(FunctionRef("f"), 1)
        await made.engine.put_provisioned_concurrency(FunctionRef("f", "1"), 1)
        await made.clock.settle()
        first, _ = made.submit("f", "1", logs=False), await made.clock.settle()
        promised = made.submit("f", "1", logs=False)
        await made.clock.advance(1)
        assert (await first).payload == b"1"
        with pytest.raises(TooManyRequests) as caught:
            await promised
        assert caught.value.reason == RESERVED


async def test_they_are_not_reclaimed_and_are_replaced_when_they_end(published: World) -> None:
    await published.engine.put_provisioned_concurrency(FunctionRef("f", "live"), 1)
    await published.clock.advance(3600)
    assert await provisioned(published) == ("READY", 1, 1)
    (before,) = [view.id for view in await published.environments()]
    await published.engine.stop_environment(before)
    await published.clock.advance(1)
    assert await provisioned(published) == ("READY", 1, 1)
    (after,) = [view.id for view in await published.environments() if not view.state.final]
    assert after != before


async def test_they_follow_their_alias(published: World) -> None:
    engine = published.engine
    await engine.put_provisioned_concurrency(FunctionRef("f", "live"), 4)
    await published.clock.settle()
    await engine.update_alias("f", "live", version="2")
    await published.clock.settle()
    assert await versions(published) == ["2"] * 4
    await engine.update_alias("f", "live", weights={"1": 0.25})
    await published.clock.settle()
    assert await versions(published) == ["1", "2", "2", "2"]
    assert await provisioned(published) == ("READY", 4, 4)
    await engine.put_provisioned_concurrency(FunctionRef("f", "live"), 2)
    await published.clock.settle()
    assert await provisioned(published) == ("READY", 2, 2)
    await engine.delete_alias("f", "live")
    await published.clock.settle()
    assert await versions(published) == []
    with pytest.raises(ResourceNotFound, match="Cannot find alias arn"):
        await provisioned(published)


@pytest.mark.parametrize("qualifier", [None, "1"])
async def test_they_end_with_their_version_and_their_function(published: World, qualifier: str | None) -> None:
    engine = published.engine
    await engine.delete_alias("f", "live")
    await engine.put_provisioned_concurrency(FunctionRef("f", "1"), 1)
    await published.clock.settle()
    await engine.delete_function(FunctionRef("f", qualifier))
    await published.clock.settle()
    assert await versions(published) == []


async def test_what_is_taken_back_before_it_was_begun_is_not_made(published: World) -> None:
    await published.engine.put_provisioned_concurrency(FunctionRef("f", "1"), 2)
    await published.engine.delete_provisioned_concurrency(FunctionRef("f", "1"))
    await published.clock.settle()
    assert await versions(published) == []


async def test_an_init_that_fails_is_told_and_not_tried_for_ever(tmp_path: Path) -> None:
    broken = True

    async def program(runtime: FakeRuntime) -> None:
        if broken:
            raise Exit(1)
        while True:
            event = await runtime.next()
            runtime.respond(event.request_id, event.payload)

    async with world(tmp_path / "state", program) as made:
        await made.create()
        await made.engine.publish_version("f")
        ref = FunctionRef("f", "1")
        await made.engine.put_provisioned_concurrency(ref, 2)
        await made.clock.advance(60)
        config = await made.engine.get_provisioned_concurrency(ref)
        assert (config.status.value, config.status_reason, config.allocated) == (
            "FAILED",
            "FUNCTION_ERROR_INIT_FAILURE",
            0,
        )
        assert await versions(made) == []
        assert len(made.backend.environments) <= 2
        broken = False
        await made.engine.put_provisioned_concurrency(ref, 1)
        await made.clock.settle()
        assert await provisioned(made, "1") == ("READY", 1, 1)


async def test_they_are_made_again_by_the_next_engine(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await made.create()
        await made.engine.publish_version("f")
        await made.engine.put_provisioned_concurrency(FunctionRef("f", "1"), 1)
    async with world(tmp_path / "state") as made:
        await made.clock.settle()
        assert await provisioned(made, "1") == ("READY", 1, 1)


@pytest.mark.parametrize(
    ("steps", "error", "message"),
    [
        ([("live", 1), ("1", 1)], ResourceConflict, "Version is pointed by a Provisioned Concurrency alias"),
        ([("1", 1), ("live", 1)], ResourceConflict, "on an already Provisioned version"),
        ([("$LATEST", 1)], InvalidParameterValue, "cannot be applied to unpublished function versions"),
        ([("3", 1)], ResourceNotFound, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:3"),
        ([("other", 1)], ResourceNotFound, "Cannot find alias arn: .*:f:other"),
        ([("1", 1001)], InvalidParameterValue, r"greater than account's unreserved concurrency \[1000\]"),
        ([("1", 901)], InvalidParameterValue, r"below its minimum value of \[100\]"),
        ([("1", 900), ("2", 1)], InvalidParameterValue, r"below its minimum value of \[100\]"),
    ],
)
async def test_what_may_not_be_provisioned(
    published: World, steps: list[tuple[str, int]], error: type[ApiError], message: str
) -> None:
    published.engine._provisioned.closed = True  # nothing is to be made of what is allowed
    with ExitStack() as stack:
        for number, (qualifier, count) in enumerate(steps, 1):
            if number == len(steps):
                stack.enter_context(pytest.raises(error, match=message))
            await published.engine.put_provisioned_concurrency(FunctionRef("f", qualifier), count)


async def test_what_is_wholly_provisioned_leaves_nothing_for_the_rest(published: World) -> None:
    await published.engine.put_concurrency(FunctionRef("f"), 1)
    await published.engine.put_provisioned_concurrency(FunctionRef("f", "1"), 1)
    await published.clock.settle()
    assert (await published.invoke("f", "1")).payload == b'{"n":1}'
    for qualifier in (None, "2"):
        assert refused(published, "f", qualifier) == RESERVED


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "not supported with SnapStart: version 1"),
        ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}, "not supported with tenant isolation: version 1"),
    ],
)
async def test_what_excludes_provisioned_concurrency(tmp_path: Path, settings: Any, message: str) -> None:
    async with world(tmp_path / "state") as made:
        await made.create(settings=settings)
        await made.engine.publish_version("f")
        await made.engine.create_alias("f", "live", "1")
        for qualifier in ("1", "live"):
            with pytest.raises(InvalidParameterValue, match=message):
                await made.engine.put_provisioned_concurrency(FunctionRef("f", qualifier), 1)


async def test_an_alias_moves_only_to_what_may_be_provisioned(published: World) -> None:
    engine = published.engine
    await engine.create_alias("f", "moving", "$LATEST")
    with pytest.raises(InvalidParameterValue, match="cannot be applied to unpublished function versions"):
        await engine.put_provisioned_concurrency(FunctionRef("f", "moving"), 1)
    await engine.put_provisioned_concurrency(FunctionRef("f", "live"), 1)
    await engine.put_provisioned_concurrency(FunctionRef("f", "2"), 1)
    with pytest.raises(InvalidParameterValue, match="cannot be applied to unpublished function versions"):
        await engine.update_alias("f", "live", version="$LATEST")
    with pytest.raises(ResourceConflict, match="on an already Provisioned version"):
        await engine.update_alias("f", "live", weights={"2": 0.5})


async def test_reserved_and_provisioned_bound_each_other(published: World) -> None:
    engine = published.engine
    await engine.put_concurrency(FunctionRef("f"), 2)
    with pytest.raises(InvalidParameterValue, match="should not be greater than the reservedConcurrentExecution"):
        await engine.put_provisioned_concurrency(FunctionRef("f", "1"), 3)
    await engine.put_provisioned_concurrency(FunctionRef("f", "1"), 2)
    with pytest.raises(InvalidParameterValue) as caught:
        await engine.put_concurrency(FunctionRef("f"), 1)
    assert caught.value.message == (
        " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2]."
    )
