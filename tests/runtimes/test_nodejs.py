"""The Node.js client by itself, against a Runtime API that is made of paper."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.runtimes.fake_runtime_api import ARN, Event, Outcome, play
from tests.support import require_tool

CLIENT = Path(str(resources.files("workbench_runtimes"))) / "nodejs" / "index.mjs"
VARIABLES = {
    "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs20.x",
    "AWS_LAMBDA_FUNCTION_NAME": "f",
    "AWS_LAMBDA_FUNCTION_VERSION": "7",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/23/[7]00",
}
Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    node = require_tool("node")

    def run(files: dict[str, str] | str, *events: Event, handler: str = "index.handler", **variables: str) -> Outcome:
        if isinstance(files, str):
            files = {"index.mjs": files}
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        env = {"PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(tmp_path), "_HANDLER": handler, **VARIABLES}
        return play([node, str(CLIENT)], events or [Event()], env={**env, **variables}, cwd=tmp_path)

    return run


def result(outcome: Outcome) -> Any:
    assert outcome.only.kind == "response", outcome
    assert outcome.code is None, outcome
    return outcome.only.json


@pytest.mark.parametrize(
    ("files", "handler"),
    [
        ({"index.js": "exports.handler = async () => 'ok'"}, "index.handler"),
        ({"index.cjs": "exports.handler = async () => 'ok'"}, "index.handler"),
        ({"index.mjs": "export const handler = async () => 'ok'"}, "index.handler"),
        ({"index.js": "export const handler = async () => 'ok'", "package.json": '{"type":"module"}'}, "index.handler"),
        ({"src/app.js": "exports.handler = async () => 'ok'"}, "src/app.handler"),
        ({"src/app.js": "export const run = {er: async () => 'ok'}", "package.json": '{"type":"module"}'},
         "src/app.run.er"),
        ({"a/b/c.mjs": "export const f = async () => 'ok'"}, "a/b/c.f"),
        ({"index.js": "exports.a = {b: {c: async () => 'ok'}}"}, "index.a.b.c"),
        ({"index.js": "exports.handler = async () => require('lib')",
          "node_modules/lib/index.js": "module.exports = 'ok'"}, "index.handler"),
        ({"node_modules/pkg/index.js": "exports.handler = async () => 'ok'"}, "pkg.handler"),
        ({"index.js": "exports.handler = async () => 'ok'", "index.mjs": "export const handler = 1"}, "index.handler"),
        ({"index.mjs": "const v = await Promise.resolve('ok'); export const handler = async () => v"}, "index.handler"),
    ],
)  # fmt: skip
def test_a_handler_is_found_as_on_aws(run: Run, files: dict[str, str], handler: str) -> None:
    assert result(run(files, handler=handler)) == "ok"


@pytest.mark.parametrize(
    ("files", "handler", "error_type", "message"),
    [
        ({}, "index.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'index'\nRequire stack:\n- "),
        ({"index.js": "require('nosuch')"}, "index.handler", "Runtime.ImportModuleError",
         "Error: Cannot find module 'nosuch'"),
        ({"index.mjs": "import 'nosuch'"}, "index.handler", "Error", "Cannot find package 'nosuch' imported from "),
        ({"index.js": "exports.other = 1"}, "index.handler", "Runtime.HandlerNotFound",
         "index.handler is undefined or not exported"),
        ({"index.js": "exports.handler = 1"}, "index.handler", "Runtime.HandlerNotFound",
         "index.handler is not a function"),
        ({"index.js": ""}, "index", "Runtime.MalformedHandlerName", "Bad handler"),
        ({"index.js": ""}, "../index.handler", "Runtime.MalformedHandlerName",
         "'../index.handler' is not a valid handler name."),
        ({"index.js": "exports.handler = ("}, "index.handler", "Runtime.UserCodeSyntaxError",
         "SyntaxError: Unexpected end of input"),
        ({"index.mjs": "export const handler = ("}, "index.handler", "Runtime.UserCodeSyntaxError",
         "SyntaxError: Unexpected end of input"),
        ({"index.mjs": "throw new RangeError('too early')"}, "index.handler", "RangeError", "too early"),
        ({"index.js": "Promise.reject(new Error('lost')); exports.handler = async () => 1"}, "index.handler",
         "Runtime.UnhandledPromiseRejection", "Error: lost"),
        ({"index.mjs": "throw 'words'"}, "index.handler", "string", "words"),
    ],
)  # fmt: skip
def test_what_goes_wrong_in_init_is_posted_and_ends_the_process(
    run: Run, files: dict[str, str], handler: str, error_type: str, message: str
) -> None:
    outcome = run(files, handler=handler)
    post = [post for post in outcome.posts if post.kind == "init/error"][-1]
    assert list(post.json) == ["errorType", "errorMessage", "trace"]
    assert post.json["errorType"] == error_type
    assert post.json["errorMessage"].startswith(message)
    assert post.headers["Lambda-Runtime-Function-Error-Type"] == error_type
    assert outcome.code == (128 if "Rejection" in error_type else 129)
    (line,) = [line for line in outcome.lines if "\tERROR\t" in line]
    _, request, level, rest = line.split("\t", 3)
    assert (request, level) == ("undefined", "ERROR")
    assert rest.startswith("Unhandled Promise Rejection \t" if outcome.code == 128 else "Uncaught Exception \t")


def test_callbacks_are_gone_in_node_24(run: Run) -> None:
    code = "exports.handler = (event, context, callback) => callback(null, 1)"
    outcome = run({"index.js": code}, AWS_EXECUTION_ENV="AWS_Lambda_nodejs24.x")
    assert outcome.only.json["errorType"] == "Runtime.CallbackHandlerDeprecated"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("async (event) => event", {"n": 1}),
        ("async () => {}", None),
        ("async () => null", None),
        ("async () => () => 1", None),
        ("async () => ({text: 'žluťoučký 🦜'})", {"text": "žluťoučký 🦜"}),
        ("() => Promise.resolve(2)", 2),
        ("(event, context, callback) => callback(null, event)", {"n": 1}),
        ("(event, context, callback) => { setTimeout(callback, 10, null, 'later') }", "later"),
        ("(event, context, callback) => { callback(null, 'first'); callback(new Error('second')) }", "first"),
        ("(event, context, callback) => { callback() }", None),
        ("(event, context) => { context.succeed(3) }", 3),
        ("(event, context) => { context.done(null, 4) }", 4),
        ("() => 5", None),
        ("(event, context, callback) => {}", None),
    ],
)
def test_a_result_is_posted_however_it_is_given(run: Run, body: str, expected: Any) -> None:
    assert result(run(f"export const handler = {body}", Event({"n": 1}))) == expected


@pytest.mark.parametrize(
    ("body", "error_type", "message", "traced"),
    [
        ("async () => { throw new TypeError('bad') }", "TypeError", "bad", True),
        ("() => { throw new TypeError('bad') }", "TypeError", "bad", True),
        ("async () => { class Odd extends Error { name = 'Odd✓' }; throw new Odd('é') }", "Odd✓", "é", True),
        ("async () => { throw 'words' }", "string", "words", False),
        ("async () => { throw {a: 1} }", "object", "[object Object]", False),
        ("async () => { throw undefined }", "string", "handled", False),
        ("(event, context, callback) => callback(new Error('called'))", "Error", "called", True),
        ("(event, context, callback) => callback('text')", "string", "text", False),
        ("(event, context) => context.fail(new Error('failed'))", "Error", "failed", True),
        ("(event, context) => context.done(new Error('done'))", "Error", "done", True),
        ("async () => { const a = {}; a.a = a; return a }", "Error", "Unable to stringify response body", True),
        ("async () => 1n", "Error", "Unable to stringify response body", True),
        ("async () => new Promise(() => {})", "Runtime.NodeJsExit", "The Lambda runtime client detected", True),
    ],
)
def test_an_error_has_aws_s_shape_and_the_process_goes_on(
    run: Run, body: str, error_type: str, message: str, traced: bool
) -> None:
    outcome = run(f"export const handler = {body}")
    post = outcome.only
    assert (post.kind, post.request_id, outcome.code) == ("error", "id-1", None)
    assert list(post.json) == ["errorType", "errorMessage", "trace"]
    assert post.json["errorType"] == error_type
    assert post.json["errorMessage"].startswith(message)
    assert bool(post.json["trace"]) == traced
    if traced:
        assert post.json["trace"][0].startswith(error_type)
    (line,) = outcome.lines
    _, request, level, rest = line.split("\t", 3)
    assert (request, level) == ("id-1", "ERROR")
    assert rest.startswith("Invoke Error \t")
    logged = json.loads(rest.removeprefix("Invoke Error \t"))
    if traced:
        assert logged["stack"] == post.json["trace"]


@pytest.mark.parametrize(
    ("body", "error_type", "message", "code"),
    [
        ("() => new Promise(() => setTimeout(() => { throw new TypeError('late') }))", "TypeError", "late", 129),
        ("async () => { Promise.reject(new Error('lost')); await new Promise(() => setTimeout(() => {}, 5000)) }",
         "Runtime.UnhandledPromiseRejection", "Error: lost", 128),
    ],
)  # fmt: skip
def test_what_nobody_catches_is_posted_and_ends_the_process(
    run: Run, body: str, error_type: str, message: str, code: int
) -> None:
    outcome = run(f"export const handler = {body}")
    post = outcome.only
    assert (post.kind, post.request_id, outcome.code) == ("error", "id-1", code)
    assert (post.json["errorType"], post.json["errorMessage"]) == (error_type, message)


def test_the_context(run: Run) -> None:
    seen = result(
        run(
            "export const handler = async (event, context) => ({...context, "
            "left: context.getRemainingTimeInMillis(), kinds: [context.done, context.fail, context.succeed]"
            ".map((value) => typeof value), trace: process.env._X_AMZN_TRACE_ID})",
            Event(
                headers={
                    "Lambda-Runtime-Client-Context": '{"custom":{"place":"Žižkov"}}',
                    "Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId":"a","cognitoIdentityPoolId":"b"}',
                }
            ),
        )
    )
    assert 0 < seen.pop("left") <= 3000
    assert seen == {
        "callbackWaitsForEmptyEventLoop": True,
        "functionVersion": "7",
        "functionName": "f",
        "memoryLimitInMB": "128",
        "logGroupName": "/aws/lambda/f",
        "logStreamName": "2026/11/23/[7]00",
        "clientContext": {"custom": {"place": "Žižkov"}},
        "identity": {"cognitoIdentityId": "a", "cognitoIdentityPoolId": "b"},
        "invokedFunctionArn": ARN,
        "awsRequestId": "id-1",
        "kinds": ["function"] * 3,
        "trace": "Root=1-1",
    }


@pytest.mark.parametrize(("waits", "expected"), [("true", [["x", "late"]]), ("false", [["x"]])])
def test_a_callback_s_result_waits_for_the_event_loop_unless_told_otherwise(
    run: Run, waits: str, expected: list[list[str]]
) -> None:
    code = (
        "export const handler = (event, context, callback) => { const seen = ['x'];"
        f"context.callbackWaitsForEmptyEventLoop = {waits};"
        "setTimeout(() => seen.push('late'), 50); callback(null, seen) }"
    )
    assert [post.json for post in run(code).posts] == expected


def test_invocations_share_a_process_and_a_connection(run: Run) -> None:
    code = (
        "let count = 0; export const handler = async () => "
        "{ console.log('n'); return [++count, process.env._X_AMZN_TRACE_ID ?? null] }"
    )
    outcome = run(code, Event(), Event(headers={"Lambda-Runtime-Trace-Id": ""}), Event())
    assert [post.json for post in outcome.posts] == [[1, "Root=1-1"], [2, None], [3, "Root=1-3"]]
    assert [post.request_id for post in outcome.posts] == ["id-1", "id-2", "id-3"]
    assert [line.split("\t")[1] for line in outcome.lines] == ["id-1", "id-2", "id-3"]
    assert outcome.connections == 1


def test_the_console_writes_lambda_s_text_format(run: Run) -> None:
    outcome = run(
        "console.log('in init'); export const handler = async () => { console.log('%s is %d', 'one', 1); "
        "console.info({a: 1}); console.warn('two\\nlines'); console.error('no'); console.debug('d'); "
        "console.trace('t'); process.stdout.write('raw\\n') }"
    )
    *formed, raw = outcome.lines
    assert raw == "raw"
    text = "\n".join(formed)
    for expected in (
        r"undefined\tINFO\tin init",
        r"id-1\tINFO\tone is 1",
        r"id-1\tINFO\t\{ a: 1 \}",
        r"id-1\tWARN\ttwo\rlines",
        r"id-1\tERROR\tno",
        r"id-1\tDEBUG\td",
        r"id-1\tTRACE\tt",
    ):
        assert re.search(rf"^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{expected}", text, re.MULTILINE), expected


def test_the_console_writes_json_where_it_is_asked_for(run: Run) -> None:
    outcome = run(
        "export const handler = async () => { console.log('hi %s', 'x'); console.info({a: 1}); console.debug('no'); "
        "console.error('bad', new TypeError('t')); console.error(new TypeError('u')) }",
        AWS_LAMBDA_LOG_FORMAT="JSON",
        AWS_LAMBDA_LOG_LEVEL="INFO",
    )
    records = [json.loads(line) for line in outcome.lines]
    assert [(record["level"], record["requestId"]) for record in records] == [
        ("INFO", "id-1"),
        ("INFO", "id-1"),
        ("ERROR", "id-1"),
        ("ERROR", "id-1"),
    ]
    assert records[0]["message"] == "hi x"
    assert records[1]["message"] == {"a": 1}
    assert (records[2]["errorType"], records[2]["errorMessage"]) == ("TypeError", "t")
    assert records[3]["message"]["errorMessage"] == "u"


@pytest.mark.parametrize(
    "files",
    [
        {
            "index.js": "exports.handler = async () => require('lib')",
            "layer/nodejs/node_modules/lib/index.js": "module.exports = 'from the layer'",
        },
        {
            "index.mjs": "import lib from 'lib'; export const handler = async () => lib",
            "layer/nodejs/node_modules/lib/package.json": '{"type":"module","exports":{"import":"./main.js"}}',
            "layer/nodejs/node_modules/lib/main.js": "export default 'from the layer'",
        },
    ],
    ids=["require", "import"],
)
def test_a_layer_s_modules_are_found_through_node_path(run: Run, tmp_path: Path, files: dict[str, str]) -> None:
    path = f"{tmp_path}/none/node_modules:{tmp_path}/layer/nodejs/node_modules"
    assert result(run(files, NODE_PATH=path)) == "from the layer"


def test_what_no_layer_has_is_still_missing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "layer" / "node_modules").mkdir(parents=True)
    outcome = run("import 'nosuch'", NODE_PATH=f"{tmp_path}/layer/node_modules")
    assert outcome.only.json["errorMessage"].startswith("Cannot find package 'nosuch' imported from ")
