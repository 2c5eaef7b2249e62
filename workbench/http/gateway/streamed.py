"""A response that goes out while the function still writes it.

What a function streams is the body. One that says so by its content type sends the status, headers and cookies first,
as JSON, and eight NUL bytes after them.
Source: Lambda Developer Guide, "Response streaming for Lambda functions" and "Invoking a response streaming enabled
function using Lambda function URLs".
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator

from workbench.client.port import ResponseStream
from workbench.http.gateway.answers import Malformed, prelude
from workbench.http.messages import Response, StreamedResponse

WITH_PRELUDE = "application/vnd.awslambda.http-integration-response"
_END = bytes(8)
#: Bytes that may come before the NULs.
_MAX_PRELUDE = 1_048_576
_log = logging.getLogger("workbench.gateway")


async def begin(stream: ResponseStream) -> StreamedResponse | None:
    """The response that begins with what the function has written so far; None if it failed before that.

    Raises:
        Malformed: what precedes the body is no status and no headers.
    """
    pieces = stream.pieces()
    try:
        first = await anext(pieces, b"")
        if not first and (await stream.result()).function_error is not None:
            return None
        status, headers = 200, [("content-type", stream.content_type or "application/octet-stream")]
        if stream.content_type == WITH_PRELUDE:
            read, seen = bytearray(first), 0
            while (end := read.find(_END, seen)) < 0:
                piece = await anext(pieces, None)
                if piece is None or len(read) > _MAX_PRELUDE:
                    raise Malformed("what was streamed has no eight NUL bytes after its metadata")
                seen = max(len(read) - len(_END) + 1, 0)  # however small the pieces, each byte is looked at once
                read += piece
            status, headers = prelude(bytes(read[:end]))
            first = bytes(read[end + len(_END) :])
    except BaseException:
        await pieces.aclose()
        raise
    return StreamedResponse(status, _body(stream, first, pieces), headers)


def whole(payload: bytes) -> Response:
    """The response in a payload that was streamed to a front end that does not stream.

    Raises:
        Malformed: as `begin`.
    """
    head, end, body = payload.partition(_END)
    if not end:
        raise Malformed("what was streamed has no eight NUL bytes after its metadata")
    status, headers = prelude(head)
    return Response(status, body, headers)


async def _body(
    stream: ResponseStream, first: bytes, pieces: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    try:
        if first:
            yield first
        async for piece in pieces:
            yield piece
        result = await stream.result()
        if result.function_error is not None:
            # The client is not told, here as on AWS: to it, the response ends where it ends.
            _log.warning(
                "%s failed while it streamed: %s", stream.request_id, result.payload.decode("utf-8", "replace")
            )
    finally:
        await pieces.aclose()
