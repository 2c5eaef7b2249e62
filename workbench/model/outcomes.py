"""What becomes of an asynchronous invocation: how it ended, and the messages that tell of it.

Source: Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations" (the invocation record, the
attributes of a dead-letter message, the keys of objects in S3).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from workbench.model.invocations import InvocationResult, QueuedEvent

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_ERROR_MESSAGE_BYTES = 1_024


class Condition(StrEnum):
    """Why an event is no longer queued."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of one event. `attempts` is how often the function ran; `result` what it answered last, if it ever did;
    `refusal` the status and the message with which it was last refused, if it was."""

    event: QueuedEvent
    condition: Condition
    attempts: int
    at: float
    result: InvocationResult | None = None
    refusal: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent. `detail_type` and `function_arn` are for an event bus, `key` is for a bucket."""

    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    trace_id: str
    detail_type: str = ""
    function_arn: str = ""
    key: str = ""


def record(ending: Ending, arn: str) -> Message:
    """The invocation record that destinations get. `arn` is qualified, `:$LATEST` included."""
    event, result = ending.event, ending.result
    document: dict[str, Any] = {
        "version": "1.0",
        "timestamp": _timestamp(ending.at),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": arn,
            "condition": ending.condition.value,
            "approximateInvokeCount": ending.attempts,
        },
        "requestPayload": _value(event.payload),
    }
    if result is not None:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": result.executed_version}
        if result.function_error is not None:
            context["functionError"] = result.function_error
        document["responseContext"] = context
        document["responsePayload"] = _value(result.payload)
    success = ending.condition is Condition.SUCCESS
    moment = datetime.fromtimestamp(ending.at, UTC)
    return Message(
        body=json.dumps(document, separators=(",", ":")),
        trace_id=event.trace_id,
        detail_type=f"Lambda Function Invocation Result - {'Success' if success else 'Failure'}",
        function_arn=arn,
        key=f"aws/lambda/async/{event.function}/{moment:%Y/%m/%d}/{moment:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}",
    )


def dead_letter(ending: Ending) -> Message:
    """The event itself, as it was sent, with what went wrong beside it."""
    result = ending.result
    if result is not None and result.function_error is not None:
        code, text = 200, _error_message(result.payload)
    else:
        code, text = ending.refusal or (429, "Rate Exceeded.")
    text = _UNPRINTABLE.sub("?", text).encode("utf-8", "replace")[:_ERROR_MESSAGE_BYTES].decode("utf-8", "ignore")
    attributes = {"RequestID": ending.event.request_id, "ErrorCode": str(code)}
    if text:
        attributes["ErrorMessage"] = text
    return Message(
        body=ending.event.payload.decode("utf-8", "replace"), attributes=attributes, trace_id=ending.event.trace_id
    )


def _timestamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _value(payload: bytes) -> Any:
    """The JSON in a payload; what is none, as text."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload.decode("utf-8", "replace")


def _error_message(payload: bytes) -> str:
    error = _value(payload)
    text = error.get("errorMessage") if isinstance(error, dict) else error
    return text if isinstance(text, str) else json.dumps(text)
