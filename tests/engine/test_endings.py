"""How asynchronous invocations end: retries and ages by configuration, dead letters, destinations, loops."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_queue import Function, rows
from tests.engine.world import World, world
from workbench.engine.lineage import MOST, lengthened
from workbench.model.attached import EventInvokeConfig
from workbench.model.errors import BackendError, RecursiveInvocation
from workbench.model.invocations import InvocationType, InvokeRequest
from workbench.model.names import FunctionRef
from workbench.model.outcomes import Message
from workbench.testing.fakes import FakeRuntime

ARN = "arn:aws:lambda:us-east-1:000000000000:function"
QUEUE, TOPIC, BUS = (
    f"arn:aws:{kind}" for kind in ("sqs:us-east-1:0:q", "sns:us-east-1:0:t", "events:us-east-1:0:event-bus/b")
)
ERROR = b'{"errorType":"Oops"}'


class Sent:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Message]] = []
        self.refuses: str | None = None

    async def send(self, target: str, message: Message) -> None:
        if self.refuses is not None:
            raise BackendError(self.refuses)
        self.messages.append((target, message))

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(message.body) for _, message in self.messages]


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
async def made(tmp_path: Path, function: Function, sent: Sent) -> AsyncIterator[World]:
    async with world(tmp_path / "state", function, sender=sent) as opened:
        function.world = opened
        await opened.create()
        yield opened


async def configure(made: World, name: str = "f", qualifier: str | None = None, **config: Any) -> None:
    await made.engine.put_event_invoke_config(FunctionRef(name, qualifier), EventInvokeConfig(**config))


@pytest.mark.parametrize(("retries", "times"), [(0, [0]), (1, [0, 60]), (2, [0, 60, 180]), (None, [0, 60, 180])])
async def test_as_many_retries_as_configured(
    made: World, function: Function, tmp_path: Path, retries: int | None, times: list[float]
) -> None:
    await configure(made, maximum_retry_attempts=retries, maximum_event_age=21600)
    function.fails = 99
    await made.event()
    await made.clock.advance(3600)
    assert (function.times, rows(tmp_path)) == (times, [])


@pytest.mark.parametrize(("age", "times"), [(60, [0, 60]), (179, [0, 60]), (180, [0, 60, 180]), (600, [0, 60, 180])])
async def test_an_event_is_given_up_when_its_next_attempt_would_come_too_late(
    made: World, function: Function, sent: Sent, age: int, times: list[float]
) -> None:
    await configure(made, maximum_event_age=age, on_failure=QUEUE)
    function.fails = 99
    await made.event()
    await made.clock.advance(3600)
    assert function.times == times
    [record] = sent.records()
    context = record["requestContext"]
    assert context["condition"] == ("RetriesExhausted" if len(times) == 3 else "EventAgeExceeded")
    assert context["approximateInvokeCount"] == len(times)
    assert record["responsePayload"] == json.loads(ERROR)


async def test_the_configuration_of_the_called_qualifier_holds(made: World, function: Function) -> None:
    await made.engine.publish_version("f")
    await made.engine.create_alias("f", "live", "1")
    await configure(made, qualifier="live", maximum_retry_attempts=0)
    function.fails = 99
    await made.engine.invoke(InvokeRequest(function=FunctionRef("f", "live"), type=InvocationType.EVENT))
    await made.clock.advance(3600)
    assert function.times == [0]
    await made.event()
    await made.clock.advance(3600)
    assert function.times == [0, 3600, 3660, 3780]


async def test_the_record_of_a_success_to_the_letter(made: World, sent: Sent) -> None:
    await configure(made, on_success=QUEUE, on_failure=TOPIC)
    answer = await made.event(payload=b'{"any":"event"}')
    await made.clock.settle()
    [(target, message)] = sent.messages
    assert target == QUEUE
    assert json.loads(message.body) == {
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "requestContext": {
            "requestId": answer.request_id,
            "functionArn": f"{ARN}:f:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"any": "event"},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": None,
    }
    assert (message.detail_type, message.function_arn) == (
        "Lambda Function Invocation Result - Success", f"{ARN}:f:$LATEST",
    )  # fmt: skip
    assert message.key.startswith("aws/lambda/async/f/2023/11/14/2023-11-14T22.13.20-")


async def test_both_a_dead_letter_and_a_destination_get_what_failed(
    tmp_path: Path, function: Function, sent: Sent
) -> None:
    async with world(tmp_path / "state", function, sender=sent) as made:
        function.world = made
        await made.create(settings={"DeadLetterConfig": {"TargetArn": TOPIC}})
        await configure(made, on_success=QUEUE, on_failure=BUS)
        function.fails = 99
        answer = await made.event(payload=b'{"n": 7}')
        await made.clock.advance(3600)
    assert [target for target, _ in sent.messages] == [TOPIC, BUS]
    letter, destination = (message for _, message in sent.messages)
    assert letter.body == '{"n": 7}'
    assert letter.attributes == {"RequestID": answer.request_id, "ErrorCode": "200", "ErrorMessage": "null"}
    assert destination.detail_type == "Lambda Function Invocation Result - Failure"
    record = json.loads(destination.body)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"] == {
        "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
    }  # fmt: skip
    assert record["responsePayload"] == {"errorType": "Oops"}


async def test_without_any_concurrency_an_event_fails_at_once(made: World, function: Function, sent: Sent) -> None:
    await configure(made, on_failure=QUEUE)
    await made.engine.put_concurrency(FunctionRef("f"), 0)
    await made.event()
    await made.clock.settle()
    assert function.times == []
    [record] = sent.records()
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record.keys() == {"version", "timestamp", "requestContext", "requestPayload"}


async def test_throttles_end_with_the_age_and_without_a_response(tmp_path: Path, sent: Sent) -> None:
    async with world(tmp_path / "state", sender=sent, concurrency_limit=0) as made:
        await made.create(settings={"DeadLetterConfig": {"TargetArn": QUEUE}})
        await configure(made, on_failure=TOPIC, maximum_event_age=60)
        await made.event()
        await made.clock.advance(120)
    [letter, destination] = (message for _, message in sent.messages)
    assert letter.attributes["ErrorCode"] == "429"
    assert letter.attributes["ErrorMessage"] == "Rate Exceeded."
    record = json.loads(destination.body)
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert "responseContext" not in record


async def test_another_function_gets_the_record_as_its_event(made: World, function: Function, sent: Sent) -> None:
    await made.create("g")
    await made.create("h")
    await configure(made, on_success=f"{ARN}:g")
    await configure(made, "g", on_success=f"{ARN}:h:$LATEST")
    first = await made.event(payload=b'{"n":1}')
    await made.clock.settle()
    await made.engine.drained()
    payloads = [json.loads(payload) for _, _, payload in function.had]
    assert payloads[0] == {"n": 1}
    assert payloads[1]["requestContext"]["requestId"] == first.request_id
    assert payloads[2]["requestPayload"] == payloads[1]
    assert sent.messages == []


async def test_a_message_that_nobody_takes_is_lost_and_said(
    made: World, sent: Sent, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await configure(made, on_success=QUEUE)
    sent.refuses = "the queue is full"
    answer = await made.event()
    await made.clock.settle()
    await made.engine.drained()
    assert rows(tmp_path) == []
    assert f"the end of event {answer.request_id} of f is not told to {QUEUE}: the queue is full" in caplog.text


async def test_an_event_is_in_the_store_until_who_is_to_hear_of_it_has_heard(
    made: World, sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await configure(made, on_success=QUEUE)
    kept: list[list[str]] = []

    async def look(target: str, message: Message) -> None:
        kept.append(rows(tmp_path))

    monkeypatch.setattr(sent, "send", look)
    answer = await made.event()
    await made.clock.settle()
    assert kept == [[answer.request_id]]
    assert rows(tmp_path) == []


# -- loops
async def test_a_function_that_calls_itself_is_stopped(tmp_path: Path, sent: Sent) -> None:
    calls: list[str] = []

    async def recursive(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.next()
            calls.append(event.trace_id)
            if event.payload != b"0":
                again = InvokeRequest(function=FunctionRef("f"), type=InvocationType.EVENT, trace_id=event.trace_id)
                await made.engine.invoke(again)
            runtime.respond(event.request_id, b"null")

    async with world(tmp_path / "state", recursive, sender=sent) as made:
        await made.create()
        await configure(made, on_failure=QUEUE)
        await made.event()
        await made.clock.advance(3600)
        assert len(calls) == MOST
        with pytest.raises(RecursiveInvocation):
            await made.engine.invoke(InvokeRequest(function=FunctionRef("f"), trace_id=calls[-1]))
        [record] = sent.records()
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        await made.engine.put_recursive_loop("f", "Allow")
        assert (await made.invoke(payload=b"0", trace_id=calls[-1])).function_error is None


async def test_retries_are_no_loop(made: World, function: Function) -> None:
    function.fails = 2
    await made.engine.invoke(
        InvokeRequest(function=FunctionRef("f"), type=InvocationType.EVENT, trace_id=f"Root=1;Lineage={'0' * 8}:16")
    )
    await made.clock.advance(3600)
    assert function.times == [0, 60, 180]


@pytest.mark.parametrize(
    ("header", "expected", "count"),
    [
        ("Root=1-2-3", "Root=1-2-3;Lineage=76d32be0:1", 1),
        ("Root=1;Lineage=76d32be0:3;Sampled=1", "Root=1;Sampled=1;Lineage=76d32be0:4", 4),
        ("Root=1;Lineage=00000000:2|76d32be0:1", "Root=1;Lineage=00000000:2|76d32be0:2", 2),
        ("Lineage=76d32be0:15|00000000:2", ";Lineage=00000000:2|76d32be0:16", 16),
        ("Root=1;Lineage=", "Root=1;Lineage=76d32be0:1", 1),
        ("Root=1;Lineage=garbage|76d32be0:x|:4", "Root=1;Lineage=76d32be0:1", 1),
        (f"Root=1;Lineage=76d32be0:{'9' * 40}", "Root=1;Lineage=76d32be0:1000000", 1_000_000),
    ],
)  # fmt: skip
def test_lineage(header: str, expected: str, count: int) -> None:
    assert lengthened(header, "f") == (expected, count)


def test_a_lineage_stays_short() -> None:
    header = "Root=1"
    for number in range(200):
        header, _ = lengthened(header, f"f{number}")
    assert len(header) < 500
