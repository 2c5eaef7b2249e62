"""The words for platform events: lines of a text log, records of a JSON log and of telemetry, and their levels.

Sources: Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs" and "Understanding the Lambda
execution environment lifecycle" (text lines), "Lambda Telemetry API Event schema reference" (records), "Configuring
JSON and plain text log formats" and "System log level event mapping" (JSON logs).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from workbench.model import platform as pf
from workbench.model.platform import InitializationType, PlatformEvent, PlatformStatus

DEBUG, INFO, WARN = 0, 1, 2
#: What `LoggingConfig.SystemLogLevel` lets through.
SYSTEM_LEVELS = {"DEBUG": DEBUG, "INFO": INFO, "WARN": WARN}

Record = dict[str, Any]


def billed(duration_ms: float, init_ms: float | None) -> int:
    """Milliseconds billed: duration and a cold start's INIT together, rounded up."""
    return math.ceil(round(duration_ms + (init_ms or 0.0), 2))


def timestamp(wall: float) -> str:
    """Epoch seconds as telemetry and JSON logs write them: UTC, with milliseconds."""
    whole, milliseconds = divmod(int(wall * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{milliseconds:03d}Z"


# -- text logs
def text(event: PlatformEvent) -> str | None:
    """The line of a text log, or None for an event that has none."""
    return _TEXT[event.__class__](event)


def _init_start(event: pf.InitStart) -> str | None:
    if not event.runtime_version:  # of a container image
        return None
    return f"INIT_START Runtime Version: {event.runtime_version}\tRuntime Version ARN: {event.runtime_version_arn}"


def _init_report(event: pf.InitReport) -> str | None:
    if event.status is PlatformStatus.SUCCESS and event.initialization_type is InitializationType.ON_DEMAND:
        return None
    line = f"INIT_REPORT Init Duration: {event.duration_ms:.2f} ms\tPhase: {event.phase}\tStatus: {event.status}"
    return f"{line}\tError Type: {event.error_type}" if event.error_type else line


def _start(event: pf.InvokeStart) -> str:
    return f"START RequestId: {event.request_id} Version: {event.version}"


def _end(event: pf.InvokeEnd) -> str:
    return f"END RequestId: {event.request_id}"


def _report(event: pf.Report) -> str:
    line = (
        f"REPORT RequestId: {event.request_id}\tDuration: {event.duration_ms:.2f} ms\t"
        f"Billed Duration: {event.billed_ms} ms\tMemory Size: {event.memory_size} MB\t"
        f"Max Memory Used: {event.max_memory_mb} MB\t"
    )
    if event.init_ms is not None:
        line += f"Init Duration: {event.init_ms:.2f} ms\t"
    if event.status is not PlatformStatus.SUCCESS and not event.reported:
        line += f"Status: {event.status}"
        if event.error_type:
            line += f"\tError Type: {event.error_type}"
    return line


def _extension(event: pf.ExtensionState) -> str:
    line = f"EXTENSION\tName: {event.name}\tState: {event.state}\tEvents: [{', '.join(event.events)}]"
    return f"{line}\tError Type: {event.error_type}" if event.error_type else line


def _subscription(event: pf.Subscription) -> str:
    kind = "TELEMETRY" if event.api == "telemetry" else "LOGS"
    return f"{kind}\tName: {event.name}\tState: {event.state}\tTypes: [{', '.join(event.types)}]"


def _dropped(event: pf.LogsDropped) -> str:
    return f"LOGS_DROPPED {event.reason}\tRecords: {event.dropped_records}\tBytes: {event.dropped_bytes}"


def _nothing(event: Any) -> None:
    return None


_TEXT: dict[type, Callable[[Any], str | None]] = {
    pf.InitStart: _init_start,
    pf.InitRuntimeDone: _nothing,
    pf.InitReport: _init_report,
    pf.InvokeStart: _start,
    pf.RuntimeDone: _nothing,
    pf.InvokeEnd: _end,
    pf.Report: _report,
    pf.ExtensionState: _extension,
    pf.Subscription: _subscription,
    pf.LogsDropped: _dropped,
    pf.LayersMoved: lambda event: f"LAYERS Folder: {event.folder}\tThis backend has no mounts: nothing is at /opt",
    pf.Fault: lambda event: event.text,
}


# -- records
def record(event: PlatformEvent) -> tuple[str, Any]:
    """`type` and `record` of the Telemetry API. Members without a value are left out."""
    kind, build = _RECORDS[event.__class__]
    found = build(event)
    if kind == "platform.subscription":
        kind = f"platform.{event.api}Subscription"  # type: ignore[union-attr]
    return kind, found


def _given(**members: Any) -> Record:
    return {name: value for name, value in members.items() if value is not None}


def _init_start_record(event: pf.InitStart) -> Record:
    return _given(
        initializationType=event.initialization_type.value,
        phase=event.phase.value,
        functionName=event.function,
        functionVersion=event.version,
        runtimeVersion=event.runtime_version or None,
        runtimeVersionArn=event.runtime_version_arn or None,
        instanceId=event.instance_id,
        instanceMaxMemory=event.instance_max_memory,
    )


def _init_done_record(event: pf.InitRuntimeDone) -> Record:
    return _given(
        initializationType=event.initialization_type.value,
        phase=event.phase.value,
        status=event.status.value,
        errorType=event.error_type,
    )


def _init_report_record(event: pf.InitReport) -> Record:
    return _given(
        initializationType=event.initialization_type.value,
        phase=event.phase.value,
        status=event.status.value,
        errorType=event.error_type,
        metrics={"durationMs": round(event.duration_ms, 3)},
    )


def _start_record(event: pf.InvokeStart) -> Record:
    return _given(requestId=event.request_id, version=event.version, tracing=_tracing(event.trace_id))


def _done_record(event: pf.RuntimeDone) -> Record:
    metrics = {"durationMs": _ms(event.started_ns, event.ended_ns), "producedBytes": event.produced_bytes}
    return _given(
        requestId=event.request_id,
        status=event.status.value,
        errorType=event.error_type,
        metrics=metrics,
        spans=_runtime_spans(event) or None,
        tracing=_tracing(event.trace_id),
    )


def _runtime_spans(event: pf.RuntimeDone) -> list[Record]:
    """Until the first byte of the response, until its last, and until the runtime asked again."""
    if event.responded_ns is None or event.answered_ns is None:
        return []
    spans = (
        ("responseLatency", event.started_ns, event.responded_ns),
        ("responseDuration", event.responded_ns, event.answered_ns),
        ("runtimeOverhead", event.answered_ns, event.ended_ns),
    )
    return [
        {
            "name": name,
            "start": timestamp(event.wall + (begin - event.started_ns) / 1e9),
            "durationMs": _ms(begin, end),
        }
        for name, begin, end in spans
    ]


def _report_record(event: pf.Report) -> Record:
    metrics = _given(
        durationMs=round(event.duration_ms, 3),
        billedDurationMs=event.billed_ms,
        memorySizeMB=event.memory_size,
        maxMemoryUsedMB=event.max_memory_mb,
        initDurationMs=None if event.init_ms is None else round(event.init_ms, 3),
    )
    spans = None
    if event.extensions_ms is not None:
        start = timestamp(event.ended - event.extensions_ms / 1000)
        spans = [{"name": "extensionOverhead", "start": start, "durationMs": round(event.extensions_ms, 3)}]
    return _given(
        requestId=event.request_id,
        status=event.status.value,
        errorType=event.error_type,
        metrics=metrics,
        spans=spans,
        tracing=_tracing(event.trace_id),
    )


def _extension_record(event: pf.ExtensionState) -> Record:
    return _given(name=event.name, state=event.state, events=list(event.events), errorType=event.error_type)


def _subscription_record(event: pf.Subscription) -> Record:
    return {"name": event.name, "state": event.state, "types": list(event.types)}


def _dropped_record(event: pf.LogsDropped) -> Record:
    return {"reason": event.reason, "droppedRecords": event.dropped_records, "droppedBytes": event.dropped_bytes}


def _tracing(trace_id: str) -> Record | None:
    return {"type": "X-Amzn-Trace-Id", "value": trace_id} if trace_id else None


def _ms(begin: int, end: int) -> float:
    return round(max(end - begin, 0) / 1e6, 3)


_RECORDS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    pf.InitStart: ("platform.initStart", _init_start_record),
    pf.InitRuntimeDone: ("platform.initRuntimeDone", _init_done_record),
    pf.InitReport: ("platform.initReport", _init_report_record),
    pf.InvokeStart: ("platform.start", _start_record),
    pf.RuntimeDone: ("platform.runtimeDone", _done_record),
    pf.InvokeEnd: ("platform.end", lambda event: {"requestId": event.request_id}),
    pf.Report: ("platform.report", _report_record),
    pf.ExtensionState: ("platform.extension", _extension_record),
    pf.Subscription: ("platform.subscription", _subscription_record),
    pf.LogsDropped: ("platform.logsDropped", _dropped_record),
    pf.LayersMoved: ("platform.layersMoved", lambda event: {"folder": event.folder}),
    pf.Fault: ("platform.fault", lambda event: event.text),
}


# -- JSON logs
def level(event: PlatformEvent) -> int | None:
    """The level at which a JSON log has an event; None for one that it never has."""
    match event:
        case pf.InitStart():
            return INFO if event.runtime_version else DEBUG
        case pf.InitRuntimeDone() | pf.RuntimeDone():
            return DEBUG if event.status is PlatformStatus.SUCCESS else WARN
        case pf.InitReport():
            if event.status is not PlatformStatus.SUCCESS:
                return WARN
            return DEBUG if event.initialization_type is InitializationType.ON_DEMAND else INFO
        case pf.Report():
            return INFO if event.status is PlatformStatus.SUCCESS else WARN
        case pf.InvokeStart() | pf.Subscription() | pf.LayersMoved():
            return INFO
        case pf.ExtensionState():
            return INFO if event.state == "Ready" else WARN
        case pf.LogsDropped() | pf.Fault():
            return WARN
        case _:
            return None
