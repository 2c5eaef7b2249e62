"""Requests as the events that functions get: payload formats 1.0 and 2.0.

Sources: API Gateway Developer Guide, "Input format of a Lambda function for proxy integration", "Create AWS Lambda
proxy integrations for HTTP APIs", "Binary media types for REST APIs"; Lambda Developer Guide, "Invoking function URLs".
What AWS leaves unsaid was measured by others: HTTP APIs decode the path, REST APIs and function URLs keep it as sent
(middleapi/standard-server pull request 93); what an HTTP API takes for text (ministackorg/ministack pull request 766).
"""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from workbench.http.gateway.media import matches, media_type
from workbench.http.gateway.table import Match
from workbench.model.routes import DEFAULT, ApiKind, Route

Pairs = list[tuple[str, str]]
#: They concern one connection, and no function.
HOP_BY_HOP = {
    "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
    "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip
#: What an HTTP API and a function URL hand on as text, beside `text/*`. Everything else goes as base64, forms too.
_TEXT = frozenset(("application/json", "application/javascript", "application/xml"))
_REST_IDENTITY = (
    "accessKey", "accountId", "apiKey", "apiKeyId", "caller", "cognitoAuthenticationProvider",
    "cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn",
)  # fmt: skip
_HTTP_IDENTITY = (
    "accessKey", "accountId", "caller", "cognitoAmr", "cognitoAuthenticationProvider", "cognitoAuthenticationType",
    "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came. `pairs` are the header lines in order, names as sent; `source` is the client's address."""

    method: str
    query: str
    pairs: Pairs
    body: bytes
    source: str
    port: int
    account: str
    request_id: str
    trace_id: str
    now: datetime

    def header(self, name: str) -> str | None:
        """The last header of that name, given in lower case."""
        return next((value for key, value in reversed(self.pairs) if key.lower() == name), None)

    @property
    def domain(self) -> str:
        return self.header("host") or f"127.0.0.1:{self.port}"

    @property
    def epoch_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    @property
    def time(self) -> str:
        return self.now.strftime("%d/%b/%Y:%H:%M:%S +0000")


def new_request_id(kind: ApiKind) -> str:
    """An id as the front end makes them: a UUID, or 11 bytes in base64 for an HTTP API."""
    return short_id() if kind is ApiKind.HTTP else str(uuid.uuid4())


def short_id() -> str:
    """The form of an HTTP API's request ids, and of a REST API's extended ones."""
    return base64.b64encode(os.urandom(11)).decode("ascii")


def now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def event(match: Match, received: Received) -> dict[str, Any]:
    """The event of a request in its route's payload format."""
    return (_version_2 if match.route.payload == "2.0" else _version_1)(match, received)


# -- 1.0
def _version_1(match: Match, received: Received) -> dict[str, Any]:
    route = match.route
    rest = route.kind is ApiKind.REST
    many = _grouped(_headers(received))
    queries = _grouped_exactly(_query(received.query))
    path = match.path if rest else _decoded(match.path)
    body, encoded = _rest_body(received, route.binary) if rest else _http_body(received)
    identity: dict[str, Any] = dict.fromkeys(_REST_IDENTITY if rest else _HTTP_IDENTITY)
    identity["sourceIp"] = received.source
    identity["userAgent"] = received.header("user-agent")
    found: dict[str, Any] = {} if rest else {"version": "1.0"}
    found |= {
        "resource": route.path,
        "path": path,
        "httpMethod": received.method,
        "headers": {name: values[-1] for name, values in many.items()},
        "multiValueHeaders": many,
        "queryStringParameters": {name: values[-1] for name, values in queries.items()} or None,
        "multiValueQueryStringParameters": queries or None,
        "requestContext": {
            "resourceId": _resource_id(route) if rest else str(route),
            "resourcePath": route.path,
            "httpMethod": received.method,
            "extendedRequestId": short_id() if rest else received.request_id,
            "requestTime": received.time,
            # As behind a custom domain that is mapped to the stage: there a REST API's path has no stage.
            "path": path if rest else _staged(route.stage, path),
            "accountId": received.account,
            "protocol": "HTTP/1.1",
            "stage": route.stage,
            "domainPrefix": route.api,
            "requestTimeEpoch": received.epoch_ms,
            "requestId": received.request_id,
            "identity": identity,
            "domainName": received.domain,
            "apiId": route.api,
        },
        "pathParameters": dict(match.parameters) or None,
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": encoded,
    }
    return found


# -- 2.0
def _version_2(match: Match, received: Received) -> dict[str, Any]:
    route = match.route
    url = route.kind is ApiKind.URL
    path = match.path if url else _staged(route.stage, _decoded(match.path))
    headers = _headers(received)
    cookies = [
        cookie.strip() for name, value in headers if name.lower() == "cookie" for cookie in value.split(";") if cookie
    ]
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        if key != "cookie":
            joined[key] = f"{joined[key]},{value}" if key in joined else value
    queries = {name: ",".join(values) for name, values in _grouped_exactly(_query(received.query)).items()}
    body, encoded = _http_body(received)
    route_key = DEFAULT if url else str(route)
    found: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": received.query,
    }
    if cookies:
        found["cookies"] = cookies
    found["headers"] = joined
    if queries:
        found["queryStringParameters"] = queries
    context: dict[str, Any] = {
        "accountId": "anonymous" if url and route.auth == "NONE" else received.account,
        "apiId": route.api,
    }
    if url:
        context["authentication"] = None
    if url and route.auth == "AWS_IAM":
        context["authorizer"] = {"iam": _caller(received)}
    found["requestContext"] = context | {
        "domainName": received.domain,
        "domainPrefix": route.api,
        "http": {
            "method": received.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": received.source,
            "userAgent": received.header("user-agent") or "",
        },
        "requestId": received.request_id,
        "routeKey": route_key,
        "stage": route.stage,
        "time": received.time,
        "timeEpoch": received.epoch_ms,
    }
    if match.parameters:
        found["pathParameters"] = dict(match.parameters)
    if body is not None:
        found["body"] = body
    found["isBase64Encoded"] = encoded
    return found


def _caller(received: Received) -> dict[str, Any]:
    """Whose signature it is; roles and users are not known here."""
    user = f"arn:aws:iam::{received.account}:root"
    return {
        "accessKey": (received.header("authorization") or "").partition("Credential=")[2].partition("/")[0],
        "accountId": received.account,
        "callerId": received.account,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": user,
        "userId": received.account,
    }


# -- parts
def _staged(stage: str, path: str) -> str:
    """An HTTP API shows the stage before the path, unless it is `$default`; also behind a custom domain."""
    return path if stage == DEFAULT else f"/{stage}{path}"


def _resource_id(route: Route) -> str:
    """Six characters, the same for every request of the resource."""
    return hashlib.sha256(f"{route.api}{route.path}".encode()).hexdigest()[:6]


def _decoded(path: str) -> str:
    return unquote(path)


def _query(query: str) -> Pairs:
    return parse_qsl(query, keep_blank_values=True)


def _headers(received: Received) -> Pairs:
    """The client's headers and those that the front end adds, names as sent."""
    kept = []
    forwarded = []
    for name, value in received.pairs:
        key = name.lower()
        if key == "x-forwarded-for":
            forwarded.append(value)
        elif key not in HOP_BY_HOP and key not in ("x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"):
            kept.append((name, _text(value)))
    if received.body and received.header("content-length") is None:
        kept.append(("Content-Length", str(len(received.body))))
    port = received.domain.rpartition(":")[2]
    return [
        *kept,
        ("X-Amzn-Trace-Id", received.trace_id),
        ("X-Forwarded-For", ", ".join([*map(_text, forwarded), received.source])),
        ("X-Forwarded-Port", port if port.isdigit() else str(received.port)),
        ("X-Forwarded-Proto", "http"),
    ]


def _text(value: str) -> str:
    """A header's bytes as UTF-8 where they are that; the wire reads them as Latin-1."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return value


def _grouped(pairs: Pairs) -> dict[str, list[str]]:
    """Values by name without regard to case; the first spelling stays."""
    spelled: dict[str, str] = {}
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(spelled.setdefault(name.lower(), name), []).append(value)
    return found


def _grouped_exactly(pairs: Pairs) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _rest_body(received: Received, binary: tuple[str, ...]) -> tuple[str | None, bool]:
    """A REST API takes a body for text, unless its content type is one of the API's binary media types."""
    if not received.body:
        return None, False
    if matches(media_type(received.header("content-type")) or "application/json", binary):
        return base64.b64encode(received.body).decode("ascii"), True
    return received.body.decode("utf-8", "replace"), False


def _http_body(received: Received) -> tuple[str | None, bool]:
    """An HTTP API and a function URL go by the content type; what is compressed is no text either."""
    if not received.body:
        return None, False
    kind = media_type(received.header("content-type"))
    if (kind.startswith("text/") or kind in _TEXT) and received.header("content-encoding") is None:
        try:
            return received.body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(received.body).decode("ascii"), True


def trace_header(pairs: Pairs, fresh: str) -> str:
    """The client's trace header if it is a fit one, else a fresh one."""
    given: Mapping[str, str] = {name.lower(): value for name, value in pairs}
    value = given.get("x-amzn-trace-id", "")
    fit = value.startswith("Root=1-") and len(value) <= 256 and value.isascii() and value.isprintable()
    return value if fit else fresh
