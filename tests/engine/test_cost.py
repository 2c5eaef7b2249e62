"""What the engine writes down for its costs: of invocations, and of what is provisioned."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine.world import World, world
from workbench.model.cost import Allocation
from workbench.model.names import FunctionRef
from workbench.store.history import HistoryFile
from workbench.testing.fakes import Exit, FakeRuntime

GB_S_PROVISIONED = 0.0000041667


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path / "state") as made:
        await made.create(memory_size=1024, architecture="x86_64")
        await made.engine.publish_version("f")
        await made.engine.create_alias("f", "live", "1")
        yield made


def allocations(state: Path) -> list[tuple[str, int, float, float]]:
    """Version, number, and from when until when, in seconds since the clock began."""
    history = HistoryFile(state, read_only=True)
    found = history.used().allocations
    history.close()
    return [(one.version, one.count, one.since - 1_700_000_000, one.until - 1_700_000_000) for one in found]


async def test_an_invocation_is_recorded_with_all_that_it_costs_by(made: World, tmp_path: Path) -> None:
    await made.engine.put_provisioned_concurrency(FunctionRef("f", "live"), 1)
    await made.clock.settle()
    ahead = await made.invoke("f", "live")
    assert (ahead.provisioned, ahead.architecture, ahead.ephemeral_storage) == (True, "x86_64", 512)
    latest = await made.invoke("f")
    assert latest.provisioned is False
    first = await made.engine.get_invocation(ahead.request_id)
    second = await made.engine.get_invocation(latest.request_id)
    assert (first.provisioned, second.provisioned) == (True, False)
    assert first.engine == second.engine == 1_700_000_000.0
    assert first.responded_ms == first.finished_ms == 0.0
    _, published = await made.engine.list_versions("f")
    assert first.revision == published.revision_id != second.revision
    await made.change()
    third = await made.engine.get_invocation((await made.invoke("f")).request_id)
    assert third.revision != second.revision


async def test_what_is_provisioned_is_paid_from_when_it_was_asked_for_until_it_is_taken_away(
    made: World, tmp_path: Path
) -> None:
    ref = FunctionRef("f", "live")
    await made.clock.advance(10)
    await made.engine.put_provisioned_concurrency(ref, 2)
    await made.clock.advance(100)
    (one,) = (await made.engine.costs()).functions
    assert (one.invocations, one.provisioned_gb_seconds) == (0, 2 * 300)
    assert one.bill.provisioned == pytest.approx(600 * GB_S_PROVISIONED)
    await made.engine.put_provisioned_concurrency(ref, 1)
    await made.clock.advance(390)
    await made.engine.delete_provisioned_concurrency(ref)
    await made.clock.advance(5000)
    (one,) = (await made.engine.costs(function="f")).functions
    assert allocations(tmp_path / "state") == [("1", 2, 10, 110), ("1", 1, 110, 500)]
    assert one.provisioned_gb_seconds == pytest.approx(2 * 100 + 500)


async def test_what_is_provisioned_follows_its_alias(made: World, tmp_path: Path) -> None:
    ref = FunctionRef("f", "live")
    await made.engine.put_provisioned_concurrency(ref, 4)
    await made.change()
    await made.engine.publish_version("f")
    await made.clock.advance(100)
    await made.engine.update_alias("f", "live", version="2", weights={"1": 0.25})
    await made.clock.advance(100)
    await made.engine.delete_alias("f", "live")
    await made.clock.advance(1)
    await made.engine.costs()
    assert allocations(tmp_path / "state") == [("1", 4, 0, 100), ("1", 1, 100, 200), ("2", 3, 100, 200)]


async def test_environments_that_could_not_be_made_are_not_paid_for(tmp_path: Path) -> None:
    async def broken(runtime: FakeRuntime) -> None:
        raise Exit(1)

    async with world(tmp_path / "state", broken) as made:
        await made.create()
        await made.engine.publish_version("f")
        await made.engine.put_provisioned_concurrency(FunctionRef("f", "1"), 2)
        await made.clock.advance(1000)
        await made.engine.costs()
        ((version, count, since, until),) = allocations(tmp_path / "state")
    assert (version, count, since, until < 5) == ("1", 2, 0, True)


async def test_an_engine_that_is_killed_has_written_how_long_it_was(made: World, tmp_path: Path) -> None:
    await made.engine.put_provisioned_concurrency(FunctionRef("f", "live"), 1)
    await made.clock.advance(3601)
    ((_, _, since, until),) = allocations(tmp_path / "state")
    assert (since, 3541 <= until <= 3601) == (0, True)


async def test_what_is_paid_ends_with_the_engine_and_goes_on_with_the_next(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await made.create()
        await made.engine.publish_version("f")
        await made.clock.advance(10)
        await made.engine.put_provisioned_concurrency(FunctionRef("f", "1"), 1)
        await made.clock.advance(30.5)
    assert allocations(tmp_path / "state") == [("1", 1, 10, 40.5)]
    async with world(tmp_path / "state") as made:
        await made.clock.advance(5)
    assert allocations(tmp_path / "state") == [("1", 1, 0, 5), ("1", 1, 10, 40.5)]


async def test_the_time_of_INIT_is_known_once_all_are_there(made: World, tmp_path: Path) -> None:
    async def slow(runtime: FakeRuntime) -> None:
        await made.clock.sleep(0.25)
        while True:
            event = await runtime.next()
            runtime.respond(event.request_id, event.payload)

    made.backend.program = slow
    await made.engine.put_provisioned_concurrency(FunctionRef("f", "live"), 2)
    await made.clock.advance(10)
    await made.engine.costs()
    history = HistoryFile(tmp_path / "state", read_only=True)
    (found,) = history.used().allocations
    history.close()
    assert isinstance(found, Allocation)
    assert found.init_ms == pytest.approx(250)
