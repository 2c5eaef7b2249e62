"""`awslambda.streamifyResponse` of the Node.js client, against a Runtime API that is made of paper."""

from __future__ import annotations

import base64
import json

import pytest

from tests.runtimes.fake_runtime_api import Event
from tests.runtimes.test_nodejs import Run, run

__all__ = ["run"]  # a fixture

MODE = "Lambda-Runtime-Function-Response-Mode"
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"


def streaming(body: str) -> str:
    return f"export const handler = awslambda.streamifyResponse(async (event, stream, context) => {{ {body} }});"


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ("stream.write('one '); stream.write(Buffer.from('two')); stream.end();", b"one two"),
        ("stream.end('at once');", b"at once"),
        ("stream.end();", b""),
        ("stream.write({a: 1}); stream.end();", b'{"a":1}'),
        ("stream.end(event.name + context.awsRequestId);", b"Adaid-1"),
        ("setTimeout(() => stream.end('later'), 20);", b"later"),
        ("const {pipeline} = await import('node:stream/promises'); const {Readable} = await import('node:stream');"
         "await pipeline(Readable.from(['x'.repeat(300000), 'y']), stream);", b"x" * 300_000 + b"y"),
    ],
)  # fmt: skip
def test_what_is_written_is_posted_as_a_stream(run: Run, body: str, sent: bytes) -> None:
    outcome = run(streaming(body), Event({"name": "Ada"}), Event({"name": "Bob"}))
    assert (outcome.code, len(outcome.posts)) == (None, 2), outcome
    post = outcome.posts[0]
    assert (post.kind, post.body) == ("response", sent)
    assert (post.headers[MODE], post.headers["Content-Type"]) == ("streaming", "application/octet-stream")
    assert ERROR_TYPE not in post.headers


def test_the_content_type_is_the_functions(run: Run) -> None:
    post = run(streaming("stream.setContentType('text/html'); stream.end('<p>')")).only
    assert post.headers["Content-Type"] == "text/html"


def test_metadata_precede_the_first_write(run: Run) -> None:
    code = streaming(
        "stream = awslambda.HttpResponseStream.from(stream, {statusCode: 201, headers: {a: 'b'}, cookies: ['c=d']});"
        "stream.write('body'); stream.end();"
    )
    post = run(code).only
    assert post.headers["Content-Type"] == "application/vnd.awslambda.http-integration-response"
    prelude, body = post.body.split(bytes(8))
    assert (json.loads(prelude), body) == ({"statusCode": 201, "headers": {"a": "b"}, "cookies": ["c=d"]}, b"body")


@pytest.mark.parametrize(
    ("body", "error_type", "message"),
    [
        ("throw new TypeError('early')", "TypeError", "early"),
        ("await new Promise(() => {})", "Runtime.NodeJsExit", "The Lambda runtime client detected"),
        ("stream.destroy(new RangeError('ended'))", "RangeError", "ended"),
    ],
)
def test_an_error_before_the_first_byte_is_an_ordinary_one(run: Run, body: str, error_type: str, message: str) -> None:
    outcome = run(streaming(body), Event(), Event())
    assert outcome.code is None
    assert [post.kind for post in outcome.posts] == ["error", "error"]
    assert outcome.posts[0].json["errorType"] == error_type
    assert outcome.posts[0].json["errorMessage"].startswith(message)


def test_a_handler_that_is_not_async_cannot_stream(run: Run) -> None:
    code = "export const handler = awslambda.streamifyResponse(() => {});"
    assert run(code).only.json["errorMessage"] == "Streaming does not support non-async handlers."


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("throw new TypeError('é late')", None),
        ("setTimeout(() => { throw new TypeError('é late') }, 10); await new Promise(r => setTimeout(r, 2000))", 129),
    ],
    ids=["thrown", "uncaught"],
)
def test_an_error_after_the_first_byte_is_in_the_trailers(run: Run, body: str, code: int | None) -> None:
    outcome = run(streaming(f"stream.write('half'); await new Promise(r => setTimeout(r, 30)); {body}"))
    post = outcome.only
    assert (post.kind, post.body, outcome.code) == ("response", b"half", code)
    assert post.headers["Trailer"] == f"{ERROR_TYPE}, Lambda-Runtime-Function-Error-Body"
    assert post.headers[ERROR_TYPE] == "TypeError"
    error = json.loads(base64.b64decode(post.headers["Lambda-Runtime-Function-Error-Body"]))
    assert (error["errorType"], error["errorMessage"]) == ("TypeError", "é late")
    assert error["trace"]


def test_a_content_type_cannot_come_late(run: Run) -> None:
    outcome = run(streaming("stream.write('half'); await new Promise(setImmediate); stream.setContentType('a/b')"))
    assert outcome.only.headers[ERROR_TYPE] == "Runtime.InvalidStreamingOperation"


def test_a_return_value_is_ignored_and_said(run: Run) -> None:
    outcome = run(streaming("stream.end('x'); return 1"))
    assert outcome.only.body == b"x"
    assert "Streaming handlers ignore return values." in "\n".join(outcome.lines)


def test_streaming_handlers_have_three_parameters_on_every_node(run: Run) -> None:
    outcome = run(streaming("stream.end('x')"), AWS_EXECUTION_ENV="AWS_Lambda_nodejs24.x")
    assert outcome.only.body == b"x"
