"""The recorded cases of the data plane: the described function is built, run for real, and its answers compared.

A case says in words what its function does, so the functions are here. Where AWS's runtime is not on this machine, the
newest of its family runs: what is compared is what was answered, not which runtime it was.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance import recordings
from tests.conformance.placeholders import Bindings
from tests.conformance.target import ACCOUNT, REGION, Target, open_target
from tests.endtoend.test_streaming import package
from tests.support import OFTEN, require_tool

PYTHON, NODE = "python3.11", "nodejs20.x"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/conformance"
#: In these cases they stand for another value each time.
WILD = re.compile("<(?:duration|memory|request-id|log-result|code-sha256|timeout_error_msg)>")
NOT_HERE = {
    "TestLambdaBaseFeatures::test_assume_role[1]": "needs an STS that issues the environment's credentials",
    "TestLambdaBaseFeatures::test_assume_role[2]": "needs an STS that issues the environment's credentials",
    "TestLambdaBaseFeatures::test_function_state": "of the control plane, which replays its own scenarios",
    "TestLambdaBehavior::test_mixed_architecture": "needs a machine of the other architecture",
    "TestLambdaBehavior::test_runtime_introspection_arm": "needs a machine of the other architecture",
    "TestLambdaBehavior::test_lambda_init_environment": "process 1 of an environment is the sandbox's own",
    "TestLambdaBehavior::test_runtime_ulimits": "no core files here, and a cgroup limits processes",
    "TestLambdaBehavior::test_runtime_introspection_x86": "there is no /lambda-entrypoint.sh here",
}

ECHO = {
    PYTHON: "import json\n\ndef handler(event, context):\n    print(json.dumps(event))\n    return event\n",
    NODE: "exports.handler = async (event) => { console.log(JSON.stringify(event)); return event; };\n",
}
SILENT = {
    PYTHON: "def handler(event, context):\n    print(event)\n",
    NODE: "exports.handler = async (event) => { console.log(event); };\n",
}
COUNTER = {
    PYTHON: "counter = 0\n\ndef handler(event, context):\n    global counter\n    result = {'counter': counter}\n"
    "    counter += 1\n    return result\n",
    NODE: "let counter = 0;\nexports.handler = async () => ({ counter: counter++ });\n",
}
LETTERS = "def handler(event, context):\n    print('generating bytes')\n    return 'a' * event['bytenum']\n"
WAIT = "import time\n\ndef handler(event, context):\n    print('starting wait')\n    time.sleep(event['wait'])\n"
WAIT += "    print('done waiting')\n"
MEMORY = """\
import os
import time

FILE = "/tmp/" + os.environ["AWS_LAMBDA_FUNCTION_NAME"]
number = 0

def handler(event, context):
    global number
    if "write-file" in event:
        with open(FILE, "w") as file:
            file.write(event["write-file"])
    elif "read-file" in event:
        with open(FILE) as file:
            return {"content": file.read()}
    elif "set-number" in event:
        number = event["set-number"]
    elif "read-number" in event:
        return {"number": number}
    elif "sleep" in event:
        time.sleep(event["sleep"])
"""
CONTEXT = """\
import logging

logging.getLogger().setLevel(logging.INFO)

def handler(event, context):
    print("Lambda log message - print function")
    logging.info("Lambda log message - logging module")
    names = ("invoked_function_arn", "function_version", "function_name", "memory_limit_in_mb", "aws_request_id",
             "log_group_name", "log_stream_name", "client_context")
    return {"event": event, "context": {name: getattr(context, name) for name in names}}
"""
VARIABLES = "import os\n\ndef handler(event, context):\n    return {'Hello': os.environ['Hello']}\n"
NODE_CONTEXT = "exports.handler = async (event, context) => ({ context });\n"
RAISING = """\
class CustomException(Exception):
    pass


def handler(event, context):
    raise CustomException("some error occurred")
