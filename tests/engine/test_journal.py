"""What an environment says: text and JSON logs, their levels, and the records of telemetry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import World, configured, world
from workbench.engine import report
from workbench.engine.journal import Journal
from workbench.model import events as ev
from workbench.model import platform as pf
from workbench.model.functions import Code, FunctionVersion
from workbench.model.platform import InitializationType, InitPhase, PlatformEvent, PlatformStatus
from workbench.testing.clock import VirtualClock
from workbench.testing.fakes import Exit, FakeRuntime, echo

ON_DEMAND = InitializationType.ON_DEMAND
PROVISIONED = InitializationType.PROVISIONED_CONCURRENCY
ARN = "arn:aws:lambda:us-east-1::runtime:0"


def init_start(runtime_version: str = "python:3.12.v1") -> pf.InitStart:
    return pf.InitStart(ON_DEMAND, InitPhase.INIT, "f", "1", runtime_version, ARN, "stream", 128)


def init_report(status: str = "success", kind: InitializationType = ON_DEMAND, error: str | None = None) -> Any:
    return pf.InitReport(kind, InitPhase.INIT, PlatformStatus(status), 1236.04, error)


def finished(status: str = "success", error: str | None = None, *, reported: bool = False, **more: Any) -> pf.Report:
    values: dict[str, Any] = {"duration_ms": 133.61, "billed_ms": 214, "memory_size": 128, "max_memory_mb": 31}
    values |= {"init_ms": 80.0, "trace_id": "Root=1-2-3"} | more
    return pf.Report(request_id="id", status=PlatformStatus(status), error_type=error, reported=reported, **values)


def done(status: str = "success", error: str | None = None) -> pf.RuntimeDone:
    return pf.RuntimeDone(
        "id", PlatformStatus(status), error, 0, 5_000_000, 1_700_000_000.0, 2_000_000, 3_000_000, 7, "Root=1-2-3"
    )


START = pf.InvokeStart("id", "$LATEST", "Root=1-2-3")
READY = pf.ExtensionState("agent", "Ready", ("INVOKE", "SHUTDOWN"))
FAILED = pf.ExtensionState("agent", "LaunchError", (), "Extension.LaunchError")
DROPPED = pf.LogsDropped("Consumer seems to have fallen behind", 12, 3456)
REPORT_HEAD = (
    "REPORT RequestId: id\tDuration: 133.61 ms\tBilled Duration: 214 ms\tMemory Size: 128 MB\tMax Memory Used: 31 MB\t"
)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (init_start(), f"INIT_START Runtime Version: python:3.12.v1\tRuntime Version ARN: {ARN}"),
        (START, "START RequestId: id Version: $LATEST"),
        (pf.InvokeEnd("id"), "END RequestId: id"),
        (finished(), f"{REPORT_HEAD}Init Duration: 80.00 ms\t"),
        (finished(init_ms=None), REPORT_HEAD),
        (finished("timeout"), f"{REPORT_HEAD}Init Duration: 80.00 ms\tStatus: timeout"),
        (
            finished("error", "Runtime.ExitError", init_ms=None),
            f"{REPORT_HEAD}Status: error\tError Type: Runtime.ExitError",
        ),
        (finished("error", "Runtime.Unknown", reported=True, init_ms=None), REPORT_HEAD),
        (init_report(), None),
        (
            init_report(kind=PROVISIONED),
            "INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: success",
        ),
        (
            init_report("error", error="Extension.Crash"),
            "INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: error\tError Type: Extension.Crash",
        ),
        (done(), None),
        (READY, "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]"),
        (
            pf.Subscription("telemetry", "agent", ("platform", "function")),
            "TELEMETRY\tName: agent\tState: Subscribed\tTypes: [platform, function]",
        ),
    ],
)
def test_the_lines_of_a_text_log(event: PlatformEvent, line: str | None) -> None:
    assert report.text(event) == line


@pytest.mark.parametrize(
    ("duration", "init", "billed"),
    [(133.61, 80.0, 214), (3016.78, 84.0, 3101), (0.0, None, 0), (0.01, None, 1), (100.0, None, 100), (1.5, 1.5, 3)],
)
def test_billed_duration_counts_init_and_rounds_up(duration: float, init: float | None, billed: int) -> None:
    assert report.billed(duration, init) == billed


TRACING = {"type": "X-Amzn-Trace-Id", "value": "Root=1-2-3"}


@pytest.mark.parametrize(
    ("event", "kind", "record"),
    [
        (
            init_start(),
            "platform.initStart",
            {
                "initializationType": "on-demand",
                "phase": "init",
                "functionName": "f",
                "functionVersion": "1",
                "runtimeVersion": "python:3.12.v1",
                "runtimeVersionArn": ARN,
                "instanceId": "stream",
                "instanceMaxMemory": 128,
            },
        ),
        (
            pf.InitRuntimeDone(ON_DEMAND, InitPhase.INVOKE, PlatformStatus.ERROR, "Runtime.ExitError"),
            "platform.initRuntimeDone",
            {
                "initializationType": "on-demand",
                "phase": "invoke",
                "status": "error",
                "errorType": "Runtime.ExitError",
            },
        ),
        (
            init_report(),
            "platform.initReport",
            {
                "initializationType": "on-demand",
                "phase": "init",
                "status": "success",
                "metrics": {"durationMs": 1236.04},
            },
        ),
        (START, "platform.start", {"requestId": "id", "version": "$LATEST", "tracing": TRACING}),
        (
            done(),
            "platform.runtimeDone",
            {
                "requestId": "id",
                "status": "success",
                "metrics": {"durationMs": 5.0, "producedBytes": 7},
                "spans": [
                    {"name": "responseLatency", "start": "2023-11-14T22:13:20.000Z", "durationMs": 2.0},
                    {"name": "responseDuration", "start": "2023-11-14T22:13:20.002Z", "durationMs": 1.0},
                    {"name": "runtimeOverhead", "start": "2023-11-14T22:13:20.003Z", "durationMs": 2.0},
                ],
                "tracing": TRACING,
            },
        ),
        (
            finished("error", "Function.Mine", reported=True, extensions_ms=20.0, ended=1_700_000_000.5),
            "platform.report",
            {
                "requestId": "id",
                "status": "error",
                "errorType": "Function.Mine",
                "metrics": {
                    "durationMs": 133.61,
                    "billedDurationMs": 214,
                    "memorySizeMB": 128,
                    "maxMemoryUsedMB": 31,
                    "initDurationMs": 80.0,
                },
                "spans": [{"name": "extensionOverhead", "start": "2023-11-14T22:13:20.480Z", "durationMs": 20.0}],
                "tracing": TRACING,
            },
        ),
        (pf.InvokeEnd("id"), "platform.end", {"requestId": "id"}),
        (READY, "platform.extension", {"name": "agent", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}),
        (
            pf.Subscription("logs", "agent", ("function",)),
            "platform.logsSubscription",
            {"name": "agent", "state": "Subscribed", "types": ["function"]},
        ),
        (
            DROPPED,
            "platform.logsDropped",
            {"reason": "Consumer seems to have fallen behind", "droppedRecords": 12, "droppedBytes": 3456},
        ),
        (pf.Fault("broken"), "platform.fault", "broken"),
    ],
)
def test_the_records_of_telemetry(event: PlatformEvent, kind: str, record: Any) -> None:
    assert report.record(event) == (kind, record)


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (init_start(""), report.DEBUG),
        (init_start(), report.INFO),
        (pf.InitRuntimeDone(ON_DEMAND, InitPhase.INIT, PlatformStatus.SUCCESS), report.DEBUG),
        (pf.InitRuntimeDone(ON_DEMAND, InitPhase.INIT, PlatformStatus.TIMEOUT), report.WARN),
        (done(), report.DEBUG),
        (done("error", "Runtime.ExitError"), report.WARN),
        (init_report(), report.DEBUG),
        (init_report(kind=PROVISIONED), report.INFO),
        (init_report("error", PROVISIONED), report.WARN),
        (finished(), report.INFO),
        (finished("timeout"), report.WARN),
        (START, report.INFO),
        (pf.Subscription("logs", "agent", ()), report.INFO),
        (READY, report.INFO),
        (FAILED, report.WARN),
        (DROPPED, report.WARN),
        (pf.InvokeEnd("id"), None),
    ],
)
def test_the_level_of_each_event_in_a_json_log(event: PlatformEvent, level: int | None) -> None:
    assert report.level(event) == level


ALL = ["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"]


@pytest.mark.parametrize(
    ("system", "success", "crash"),
    [
        ("DEBUG", ALL, ALL),
        ("INFO", ["initStart", "start", "report"], ["initStart", "start", "runtimeDone", "report"]),
        ("WARN", [], ["runtimeDone", "report"]),
        (None, ["initStart", "start", "report"], ["initStart", "start", "runtimeDone", "report"]),
    ],
)
async def test_a_json_log_has_the_events_of_its_level(
    tmp_path: Path, system: str | None, success: list[str], crash: list[str]
) -> None:
    async def crashing(runtime: FakeRuntime) -> None:
        await runtime.next()
        raise Exit(1)

    logging = {"LogFormat": "JSON"} | ({"SystemLogLevel": system} if system else {})
    for program, expected in ((echo, success), (crashing, crash)):
        async with world(tmp_path / program.__name__, program) as made:
            await made.create(settings={"LoggingConfig": logging})
            result = await made.invoke()
            records = [json.loads(line) for line in (result.log or "").splitlines()]
            assert [record["type"] for record in records] == [f"platform.{name}" for name in expected]
            assert all(list(record) == ["time", "type", "record"] for record in records)


class Log:
    """A journal and what became of it."""

    def __init__(self, runtime: str, **logging: str) -> None:
        version = FunctionVersion(
            name="f",
            configuration=configured(runtime=runtime, settings={"LoggingConfig": logging}),
            code=Code(sha256="0", size=1),
            revision_id="r",
            last_modified=0.0,
        )
        self.lines: list[str] = []
        self.heard: list[Any] = []
        self.journal = Journal(VirtualClock(), self._emit, "e-1", version)
        self.journal.subscribers.append(lambda wall, stream, what: self.heard.append((stream, what)))

    def _emit(self, event: ev.Event) -> None:
        assert isinstance(event, ev.LogLine)
        self.lines.append(event.text)


LINES = {
    "debug": '{"level":"DEBUG","message":"1"}',
    "info": '{"level":"info","message":"2"}',
    "error": '{"level":"ERROR","message":"3"}',
    "odd": '{"level":"LOUD","message":"4"}',
    "none": '{"message":"5"}',
    "text": "plain words",
    "broken": '{"level":"ERROR"',
}


@pytest.mark.parametrize(
    ("runtime", "logging", "kept"),
    [
        ("provided.al2023", {"LogFormat": "JSON"}, ["info", "error", "odd", "none", "text", "broken"]),
        ("provided.al2023", {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"}, list(LINES)),
        ("provided.al2023", {"LogFormat": "JSON", "ApplicationLogLevel": "TRACE"}, list(LINES)),
        ("provided.al2023", {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}, ["error"]),
        ("provided.al2023", {"LogFormat": "JSON", "ApplicationLogLevel": "FATAL"}, []),
        ("python3.12", {"LogFormat": "JSON", "ApplicationLogLevel": "FATAL"}, list(LINES)),
        ("provided.al2023", {"LogFormat": "Text"}, list(LINES)),
    ],
)
async def test_levels_of_a_runtime_that_does_not_filter_itself(
    runtime: str, logging: dict[str, str], kept: list[str]
) -> None:
    log = Log(runtime, **logging)
    for line in LINES.values():
        log.journal.function(line)
    assert log.lines == [LINES[name] for name in kept]
    # Telemetry hears everything, whatever format and levels.
    assert log.heard == [("function", line) for line in LINES.values()]


async def test_a_subscriber_hears_every_event_once_in_order_whatever_the_levels(tmp_path: Path) -> None:
    log = Log("python3.12", LogFormat="JSON", SystemLogLevel="WARN")
    log.journal.platform(START)
    log.journal.function("at work")
    log.journal.platform(done())
    log.journal.extension("agent speaks")
    log.journal.platform(finished())
    assert log.heard == [
        ("platform", START),
        ("function", "at work"),
        ("platform", done()),
        ("extension", "agent speaks"),
        ("platform", finished()),
    ]
    assert log.lines == ["at work", "agent speaks"]


async def test_a_log_that_was_cut_says_so(engine: World) -> None:
    async def program(runtime: FakeRuntime) -> None:
        event = await runtime.next()
        for number in range(12_000):
            runtime.print(str(number))
            if number % 500 == 0:
                await engine.clock.sleep(0.001)
        runtime.respond(event.request_id, b"null")
        await runtime.next()

    engine.backend.program = program
    await engine.create()
    pending = engine.submit()
    await engine.clock.advance(1)
    lines = ((await pending).log or "").splitlines()
    assert lines[0].endswith("earlier lines were not kept")
    dropped = int(lines[0].split()[1])
    assert dropped + len(lines) - 1 == 12_000 + 4  # INIT_START, START, END, REPORT
    assert lines[-3] == "11999"
