"""Extensions and telemetry with real clients in real sandboxes: one in Python, one in sh and curl, one inside."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import re
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.conftest import SAMPLES, Shell
from tests.support import require_docker, require_tool
from workbench.app.engine import open_engine
from workbench.client.port import EnginePort
from workbench.client.project import Project
from workbench.model.functions import FunctionConfiguration, FunctionState, NewFunction
from workbench.model.invocations import InvocationResult, InvokeRequest
from workbench.model.layers import NewLayerVersion
from workbench.model.names import FunctionRef

RUNTIME = "python{}.{}".format(*sys.version_info)
ROLE = "arn:aws:iam::000000000000:role/r"
LAYER = SAMPLES / "layers" / "telemetry" / "extensions"
HANDLER = """
import os, time
def handler(event, context):
    print("at work")
    if event.get("exit"): os._exit(3)
    time.sleep(event.get("sleep", 0))
    return event
"""
#: An extension that lives in a thread of the runtime's process.
INTERNAL = """
import http.client, json, os, threading
def call(method, path, body=None, **headers):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.headers, json.loads(response.read())
status, headers, body = call("POST", "/2020-01-01/extension/register", '{"events": ["INVOKE"]}',
                             Lambda_Extension_Name="inside", Lambda_Extension_Accept_Feature="accountId")
registered, seen, more = (status, body), [], threading.Condition()
def watch():
    while True:
        event = call("GET", "/2020-01-01/extension/event/next",
                     Lambda_Extension_Identifier=headers["Lambda-Extension-Identifier"])[2]
        with more:
            seen.append(event)
            more.notify()
threading.Thread(target=watch, daemon=True).start()
def handler(event, context):
    with more:
        more.wait_for(lambda: len(seen) == event["nth"], 5)
        return registered, seen[-1], context.aws_request_id, context.invoked_function_arn
"""
#: An extension that subscribes to the older API, over TCP.
TCP = """#!/usr/bin/env python3
import http.client, json, os, socket, sys, threading
def call(method, path, body=None, **headers):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    print(path, response.status, flush=True)
    return response.headers, response.read()
server = socket.create_server(("0.0.0.0", 0))
def listen():
    for line in server.accept()[0].makefile():
        print("telemetry", line, end="", flush=True)
threading.Thread(target=listen, daemon=True).start()
headers, _ = call("POST", "/2020-01-01/extension/register", '{"events": ["SHUTDOWN"]}', Lambda_Extension_Name="tcp")
me = {"Lambda_Extension_Identifier": headers["Lambda-Extension-Identifier"]}
call("PUT", "/2020-08-15/logs", json.dumps({
    "schemaVersion": "2021-03-18",
    "types": ["platform", "function"],
    "destination": {"protocol": "TCP", "port": server.getsockname()[1]},
}), **me)
call("GET", "/2020-01-01/extension/event/next", **me)
"""
BACKENDS = [
    "subprocess",
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    pytest.param("docker", marks=pytest.mark.docker),
]
on_each_backend = pytest.mark.parametrize("backend", BACKENDS)


class Lambda:
    """An engine with one function, f."""

    def __init__(self, port: EnginePort) -> None:
        self.port = port

    async def invoke(self, event: Any = None) -> InvocationResult:
        payload = json.dumps(event or {}).encode()
        return await self.port.invoke(InvokeRequest(function=FunctionRef("f"), payload=payload, logs=True))

    async def lines(self, stream: str) -> list[str]:
        return [line.text for line in (await self.port.changes(0)).logs if line.stream == stream]

    async def telemetry(self) -> list[dict[str, Any]]:
        """What the collector has written down."""
        marked = [line for line in await self.lines("extension") if line.startswith("telemetry ")]
        return [json.loads(line.removeprefix("telemetry ")) for line in marked]

    async def until(self, found: Callable[[], Any], seconds: float = 10.0) -> Any:
        """The first true answer."""
        for _ in range(int(seconds / 0.02)):
            if answer := await found():
                return answer
            await asyncio.sleep(0.02)
        pytest.fail(f"not within {seconds:g} s: {found}")

    async def stop(self) -> None:
        """SHUTDOWN of every environment."""
        for one in (await self.port.changes(0)).environments:
            if not one.state.final:
                await self.port.stop_environment(one.id)
        await self.until(self.nothing_runs)

    async def is_active(self) -> bool:
        return (await self.port.get_function(FunctionRef("f"))).state is FunctionState.ACTIVE

    async def nothing_runs(self) -> bool:
        return all(one.state.final for one in (await self.port.changes(0)).environments)


def archive(files: dict[str, str]) -> bytes:
    """A package whose files may all be run."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            package.writestr(entry, text)
    return buffer.getvalue()


