"""The Runtime API's listener over a real socket, in front of a link that records."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.http.runtime_link import Link, Runtime
from workbench.engine.ports import Answer, NextEvent
from workbench.http.runtime_api import RuntimeApi

EVENT = NextEvent("id-1", 1700000000123, "arn:aws:lambda:us-east-1:0:function:f:live", "Root=1-2-3", None, b'{"a":1}')


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    link = Link()
    listener = await RuntimeApi().open(link, None)
    host, port = listener.address.split(":")
    assert host == "127.0.0.1"
    made = Runtime(link, *await asyncio.open_connection(host, int(port)))
    yield made
    made.writer.close()
    listener.close()


async def test_one_that_is_given_up_while_it_is_opened_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside:
        opening = asyncio.ensure_future(RuntimeApi().open(Link(), inside))
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert inside.fileno() == -1


async def test_what_was_not_read_before_the_connections_were_dropped_is_not_heard() -> None:
    link = Link()
    listener = await RuntimeApi().open(link, None)
    host, port = listener.address.split(":")
    old = Runtime(link, *await asyncio.open_connection(host, int(port)))
    old.send("POST", "/2018-06-01/runtime/init/error", b"{}")
    await old.answer()
    old.send("POST", "/2018-06-01/runtime/init/error", b"{}")
    listener.hang_up()
    with suppress(ConnectionError):  # an orderly end is as good
        assert await asyncio.wait_for(old.reader.read(), 5) == b""
    new = Runtime(link, *await asyncio.open_connection(host, int(port)))
    new.send("POST", "/2018-06-01/runtime/invocation/id-1/response", b"1")
    assert (await new.answer())[0] == 202
    assert [call[0] for call in link.calls if call[0] != "lost"] == ["fail_init", "respond"]
    for end in (old, new):
        end.writer.close()
    listener.close()


async def test_a_spare_s_runtime_is_told_whose_it_is_and_its_connections_speak_to_another_link_then() -> None:
    waiting, owner = Link(), Link()
    listener = await RuntimeApi().open(waiting, None)
    host, port = listener.address.split(":")
    runtime = Runtime(waiting, *await asyncio.open_connection(host, int(port)))
    runtime.send("GET", "/_workbench/assignment", workbench_modules="json,os")
    assert await runtime.answer() == (
        200,
        {"content-type": "application/json", "content-length": "22"},
        b'{"folder":"/var/task"}',
    )
    assert waiting.calls == [("assignment", ["json", "os"])]

    listener.hand_over(owner)
    assert owner.open == [1]
    for connection in (runtime, Runtime(owner, *await asyncio.open_connection(host, int(port)))):
        connection.send("POST", "/2018-06-01/runtime/invocation/id-1/response", b"1")
        assert (await connection.answer())[0] == 202
        connection.writer.close()
    listener.close()
    assert [call for call in owner.calls if call[0] != "lost"] == [("respond", "id-1", b"1")] * 2
    assert len(waiting.calls) == 1


async def test_who_has_a_function_gets_no_assignment(runtime: Runtime) -> None:
    runtime.link.answer = Answer(403, "InvalidStateTransition", "State transition is not allowed: assignment")
    runtime.send("GET", "/_workbench/assignment")
    status, _, body = await runtime.answer()
    assert (status, json.loads(body)["errorType"]) == (403, "InvalidStateTransition")


async def test_next_waits_and_then_carries_the_event(runtime: Runtime) -> None:
    runtime.send("GET", "/2018-06-01/runtime/invocation/next")
    reply = await asyncio.wait_for(runtime.link.asked, 5)
    reply(EVENT)
    status, headers, body = await runtime.answer()
    assert (status, body) == (200, b'{"a":1}')
    assert len(headers.pop("Lambda-Runtime-Invocation-Id")) == 36
    assert headers == {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": "id-1",
        "Lambda-Runtime-Deadline-Ms": "1700000000123",
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:0:function:f:live",
        "Lambda-Runtime-Trace-Id": "Root=1-2-3",
        "Content-Length": "7",
    }


async def test_what_an_event_carries_that_not_every_event_has(runtime: Runtime) -> None:
    runtime.send("GET", "/2018-06-01/runtime/invocation/next")
    reply = await asyncio.wait_for(runtime.link.asked, 5)
    reply(replace(EVENT, client_context='{"custom":{}}', tenant_id="t 1"))
    _, headers, _ = await runtime.answer()
    assert headers["Lambda-Runtime-Client-Context"] == '{"custom":{}}'
    assert headers["Lambda-Runtime-Aws-Tenant-Id"] == "t 1"


async def test_the_posts_reach_the_link_and_are_accepted(runtime: Runtime) -> None:
    runtime.send("POST", "/2018-06-01/runtime/invocation/id-1/response", b"[1]")
    status, _, body = await runtime.answer()
    assert (status, json.loads(body)) == (202, {"status": "OK"})
    kind = {"Lambda_Runtime_Function_Error_Type": "Function.Bad"}
    runtime.send("POST", "/2018-06-01/runtime/invocation/id-1/error", b"{}", **kind)
    assert (await runtime.answer())[0] == 202
    runtime.send("POST", "/2018-06-01/runtime/init/error", b"{}", **kind)
    assert (await runtime.answer())[0] == 202
    assert runtime.link.calls == [
        ("respond", "id-1", b"[1]"),
        ("fail", "id-1", "Function.Bad", b"{}"),
        ("fail_init", "Function.Bad", b"{}"),
    ]


async def test_a_refusal_has_awss_error_body(runtime: Runtime) -> None:
    runtime.link.answer = Answer(403, "InvalidStateTransition", "no")
    for method, path in [
        ("GET", "/2018-06-01/runtime/invocation/next"),
        ("POST", "/2018-06-01/runtime/invocation/x/response"),
    ]:
        runtime.send(method, path)
        status, _, body = await runtime.answer()
        assert (status, json.loads(body)) == (403, {"errorMessage": "no", "errorType": "InvalidStateTransition"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/2018-06-01/ping", 200),
        ("GET", "/", 404),
        ("POST", "/2018-06-01/runtime/invocation/next", 404),
        ("POST", "/2018-06-01/runtime/invocation/id-1/nothing", 404),
        ("DELETE", "/2018-06-01/runtime/init/error", 404),
        ("POST", "/2015-03-31/functions/f/invocations", 404),
    ],
)
async def test_other_paths(runtime: Runtime, method: str, path: str, status: int) -> None:
    runtime.send(method, path)
    assert (await runtime.answer())[0] == status
    assert runtime.link.calls == []


async def test_the_link_hears_of_connections(runtime: Runtime) -> None:
    runtime.send("GET", "/2018-06-01/ping")
    await runtime.answer()
    assert runtime.link.open == [1]
    runtime.writer.close()
    for _ in range(100):
        if runtime.link.open == [1, 0]:
            break
        await asyncio.sleep(0.01)
    assert runtime.link.open == [1, 0]


LIMIT = 6_291_556


@pytest.mark.parametrize("action", ["response", "error"])
@pytest.mark.parametrize("size", [LIMIT + 2, 20_000_000])
async def test_a_post_far_over_the_limit_reaches_the_link_as_too_long(runtime: Runtime, action: str, size: int) -> None:
    runtime.link.answer = Answer(413, "RequestEntityTooLarge", "no")
    runtime.send("POST", f"/2018-06-01/runtime/invocation/id-1/{action}", bytes(size))
    assert (await runtime.answer())[0] == 413
    [(call, request_id, body)] = runtime.link.calls
    assert (call, request_id, len(body)) == ("respond", "id-1", LIMIT + 1)


async def test_posts_around_the_limit_reach_the_link_as_they_are(runtime: Runtime) -> None:
    for size in (LIMIT, LIMIT + 1):
        runtime.send("POST", "/2018-06-01/runtime/invocation/id-1/response", b"x" * size)
        await runtime.answer()
        assert runtime.link.calls.pop() == ("respond", "id-1", b"x" * size)


async def test_an_init_error_far_over_the_limit_still_ends_the_init(runtime: Runtime) -> None:
    runtime.send("POST", "/2018-06-01/runtime/init/error", bytes(LIMIT + 2), Lambda_Runtime_Function_Error_Type="A.B")
    assert (await runtime.answer())[0] == 202
    assert runtime.link.calls == [("fail_init", "A.B", b"{}")]


async def test_connections_beyond_thirty_two_are_closed_and_do_not_count(runtime: Runtime) -> None:
    address = runtime.writer.get_extra_info("peername")[:2]
    opened = [await asyncio.open_connection(*address) for _ in range(31)]
    extra, writer = await asyncio.open_connection(*address)
    assert await asyncio.wait_for(extra.read(), 5) == b""
    assert runtime.link.open == list(range(1, 33))
    runtime.send("GET", "/2018-06-01/ping")
    assert (await runtime.answer())[0] == 200
    for _, other in [*opened, (extra, writer)]:
        other.close()


@pytest.mark.parametrize("large", ["body", "head"])
async def test_large_requests_that_do_not_end_are_few_and_hold_up_nobody(runtime: Runtime, large: str) -> None:
    begun = b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: x\r\n"
    begun += b"Content-Length: 400000\r\n\r\n" if large == "body" else b"X: "
    address = runtime.writer.get_extra_info("peername")[:2]
    opened = [await asyncio.open_connection(*address) for _ in range(4)]
    answers = [asyncio.ensure_future(reader.read()) for reader, _ in opened]
    for _, writer in opened:
        writer.write(begun + b"x" * 200_000)
        await writer.drain()
    for _ in range(20):  # until the listener has read them all
        runtime.send("GET", "/2018-06-01/ping")
        await runtime.answer()
    if large == "body":  # whoever is refused is told at the end of the body
        for _, writer in opened:
            writer.write(b"x" * 200_000)
    done, _ = await asyncio.wait(answers, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 1
    if large == "body":
        assert done.pop().result().startswith(b"HTTP/1.1 503 ")
    runtime.send("GET", "/2018-06-01/ping")
    assert (await runtime.answer())[0] == 200
    for _, writer in opened:
        writer.close()
    await asyncio.gather(*answers, return_exceptions=True)  # what is refused before it was read is reset
    runtime.send("POST", "/2018-06-01/runtime/init/error", b"x" * 200_000)
    assert (await runtime.answer())[0] == 202


async def test_who_sends_many_requests_in_one_go_does_not_take_everybody_s_turn(runtime: Runtime) -> None:
    runtime.writer.write(b"GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
    answered = await asyncio.wait_for(runtime.reader.read(), 10)
    assert answered.count(b"HTTP/1.1 200 OK") == 8
    assert answered.count(b"HTTP/1.1 400 ") == 1
