"""A result or an error as an HTTP response, by the output shape of its operation.

Source: Smithy, "AWS restJson1 protocol": members go to a header, the status, the payload or the JSON body; times in a
body are epoch seconds. A member that is None is left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workbench.http.lambda_api.service import Operation, Service
from workbench.http.messages import Response
from workbench.model.errors import AccessDenied, ApiError, TooManyRequests

REQUEST_ID = "x-amzn-RequestId"
_ERROR = "x-amzn-ErrorType"
_JSON = ("Content-Type", "application/json")


def answer(service: Service, operation: Operation, result: Mapping[str, Any], request_id: str) -> Response:
    """The response that a client of this operation expects for this result."""
    status = operation.status
    headers = [(REQUEST_ID, request_id)]
    payload: str | None = service.shapes[operation.output].get("payload") if operation.output else None
    body: dict[str, Any] = {}
    raw = b""
    for name, member in service.members(operation.output).items():
        value = result.get(name)
        if value is None:
            continue
        where = member.get("location")
        if where == "statusCode":
            status = value
        elif where == "header":
            headers.append((member.get("locationName", name), str(value)))
        elif name == payload:
            raw = value if isinstance(value, bytes) else _dump(value)
        else:
            body[member.get("locationName", name)] = value
    if status == 204 or operation.output is None:
        return Response(status, b"", headers)
    if payload is None:
        headers.append(_JSON)
        raw = _dump(body)
    return Response(status, raw, headers)


def failure(error: ApiError, request_id: str) -> Response:
    """An error as AWS words it on the wire."""
    body: dict[str, Any] = {error.message_key: error.message}
    if isinstance(error, AccessDenied) and error.silent:
        return Response(error.status, b'{"Message":null}', [(REQUEST_ID, request_id), _JSON, (_ERROR, error.code)])
    if error.kind is not None:
        body["Type"] = error.kind
    headers = [(REQUEST_ID, request_id), _JSON, (_ERROR, error.code)]
    for name, value in error.members.items():
        if isinstance(error, TooManyRequests) and name == "retryAfterSeconds":
            headers.append(("Retry-After", str(value)))
        else:
            body[name] = value
    return Response(error.status, _dump(body), headers)


def _dump(value: Any) -> bytes:
    text = json.dumps(_without_none(value), ensure_ascii=False, separators=(",", ":"), default=_special)
    return text.encode("utf-8", "replace")


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(item) for item in value]
    return value


def _special(value: Any) -> Any:
    if isinstance(value, datetime):
        moment = value.timestamp()
        return int(moment) if moment.is_integer() else moment
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} does not travel as JSON")
