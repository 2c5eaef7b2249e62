"""The metrics of a function as CloudWatch would count them, read through Prometheus's own parser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.engine.world import World, world
from workbench.engine.lineage import MOST
from workbench.model.attached import EventInvokeConfig
from workbench.model.errors import ApiError, BackendError, RecursiveInvocation
from workbench.model.names import FunctionRef
from workbench.testing.fakes import Exit, FakeRuntime

Samples = dict[tuple[str, str, str], float]


class Program:
    """Answers; or fails, waits to be let go, or takes its time, as the event says."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.world: World | None = None

    async def __call__(self, runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            what, _, seconds = event.payload.partition(b" ")
            if what == b"fail":
                runtime.fail(event.request_id, b'{"errorType":"E"}')
                continue
            if what == b"crash":
                raise Exit(1)
            if what == b"hold":
                await self.go.wait()
            if what == b"take" and self.world is not None:
                await self.world.clock.sleep(float(seconds))
            runtime.respond(event.request_id, b"1")


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
async def made(tmp_path: Path, program: Program) -> AsyncIterator[World]:
    async with world(tmp_path / "state", program) as opened:
        program.world = opened
        await opened.create()
        await opened.engine.publish_version("f")
        await opened.engine.create_alias("f", "live", "1")
        yield opened
        program.go.set()
        await opened.clock.settle()


async def samples(made: World) -> Samples:
    """Each sample by its name, resource and executed version; of a histogram, the bucket's bound in its place."""
    found = {}
    for family in text_string_to_metric_families(await made.engine.metrics()):
        assert family.type != "unknown", family.name
        assert family.documentation
        for sample in family.samples:
            labels = sample.labels
            key = (
                sample.name.removeprefix("workbench_"),
                labels.get("resource", ""),
                labels.get("executed_version", ""),
            )
            if "le" in labels:
                key = (key[0], key[1], labels["le"])
            assert key not in found
            found[key] = sample.value
    return found


async def test_invocations_are_counted_by_what_was_called_and_what_ran(made: World) -> None:
    for qualifier in (None, "1", "live", "live"):
        await made.invoke("f", qualifier)
    counted = await samples(made)
    assert {key: value for key, value in counted.items() if key[0] == "invocations_total"} == {
        ("invocations_total", "f", "$LATEST"): 1,
        ("invocations_total", "f:1", "1"): 1,
        ("invocations_total", "f:live", "1"): 2,
    }
    (view,) = (await made.engine.changes(0)).functions
    assert {
        qualifier: {version: one.invocations for version, one in versions.items()}
        for qualifier, versions in view.metrics.items()
    } == {"": {"$LATEST": 1}, "1": {"1": 1}, "live": {"1": 2}}


async def test_errors_are_the_functions_own_timeouts_among_them(made: World) -> None:
    for payload in (b"1", b"fail", b"crash"):
        await made.invoke(payload=payload)
    pending = made.submit(payload=b"hold")
    await made.clock.advance(4)
    assert (await pending).function_error == "Unhandled"
    counted = await samples(made)
    assert counted["invocations_total", "f", "$LATEST"] == 4
    assert counted["errors_total", "f", "$LATEST"] == 3


async def test_what_was_throttled_or_had_no_environment_is_no_invocation(made: World) -> None:
    await made.engine.put_concurrency(FunctionRef("f"), 0)
    with pytest.raises(ApiError):
        made.submit("f", "live")
    await made.engine.put_concurrency(FunctionRef("f"), None)
    made.backend.refuse = "no sandbox today"
    with pytest.raises(BackendError):
        await made.invoke()
    counted = await samples(made)
    assert counted["throttles_total", "f:live", ""] == 1
    assert not [key for key in counted if key[0] in ("invocations_total", "errors_total")]
    assert counted["unreserved_concurrent_executions", "", ""] == 0


async def test_durations_have_a_histogram(made: World) -> None:
    for seconds in (b"0.02", b"0.03", b"2"):
        pending = made.submit(payload=b"take " + seconds)
        await made.clock.advance(3)
        await pending
    counted = await samples(made)
    name = "duration_seconds"
    assert (counted[f"{name}_count", "f", "$LATEST"], counted[f"{name}_sum", "f", "$LATEST"]) == (
        3,
        pytest.approx(2.05),
    )
    buckets = [counted[f"{name}_bucket", "f", bound] for bound in ("0.01", "0.025", "0.05", "1", "2.5", "+Inf")]
    assert buckets == [0, 1, 2, 2, 3, 3]


async def test_concurrency_now_on_demand_provisioned_and_spilled_over(made: World, program: Program) -> None:
    await made.engine.put_provisioned_concurrency(FunctionRef("f", "live"), 2)
    await made.clock.settle()
    idle = await samples(made)
    assert "provisioned_concurrency_utilization" not in {name for name, _, _ in idle}
    assert idle["claimed_account_concurrency", "", ""] == 2
    pending = [made.submit("f", "live", b"hold")]
    await made.clock.settle()
    counted = await samples(made)
    assert counted["provisioned_concurrency_utilization", "f:live", ""] == 0.5
    pending += [made.submit("f", "live", b"hold") for _ in range(3)]
    await made.clock.settle()
    counted = await samples(made)
    ran = ("f:live", "1")
    assert counted["concurrent_executions", *ran] == 4
    assert counted["provisioned_concurrent_executions", "f:live", ""] == 2
    assert counted["provisioned_concurrency_utilization", "f:live", ""] == 1
    assert counted["provisioned_concurrency_invocations_total", *ran] == 2
    assert counted["provisioned_concurrency_spillover_invocations_total", *ran] == 2
    assert counted["unreserved_concurrent_executions", "", ""] == 4
    assert counted["claimed_account_concurrency", "", ""] == 6
    await made.engine.put_concurrency(FunctionRef("f"), 5)
    counted = await samples(made)
    assert counted["unreserved_concurrent_executions", "", ""] == 0
    assert counted["claimed_account_concurrency", "", ""] == 5
    program.go.set()
    await made.clock.settle()
    await asyncio.gather(*pending)
    counted = await samples(made)
    assert counted["concurrent_executions", *ran] == 0
    assert "provisioned_concurrent_executions" not in {name for name, _, _ in counted}


async def test_without_provisioned_concurrency_nothing_spills_over(made: World) -> None:
    await made.invoke("f", "live")
    assert (await samples(made))["provisioned_concurrency_spillover_invocations_total", "f:live", "1"] == 0


async def test_events_their_age_and_what_became_of_them(made: World) -> None:
    target = "arn:aws:sqs:us-east-1:000000000000:nowhere"
    await made.engine.put_event_invoke_config(
        FunctionRef("f"), EventInvokeConfig(maximum_retry_attempts=1, on_failure=target)
    )
    await made.event(payload=b"1")
    await made.event(payload=b"fail")
    await made.clock.advance(600)
    counted = await samples(made)
    assert counted["async_events_received_total", "f", ""] == 2
    assert counted["async_events_dropped_total", "f", ""] == 1
    assert counted["destination_delivery_failures_total", "f", ""] == 1
    assert "dead_letter_errors_total" not in {name for name, _, _ in counted}
    assert counted["async_event_age_seconds_count", "f", ""] == 3
    assert counted["async_event_age_seconds_sum", "f", ""] == 60  # the retry


async def test_dead_letters_that_nobody_takes(tmp_path: Path, program: Program) -> None:
    target = {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:nowhere"}
    async with world(tmp_path / "state", program) as made:
        await made.create(settings={"DeadLetterConfig": target})
        await made.event(payload=b"fail")
        await made.clock.advance(600)
        assert (await samples(made))["dead_letter_errors_total", "f", ""] == 1


async def test_a_loop_that_was_broken(made: World) -> None:
    trace: str | None = None

    async def again() -> str | None:
        result = await made.invoke(trace_id=trace)
        return result.trace_id

    for _ in range(MOST):
        trace = await again()
    with pytest.raises(RecursiveInvocation):
        await again()
    assert (await samples(made))["recursive_invocations_dropped_total", "f", ""] == 1


async def test_a_function_that_is_gone_is_not_shown(made: World) -> None:
    await made.invoke()
    await made.engine.delete_function(FunctionRef("f"))
    assert {resource for _, resource, _ in await samples(made)} == {""}
