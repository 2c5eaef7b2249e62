"""The Lambda API as clients meet it: a real boto3 client whose requests never reach a socket."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from tests.http.fake_port import FakePort
from workbench.http.lambda_api.api import LambdaApi
from workbench.http.lambda_api.service import Service, load
from workbench.http.messages import Request, Response, StreamedResponse
from workbench.model.names import Account

ACCOUNT = Account("us-east-1", "123456789012")
ROLE = f"arn:aws:iam::{ACCOUNT.id}:role/r"
HOST = "127.0.0.1:3001"


Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Raw(io.BytesIO):
    """The body of a response as botocore reads it."""

    def stream(self, amt: int | None = None, **options: Any) -> Iterator[bytes]:
        while piece := self.read(amt or -1):
            yield piece


async def whole(api: LambdaApi, request: Request) -> tuple[Response | StreamedResponse, bytes]:
    """A response, and the whole of its body."""
    response = await api.handle(request)
    if isinstance(response, Response):
        return response, response.body
    return response, b"".join([piece async for piece in response.body])


@pytest.fixture
def port() -> FakePort:
    return FakePort(ACCOUNT)


@pytest.fixture
def run() -> Run:
    """Where the endpoint's coroutines run."""
    return asyncio.run


@pytest.fixture
def api(port: FakePort) -> LambdaApi:
    return LambdaApi(port, ACCOUNT)


@pytest.fixture
def send(api: LambdaApi, run: Run) -> Callable[..., Response]:
    """Send a request as it stands on the wire: `send("GET", "/path?query", {"header": "value"}, b"body")`."""

    def send(method: str, target: str, headers: dict[str, str] | None = None, body: bytes | object = b"") -> Response:
        path, _, query = target.partition("?")
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return run(api.handle(Request(method, path, query, {"host": HOST, **(headers or {})}, sent)))

    return send


@pytest.fixture(scope="session")
def service() -> Service:
    return load()


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="any", aws_secret_access_key="credentials", region_name="us-east-1")


@pytest.fixture
def client(api: LambdaApi, session: boto3.Session, run: Run) -> Any:
    """boto3's Lambda client, with its own validation off, so that the endpoint's is what answers."""
    client = session.client(
        "lambda",
        endpoint_url=f"http://{HOST}",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )

    def answer(request: AWSPreparedRequest, **context: Any) -> AWSResponse:
        url = urlsplit(request.url)
        headers = {
            name.lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        body = request.body.encode() if isinstance(request.body, str) else bytes(request.body or b"")
        sent = Request(request.method, url.path, url.query, {"host": HOST, **headers}, body)
        response, body = asyncio.run(whole(api, sent))
        received = {**dict(response.headers), "content-length": str(len(body))}
        return AWSResponse(request.url, response.status, received, Raw(body))

    client.meta.events.register("before-send.lambda", answer)
    return client


@pytest.fixture
def create(client: Any) -> Callable[..., Any]:
    """Create a function; what is not said is what most tests do not care about."""

    def create(name: str = "fn", **parameters: Any) -> Any:
        defaults = {
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "Role": ROLE,
            "Code": {"ZipFile": b"PK\x03\x04 zip"},
        }
        given = {**defaults, **parameters}
        return client.create_function(
            FunctionName=name, **{key: value for key, value in given.items() if value is not None}
        )

    return create


def error_of(response: Response) -> tuple[int, str, dict[str, Any]]:
    """Status, error type and body of an error response."""
    headers = {name.lower(): value for name, value in response.headers}
    assert headers["x-amzn-requestid"]
    return response.status, headers["x-amzn-errortype"], json.loads(response.body)
