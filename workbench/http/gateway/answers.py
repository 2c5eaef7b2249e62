"""What a function returned, as the HTTP response that its front end makes of it.

Sources: API Gateway Developer Guide, "Output format of a Lambda function for proxy integration", "Create AWS Lambda
proxy integrations for HTTP APIs", "Amazon API Gateway important notes"; Lambda Developer Guide, "Invoking function
URLs". A REST API refuses unknown keys and non-text header values; HTTP APIs and function URLs do not.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, NoReturn

from workbench.http.gateway.events import HOP_BY_HOP, Pairs
from workbench.http.gateway.media import matches, media_type
from workbench.http.messages import Response
from workbench.model.routes import ApiKind, Route

_JSON = "application/json"
_KEYS = frozenset(("statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"))
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSAFE = re.compile(r"[\r\n\0]")
#: A REST API hands these on under another name.
_REMAPPED = {
    "authorization", "connection", "content-length", "content-md5", "date", "expect", "host", "max-forwards",
    "server", "te", "trailer", "upgrade", "user-agent", "via", "www-authenticate",
}  # fmt: skip
#: The wire's own business, whoever answers.
_FRAMING = HOP_BY_HOP | {"content-length"}


class Malformed(ValueError):
    """A function's result that is no response."""


# -- the front end's own answers
def not_found(kind: ApiKind) -> Response:
    """No route takes the request."""
    if kind is ApiKind.HTTP:
        return _message(404, "Not Found")
    if kind is ApiKind.URL:
        return _json(403, {"Message": None}, "AccessDeniedException")
    return _message(403, "Missing Authentication Token", "MissingAuthenticationTokenException")


def forbidden() -> Response:
    """A function URL with AuthType AWS_IAM, and a request without a signature that counts."""
    guide = "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
    text = f"Forbidden. For troubleshooting Function URL authorization issues, see: {guide}"
    return _json(403, {"Message": text}, "AccessDeniedException")


def too_large(kind: ApiKind) -> Response:
    """The request, or the event that it becomes, is over the limit."""
    if kind is ApiKind.REST:
        return _message(413, "Request Too Long", "RequestTooLargeException")
    return _message(413, "Request Entity Too Large" if kind is ApiKind.HTTP else "Request Too Long")


def timed_out(kind: ApiKind) -> Response:
    """The function took longer than the integration may."""
    if kind is ApiKind.REST:
        return _message(504, "Endpoint request timed out", "InternalServerErrorException")
    return _message(503, "Service Unavailable")


def failed(kind: ApiKind) -> Response:
    """The function failed, or returned what is no response."""
    if kind is ApiKind.REST:
        return _message(502, "Internal server error", "InternalServerErrorException")
    return refused(kind) if kind is ApiKind.HTTP else Response(502, b"Internal Server Error", [("content-type", _JSON)])


def refused(kind: ApiKind) -> Response:
    """Lambda did not take the invocation, or this front end failed."""
    if kind is ApiKind.REST:
        return _message(500, "Internal server error", "InternalServerErrorException")
    return _message(500, "Internal Server Error")


def throttled(kind: ApiKind, reason: str) -> Response:
    """The function has no concurrency left: API Gateway shows an error of its own, a function URL the throttle."""
    if kind is not ApiKind.URL:
        return refused(kind)
    body = {"Reason": reason, "Type": "User", "message": "Rate Exceeded."}
    return _json(429, body, "TooManyRequestsException")


def _message(status: int, message: str, error: str = "") -> Response:
    return _json(status, {"message": message}, error)


def _json(status: int, body: Any, error: str = "") -> Response:
    headers = [("content-type", _JSON)]
    if error:
        headers.append(("x-amzn-ErrorType", error))
    return Response(status, json.dumps(body, separators=(",", ":")).encode(), headers)


