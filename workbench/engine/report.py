"""The lines that the platform writes into a function's log, and the numbers on them.

Source: Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs", and "Understanding the Lambda
execution environment lifecycle" (INIT_REPORT, billed duration).
"""

from __future__ import annotations

import math

from workbench.model.runtimes import RuntimeVersion


def init_start(runtime: RuntimeVersion) -> str:
    return f"INIT_START Runtime Version: {runtime.label}\tRuntime Version ARN: {runtime.arn}"


def init_report(duration_ms: float, phase: str, status: str, error_type: str | None) -> str:
    line = f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}\tStatus: {status}"
    return f"{line}\tError Type: {error_type}" if error_type else line


def start(request_id: str, version: str) -> str:
    return f"START RequestId: {request_id} Version: {version}"


def end(request_id: str) -> str:
    return f"END RequestId: {request_id}"


def billed(duration_ms: float, init_ms: float | None) -> int:
    """Milliseconds billed: duration and a cold start's INIT together, rounded up."""
    return math.ceil(round(duration_ms + (init_ms or 0.0), 2))


def report(
    request_id: str,
    duration_ms: float,
    billed_ms: int,
    memory_size: int,
    max_memory_mb: int,
    init_ms: float | None,
    status: str | None,
    error_type: str | None,
) -> str:
    line = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\tBilled Duration: {billed_ms} ms\t"
        f"Memory Size: {memory_size} MB\tMax Memory Used: {max_memory_mb} MB\t"
    )
    if init_ms is not None:
        line += f"Init Duration: {init_ms:.2f} ms\t"
    if status:
        line += f"Status: {status}"
        if error_type:
            line += f"\tError Type: {error_type}"
    return line
