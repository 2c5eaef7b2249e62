"""A request, read by the input shape of its operation: from path, query, headers and body to one dictionary.

What has the wrong type on the wire is refused here, in the words of AWS's deserialiser; what has the right type and a
wrong value is for `validate`. Nothing that a client sends may end in anything but a 4xx.
Source: Smithy, "AWS restJson1 protocol"; error texts as AWS services answer them.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from workbench.http.lambda_api.service import Operation, Service, Shape
from workbench.http.messages import Request
from workbench.model.errors import ApiError

_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)
#: Query fields of one request; the model's widest operation has a dozen.
_QUERY_FIELDS = 200


class SerializationException(ApiError):
    """The request cannot be read at all. AWS answers with only a `message`, as for broken constraints."""

    code, status, message_key, kind = "SerializationException", 400, "message", None


def parse(service: Service, operation: Operation, labels: Mapping[str, str], request: Request) -> dict[str, Any]:
    """The parameters of a call, by member name; a member that was not sent, or sent as null, is not there.

    Raises:
        SerializationException: the request does not fit the shape.
    """
    if operation.input is None:
        return {}
    shape = service.shapes[operation.input]
    payload: str | None = shape.get("payload")
    params: dict[str, Any] = {}
    body: Mapping[str, Any] | None = None
    query: dict[str, list[str]] | None = None
    for name, member in shape["members"].items():
        where: str | None = member.get("location")
        wire: str = member.get("locationName", name)
        value: Any = None
        if where == "uri":
            value = _from_text(service, member["shape"], labels[wire])
        elif where == "querystring":
            query = _query(request.query) if query is None else query
            value = _from_query(service, member["shape"], query.get(wire))
        elif where == "header":
            sent = request.headers.get(wire.lower())
            value = None if sent is None else _from_text(service, member["shape"], sent)
        elif where == "headers":
            prefix = wire.lower()
            value = {
                key[len(prefix) :]: text for key, text in request.headers.items() if key.startswith(prefix)
            } or None
        elif name == payload:
            value = _payload(service, member["shape"], request.body)
        elif payload is None:
            body = read_object(request.body) if body is None else body
            value = _from_json(service, member["shape"], body.get(wire))
        if value is not None:
            params[name] = value
    return params


def read_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object in a body; an empty body and `null` are an empty one.

    Raises:
        SerializationException: not UTF-8, not JSON, nested beyond reason, or not an object.
    """
    if not body:
        return {}
    try:
        value = _decoder.decode(body.decode("utf-8"))
    except RecursionError:
        raise SerializationException("The request body is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise SerializationException(f"Invalid UTF-8 at byte {error.start} of the request body") from None
    except json.JSONDecodeError as error:
        raise SerializationException(
            f"Could not parse the request body as JSON: {error.msg}; line: {error.lineno}, column: {error.colno}"
        ) from None
    except ValueError as error:
        raise SerializationException(f"Could not parse the request body as JSON: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SerializationException("Unexpected field type")
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"Non-standard token '{text}'")


_decoder = json.JSONDecoder(parse_constant=_no_constant)


def _query(query: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_FIELDS):
            fields.setdefault(name, []).append(value)
    except ValueError as error:
        raise SerializationException(f"Could not parse the query string: {error}") from None
    return fields


def _from_query(service: Service, shape_name: str, sent: list[str] | None) -> Any:
    if sent is None:
        return None
    shape = service.shapes[shape_name]
    if shape["type"] == "list":
        return [_from_text(service, shape["member"]["shape"], text) for text in sent]
    return _from_text(service, shape_name, sent[-1])


def _from_text(service: Service, shape_name: str, text: str) -> Any:
    """A value that travelled in the path, the query or a header."""
    kind = service.shapes[shape_name]["type"]
    if kind in ("integer", "long"):
        if not _WHOLE.fullmatch(text):
            raise SerializationException(f"STRING_VALUE can not be converted to {_ARTICLES[kind]}")
        return _whole(kind, int(text))
    if kind == "boolean":
        if text not in ("true", "false"):
            raise SerializationException("STRING_VALUE can not be converted to a Boolean")
        return text == "true"
    if kind == "timestamp":
        return _timestamp(float(text) if _WHOLE.fullmatch(text) else text)
    return text


def _payload(service: Service, shape_name: str, body: bytes) -> Any:
    kind = service.shapes[shape_name]["type"]
    if not body:
        return None
    return body if kind == "blob" else _from_json(service, shape_name, read_object(body))


def _from_json(service: Service, shape_name: str, value: Any) -> Any:
    if value is None:
        return None
    shape = service.shapes[shape_name]
    return _READERS[shape["type"]](service, shape, value)


def _structure(service: Service, shape: Shape, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SerializationException("Unexpected field type")
    read = {
        name: _from_json(service, member["shape"], value.get(member.get("locationName", name)))
        for name, member in shape["members"].items()
    }
    return {name: item for name, item in read.items() if item is not None}


def _list(service: Service, shape: Shape, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise SerializationException("Expected list or null")
    return [_from_json(service, shape["member"]["shape"], item) for item in value]


def _map(service: Service, shape: Shape, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SerializationException("Expected map or null")
    return {_text(key): _from_json(service, shape["value"]["shape"], item) for key, item in value.items()}


def _string(service: Service, shape: Shape, value: Any) -> str:
    return _text(_scalar(value, "string", str))


def _integer(service: Service, shape: Shape, value: Any) -> int:
    return _whole(shape["type"], _scalar(value, shape["type"], int))


def _double(service: Service, shape: Shape, value: Any) -> float:
    try:
        return float(_scalar(value, "double", (int, float)))
    except OverflowError:
        raise SerializationException("NUMBER_VALUE can not be converted to a Double") from None


def _boolean(service: Service, shape: Shape, value: Any) -> bool:
    return bool(_scalar(value, "boolean", bool))


def _blob(service: Service, shape: Shape, value: Any) -> bytes:
    try:
        return base64.b64decode(_scalar(value, "blob", str), validate=True)
    except (binascii.Error, ValueError):
        raise SerializationException("Invalid base64 encoded data") from None


def _moment(service: Service, shape: Shape, value: Any) -> datetime:
    return _timestamp(_scalar(value, "timestamp", (int, float, str)))


_READERS: Mapping[str, Callable[[Service, Shape, Any], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "double": _double,
    "float": _double,
    "boolean": _boolean,
    "blob": _blob,
    "timestamp": _moment,
}
#: The Java types that AWS's deserialiser names.
_ARTICLES = {
    "string": "a String",
    "integer": "an Integer",
    "long": "a Long",
    "double": "a Double",
    "boolean": "a Boolean",
    "blob": "a ByteBuffer",
    "timestamp": "a Date",
}


def _scalar(value: Any, kind: str, allowed: type | tuple[type, ...]) -> Any:
    """The value itself if JSON gave one of the allowed types; `true` is no number."""
    if isinstance(value, allowed) and (kind == "boolean" or not isinstance(value, bool)):
        return value
    if isinstance(value, dict):
        raise SerializationException("Start of structure or map found where not expected.")
    if isinstance(value, list):
        raise SerializationException("Start of list found where not expected.")
    if isinstance(value, bool):
        token = "TRUE_VALUE" if value else "FALSE_VALUE"
    elif isinstance(value, str):
        token = "STRING_VALUE"
    else:
        token = "DECIMAL_VALUE" if isinstance(value, float) else "NUMBER_VALUE"
    raise SerializationException(f"{token} can not be converted to {_ARTICLES[kind]}")


def _text(value: str) -> str:
    """JSON can spell half a surrogate pair, which is no text: it could be neither stored nor answered."""
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise SerializationException("A string holds an unpaired surrogate") from None
    return value


def _whole(kind: str, value: int) -> int:
    bits = 31 if kind == "integer" else 63
    if not -(1 << bits) <= value < 1 << bits:
        raise SerializationException(f"NUMBER_VALUE can not be converted to {_ARTICLES[kind]}")
    return value


def _timestamp(value: float | str) -> datetime:
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise SerializationException("Invalid timestamp") from None
