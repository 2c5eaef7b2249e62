"""InvokeWithResponseStream: the function's response as it is written, and how it ended.

Source: Lambda API reference, InvokeWithResponseStream; Lambda Developer Guide, "Response streaming for Lambda
functions".
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

from workbench.client.port import ResponseStream
from workbench.http.lambda_api import eventstream
from workbench.http.lambda_api.invoke import LOGS, TYPES, invocation, log_tail
from workbench.http.lambda_api.operations import Call, operation
from workbench.http.lambda_api.shape import REQUEST_ID
from workbench.http.messages import Response, StreamedResponse
from workbench.model.errors import WorkbenchError
from workbench.model.invocations import InvocationType

_NAME = "InvokeWithResponseStream"


@operation(_NAME)
async def invoke_with_response_stream(call: Call) -> Response | StreamedResponse:
    params = call.params
    kind = TYPES[params.get("InvocationType")]
    logs = LOGS[params.get("LogType")]
    request = invocation(call.ref(), kind, logs, call.request.headers, call.request.body, _NAME)
    if kind is InvocationType.DRY_RUN:
        result = await call.port.invoke(request)
        return Response(204, b"", [(REQUEST_ID, result.request_id)])
    stream = await call.port.invoke_streaming(request)
    headers = [
        (REQUEST_ID, stream.request_id),
        ("Content-Type", eventstream.CONTENT_TYPE),
        ("X-Amz-Executed-Version", stream.executed_version),
        ("X-Amzn-Trace-Id", stream.trace_id),
    ]
    return StreamedResponse(200, _events(stream, logs), headers)


async def _events(stream: ResponseStream, logs: bool) -> AsyncGenerator[bytes, None]:
    pieces = stream.pieces()
    try:
        async for piece in pieces:
            yield eventstream.event("PayloadChunk", "application/octet-stream", piece)
    finally:
        await pieces.aclose()
    complete: dict[str, str] = {}
    try:
        result = await stream.result()
    except WorkbenchError as error:  # the engine stops: the head is out, so the last event must tell
        complete = {"ErrorCode": "ServiceException", "ErrorDetails": str(error)}
    else:
        if result.function_error is not None:
            details = result.payload.decode("utf-8", "replace")
            complete = {"ErrorCode": result.function_error, "ErrorDetails": details}
        if logs and result.log is not None:
            complete["LogResult"] = log_tail(result.log)
    yield eventstream.event("InvokeComplete", "application/json", json.dumps(complete).encode())
