"""Streamed responses through everything: Node.js and a shell's bootstrap, boto3 and curl's way, real engines."""

from __future__ import annotations

import http.client
import io
import json
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.endtoend.conftest import Served, Shell
from tests.endtoend.test_aws_clients import ROLE, client_for, create
from tests.support import OFTEN, require_tool

NODE = """\
export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
  if (event.rawPath) {
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { "x-a": "b" } });
  }
  stream.write("first ");
  await new Promise((resolve) => setTimeout(resolve, event.wait ?? 300));
  if (event.fail) throw new TypeError("late");
  stream.end("last");
});
"""
SHELL = """\
#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while :; do
  curl -sS -D /tmp/head -o /tmp/event $api/next
  id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: \\([0-9a-f-]*\\).*/\\1/p' /tmp/head)
  { printf 'first '; sleep 0.3; printf last; } | curl -sS -X POST -T - -H 'Expect:' -H 'Content-Type: text/plain' \\
    -H 'Lambda-Runtime-Function-Response-Mode: streaming' -H 'Transfer-Encoding: chunked' -o /dev/null $api/$id/response
done
"""
TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Streamed:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: streamed
      Runtime: nodejs20.x
      Handler: index.handler
      CodeUri: code
      FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM}
"""


def package(name: str, text: str, mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        entry.external_attr = mode << 16
        archive.writestr(entry, text)
    return buffer.getvalue()


def made(client: Any, name: str, runtime: str, code: bytes) -> None:
    client.create_function(
        FunctionName=name, Runtime=runtime, Role=ROLE, Handler="index.handler", Code={"ZipFile": code}, Timeout=10
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=OFTEN)


def events(client: Any, name: str, payload: bytes = b"{}", **more: Any) -> tuple[bytes, dict[str, Any], float]:
    """What was streamed, the last event, and the seconds between the first chunk and that."""
    streamed, first = b"", 0.0
    with closing(client.invoke_with_response_stream(FunctionName=name, Payload=payload, **more)["EventStream"]) as all_:
        for event in all_:
            if "PayloadChunk" in event:
                first = first or time.monotonic()
                streamed += event["PayloadChunk"]["Payload"]
            else:
                return streamed, event["InvokeComplete"], time.monotonic() - first if first else 0.0
    pytest.fail("the stream has no end")


@pytest.mark.parametrize("backend", ["subprocess", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)])
def test_boto3_reads_chunk_by_chunk(serve: Callable[..., Served], backend: str) -> None:
    require_tool("node")
    require_tool("curl")
    client = client_for(serve(backend=backend).url)
    made(client, "node", "nodejs20.x", package("index.mjs", NODE))
    made(client, "shell", "provided.al2023", package("bootstrap", SHELL, 0o755))
    create(client, "python")
    for name in ("node", "shell"):
        for _ in range(2):  # cold, then warm
            streamed, complete, seconds = events(client, name)
            assert (streamed, complete) == (b"first last", {})
            assert seconds > 0.2  # the first chunk was here well before the function's end
    streamed, complete, _ = events(client, "python", LogType="Tail")
    assert streamed == b'"$LATEST"'
    assert complete.keys() == {"LogResult"}
    streamed, complete, _ = events(client, "node", b'{"fail":1}')
    assert (streamed, complete["ErrorCode"]) == (b"first ", "Unhandled")
    assert json.loads(complete["ErrorDetails"])["errorMessage"] == "late"
    whole = client.invoke(FunctionName="node")
    assert (whole["Payload"].read(), "FunctionError" in whole) == (b"first last", False)
    assert json.loads(client.invoke(FunctionName="node", Payload=b'{"fail":1}')["Payload"].read())["errorType"]


def test_a_caller_who_leaves_does_not_stop_the_function(serve: Callable[..., Served]) -> None:
    require_tool("node")
    client = client_for(serve().url)
    made(client, "node", "nodejs20.x", package("index.mjs", NODE))
    stream = client.invoke_with_response_stream(FunctionName="node", Payload=b'{"wait":500}')["EventStream"]
    next(iter(stream))
    stream.close()
    # The one environment there is goes on to its end, and is there for the next invocation.
    time.sleep(0.8)
    answer = client.invoke(FunctionName="node", LogType="Tail", Payload=b'{"wait":1}')
    assert answer["Payload"].read() == b"first last"


def test_a_function_url_streams(shell: Shell, serve: Callable[..., Served], tmp_path: Path) -> None:
    require_tool("node")
    (tmp_path / "project" / "code").mkdir(parents=True)
    (tmp_path / "project" / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "project" / "code" / "index.mjs").write_text(NODE)
    shell.env["WORKBENCH_PROJECT"] = str(tmp_path / "project")
    served = serve()
    assert shell.run("deploy").returncode == 0
    connection = http.client.HTTPConnection(urlsplit(served.facts["gateway"]).netloc, timeout=20)
    connection.request("GET", "/_url/streamed/")
    response = connection.getresponse()
    assert (response.status, response.headers["x-a"]) == (201, "b")
    assert response.read1() == b"first "
    assert response.read() == b"last"
    connection.close()