def extension(name: str) -> str:
    # An image that was made for these tests has the interpreter under its full name only.
    return (LAYER / name).read_text().replace("env python3\n", f"env {RUNTIME}\n")


Running = Callable[..., AbstractAsyncContextManager[Lambda]]


@pytest.fixture
def running(tmp_path: Path) -> Running:
    """An engine with a function that has a layer of these files; those that are named alone are samples."""

    @asynccontextmanager
    async def run(
        backend: str, *samples: str, files: dict[str, str] | None = None, code: str = HANDLER, **configuration: Any
    ) -> AsyncIterator[Lambda]:
        if backend == "docker":
            require_docker()
        layer = {**{f"extensions/{name}": extension(name) for name in samples}, **(files or {})}
        project = Project(root=tmp_path, state=tmp_path / "state", parameters={})
        settings: dict[str, Any] = {"runtime": RUNTIME, "handler": "app.handler", "role": ROLE}
        async with open_engine(project, backend=backend) as engine:
            if layer:
                await engine.port.publish_layer_version(NewLayerVersion(name="l", code=archive(layer)))
                settings["layers"] = ("arn:aws:lambda:us-east-1:000000000000:layer:l:1",)
            await engine.port.create_function(
                NewFunction(
                    name="f",
                    configuration=FunctionConfiguration(**{**settings, **configuration}),
                    code=archive({"app.py": code}),
                )
            )
            function = Lambda(engine.port)
            await function.until(function.is_active)
            yield function

    return run


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


#: Members of each record that are always there, and those that may be, as documented.
SCHEMAS = {
    "platform.initStart": (
        {"initializationType", "phase", "functionName", "functionVersion"},
        {"runtimeVersion", "runtimeVersionArn", "instanceId", "instanceMaxMemory"},
    ),
    "platform.initRuntimeDone": ({"initializationType", "phase", "status"}, {"errorType", "spans"}),
    "platform.initReport": ({"initializationType", "phase", "status", "metrics"}, {"errorType", "spans"}),
    "platform.start": ({"requestId"}, {"version", "tracing"}),
    "platform.runtimeDone": ({"requestId", "status"}, {"errorType", "metrics", "spans", "tracing"}),
    "platform.report": ({"requestId", "status", "metrics"}, {"errorType", "spans", "tracing"}),
    "platform.extension": ({"name", "state", "events"}, set()),
    "platform.telemetrySubscription": ({"name", "state", "types"}, set()),
}
METRICS = {
    "platform.initReport": ({"durationMs"}, set()),
    "platform.runtimeDone": ({"durationMs"}, {"producedBytes"}),
    "platform.report": (
        {"durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB"},
        {"initDurationMs", "restoreDurationMs"},
    ),
}
STATUSES = {"success", "failure", "error", "timeout"}


