"""Templates with HTTP events, deployed by the real command and asked over the real port, frameworks unmodified."""

from __future__ import annotations

import importlib.util
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.conftest import Served, Shell

HELLO = """\
import json

def lambda_handler(event, context):
    return {"statusCode": 200, "body": json.dumps({"message": "hello world", "event": event})}
"""
RUBBISH = "def lambda_handler(event, context):\n    return 'rubbish'\n"
BYTES = """\
import base64

def lambda_handler(event, context):
    body = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()
    return {
        "statusCode": 200,
        "headers": {"content-type": "image/png"},
        "cookies": ["a=1", "b=2"],
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
"""
MANGUM = """\
from mangum import Mangum

async def app(scope, receive, send):
    body = (await receive())["body"]
    text = f"{scope['method']} {scope['path']} {scope['query_string'].decode()} ".encode() + body
    headers = [(b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": text})

lambda_handler = Mangum(app, lifespan="off")
"""
RESOLVER = """\
from aws_lambda_powertools.event_handler import {resolver}, Response
from aws_lambda_powertools.shared.cookies import Cookie

app = {resolver}()

@app.get("/{prefix}/items/<item>")
def item(item: str):
    found = {{"item": item, "q": app.current_event.query_string_parameters}}
    return Response(200, "application/json", __import__("json").dumps(found), cookies=[Cookie("a", "1")])

def lambda_handler(event, context):
    return app.resolve(event, context)
"""
#: Function, event type, path, handler's code, packages beside it.
FUNCTIONS = (
    ("Hello", "Api", "/hello", HELLO, ()),
    ("HelloHttp", "HttpApi", "/hello-http", HELLO, ()),
    ("Rubbish", "Api", "/rubbish", RUBBISH, ()),
    ("Bytes", "HttpApi", "/bytes", BYTES, ()),
    ("MangumRest", "Api", "/mangum-rest/{proxy+}", MANGUM, ("mangum", "typing_extensions")),
    ("MangumHttp", "HttpApi", "/mangum-http/{proxy+}", MANGUM, ("mangum", "typing_extensions")),
    (
        "ToolsRest", "Api", "/tools-rest/{proxy+}",
        RESOLVER.format(resolver="APIGatewayRestResolver", prefix="tools-rest"),
        ("aws_lambda_powertools", "jmespath", "typing_extensions"),
    ),
    (
        "ToolsHttp", "HttpApi", "/tools-http/{proxy+}",
        RESOLVER.format(resolver="APIGatewayHttpResolver", prefix="tools-http"),
        ("aws_lambda_powertools", "jmespath", "typing_extensions"),
    ),
)  # fmt: skip


def vendor(package: str, folder: Path) -> None:
    """Copy an installed package into a function's folder, as `pip install --target` would put it there."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    origin = Path(spec.origin)
    if origin.name == "__init__.py":
        shutil.copytree(origin.parent, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(origin, folder)


@pytest.fixture
def project(shell: Shell, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    runtime = shell.env["WORKBENCH_PARAMETERS"].partition("=")[2]
    lines = [f"Globals: {{Function: {{Timeout: 20, Handler: app.lambda_handler, Runtime: {runtime}}}}}", "Resources:"]
    for name, kind, path, code, packages in FUNCTIONS:
        (folder / name).mkdir(parents=True)
        (folder / name / "app.py").write_text(code)
        for package in packages:
            vendor(package, folder / name)
        event = f"{{Type: {kind}, Properties: {{Path: '{path}', Method: any}}}}"
        properties = f"{{CodeUri: {name}/, FunctionUrlConfig: {{AuthType: NONE}}, Events: {{Http: {event}}}}}"
        lines += [f"  {name}:", "    Type: AWS::Serverless::Function", f"    Properties: {properties}"]
    (folder / "template.yaml").write_text("\n".join(lines) + "\n")
    shell.env["WORKBENCH_PROJECT"] = str(folder)
    return folder


def ask(served: Served, path: str, data: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    """Status, headers and body."""
    request = urllib.request.Request(served.facts["gateway"] + path, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_deployed_routes_answer_and_last(serve: Callable[..., Served], shell: Shell, project: Path) -> None:
    served = serve()
    done = shell.run("deploy")
    assert done.returncode == 0, done.stderr
    assert b"routed ANY /hello to Hello\n" in done.stdout
    assert shell.run("deploy").stdout == b"nothing has changed\n"

    status, headers, body = ask(served, "/hello?name=Ada")
    assert (status, headers["content-type"]) == (200, "application/json")
    event = json.loads(body)["event"]
    assert (event["resource"], event["queryStringParameters"]) == ("/hello", {"name": "Ada"})
    status, _, body = ask(served, "/hello-http")
    assert (status, json.loads(body)["event"]["version"]) == (200, "2.0")
    assert json.loads(ask(served, "/_url/Hello/some/path")[2])["event"]["rawPath"] == "/some/path"
    status, _, body = ask(served, "/rubbish")
    assert (status, json.loads(body)) == (502, {"message": "Internal server error"})
    assert ask(served, "/nowhere")[0] == 403

    png = bytes(range(256))
    status, headers, body = ask(served, "/bytes", png, **{"Content-Type": "image/png"})
    assert (status, headers.get_all("set-cookie"), body) == (200, ["a=1", "b=2"], png)

    for kind in ("rest", "http"):
        status, headers, body = ask(served, f"/mangum-{kind}/a%20b?q=1", b"text", **{"Content-Type": "text/plain"})
        assert (status, body.decode()) == (202, f"POST /mangum-{kind}/a b q=1 text")
        assert headers.get_all("set-cookie") == ["a=1", "b=2"]
        status, headers, body = ask(served, f"/tools-{kind}/items/5?q=1")
        assert (status, json.loads(body)["item"]) == (200, "5")
        assert headers.get_all("set-cookie")[0].startswith("a=1")

    served.process.terminate()
    served.process.wait(20)
    again = serve()
    assert ask(again, "/hello")[0] == 200

    template = project / "template.yaml"
    template.write_text(template.read_text().replace("Path: '/hello'", "Path: '/moved'"))
    said = shell.run("deploy").stdout
    assert said == b"routed ANY /moved to Hello\ntook away the route ANY /hello to Hello\n"
    assert [ask(again, path)[0] for path in ("/hello", "/moved")] == [403, 200]


def test_the_gateways_port_is_named(serve: Callable[..., Served], shell: Shell) -> None:
    served = serve()
    status = json.loads(shell.run("status", "--json").stdout)
    assert status["urls"]["gateway"] == served.facts["gateway"]
    shell.env["WORKBENCH_STATE"] += "-other"
    port = served.facts["gateway"].rpartition(":")[2]
    done = shell.run("serve", "--port", "0", "--gateway-port", port, "--backend", "subprocess")
    assert (done.returncode, b"--gateway-port 0 picks a free one" in done.stderr) == (2, True)
