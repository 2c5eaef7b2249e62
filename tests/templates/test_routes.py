"""Routes in templates: implicit and explicit APIs, function URLs, and what is refused with its line."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.model.errors import TemplateError
from workbench.model.names import Account
from workbench.model.routes import ApiKind, Route
from workbench.templates.sam import DesiredFunction, read_template

Read = Callable[..., DesiredFunction]
FUNCTION = """\
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: app.handler
      Runtime: python3.12
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(properties: str, after: str = "", before: str = "") -> DesiredFunction:
        path = tmp_path / "template.yaml"
        path.write_text(
            before + FUNCTION + textwrap.indent(textwrap.dedent(properties).strip(), " " * 6) + "\n" + after
        )
        (function,) = read_template(path, {}, Account())
        return function

    return read


def only(function: DesiredFunction) -> Route:
    (route,) = function.routes
    return route


def test_the_classic_hello_world(read: Read) -> None:
    route = only(read("Events: {A: {Type: Api, Properties: {Path: /hello, Method: get}}}"))
    assert (route.method, route.path, route.function, str(route)) == ("GET", "/hello", "Hello", "GET /hello")
    assert (route.kind, route.payload, route.stage, route.timeout) == (ApiKind.REST, "1.0", "Prod", 29.0)
    assert (len(route.api), route.api.isalnum()) == (10, True)


def test_its_http_twin(read: Read) -> None:
    route = only(read("Events: {A: {Type: HttpApi, Properties: {Path: '/hello/{id}/', Method: ANY}}}"))
    assert (route.method, route.path, route.kind) == ("ANY", "/hello/{id}", ApiKind.HTTP)
    assert (route.payload, route.stage, route.timeout) == ("2.0", "$default", 30.0)


def test_an_api_may_be_referred_to(read: Read) -> None:
    function = read(
        """
        Events: {A: {Type: Api, Properties: {Path: /a, Method: get}}}
        Environment: {Variables: {URL: !Sub 'https://${ServerlessRestApi}.x', OTHER: !Ref Mine}}
        """,
        after="  Mine: {Type: AWS::Serverless::HttpApi}\n",
    )
    variables = function.configuration.environment
    assert variables is not None
    assert variables["URL"] == f"https://{only(function).api}.x"
    assert len(variables["OTHER"]) == 10


def test_an_http_event_without_a_path_is_the_default_route(read: Read) -> None:
    assert only(read("Events: {A: {Type: HttpApi}}")).path == "$default"


def test_payload_and_timeout_may_be_said(read: Read) -> None:
    text = "{Path: /a, Method: post, PayloadFormatVersion: 1.0, TimeoutInMillis: 500}"
    route = only(read(f"Events: {{A: {{Type: HttpApi, Properties: {text}}}}}"))
    assert (route.payload, route.timeout) == ("1.0", 0.5)


def test_an_explicit_api_gives_stage_and_binary_types(read: Read) -> None:
    function = read(
        "Events: {A: {Type: Api, Properties: {Path: /a, Method: get, RestApiId: !Ref Own}}}",
        "  Own: {Type: AWS::Serverless::Api, Properties: {StageName: dev, BinaryMediaTypes: [image~1*], Cors: '*'}}\n",
    )
    assert (only(function).stage, only(function).binary) == ("dev", ("image/*",))
    assert function.notes == ("Hello: Cors of Own, the API of A is not acted on",)


def test_globals_reach_the_implicit_api(read: Read) -> None:
    before = "Globals: {Api: {BinaryMediaTypes: ['*/*']}, HttpApi: {CorsConfiguration: true}}\n"
    properties = """\
        Events:
          A: {Type: Api, Properties: {Path: /a, Method: get, RestApiId: !Ref ServerlessRestApi}}
          B: {Type: HttpApi, Properties: {Path: /a, Method: get}}
        """
    function = read(properties, before=before)
    assert [route.binary for route in function.routes] == [("*/*",), ()]
    assert function.notes == ("Hello: CorsConfiguration of ServerlessHttpApi, the API of B is not acted on",)


def test_a_function_url(read: Read) -> None:
    function = read("FunctionUrlConfig: {AuthType: AWS_IAM, Cors: {AllowOrigins: ['*']}, InvokeMode: BUFFERED}")
    route = only(function)
    assert (route.kind, route.auth, route.payload, route.timeout) == (ApiKind.URL, "AWS_IAM", "2.0", None)
    assert function.notes == ("Hello: Cors of FunctionUrlConfig is not acted on",)
    assert not route.streaming


def test_a_function_url_that_streams(read: Read) -> None:
    assert only(read("FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM}")).streaming


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("Events: {A: {Type: Api}}", "needs a Path and a Method"),
        ("Events: {A: {Type: Api, Properties: {Path: hello, Method: get}}}", "is no path"),
        ("Events: {A: {Type: Api, Properties: {Path: '/a{b}', Method: get}}}", "is no path"),
        ("Events: {A: {Type: Api, Properties: {Path: '/{a+}/b', Method: get}}}", "not at its end"),
        ("Events: {A: {Type: Api, Properties: {Path: /a, Method: brew}}}", "is no method"),
        ("Events: {A: {Type: Api, Properties: {Path: [a], Method: get}}}", "must be text"),
        ("Events: {A: {Type: Api, Properties: {Path: /a, Method: get, RestApiId: !Ref No}}}", "'No' is no AWS"),
        ("Events: {A: {Type: HttpApi, Properties: {TimeoutInMillis: 60000}}}", "from 50 to 30000"),
        ("Events: {A: {Type: HttpApi, Properties: {PayloadFormatVersion: 3}}}", "must be '1.0' or '2.0'"),
        ("FunctionUrlConfig: {}", "AuthType must be"),
        ("FunctionUrlConfig: {AuthType: NONE, InvokeMode: NO}", "InvokeMode must be"),
        (
            "Events: {A: {Type: HttpApi, Properties: {Path: '/{a}', Method: get}},"
            " B: {Type: HttpApi, Properties: {Path: '/{b}', Method: get}}}",
            "another event has the route",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(read: Read, properties: str, message: str) -> None:
    with pytest.raises(TemplateError, match=r"template\.yaml:\d+: .*") as caught:
        read(properties)
    assert message in str(caught.value)
