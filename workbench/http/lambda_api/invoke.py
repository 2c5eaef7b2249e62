"""Invoke and InvokeAsync. `run` is the whole of Invoke, and is what the fast path calls once it knows whom a request
addresses.

Source: Lambda API reference, Invoke; Lambda quotas; Lambda Developer Guide, "Using the Lambda context object".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from workbench.client.port import EnginePort
from workbench.http.lambda_api.checks import check_request
from workbench.http.lambda_api.jackson import complaint
from workbench.http.lambda_api.operations import Call, operation
from workbench.http.lambda_api.shape import REQUEST_ID
from workbench.http.messages import Response
from workbench.model.errors import InvalidRequestContent, RequestEntityTooLarge
from workbench.model.invocations import InvocationType, InvokeRequest
from workbench.model.names import FunctionRef

#: A request's payload, by type: 6 MB, and 1 MB when it is queued.
PAYLOAD_BYTES = 6_291_456
EVENT_BYTES = 1_048_576
ASYNC_BYTES = 262_144
CLIENT_CONTEXT_BYTES = 3_583
LOG_TAIL_BYTES = 4_096

TYPES: Mapping[str | None, InvocationType] = {
    None: InvocationType.REQUEST_RESPONSE,
    **{kind.value: kind for kind in InvocationType},
}
LOGS: Mapping[str | None, bool] = {None: False, "None": False, "Tail": True}
#: Headers that the fast path leaves to the model.
RARE_HEADERS = ("x-amz-tenant-id", "x-amz-durable-execution-name")

_JSON = ("Content-Type", "application/json")
_STATUS = {InvocationType.REQUEST_RESPONSE: 200, InvocationType.EVENT: 202, InvocationType.DRY_RUN: 204}


@operation("Invoke")
async def invoke(call: Call) -> Response:
    params = call.params
    return await run(
        call.port,
        call.ref(),
        TYPES[params.get("InvocationType")],
        LOGS[params.get("LogType")],
        call.request.headers,
        call.request.body,
    )


async def run(
    port: EnginePort, ref: FunctionRef, kind: InvocationType, logs: bool, headers: Mapping[str, str], body: bytes
) -> Response:
    """Check the payload, invoke, and put the result on the wire.

    Raises:
        ApiError: the payload or the client context is refused, or the engine's own refusal.
    """
    result = await port.invoke(invocation(ref, kind, logs, headers, body, "InvokeFunction"))
    answered = [(REQUEST_ID, result.request_id)]
    if result.trace_id is not None:
        answered.append(("X-Amzn-Trace-Id", result.trace_id))
    if kind is not InvocationType.REQUEST_RESPONSE:
        return Response(_STATUS[kind], b"", answered)
    answered.append(_JSON)
    if result.executed_version is not None:
        answered.append(("X-Amz-Executed-Version", result.executed_version))
    if result.function_error is not None:
        answered.append(("X-Amz-Function-Error", result.function_error))
    if logs and result.log is not None:
        answered.append(("X-Amz-Log-Result", log_tail(result.log)))
    return Response(200, result.payload, answered)


@operation("InvokeAsync")
async def invoke_async(call: Call) -> Response:
    """The queue of Invoke's type Event, in the words of the API before it."""
    body = call.request.body
    check_request(len(body), ASYNC_BYTES, "InvokeAsync")
    request = invocation(call.ref(), InvocationType.EVENT, False, call.request.headers, body, "InvokeAsync")
    result = await call.port.invoke(request)
    return Response(202, b'{"Status":202}', [(REQUEST_ID, result.request_id), _JSON])


def invocation(
    ref: FunctionRef, kind: InvocationType, logs: bool, headers: Mapping[str, str], body: bytes, name: str
) -> InvokeRequest:
    """What a request asks of the engine; `name` is the operation's where AWS's refusals say it.

    Raises:
        ApiError: the payload or the client context is refused.
    """
    if body:
        _check_payload(body, kind, name)
    context = headers.get("x-amz-client-context")
    return InvokeRequest(
        function=ref,
        payload=body or b"{}",
        type=kind,
        logs=logs and kind is InvocationType.REQUEST_RESPONSE,
        client_context=None if context is None else _client_context(context, kind),
        trace_id=headers.get("x-amzn-trace-id"),
        tenant_id=headers.get("x-amz-tenant-id"),
    )


def log_tail(log: str) -> str:
    """The end of a log, in base64. AWS's has no line about the start of INIT, which precedes all others."""
    first, _, rest = log.partition("\n")
    if first.startswith("INIT_START ") or '"type":"platform.initStart"' in first:
        log = rest
    return base64.b64encode(log.encode("utf-8", "replace")[-LOG_TAIL_BYTES:]).decode("ascii")


def _check_payload(body: bytes, kind: InvocationType, name: str) -> None:
    if kind is InvocationType.EVENT:
        if len(body) > EVENT_BYTES:
            raise RequestEntityTooLarge(
                f"{len(body)} byte payload is too large for the Event invocation type (limit {EVENT_BYTES} bytes)"
            )
    else:
        check_request(len(body), PAYLOAD_BYTES, name)
    if not _is_json(body):
        detail = complaint(body) or "Unexpected content"
        raise InvalidRequestContent(
            f"Could not parse request body into json: Could not parse payload into json: {detail}"
        )


def _is_json(body: bytes) -> bool:
    """Whether Lambda would take it. Quick for what is JSON; why it is none, `complaint` finds out."""
    try:
        _decoder.decode(body.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, _NotANumber):
        return False
    except ValueError:  # Python's int() balks at thousands of digits, which are JSON all the same
        return complaint(body) is None
    return True


class _NotANumber(ValueError):
    """NaN and the infinities, which JSON does not have."""


def _not_a_number(text: str) -> NoReturn:
    raise _NotANumber(text)


_decoder = json.JSONDecoder(parse_constant=_not_a_number)


def _client_context(text: str, kind: InvocationType) -> str | None:
    """The JSON text that the handler's context gets; only synchronous invocations pass it on."""
    if len(text) > CLIENT_CONTEXT_BYTES:
        raise InvalidRequestContent(f"Client context must be at most {CLIENT_CONTEXT_BYTES} bytes of base64.")
    try:
        value: Any = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidRequestContent("Client context must be a valid Base64-encoded JSON object.")
    if kind is not InvocationType.REQUEST_RESPONSE:
        return None
    # It becomes a header of the Runtime API: on one line, in ASCII.
    return json.dumps(value, separators=(",", ":"))
