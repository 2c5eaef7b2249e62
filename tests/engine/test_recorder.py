"""From events to the history: every ending is kept, whole and bounded, and nothing waits for the disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import InlineThread, World, world
from workbench.engine import recorder as recorders
from workbench.engine.recorder import Recorder
from workbench.model import events as ev
from workbench.model.errors import ResourceNotFound, StateError, TooManyRequests
from workbench.model.history import MAX_LOG, InvocationRecord, PastInvocation
from workbench.model.invocations import InvocationStatus, InvocationType
from workbench.testing.clock import VirtualClock
from workbench.testing.fakes import Exit, FakeRuntime


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def only(world: World) -> InvocationRecord:
    (past,) = await world.engine.list_invocations()
    return await world.engine.get_invocation(past.request_id)


async def test_a_cold_start_is_kept_with_everything(engine: World) -> None:
    await engine.create(memory_size=256)
    result = await engine.invoke(payload=b'{"n":1}', client_context="{}", trace_id="Root=1-2")
    found = await only(engine)
    assert (found.request_id, found.n, found.attempt) == (result.request_id, 1, 1)
    assert (found.function, found.qualifier, found.version) == ("f", None, "$LATEST")
    assert (found.type, found.status) == (InvocationType.REQUEST_RESPONSE, InvocationStatus.SUCCESS)
    assert (found.event, found.event_size) == (b'{"n":1}', 7)
    assert (found.response, found.response_size) == (b'{"n":1}', 7)
    assert (found.cold, found.why, found.backend) == (True, "cold: no environment yet", "fake")
    assert found.environment == result.environment
    assert (found.memory_size, found.max_memory_mb) == (256, 40)
    assert (found.billed_ms, found.init_ms) == (result.billed_ms, result.init_ms)
    assert found.trace_id == result.trace_id
    assert (str(found.trace_id)[:9], found.client_context, found.wall) == ("Root=1-2;", "{}", engine.clock.time())
    assert "".join(f"{line.text}\n" for line in found.log) == result.log
    assert found.log[0].text.startswith("INIT_START")


async def test_times_count_from_the_acceptance(tmp_path: Path) -> None:
    async def slow(runtime: FakeRuntime) -> None:
        await made.clock.sleep(2.0)
        event = await runtime.next()
        await made.clock.sleep(3.0)
        runtime.print("done")
        runtime.respond(event.request_id, b"1")
        await runtime.next()

    async with world(tmp_path, slow) as made:
        await made.create(timeout=10)
        pending = made.submit()
        await made.clock.advance(6.0)
        await pending
        found = await only(made)
    assert (found.started_ms, found.finished_ms, found.init_ms, found.duration_ms) == (2000, 5000, 2000, 3000)
    assert [(line.ms, line.text) for line in found.log if line.stream == "function"] == [(5000, "done")]


async def fails(runtime: FakeRuntime) -> None:
    event = await runtime.next()
    runtime.fail(event.request_id, b'{"errorType":"Oops"}', "Oops")
    await runtime.next()


async def crashes(runtime: FakeRuntime) -> None:
    await runtime.next()
    raise Exit(3)


async def dies(runtime: FakeRuntime) -> None:
    await runtime.next()
    raise Exit(signal=9, oom=True)


async def never_begins(runtime: FakeRuntime) -> None:
    runtime.print("no such module")
    raise Exit(1)


async def sleeps(runtime: FakeRuntime) -> None:
    await runtime.next()
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        (fails, InvocationStatus.ERROR, "END"),
        (crashes, InvocationStatus.CRASH, "Runtime.ExitError"),
        (dies, InvocationStatus.OOM, "Runtime.OutOfMemory"),
        (never_begins, InvocationStatus.INIT_ERROR, "no such module"),
        (sleeps, InvocationStatus.TIMEOUT, "Status: timeout"),
    ],
)
async def test_every_bad_end_is_kept_with_its_log(
    tmp_path: Path, program: Any, status: InvocationStatus, said: str
) -> None:
    async with world(tmp_path, program) as made:
        await made.create(timeout=3)
        pending = made.submit()
        await made.clock.advance(60.0)
        result = await pending
        found = await only(made)
    assert (found.status, found.response) == (status, result.payload)
    assert said in "\n".join(line.text for line in found.log)


@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        (b'{"errorType":"Oops"}', "Oops"),
        (b'{"errorType":5}', None),
        (b"[1]", None),
        (b"null", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
async def test_a_function_error_is_named_as_it_names_itself(body: bytes, error_type: str | None) -> None:
    recorder, disk, _ = recording()
    recorder.apply(accepted())
    recorder.apply(ev.InvocationFinished(5, "r", InvocationStatus.ERROR, body, 1.0, 1, None, 1))
    await recorder.flush()
    assert [record.error_type for record in disk.batches[0]] == [error_type]


async def test_an_environment_that_cannot_be_made_is_kept_too(engine: World) -> None:
    engine.backend.refuse = "no room"
    await engine.create()
    pending = engine.submit()
    await engine.clock.settle()
    with pytest.raises(Exception, match="no room"):
        await pending
    found = await only(engine)
    assert (found.status, found.started_ms) == (InvocationStatus.FAILED, None)
    assert b"no room" in found.response


async def test_a_throttle_is_kept_with_its_event(tmp_path: Path) -> None:
    async with world(tmp_path, concurrency_limit=0) as made:
        await made.create()
        with pytest.raises(TooManyRequests):
            await made.invoke(payload=b'"again"')
        found = await only(made)
    assert (found.status, found.version, found.event) == (InvocationStatus.THROTTLED, "", b'"again"')
    assert found.why == "ConcurrentInvocationLimitExceeded"


async def test_attempts_of_an_event_are_told_apart(tmp_path: Path) -> None:
    async with world(tmp_path, fails) as made:
        await made.create()
        result = await made.event()
        await made.clock.advance(600.0)
        found = await made.engine.list_invocations()
    assert [(past.request_id, past.attempt) for past in found] == [(result.request_id, n) for n in (3, 2, 1)]


async def test_lines_are_kept_apart_in_concurrent_environments(tmp_path: Path) -> None:
    async def talks(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            runtime.print(event.payload.decode())
            runtime.respond(event.request_id, event.payload)

    async with world(tmp_path, talks) as made:
        await made.create()
        pending = [made.submit(payload=str(number).encode()) for number in range(20)]
        await made.clock.settle()
        for result in await asyncio.gather(*pending):
            found = await made.engine.get_invocation(result.request_id)
            assert [line.text for line in found.log if line.stream == "function"] == [found.event.decode()]


async def test_a_long_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    async def floods(runtime: FakeRuntime) -> None:
        event = await runtime.next()
        for number in range(40):
            runtime.print(f"{number} " + "x" * 20_000)
            await asyncio.sleep(0)
        runtime.respond(event.request_id, b"1")
        await runtime.next()

    async with world(tmp_path, floods) as made:
        await made.create()
        await made.invoke()
        found = await only(made)
    texts = [line.text for line in found.log]
    assert texts[0].startswith("INIT_START")
    assert texts[2].startswith("0 xxx")
    assert texts[-1].startswith("REPORT")
    numbers = [int(text.split()[0]) for text in texts if "xxx" in text]
    (mark,) = (line for line in found.log if line.stream == "dropped")
    assert numbers == sorted(numbers)
    assert len(numbers) + found.log_dropped == 40
    assert mark.text == f"… {found.log_dropped} lines more …"
    assert sum(map(len, texts)) < MAX_LOG


async def test_one_enormous_line_is_cut() -> None:
    kept = recorders._Open(accepted())
    kept.add(ev.LogLine(0, 0.0, "e", "f", "1", None, "function", "y" * MAX_LOG))
    (line,) = kept.log()
    assert line.text == "y" * (MAX_LOG // 2) + f" … {MAX_LOG // 2} characters more"


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    for count in (1, 2):
        async with world(tmp_path) as made:
            if count == 1:
                await made.create()
            await made.invoke()
            assert len(await made.engine.list_invocations()) == count


async def test_what_ran_when_the_engine_stopped_is_kept(tmp_path: Path) -> None:
    async with world(tmp_path, sleeps) as made:
        await made.create()
        pending = made.submit()
        await made.clock.settle()
    await pending
    async with world(tmp_path) as made:
        assert (await only(made)).status is InvocationStatus.CRASH


async def test_an_invocation_that_runs_is_not_history_yet(engine: World) -> None:
    engine.backend.program = sleeps
    await engine.create()
    pending = engine.submit()
    await engine.clock.settle()
    assert await engine.engine.list_invocations() == ()
    with pytest.raises(ResourceNotFound):
        await engine.engine.get_invocation("x")
    pending.cancel()


# -- batches, and a disk that does not want
class Disk:
    """A history in memory that can refuse."""

    def __init__(self) -> None:
        self.batches: list[list[InvocationRecord]] = []
        self.refuse = False
        self.closed = False

    def append(self, records: Iterable[InvocationRecord]) -> None:
        if self.refuse:
            raise StateError("the disk is full")
        self.batches.append(list(records))

    def get(self, request_id: str) -> InvocationRecord:
        raise NotImplementedError

    def newest(self, **wanted: Any) -> tuple[PastInvocation, ...]:
        return tuple(record for batch in self.batches for record in batch)

    def close(self) -> None:
        self.closed = True


def accepted(id: str = "r", payload: bytes = b"") -> ev.InvocationAccepted:
    kind = InvocationType.REQUEST_RESPONSE
    return ev.InvocationAccepted(0, id, "f", None, "1", kind, f"e-{id}", False, "warm", payload, 1.0)


def finished(id: str = "r") -> ev.InvocationFinished:
    return ev.InvocationFinished(5, id, InvocationStatus.SUCCESS, b"", 1.0, 1, None, 1)


def recording() -> tuple[Recorder, Disk, VirtualClock]:
    clock, disk = VirtualClock(), Disk()
    return Recorder(clock, disk, InlineThread(disk)), disk, clock


async def test_invocations_are_written_together_a_moment_later() -> None:
    recorder, disk, clock = recording()
    for id in "abc":
        recorder.apply(accepted(id))
        recorder.apply(finished(id))
    assert disk.batches == []
    await clock.advance(recorders.BATCH_SECONDS)
    assert [[record.request_id for record in batch] for batch in disk.batches] == [["a", "b", "c"]]
    await clock.advance(60)
    assert len(disk.batches) == 1
    recorder.apply(accepted("d"))
    recorder.apply(finished("d"))
    await recorder.aclose()
    assert ([record.request_id for record in disk.batches[1]], disk.closed) == (["d"], True)


async def test_a_disk_that_fails_is_told_once_and_again_after_it_had_worked(caplog: pytest.LogCaptureFixture) -> None:
    recorder, disk, clock = recording()

    async def one() -> None:
        recorder.apply(accepted())
        recorder.apply(finished())
        await clock.advance(1)

    disk.refuse = True
    await one()
    await one()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert recorder.trouble == "the disk is full"
    disk.refuse = False
    await one()
    assert (recorder.trouble, len(disk.batches)) == ("", 1)
    disk.refuse = True
    await one()
    assert len(caplog.records) == 2


async def test_the_engine_goes_on_and_says_that_there_is_no_history(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.create()
        (tmp_path / "history.db").mkdir()
        await made.invoke()
        with pytest.raises(StateError):
            await made.engine.list_invocations()
        assert (await made.engine.status()).notes[-1].startswith("no history: cannot use")
        (tmp_path / "history.db").rmdir()
        await made.invoke()
        assert len(await made.engine.list_invocations()) == 1
        assert (await made.engine.status()).notes == ()


async def test_what_waits_for_a_slow_disk_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorders, "MAX_WAITING", 4)
    monkeypatch.setattr(recorders, "MAX_WAITING_BYTES", 1000)
    recorder, disk, _ = recording()
    for number, size in enumerate([10, 2000, 600, 600, 10, 10, 10]):
        recorder.apply(accepted(str(number), b"x" * size))
        recorder.apply(finished(str(number)))
    await recorder.flush()
    assert [record.request_id for record in disk.batches[0]] == ["0", "2", "4", "5"]
    assert "3 invocations are missing from the history" in caplog.text
    recorder.apply(accepted("later"))
    recorder.apply(finished("later"))
    await recorder.flush()
    assert [record.request_id for record in disk.batches[1]] == ["later"]


async def test_ends_without_a_beginning_and_lines_of_nobody_are_ignored() -> None:
    recorder, disk, _ = recording()
    recorder.apply(finished("nobody"))
    recorder.apply(ev.InvocationStarted(0, "nobody"))
    recorder.apply(ev.LogLine(0, 0.0, "e", "f", "1", None, "function", "hello?"))
    await recorder.flush()
    assert disk.batches == []
