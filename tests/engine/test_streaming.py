"""Streamed responses inside the engine: what the caller reads, in which order, and what stops it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import World, world
from workbench.engine.ports import Answer
from workbench.engine.stream import Stream
from workbench.model.errors import BackendError, ResourceNotFound
from workbench.model.invocations import InvocationStatus, InvokeRequest
from workbench.model.names import FunctionRef
from workbench.testing.fakes import Exit, FakeRuntime


class Function:
    """Streams what it is told to: bytes are written, awaitables awaited, anything else is how it ends."""

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.answers: list[Any] = []
        self.full = 0

    async def __call__(self, runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            room = asyncio.Event()
            sink = runtime.stream(event.request_id, "text/plain", room.set)
            for step in self.script:
                if isinstance(step, bytes):
                    if not sink.write(step):
                        self.full += 1
                        await room.wait()
                        room.clear()
                elif isinstance(step, tuple):
                    self.answers.append(sink.end(*step))
                elif isinstance(step, Exception):
                    raise step
                elif step == "lost":
                    self.answers.append(sink.lost())
                elif step == "error":
                    self.answers.append(runtime.fail(event.request_id, b"{}"))
                else:
                    await step


DONE = ("", b"")


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
async def made(tmp_path: Path, function: Function) -> AsyncIterator[World]:
    async with world(tmp_path / "state", function) as opened:
        await opened.create()
        yield opened


async def begin(made: World, **more: Any) -> Stream:
    starting = asyncio.ensure_future(made.engine.invoke_streaming(InvokeRequest(function=FunctionRef("f"), **more)))
    await made.clock.settle()
    return await starting


async def read(made: World, stream: Stream) -> list[bytes]:
    reading = asyncio.ensure_future(_all(stream))
    await made.clock.settle()
    return await reading


async def _all(stream: Stream) -> list[bytes]:
    return [piece async for piece in stream.pieces()]


async def test_the_first_piece_is_read_before_the_function_ends(made: World, function: Function) -> None:
    hold = asyncio.Event()
    function.script = [b"one", hold.wait(), b"two", DONE]
    stream = await begin(made)
    pieces = stream.pieces()
    assert await asyncio.wait_for(anext(pieces), 5) == b"one"
    assert (stream.content_type, stream.executed_version) == ("text/plain", "$LATEST")
    following = asyncio.ensure_future(anext(pieces))
    await made.clock.settle()
    assert not following.done()
    hold.set()
    assert await following == b"two"
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)
    result = await stream.result()
    assert (result.status, result.payload, result.request_id) == (
        InvocationStatus.SUCCESS, b"onetwo", stream.request_id,
    )  # fmt: skip
    assert function.answers == [Answer(202)]


async def test_a_function_that_does_not_stream_gives_one_piece(tmp_path: Path) -> None:
    async def whole(runtime: FakeRuntime) -> None:
        event = await runtime.next()
        runtime.respond(event.request_id, b"x" * 300_000, "application/json")
        await runtime.next()

    async with world(tmp_path / "state", whole) as made:
        await made.create()
        stream = await begin(made)
        assert stream.content_type == "application/json"
        assert await read(made, stream) == [b"x" * 300_000]


async def test_a_buffered_caller_gets_the_whole_of_what_was_streamed(made: World, function: Function) -> None:
    function.script = [b'{"a":', b"1}", DONE]
    result = await made.invoke()
    assert (result.payload, result.content_type, result.function_error) == (b'{"a":1}', "text/plain", None)


@pytest.mark.parametrize("streamed", [True, False])
async def test_an_error_in_the_middle(made: World, function: Function, streamed: bool) -> None:
    function.script = [b"half", ("Function.Oops", b'{"errorType":"Oops"}')]
    if streamed:
        stream = await begin(made)
        assert await read(made, stream) == [b"half"]
        result = await stream.result()
    else:
        result = await made.invoke()
    assert (result.status, result.function_error, result.payload) == (
        InvocationStatus.ERROR, "Unhandled", b'{"errorType":"Oops"}',
    )  # fmt: skip
    assert function.answers == [Answer(202)]


async def test_a_response_that_is_cut_off(made: World, function: Function) -> None:
    function.script = [b"half", "lost"]
    stream = await begin(made)
    assert await read(made, stream) == [b"half"]
    assert json.loads((await stream.result()).payload)["errorType"] == "Runtime.TruncatedResponse"


async def test_an_error_may_be_posted_only_before_the_first_byte(made: World, function: Function) -> None:
    function.script = [b"half", "error", DONE]
    stream = await begin(made)
    await read(made, stream)
    assert (await stream.result()).function_error is None
    assert [answer.status for answer in function.answers] == [403, 202]


async def test_a_crash_in_the_middle_ends_the_stream(made: World, function: Function) -> None:
    function.script = [b"half", Exit(3)]
    stream = await begin(made)
    assert await read(made, stream) == [b"half"]
    result = await stream.result()
    assert json.loads(result.payload)["errorType"] == "Runtime.ExitError"


async def test_the_timeout_holds_for_the_whole_of_a_stream(made: World, function: Function) -> None:
    function.script = [b"half", asyncio.sleep(3600), DONE]
    stream = await begin(made)
    reading = asyncio.ensure_future(_all(stream))
    await made.clock.advance(4)
    assert await reading == [b"half"]
    assert json.loads((await stream.result()).payload)["errorType"] == "Sandbox.Timedout"


async def test_a_caller_who_leaves_does_not_stop_the_function(made: World, function: Function) -> None:
    hold = asyncio.Event()
    function.script = [b"x", hold.wait(), *[bytes(1_000_000)] * 20, DONE]
    stream = await begin(made)
    pieces = stream.pieces()
    await anext(pieces)
    await pieces.aclose()
    hold.set()
    await made.clock.settle()
    assert function.answers == [Answer(202)]
    assert (await stream.result()).status is InvocationStatus.SUCCESS


async def test_a_slow_caller_makes_the_function_wait(made: World, function: Function) -> None:
    function.script = [*[b"x" * 100_000] * 50, DONE]
    stream = await begin(made)
    await made.clock.settle()
    assert (function.full, stream._held) == (1, 1_100_000)
    assert sum(map(len, await read(made, stream))) == 5_000_000
    assert function.answers == [Answer(202)]


@pytest.mark.parametrize(("streamed", "limit"), [(False, 6_291_556), (True, 209_715_200)])
async def test_a_response_has_a_limit(tmp_path: Path, function: Function, streamed: bool, limit: int) -> None:
    block = bytes(1 << 20)
    async with world(tmp_path / "state", function, stream_rate=None) as made:
        await made.create(timeout=900)
        for extra, error in ((0, None), (1, "Unhandled")):
            function.script = [*[block] * (limit >> 20), bytes((limit & 0xFFFFF) + extra), DONE]
            if streamed:
                stream = await begin(made)
                total = sum(map(len, await read(made, stream)))
                result = await stream.result()
                assert total == (limit if error is None else limit & ~0xFFFFF)
            else:
                result = await made.invoke()
            assert result.function_error == error
    assert json.loads(result.payload) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": f"Response payload size exceeded maximum allowed payload size ({limit} bytes).",
    }
    assert [answer.status for answer in function.answers] == [202, 413]


async def test_beyond_six_megabytes_a_stream_is_slowed_down(tmp_path: Path, function: Function) -> None:
    piece, count = bytes(1 << 18), 64
    function.script = [*[piece] * count, DONE]
    async with world(tmp_path / "state", function) as made:
        await made.create(timeout=900)
        stream = await begin(made)
        reading = asyncio.ensure_future(_all(stream))
        times = []
        while not reading.done():
            await made.clock.advance(0.125)
            times.append(made.clock.monotonic_ns())
        seconds = (times[-1] - times[0]) / 1e9
    assert seconds == pytest.approx((len(piece) * (count - 1) - 6_291_456) / 2_097_152, abs=0.5)


async def test_what_refuses_an_invocation_refuses_a_stream(made: World) -> None:
    with pytest.raises(ResourceNotFound):
        await made.engine.invoke_streaming(InvokeRequest(function=FunctionRef("nobody")))
    made.backend.refuse = "no sandbox today"
    with pytest.raises(BackendError, match="no sandbox today"):
        await begin(made)