def conforming(events: list[dict[str, Any]]) -> None:
    """Every event is as the schema reference says."""
    for event in events:
        assert set(event) == {"time", "type", "record"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
        if event["type"] == "function":
            assert isinstance(event["record"], str)
            continue
        record = event["record"]
        for members, (required, optional) in (
            (record, SCHEMAS[event["type"]]),
            *([(record["metrics"], METRICS[event["type"]])] if "metrics" in record else []),
        ):
            assert required <= set(members) <= required | optional, event
        assert record.get("status", "success") in STATUSES
        for span in record.get("spans", ()):
            assert set(span) == {"name", "start", "durationMs"}
        if record.get("status") in ("failure", "error"):
            assert record["errorType"]


INIT = [
    "platform.initStart",
    "platform.telemetrySubscription",
    "platform.initRuntimeDone",
    "platform.extension",
    "platform.initReport",
]
INVOKE = ["platform.start", "function", "platform.runtimeDone", "platform.report"]


@on_each_backend
async def test_a_subscriber_hears_of_a_cold_and_of_a_warm_invocation(running: Running, backend: str) -> None:
    async with running(backend, "collector") as function:
        cold, warm = await function.invoke({"n": 1}), await function.invoke({"n": 2})
        await function.stop()
        events = await function.telemetry()
        words = await function.lines("extension")
    conforming(events)
    assert kinds(events) == [*INIT, *INVOKE, *INVOKE]
    start, subscription, done, extension, report = (event["record"] for event in events[:5])
    assert (start["functionName"], start["functionVersion"], start["phase"]) == ("f", "$LATEST", "init")
    assert subscription == {"name": "collector", "state": "Subscribed", "types": ["platform", "function"]}
    assert extension == {"name": "collector", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    assert (done["status"], report["status"]) == ("success", "success")
    for result, (began, said, ended, reported) in ((cold, events[5:9]), (warm, events[9:])):
        records = [began["record"], ended["record"], reported["record"]]
        assert {record["requestId"] for record in records} == {result.request_id}
        assert said["record"] == "at work"
        assert [span["name"] for span in records[1]["spans"]] == [
            "responseLatency",
            "responseDuration",
            "runtimeOverhead",
        ]
        assert records[1]["metrics"]["producedBytes"] == len(result.payload)
        assert [span["name"] for span in records[2]["spans"]] == ["extensionOverhead"]
        metrics = records[2]["metrics"]
        assert metrics["billedDurationMs"] == result.billed_ms
        assert (metrics["memorySizeMB"], "initDurationMs" in metrics) == (128, result is cold)
    assert words[0] == "collecting for f"
    assert words[-1] == "the end: spindown"


@on_each_backend
@pytest.mark.parametrize(
    ("event", "status", "error_type", "reason"),
    [({"sleep": 30}, "timeout", None, "timeout"), ({"exit": True}, "error", "Runtime.ExitError", "failure")],
)
async def test_a_subscriber_hears_of_a_timeout_and_of_a_crash(
    running: Running, backend: str, event: dict[str, Any], status: str, error_type: str | None, reason: str
) -> None:
    async with running(backend, "collector", timeout=2) as function:
        result = await function.invoke(event)
        await function.until(lambda: said(function, f"the end: {reason}"))
        events = await function.telemetry()
        again = await function.invoke()
    conforming(events)
    assert kinds(events) == [*INIT, *INVOKE]
    done, report = events[-2]["record"], events[-1]["record"]
    assert (done["status"], done.get("errorType")) == (status, error_type)
    assert (report["status"], report.get("errorType")) == (status, error_type)
    assert report["requestId"] == result.request_id
    assert again.status.value == "success"


async def said(function: Lambda, line: str) -> bool:
    return line in await function.lines("extension")


@on_each_backend
async def test_an_extension_in_sh_and_curl(running: Running, backend: str) -> None:
    require_tool("curl")
    async with running(backend, "watcher.sh") as function:
        results = [await function.invoke() for _ in range(2)]
        await function.stop()
        lines = await function.lines("extension")
        platform = await function.lines("platform")
    events = [json.loads(line.removeprefix("watcher.sh: ")) for line in lines]
    assert [event["eventType"] for event in events] == ["INVOKE", "INVOKE", "SHUTDOWN"]
    assert [event["requestId"] for event in events[:2]] == [result.request_id for result in results]
    assert set(events[0]) == {"eventType", "deadlineMs", "requestId", "invokedFunctionArn", "tracing"}
    assert events[2]["shutdownReason"] == "spindown"
    assert "EXTENSION\tName: watcher.sh\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in platform


@on_each_backend
async def test_an_extension_inside_the_runtime(running: Running, backend: str) -> None:
    async with running(backend, code=INTERNAL, timeout=10) as function:
        answers = [json.loads((await function.invoke({"nth": nth})).payload) for nth in (1, 2)]
    for registered, event, request_id, arn in answers:
        body = {"functionName": "f", "functionVersion": "$LATEST", "handler": "app.handler", "accountId": "0" * 12}
        assert registered == [200, body]
        assert (event["eventType"], event["requestId"], event["invokedFunctionArn"]) == ("INVOKE", request_id, arn)


@on_each_backend
async def test_an_extension_that_cannot_be_started(running: Running, backend: str) -> None:
    async with running(backend, files={"extensions/broken": "not a program"}) as function:
        result = await function.invoke()
        report = (await function.lines("platform"))[-1]
    assert json.loads(result.payload)["errorType"] == "Extension.LaunchError"
    assert "fork/exec" in json.loads(result.payload)["errorMessage"]
    assert report.rstrip().endswith("Status: error\tError Type: Extension.LaunchError")


@on_each_backend
async def test_the_logs_api_over_tcp(running: Running, backend: str) -> None:
    files = {"extensions/tcp": TCP.replace("env python3\n", f"env {RUNTIME}\n")}
    async with running(backend, files=files) as function:
        result = await function.invoke()
        await function.stop()
        events = await function.telemetry()
    assert kinds(events) == [
        "platform.logsSubscription",
        "platform.extension",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.end",
        "platform.report",
    ]
    assert events[0]["record"] == {"name": "tcp", "state": "Subscribed", "types": ["platform", "function"]}
    assert events[4]["record"] == {"requestId": result.request_id, "status": "success"}
    assert set(events[6]["record"]) == {"requestId", "metrics"}


POWERTOOLS = """
from aws_lambda_powertools import Logger
logger = Logger(service="tests")
@logger.inject_lambda_context
def handler(event, context):
    logger.info("at work", extra={"n": event["n"]})
    return Logger.__module__
"""


@pytest.mark.parametrize("backend", BACKENDS[:2])
async def test_powertools_in_a_layer_and_their_json_as_objects(running: Running, backend: str) -> None:
    files = {"extensions/collector": extension("collector")}
    for package in ("aws_lambda_powertools", "jmespath", "typing_extensions"):
        origin = importlib.util.find_spec(package)
        assert origin is not None
        assert origin.origin is not None
        root = Path(origin.origin)
        sources = [root] if root.name != "__init__.py" else root.parent.rglob("*.py")
        base = root.parent if root.name != "__init__.py" else root.parents[1]
        files |= {f"python/{source.relative_to(base)}": source.read_text() for source in sources}
    logging = {"LoggingConfig": {"LogFormat": "JSON"}}
    async with running(backend, files=files, code=POWERTOOLS, timeout=10, settings=logging) as function:
        result = await function.invoke({"n": 7})
        await function.stop()
        events = await function.telemetry()
    assert json.loads(result.payload) == "aws_lambda_powertools.logging.logger"
    (line,) = [event["record"] for event in events if event["type"] == "function"]
    assert (line["message"], line["n"], line["function_request_id"]) == ("at work", 7, result.request_id)


@pytest.mark.parametrize("backend", BACKENDS[:2])
def test_the_sample_is_observed(shell: Shell, backend: str) -> None:
    require_tool("curl")
    code, out, err = shell.fire("observed", "--event", "{}", "--backend", backend)
    assert (code, json.loads(out)) == (0, {"message": "look at the log"})
    assert "EXTENSION\tName: collector\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in err
    assert 'watcher.sh: {"eventType":"INVOKE"' in err
    assert "collecting for observed" in err