"""


@cache
def cases() -> Mapping[str, Any]:
    found = recordings.folder()
    path = found and found / "lambda_invoke" / "recorded.json"
    return json.loads(path.read_text()) if path and path.is_file() else {}


@dataclass
class Case:
    """One recorded case at work: what it made, and what it found."""

    client: Any
    recorded: Mapping[str, Any]
    bindings: Bindings
    name: str = ""
    missed: list[str] = field(default_factory=list)

    def create(self, code: str, runtime: str = PYTHON, **more: Any) -> None:
        self.name = f"case-{time.monotonic_ns():x}"
        self.bindings.bind("<function-name:1>", self.name)
        file = "handler.py" if runtime == PYTHON else "handler.js"
        parameters = {"Runtime": runtime, "Role": ROLE, "Handler": "handler.handler", **more}
        self.client.create_function(FunctionName=self.name, Code={"ZipFile": package(file, code)}, **parameters)
        self.client.get_waiter("function_active_v2").wait(FunctionName=self.name, WaiterConfig=OFTEN)

    def invoke(self, key: str | None, payload: Any = None, **more: Any) -> dict[str, Any]:
        """Invoke, and compare with the answer of that name."""
        if payload is not None:
            more["Payload"] = json.dumps(payload).encode()
        answer = self.client.invoke(**{"FunctionName": self.name, **more})
        answer["Payload"] = answer["Payload"].read().decode()
        self.compare(key, answer)
        return answer

    def compare(self, key: str | None, answer: dict[str, Any]) -> None:
        if "ResponseMetadata" in answer:
            answer = {**answer, "ResponseMetadata": {"HTTPStatusCode": answer["ResponseMetadata"]["HTTPStatusCode"]}}
        if key is not None:
            recorded = json.loads(WILD.sub("<any>", json.dumps(self.recorded[key])))
            self.missed += self.bindings.compare(recorded, answer, key)


def lines(answer: Mapping[str, Any]) -> list[str]:
    return base64.b64decode(answer["LogResult"]).decode().splitlines(keepends=True)


# -- the cases
def large_response(case: Case) -> None:
    case.create(LETTERS, Timeout=30)
    answer = case.invoke(None, {"bytenum": 6_291_456})
    assert ("FunctionError" in answer, len(answer["Payload"])) == (False, 6_291_458)


def too_large_response(case: Case) -> None:
    case.create(LETTERS, Timeout=30)
    for key in ("invoke_result", "invoke_result_2"):
        case.invoke(key, {"bytenum": 7_340_032})
    assert "generating bytes\n" in lines(case.invoke(None, {"bytenum": 7_340_032}, LogType="Tail"))


def large_payloads(case: Case) -> None:
    case.create("def handler(event, context):\n    return event\n", Timeout=30)
    payload = {"test": "x" * 5_000_000}
    answer = case.invoke(None, payload)
    assert json.loads(answer["Payload"]) == payload
    assert "FunctionError" not in answer


def cache_local(case: Case, family: str) -> None:
    runtime = PYTHON if family == "python" else NODE
    case.create(COUNTER[runtime], runtime)
    case.invoke("first_invoke_result")
    case.invoke("second_invoke_result")


def no_timeout(case: Case) -> None:
    case.create(WAIT, Timeout=2)
    case.invoke("invoke-result", {"wait": 1})
    log = "".join(lines(case.invoke(None, {"wait": 1}, LogType="Tail")))
    assert "starting wait\n" in log
    assert "done waiting\n" in log


def with_timeout(case: Case) -> None:
    case.create(WAIT, Timeout=1)
    case.invoke("invoke-result", {"wait": 2})
    log = "".join(lines(case.invoke(None, {"wait": 2}, LogType="Tail")))
    assert "starting wait\n" in log
    assert "done waiting" not in log


def event_error(case: Case) -> None:
    case.create(RAISING)
    case.invoke("invocation_response", {}, InvocationType="Event")


def no_return_payload(case: Case, which: str) -> None:
    family, kind = which.split("-")
    runtime = PYTHON if family == "python" else NODE
    case.create(SILENT[runtime], runtime)
    case.invoke("invoke-result", {}, InvocationType=kind)


def invocation_type(case: Case, runtime: str, kind: str) -> None:
    chosen = PYTHON if runtime.startswith("python") else NODE
    case.create(ECHO[chosen], chosen)
    case.invoke("invoke-result", {}, InvocationType=kind)


def with_logs(case: Case, runtime: str) -> None:
    chosen = PYTHON if runtime.startswith("python") else NODE
    case.create(ECHO[chosen], chosen)
    answer = case.invoke("invoke", {}, LogType="Tail")
    case.compare("logs", {"logs": lines(answer)})


def basic_invoke(case: Case) -> None:
    case.create(ECHO[PYTHON])
    case.invoke("lambda_invoke_result", {})


def with_qualifier(case: Case) -> None:
    case.create(CONTEXT, Timeout=10, Publish=True)
    answer = case.invoke("invocation-response", {"foo": "bar with 'quotes\""}, Qualifier="1", LogType="Tail")
    log = [line.rstrip("\n") for line in lines(answer) if not line.startswith(("REPORT", "INIT_START"))]
    case.compare("log_result", {"log_result": log})


def from_s3(case: Case) -> None:
    case.create(CONTEXT, Timeout=10)
    case.invoke("invocation-response", {"foo": "bar with 'quotes\""})


def exceptions(case: Case) -> None:
    with pytest.raises(ClientError) as caught:
        case.client.invoke(FunctionName="doesnotexist")
    case.compare("invoke_function_doesnotexist", dict(caught.value.response))


def environment(case: Case) -> None:
    case.create(VARIABLES, Environment={"Variables": {"Hello": "World"}})
    case.invoke("invocation-result")


def with_context(case: Case) -> None:
    case.create(NODE_CONTEXT, NODE)
    context = {"custom": {"foo": "bar"}, "client": {"snap": ["crackle", "pop"]}, "env": {"fizz": "buzz"}}
    case.invoke("invocation", {}, ClientContext=base64.b64encode(json.dumps(context).encode()).decode())


def environment_reuse(case: Case) -> None:
    case.create(MEMORY, Timeout=2)  # INIT runs inside the call after the timeout, on however busy a machine
    for key, event in (
        ("invoke-result-file-write", {"write-file": "some-content"}),
        ("invoke-result-file-read", {"read-file": True}),
        ("invoke-result-set-number", {"set-number": 42}),
        ("invoke-result-read-number", {"read-number": True}),
        (None, {"sleep": 3}),  # recorded with the message of an older stack
        ("invoke-result-file-read-after-timeout", {"read-file": True}),
        ("invoke-result-read-number-after-timeout", {"read-number": True}),
    ):
        case.invoke(key, event)


def iam_keys(case: Case) -> None:
    names = "('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_LAMBDA_LOG_STREAM_NAME')"
    case.create(f"import os\n\ndef handler(event, context):\n    return [os.environ[name] for name in {names}]\n")
    first = json.loads(case.invoke(None)["Payload"])
    case.client.update_function_configuration(FunctionName=case.name, Description="other")
    case.client.get_waiter("function_updated_v2").wait(FunctionName=case.name, WaiterConfig=OFTEN)
    second = json.loads(case.invoke(None)["Payload"])
    assert [one for one, other in zip(first, second, strict=True) if one == other] == []


PLAYED: Mapping[str, Callable[..., None]] = {
    "TestLambdaBaseFeatures::test_lambda_different_iam_keys_environment": iam_keys,
    "TestLambdaBaseFeatures::test_lambda_large_response": large_response,
    "TestLambdaBaseFeatures::test_lambda_too_large_response": too_large_response,
    "TestLambdaBaseFeatures::test_large_payloads": large_payloads,
    "TestLambdaBehavior::test_lambda_cache_local": cache_local,
    "TestLambdaBehavior::test_lambda_invoke_no_timeout": no_timeout,
    "TestLambdaBehavior::test_lambda_invoke_timed_out_environment_reuse": environment_reuse,
    "TestLambdaBehavior::test_lambda_invoke_with_timeout": with_timeout,
    "TestLambdaFeatures::test_basic_invoke": basic_invoke,
    "TestLambdaFeatures::test_invocation_type_dry_run": lambda case, which: invocation_type(case, which, "DryRun"),
    "TestLambdaFeatures::test_invocation_type_event": lambda case, which: invocation_type(case, which, "Event"),
    "TestLambdaFeatures::test_invocation_type_event_error": event_error,
    "TestLambdaFeatures::test_invocation_type_no_return_payload": no_return_payload,
    "TestLambdaFeatures::test_invocation_type_request_response": lambda case, which: invocation_type(
        case, which, "RequestResponse"
    ),
    "TestLambdaFeatures::test_invocation_with_logs": with_logs,
    "TestLambdaFeatures::test_invocation_with_qualifier": with_qualifier,
    "TestLambdaFeatures::test_invoke_exceptions": exceptions,
    "TestLambdaFeatures::test_lambda_environment": environment,
    "TestLambdaFeatures::test_lambda_with_context": with_context,
    "TestLambdaFeatures::test_upload_lambda_from_s3": from_s3,
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    pytest.importorskip("moto")
    with open_target(tmp_path_factory.mktemp("conformance")) as opened:
        yield opened


@pytest.mark.skipif(bool(cases()), reason="the recordings are here")
def test_recordings() -> None:
    pytest.skip(f"no recordings: neither {recordings.VARIABLE} nor a folder shared/conformance beside the checkout")


@pytest.mark.parametrize("id", cases())
def test_case(id: str, target: Target) -> None:
    if id in NOT_HERE:
        pytest.skip(NOT_HERE[id])
    name, _, which = id.removesuffix("]").partition("[")
    if "node" in which or name.endswith("with_context"):
        require_tool("node")
    given = {"<partition>": "aws", "<region>": REGION, "111111111111": ACCOUNT}
    case = Case(target.client("lambda"), cases()[id]["recorded"], Bindings(given, {}, ()))
    try:
        PLAYED[name](case, *([which] if which else []))
    finally:
        if case.name:
            case.client.delete_function(FunctionName=case.name)
    assert not case.missed, "\n".join(["not as AWS answers:", *case.missed])
