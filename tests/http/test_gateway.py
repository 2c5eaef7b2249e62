"""API Gateway's part: events judged by powertools' models, answers, errors, and the port over real sockets."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import (
    APIGatewayProxyEventModel,
    APIGatewayProxyEventV2Model,
    LambdaFunctionUrlModel,
)

from workbench.http.gateway.door import MAX_BODY, Gateway, Headers
from workbench.http.messages import Request, Response
from workbench.model.errors import ResourceNotFound, TooManyRequests
from workbench.model.invocations import InvocationResult, InvocationStatus, InvokeRequest
from workbench.model.names import Account
from workbench.model.routes import ApiKind, Route

REST = Route(method="ANY", path="/r/{proxy+}", function="f", kind=ApiKind.REST, payload="1.0", stage="Prod", api="rest")
HTTP = Route(method="ANY", path="/h/{id}", function="f", kind=ApiKind.HTTP, payload="2.0", stage="$default", api="http")
HTTP1 = replace(HTTP, path="/h1/{id}", payload="1.0")
STAGED = replace(HTTP, path="/staged/{id}", stage="dev", api="dev")
URL = replace(HTTP, path="$default", kind=ApiKind.URL, api="urlid")
SIGNED = replace(URL, function="signed", qualifier="live", api="signed", auth="AWS_IAM")
BINARY = replace(REST, path="/b/{proxy+}", binary=("image/*", "application/octet-stream"))
ROUTES = (REST, HTTP, HTTP1, STAGED, URL, SIGNED, BINARY)
PNG = b"\x89PNG\r\n\x1a\n\xff"

Ask = Callable[..., Response]


class Port:
    """As much of an engine as the gateway needs. `result` is what the function returns, or an error."""

    def __init__(self) -> None:
        self.routes = ROUTES
        self.result: Any = {"statusCode": 200}
        self.error: str | None = None
        self.seconds = 0.0
        self.invoked: list[InvokeRequest] = []

    async def account(self) -> Account:
        return Account("us-east-1", "123456789012")

    async def list_routes(self) -> tuple[Route, ...]:
        return self.routes

    async def invoke(self, request: InvokeRequest) -> InvocationResult:
        self.invoked.append(request)
        await asyncio.sleep(self.seconds)
        if isinstance(self.result, Exception):
            raise self.result
        payload = self.result if isinstance(self.result, bytes) else json.dumps(self.result).encode()
        status = InvocationStatus.SUCCESS if self.error is None else InvocationStatus.ERROR
        return InvocationResult(request_id="r", status=status, payload=payload, function_error=self.error)

    @property
    def event(self) -> dict[str, Any]:
        found = json.loads(self.invoked[-1].payload)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def port() -> Port:
    return Port()


@pytest.fixture
def ask(port: Port) -> Ask:
    """Send a request past the wire: `ask("GET", "/r/x?q=1", ("Name", "value"), body=b"")`."""
    gateway = Gateway(port)  # type: ignore[arg-type]
    gateway._account = "123456789012"

    def ask(method: str, target: str, *lines: tuple[str, str], body: bytes = b"") -> Response:
        path, _, query = target.partition("?")
        headers = Headers()
        headers.pairs = [("Host", "127.0.0.1:3000"), *lines]
        headers.update({name.lower(): value for name, value in headers.pairs})
        return asyncio.run(gateway.handle(Request(method, path, query, headers, body)))

    return ask


def values(response: Response, name: str) -> list[str]:
    return [value for key, value in response.headers if key.lower() == name]


def said(response: Response) -> tuple[int, Any]:
    return response.status, json.loads(response.body)


# -- events
def test_payload_1_has_every_field(port: Port, ask: Ask) -> None:
    ask("GET", "/r/a%20b/?q=1&q=2&e=&%C3%A4=%26", ("X-A", "1"), ("x-a", "2"), ("User-Agent", "me"), ("Connection", "x"))
    event = port.event
    model = APIGatewayProxyEventModel.model_validate(event)
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/r/{proxy+}", "/r/a%20b/", "GET")
    assert event["pathParameters"] == {"proxy": "a b"}
    assert event["queryStringParameters"] == {"q": "2", "e": "", "ä": "&"}
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"], "e": [""], "ä": ["&"]}
    assert (event["headers"]["X-A"], event["multiValueHeaders"]["X-A"]) == ("2", ["1", "2"])
    assert "Connection" not in event["headers"]
    assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert (event["stageVariables"], event["body"], event["isBase64Encoded"]) == (None, None, False)
    assert "version" not in event
    context = event["requestContext"]
    assert (context["stage"], context["apiId"], context["accountId"]) == ("Prod", "rest", "123456789012")
    assert (context["identity"]["sourceIp"], context["identity"]["userAgent"]) == ("127.0.0.1", "me")
    assert context["identity"]["user"] is None
    assert abs(model.requestContext.requestTimeEpoch.timestamp() * 1000 - context["requestTimeEpoch"]) < 1
    assert context["requestTime"] == model.requestContext.requestTimeEpoch.strftime("%d/%b/%Y:%H:%M:%S +0000")


def test_payload_1_says_null_for_what_there_is_none_of(port: Port, ask: Ask) -> None:
    port.routes = (replace(REST, path="/plain", method="GET"),)
    ask("GET", "/plain")
    empty = ("pathParameters", "queryStringParameters", "multiValueQueryStringParameters", "stageVariables", "body")
    assert {key: port.event[key] for key in empty} == dict.fromkeys(empty)


def test_payload_2_has_every_field(port: Port, ask: Ask) -> None:
    lines = (("X-A", "1"), ("x-a", "2"), ("Cookie", "a=1; b=2"), ("Cookie", "c=3"))
    ask("POST", "/h/a%20b?q=1&q=2", *lines, ("Content-Type", "application/json"), body=b'{"a":1}')
    event = port.event
    APIGatewayProxyEventV2Model.model_validate(event)
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "ANY /h/{id}", "/h/a b")
    assert (event["rawQueryString"], event["queryStringParameters"]) == ("q=1&q=2", {"q": "1,2"})
    assert (event["headers"]["x-a"], event["cookies"]) == ("1,2", ["a=1", "b=2", "c=3"])
    assert all(name == name.lower() for name in event["headers"])
    assert "cookie" not in event["headers"]
    assert event["pathParameters"] == {"id": "a b"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"a":1}', False)
    http = event["requestContext"]["http"]
    assert (http["method"], http["path"], http["sourceIp"]) == ("POST", "/h/a b", "127.0.0.1")
    assert "stageVariables" not in event


def test_payload_2_leaves_out_what_there_is_none_of(port: Port, ask: Ask) -> None:
    port.routes = (replace(HTTP, path="$default"),)
    ask("GET", "/anything")
    absent = {"cookies", "queryStringParameters", "pathParameters", "stageVariables", "body"}
    assert absent.isdisjoint(port.event)
    assert (port.event["routeKey"], port.event["rawQueryString"]) == ("$default", "")


def test_an_http_api_may_use_payload_1(port: Port, ask: Ask) -> None:
    ask("GET", "/h1/x")
    APIGatewayProxyEventModel.model_validate(port.event)
    assert (port.event["version"], port.event["path"]) == ("1.0", "/h1/x")
    assert port.event["requestContext"]["resourceId"] == "ANY /h1/{id}"


def test_an_http_apis_stage_leads_the_path(port: Port, ask: Ask) -> None:
    ask("GET", "/staged/x")
    assert (port.event["rawPath"], port.event["requestContext"]["stage"]) == ("/dev/staged/x", "dev")


def test_a_function_url_by_path_and_by_host(port: Port, ask: Ask) -> None:
    for target, host in (("/_url/f/a%2Fb?x", "127.0.0.1:3000"), ("/a%2Fb?x", "urlid.lambda-url.localhost:3000")):
        ask("GET", target, ("Host", host))
        LambdaFunctionUrlModel.model_validate(port.event)
        assert (port.event["rawPath"], port.event["routeKey"]) == ("/a%2Fb", "$default")
        assert port.event["requestContext"]["accountId"] == "anonymous"


def test_a_signed_function_url_wants_a_signature(port: Port, ask: Ask) -> None:
    refused = ask("GET", "/_url/signed:live/")
    assert (refused.status, values(refused, "x-amzn-errortype")) == (403, ["AccessDeniedException"])
    ask("GET", "/_url/signed:live/", ("Authorization", "AWS4-HMAC-SHA256 Credential=AK/2026/x"))
    LambdaFunctionUrlModel.model_validate(port.event)
    assert port.event["requestContext"]["authorizer"]["iam"]["accessKey"] == "AK"
    assert port.invoked[-1].function.qualifier == "live"


@pytest.mark.parametrize(
    ("target", "kind", "body", "encoded"),
    [
        ("/h/x", "text/csv; charset=utf-8", "ä".encode(), False),
        ("/h/x", "application/json", b"{}", False),
        ("/h/x", "application/json", b"\xff", True),
        ("/h/x", "application/x-www-form-urlencoded", b"a=1", True),
        ("/h/x", "image/png", PNG, True),
        ("/h/x", None, b"?", True),
        ("/_url/f/", "multipart/form-data; boundary=x", b"--x", True),
        ("/r/x", "image/png", b"text", False),
        ("/b/x", "image/png", PNG, True),
        ("/b/x", "application/octet-stream; a=b", PNG, True),
        ("/b/x", "text/plain", b"text", False),
        ("/b/x", None, b"{}", False),
    ],
)
def test_bodies_are_text_or_base64(
    port: Port, ask: Ask, target: str, kind: str | None, body: bytes, encoded: bool
) -> None:
    ask("POST", target, *([("Content-Type", kind)] if kind else []), body=body)
    assert port.event["isBase64Encoded"] is encoded
    assert port.event["body"] == (base64.b64encode(body) if encoded else body).decode()


def test_a_fit_trace_header_goes_on_and_another_does_not(port: Port, ask: Ask) -> None:
    given = "Root=1-5759e988-bd862e3fe1be46a994272793"
    ask("GET", "/h/x", ("X-Amzn-Trace-Id", given))
    assert (port.invoked[-1].trace_id, port.event["headers"]["x-amzn-trace-id"]) == (given, given)
    ask("GET", "/h/x", ("X-Amzn-Trace-Id", "nonsense"))
    assert str(port.invoked[-1].trace_id).startswith("Root=1-")


# -- answers
@pytest.mark.parametrize(
    "result",
    [
        None, "text", [], 5, {}, {"statusCode": "ok"}, {"statusCode": True}, {"statusCode": 99}, {"statusCode": 600},
        {"statusCode": 100}, {"statusCode": 200, "body": {"a": 1}}, {"statusCode": 200, "extra": 1},
        {"statusCode": 200, "headers": {"a": 1}}, {"statusCode": 200, "headers": []},
        {"statusCode": 200, "headers": {"a": "b\r\nSet-Cookie: c"}}, {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "multiValueHeaders": {"a": "b"}}, {"statusCode": 200, "isBase64Encoded": "yes"},
        b"no json", b"[" * 100_000, b'{"statusCode": NaN}', b"",
    ],
)  # fmt: skip
def test_rest_refuses_what_is_no_response(port: Port, ask: Ask, result: Any) -> None:
    port.result = result
    response = ask("GET", "/r/x")
    assert said(response) == (502, {"message": "Internal server error"})
    assert values(response, "x-amzn-errortype") == ["InternalServerErrorException"]


def test_rest_merges_headers_and_keeps_their_case(port: Port, ask: Ask) -> None:
    port.result = {
        "statusCode": "201",
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "X-Many": ["1"]},
        "headers": {"x-many": "1", "X-Flag": True, "WWW-Authenticate": "Basic", "Content-Length": "1", "X-Ü": "no"},
    }
    assert ask("GET", "/r/x").status == 502
    del port.result["headers"]["X-Ü"]
    response = ask("GET", "/r/x")
    assert response.status == 201
    assert values(response, "set-cookie") == ["a=1", "b=2"]
    assert (values(response, "x-many"), values(response, "x-flag")) == (["1"], ["true"])
    assert values(response, "x-amzn-remapped-www-authenticate") == ["Basic"]
    assert values(response, "content-length") == []
    assert values(response, "content-type") == ["application/json"]
    assert ("Set-Cookie", "a=1") in response.headers


@pytest.mark.parametrize(
    ("target", "accept", "sent"),
    [
        ("/b/x", "image/png, */*", PNG),
        ("/b/x", "*/*", base64.b64encode(PNG)),
        ("/b/x", None, base64.b64encode(PNG)),
        ("/r/x", "image/png", base64.b64encode(PNG)),
        ("/h/x", None, PNG),
        ("/h1/x", None, PNG),
        ("/_url/f/", None, PNG),
    ],
)
def test_base64_is_decoded_where_aws_does(port: Port, ask: Ask, target: str, accept: str | None, sent: bytes) -> None:
    port.result = {"statusCode": 200, "body": base64.b64encode(PNG).decode(), "isBase64Encoded": True}
    assert ask("GET", target, *([("Accept", accept)] if accept else [])).body == sent


@pytest.mark.parametrize(
    ("result", "body"),
    [({"a": "ü"}, '{"a":"ü"}'), ("text", "text"), ([1, 2], "[1,2]"), (None, "null"), (5, "5"), (True, "true")],
)
@pytest.mark.parametrize("target", ["/h/x", "/_url/f/"])
def test_http_infers_a_response(port: Port, ask: Ask, target: str, result: Any, body: str) -> None:
    port.result = result
    response = ask("GET", target)
    assert (response.status, response.body.decode()) == (200, body)
    assert values(response, "content-type") == ["application/json"]


def test_http_cookies_become_headers(port: Port, ask: Ask) -> None:
    port.result = {"statusCode": 200, "cookies": ["a=1", "b=2"], "headers": {"X-N": 5}, "body": "hi", "unknown": 1}
    response = ask("GET", "/h/x")
    assert (values(response, "set-cookie"), values(response, "x-n")) == (["a=1", "b=2"], ["5"])
    assert values(response, "content-type") == ["text/plain;charset=UTF-8"]


@pytest.mark.parametrize(
    "result", [{"statusCode": "x"}, {"statusCode": 200, "cookies": "a"}, b"NaN", b"no json", b'{"a":1e999}']
)
def test_http_refuses_what_is_no_response(port: Port, ask: Ask, result: Any) -> None:
    port.result = result
    assert said(ask("GET", "/h/x")) == (500, {"message": "Internal Server Error"})
    assert ask("GET", "/_url/f/").status == 502


# -- errors
@pytest.mark.parametrize(
    ("target", "failed", "throttled", "missing"),
    [("/r/x", 502, 500, 500), ("/h/x", 500, 500, 500), ("/_url/f/", 502, 429, 500)],
)
def test_errors_of_the_function_and_of_lambda(
    port: Port, ask: Ask, target: str, failed: int, throttled: int, missing: int
) -> None:
    port.error = "Unhandled"
    assert ask("GET", target).status == failed
    port.result = TooManyRequests("ReservedFunctionConcurrentInvocationLimitExceeded")
    assert ask("GET", target).status == throttled
    port.result = ResourceNotFound("Function not found")
    assert ask("GET", target).status == missing
    port.result = RuntimeError("a bug")
    assert ask("GET", target).status == 500


@pytest.mark.parametrize(
    ("route", "path", "answer"),
    [
        (REST, "/r/x", (504, {"message": "Endpoint request timed out"})),
        (HTTP, "/h/x", (503, {"message": "Service Unavailable"})),
    ],
)
def test_an_integration_that_takes_too_long(port: Port, ask: Ask, route: Route, path: str, answer: Any) -> None:
    port.routes = (replace(route, timeout=0.01),)
    port.seconds = 0.2
    assert said(ask("GET", path)) == answer


def test_nobodys_requests(port: Port, ask: Ask) -> None:
    rest = (403, {"message": "Missing Authentication Token"})
    assert said(ask("GET", "/nope")) == rest
    assert said(ask("GET", "/r")) == rest
    assert said(ask("BREW", "/r/x")) == rest
    assert said(ask("GET", "/../../etc/passwd")) == rest
    assert said(ask("OPTIONS", "*")) == rest
    assert said(ask("GET", "/", ("Host", "nope.lambda-url.localhost"))) == (403, {"Message": None})
    assert said(ask("GET", "/_url/nope/")) == (403, {"Message": None})
    port.routes = (HTTP,)
    assert said(ask("GET", "/nope")) == (404, {"message": "Not Found"})
    assert port.invoked == []


def test_an_event_over_lambdas_limit_is_too_large(port: Port, ask: Ask) -> None:
    assert ask("POST", "/h/x", body=bytes(5_000_000)).status == 413
    assert port.invoked == []


# -- on the wire
@pytest.fixture
async def talk(port: Port) -> AsyncIterator[Callable[[bytes], Awaitable[bytes]]]:
    gateway = Gateway(port)  # type: ignore[arg-type]
    await gateway.open("127.0.0.1", 0)
    number = int(gateway.url.rpartition(":")[2])

    async def talk(sent: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(sent)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer

    yield talk
    gateway.close()
    await asyncio.sleep(0)


async def test_header_lines_reach_the_event_one_by_one(port: Port, talk: Any) -> None:
    await talk(b"GET http://x/r/x HTTP/1.1\r\nHost: x\r\nX-Many: a, b\r\nX-Many: c\r\n\r\n")
    assert port.event["multiValueHeaders"]["X-Many"] == ["a, b", "c"]
    assert port.event["path"] == "/r/x"


async def test_head_and_bodiless_answers(port: Port, talk: Any) -> None:
    port.result = {"statusCode": 200, "body": "four"}
    head = await talk(b"HEAD /r/x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"content-length: 4\r\n" in head
    assert head.endswith(b"\r\n\r\n")
    port.result = {"statusCode": 204, "body": "four"}
    none = await talk(b"GET /r/x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert none.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert none.endswith(b"\r\n\r\n")
    assert b"content-length" not in none


async def test_requests_in_a_row_are_answered_in_order(port: Port, talk: Any) -> None:
    port.seconds = 0.01
    answer = await talk(b"".join(b"GET /h/%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(5)))
    assert answer.count(b"HTTP/1.1 200 OK") == 5
    assert [json.loads(request.payload)["pathParameters"]["id"] for request in port.invoked] == list("01234")


async def test_a_body_over_the_limit_is_refused_wherever_it_stands(port: Port, talk: Any) -> None:
    large = b"POST /h/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1) + bytes(MAX_BODY + 1)
    assert (await talk(large)).startswith(b"HTTP/1.1 413 ")
    assert b"HTTP/1.1 413 " in await talk(b"GET /h/x HTTP/1.1\r\nHost: x\r\n\r\n" + large)
    assert len(port.invoked) == 1
