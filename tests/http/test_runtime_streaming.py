"""Responses that a runtime streams, over a real socket, in front of a link that records."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.http.test_runtime_api import EVENT, Runtime, runtime
from workbench.engine.ports import ACCEPTED, Answer
from workbench.http.wire import HttpProtocol

__all__ = ["runtime"]  # a fixture

PATH = "/2018-06-01/runtime/invocation/id-1/response"
TRUNCATED = Answer(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")


class Sink:
    """Notes what it is given; full once it has `room` bytes."""

    def __init__(self, resume: Callable[[], None], room: int = 1 << 40) -> None:
        self.resume, self.room = resume, room
        self.pieces: list[bytes] = []
        self.ended: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

    def write(self, data: bytes) -> bool:
        self.pieces.append(data)
        return sum(map(len, self.pieces)) < self.room

    def end(self, error_type: str, error: bytes) -> Answer:
        self.ended.set_result((error_type, error))
        return ACCEPTED

    def lost(self) -> Answer:
        self.ended.set_result(("lost",))
        return TRUNCATED


def sink_of(made: Runtime, **more: Any) -> list[Sink]:
    sinks: list[Sink] = []

    def make(resume: Callable[[], None]) -> Sink:
        sinks.append(Sink(resume, **more))
        return sinks[-1]

    made.link.sink = make
    return sinks


def begin(made: Runtime, *lines: str) -> None:
    head = [f"POST {PATH} HTTP/1.1", "host: x", "transfer-encoding: chunked"]
    head += ["Lambda-Runtime-Function-Response-Mode: streaming", *lines]
    made.writer.write("\r\n".join(head).encode() + b"\r\n\r\n")


def chunk(made: Runtime, data: bytes) -> None:
    made.writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def until(condition: Callable[[], Any]) -> Any:
    for _ in range(1_000):
        if found := condition():
            return found
        await asyncio.sleep(0.005)
    pytest.fail("not within 5 s")


async def test_pieces_arrive_before_the_end(runtime: Runtime) -> None:
    sinks = sink_of(runtime)
    begin(runtime, "content-type: text/plain")
    chunk(runtime, b"one")
    sink = await until(lambda: sinks and sinks[0].pieces and sinks[0])
    assert sink.pieces == [b"one"]
    chunk(runtime, b"two")
    await until(lambda: sink.pieces == [b"one", b"two"])
    runtime.writer.write(b"0\r\n\r\n")
    status, _, body = await runtime.answer()
    assert (status, json.loads(body)) == (202, {"status": "OK"})
    assert sink.ended.result() == ("", b'{"errorType": ""}')
    assert runtime.link.calls == [("stream", "id-1", "text/plain")]
    runtime.send("GET", "/2018-06-01/ping")
    assert (await runtime.answer())[0] == 200  # the connection goes on


async def test_trailers_carry_the_error(runtime: Runtime) -> None:
    sinks = sink_of(runtime)
    begin(runtime, "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")
    chunk(runtime, b"half")
    error = base64.b64encode(b'{"errorType":"Oops"}').decode()
    runtime.writer.write(
        f"0\r\nLambda-Runtime-Function-Error-Type: Function.Oops\r\n"
        f"Lambda-Runtime-Function-Error-Body: {error}\r\n\r\n".encode()
    )
    assert (await runtime.answer())[0] == 202
    assert sinks[0].ended.result() == ("Function.Oops", b'{"errorType":"Oops"}')
    assert runtime.link.calls == [("stream", "id-1", "application/octet-stream")]


async def test_trailers_are_never_headers(runtime: Runtime) -> None:
    """Neither of their own request nor of the next one on the connection."""
    runtime.writer.write(
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        "2\r\n{}\r\n0\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nhost: y\r\n\r\n".encode()
    )
    assert (await runtime.answer())[0] == 202
    runtime.send("POST", PATH, b"1")
    assert (await runtime.answer())[0] == 202
    assert runtime.link.calls == [("respond", "id-1", b"{}"), ("respond", "id-1", b"1")]


@pytest.mark.parametrize("mode", ["streaming", None])
@pytest.mark.parametrize("half", [True, False], ids=["half-closed", "gone"])
async def test_a_response_that_is_cut_off_is_lost(runtime: Runtime, mode: str | None, half: bool) -> None:
    sinks = sink_of(runtime)
    if mode:
        begin(runtime)
        chunk(runtime, b"half")
    else:
        runtime.writer.write(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf".encode())
        await runtime.writer.drain()
    if half:
        runtime.writer.write_eof()
        status, _, body = await runtime.answer()
        assert (status, json.loads(body)["errorType"]) == (400, "TruncatedHTTPRequest")
    else:
        await runtime.writer.drain()
        runtime.writer.close()
    sink = await until(lambda: sinks and sinks[0])
    assert await asyncio.wait_for(sink.ended, 5) == ("lost",)


async def test_a_broken_chunk_is_a_response_cut_off(runtime: Runtime) -> None:
    sinks = sink_of(runtime)
    begin(runtime)
    runtime.writer.write(b"zz\r\n")
    assert (await runtime.answer())[0] == 400
    assert sinks[0].ended.result() == ("lost",)


async def test_a_full_sink_stops_the_runtime(runtime: Runtime) -> None:
    sinks = sink_of(runtime, room=1)
    begin(runtime)

    async def flood() -> None:
        for _ in range(1_000):
            chunk(runtime, bytes(100_000))
            await runtime.writer.drain()

    flooding = asyncio.ensure_future(flood())
    sink = await until(lambda: sinks and sinks[0].pieces and sinks[0])
    await asyncio.wait((flooding,), timeout=0.3)  # what the kernel's buffers take
    taken = sum(map(len, sink.pieces))
    assert taken < 1_000_000
    assert not flooding.done()
    sink.room = 1 << 40
    sink.resume()
    await until(lambda: sum(map(len, sink.pieces)) > taken)
    flooding.cancel()


@pytest.mark.parametrize("mode", ["buffered", "Streaming", "x" * 5_000])
async def test_another_mode_is_refused_and_fails_the_invocation(runtime: Runtime, mode: str) -> None:
    runtime.send("POST", PATH, b"{}", Lambda_Runtime_Function_Response_Mode=mode)
    status, _, body = await runtime.answer()
    assert (status, json.loads(body)["errorType"]) == (400, "InvalidFunctionResponseMode")
    [(call, request_id, error_type, error)] = runtime.link.calls
    assert (call, request_id, error_type) == ("fail", "id-1", "Runtime.InvalidResponseModeHeader")
    assert json.loads(error)["errorType"] == "Runtime.InvalidResponseModeHeader"


async def test_a_refused_stream_is_read_and_answered(runtime: Runtime) -> None:
    runtime.link.answer = Answer(400, "InvalidRequestID", "Invalid request ID")
    begin(runtime)
    chunk(runtime, bytes(10_000_000))
    runtime.writer.write(b"0\r\n\r\n")
    status, _, body = await runtime.answer()
    assert (status, json.loads(body)["errorType"]) == (400, "InvalidRequestID")


async def test_the_invocation_id_may_be_left_out_but_not_be_another(runtime: Runtime) -> None:
    runtime.send("GET", "/2018-06-01/runtime/invocation/next")
    (await asyncio.wait_for(runtime.link.asked, 5))(EVENT)
    _, headers, _ = await runtime.answer()
    mine = headers["Lambda-Runtime-Invocation-Id"]
    for path in (PATH, PATH.replace("response", "error")):
        runtime.send("POST", path, b"{}", Lambda_Runtime_Invocation_Id="another")
        status, _, body = await runtime.answer()
        assert (status, json.loads(body)["errorType"]) == (400, "InvalidInvocationId")
    assert runtime.link.calls == []
    for headers in ({}, {"Lambda_Runtime_Invocation_Id": mine}):
        runtime.send("POST", PATH, b"{}", **headers)
        assert (await runtime.answer())[0] == 202


async def test_the_cause_of_an_error_is_not_for_the_caller(runtime: Runtime) -> None:
    error = {"errorMessage": "m", "errorType": "T", "stackTrace": [], "errorCause": {"paths": []}}
    kind = "application/vnd.aws.lambda.error.cause+json"
    path = PATH.replace("response", "error")
    for body in (json.dumps(error).encode(), b"[1]", b"{bad"):
        runtime.send("POST", path, body, Content_Type=kind)
        assert (await runtime.answer())[0] == 202
    runtime.send("POST", path, json.dumps(error).encode())
    await runtime.answer()
    posted = [call[3] for call in runtime.link.calls]
    assert json.loads(posted[0]) == {key: value for key, value in error.items() if key != "errorCause"}
    assert posted[1:3] == [b"[1]", b"{bad"]
    assert json.loads(posted[3]) == error


@pytest.mark.parametrize(("method", "path"), [("GET", "restore/next"), ("POST", "restore/error")])
async def test_no_runtime_here_was_restored(runtime: Runtime, method: str, path: str) -> None:
    runtime.send(method, f"/2018-06-01/runtime/{path}")
    status, _, body = await runtime.answer()
    assert (status, json.loads(body)["errorType"]) == (403, "InvalidStateTransition")


def test_the_wire_streams_no_body_by_itself() -> None:
    assert HttpProtocol.sink(None, None) is None  # type: ignore[arg-type]