# -- the function's answer
def answer(route: Route, payload: bytes, accept: str | None) -> Response:
    """The response in a function's result. `accept` is the client's header, which decides on a REST API's binary.

    Raises:
        Malformed: it is none.
    """
    try:
        result = json.loads(payload, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the result is no JSON: {error}") from error
    if route.kind is ApiKind.REST:
        return _rest(route, result, accept)
    if route.payload == "1.0":
        if not isinstance(result, dict) or "statusCode" not in result:
            raise Malformed("the result has no statusCode")
        return _plain(result, _merged(result, strict=False), "text/plain;charset=UTF-8")
    if not isinstance(result, dict) or "statusCode" not in result:
        return _inferred(result)
    return _plain(result, _with_cookies(result), _JSON if route.kind is ApiKind.URL else "text/plain;charset=UTF-8")


def prelude(text: bytes) -> tuple[int, Pairs]:
    """The status and the headers that precede a streamed body.

    Raises:
        Malformed: they are none.
    """
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the metadata of the stream are no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Malformed("the metadata of the stream are no object")
    response = _plain({"statusCode": 200, **found, "body": None}, _with_cookies(found), "application/octet-stream")
    return response.status, response.headers


def _with_cookies(result: dict[str, Any]) -> Pairs:
    cookies = result.get("cookies")
    if not isinstance(cookies, list | None):
        raise Malformed("cookies must be a list")
    headers = [*_pairs(result.get("headers"), strict=False)]
    return headers + [("set-cookie", _value(cookie, strict=False)) for cookie in cookies or ()]


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _inferred(result: Any) -> Response:
    """No statusCode: a success whose body is the whole result."""
    try:
        text = (
            result
            if isinstance(result, str)
            else json.dumps(result, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        )
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from error
    return Response(200, text.encode("utf-8", "replace"), [("content-type", _JSON)])


def _rest(route: Route, result: Any, accept: str | None) -> Response:
    if not isinstance(result, dict) or not result:
        raise Malformed("the result must be an object with a statusCode")
    if unknown := sorted(set(result) - _KEYS):
        raise Malformed(f"the result has the unknown key '{unknown[0]}'")
    headers = [
        (f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name, value)
        for name, value in _merged(result, strict=True)
    ]
    wanted = matches(media_type(accept), route.binary)
    return _plain({"statusCode": 200, **result}, headers, _JSON, decode=wanted)


def _plain(result: dict[str, Any], headers: Pairs, content_type: str, *, decode: bool = True) -> Response:
    status = _status(result["statusCode"])
    body, encoded = result.get("body"), result.get("isBase64Encoded")
    if not isinstance(body, str | None):
        raise Malformed("body must be a string")
    if not isinstance(encoded, bool | None):
        raise Malformed("isBase64Encoded must be a boolean")
    data = (body or "").encode("utf-8", "replace")
    if encoded and decode:
        try:
            data = base64.b64decode(data, validate=True)
        except ValueError as error:
            raise Malformed(f"body is no base64: {error}") from error
    kept = [(name, value) for name, value in headers if name.lower() not in _FRAMING]
    if not any(name.lower() == "content-type" for name, _ in kept):
        kept.append(("content-type", content_type))
    return Response(status, data, kept)


def _status(value: Any) -> int:
    """A number, or the text of one. What is below 200 announces a response and is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 200 <= value <= 599:
        raise Malformed(f"statusCode must be a number from 200 to 599, not {value!r:.40}")
    return value


def _merged(result: dict[str, Any], *, strict: bool) -> Pairs:
    """`multiValueHeaders`, then what `headers` adds; the same name with the same value once."""
    many = result.get("multiValueHeaders")
    if not isinstance(many, dict | None):
        raise Malformed("multiValueHeaders must be an object")
    found: Pairs = []
    for name, values in (many or {}).items():
        if not isinstance(values, list):
            raise Malformed(f"multiValueHeaders: {name!r:.40} must be a list")
        found += [(_name(name), _value(value, strict=strict)) for value in values]
    once: dict[tuple[str, str], str] = {}
    for name, value in found + _pairs(result.get("headers"), strict=strict):
        once.setdefault((name.lower(), value), name)
    return [(name, value) for (_, value), name in once.items()]


def _pairs(headers: Any, *, strict: bool) -> Pairs:
    if not isinstance(headers, dict | None):
        raise Malformed("headers must be an object")
    return [(_name(name), _value(value, strict=strict)) for name, value in (headers or {}).items()]


def _name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise Malformed(f"{name!r:.40} is no header name")
    return name


def _value(value: Any, *, strict: bool) -> str:
    """A header's value on one line. The wire writes Latin-1, so that UTF-8 goes through it as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        if strict or not isinstance(value, int | float):
            raise Malformed(f"a header's value must be a string, not {value!r:.40}")
        return str(value)
    if _UNSAFE.search(value):
        raise Malformed("a header's value has a line break")
    return value if value.isascii() else value.encode("utf-8", "replace").decode("latin-1")
