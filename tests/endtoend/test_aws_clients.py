"""boto3 and the aws CLI, unmodified, against a running engine."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.conftest import Served
from tests.support import OFTEN

ROLE = "arn:aws:iam::000000000000:role/test"
RUNTIME = "python{}.{}".format(*sys.version_info)
CODE = "def handler(event, context):\n    print('seen', event)\n    return context.function_version\n"


def package(text: str = CODE) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py", (1980, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


def client_for(url: str, *, connections: int = 10) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "lambda",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}, max_pool_connections=connections),
    )


def create(client: Any, name: str = "f", *, code: str = CODE, **more: Any) -> None:
    client.create_function(
        FunctionName=name, Runtime=RUNTIME, Role=ROLE, Handler="app.handler", Code={"ZipFile": package(code)}, **more
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=OFTEN)


@pytest.fixture
def client(serve: Callable[..., Served]) -> Any:
    return client_for(serve("--seed", "11").url)


def test_create_publish_alias_invoke_delete(client: Any) -> None:
    create(client)
    for number in ("1", "2"):
        assert client.publish_version(FunctionName="f", Description=number)["Version"] == number
        client.update_function_code(FunctionName="f", ZipFile=package(f"{CODE}# {number}\n"))
        client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig=OFTEN)
    alias = client.create_alias(
        FunctionName="f",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
    )
    assert alias["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}}

    answer = client.invoke(FunctionName="f:1", Payload=b'{"a":1}', LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"], answer["Payload"].read()) == (200, "1", b'"1"')
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "seen {'a': 1}" in log
    assert f"START RequestId: {answer['ResponseMetadata']['RequestId']} Version: 1" in log
    assert log.splitlines()[-1].startswith("REPORT RequestId: ")

    assert client.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")["StatusCode"] == 202
    assert client.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204

    client.delete_alias(FunctionName="f", Name="live")
    client.delete_function(FunctionName="f")
    with pytest.raises(client.exceptions.ResourceNotFoundException) as gone:
        client.invoke(FunctionName="f")
    assert gone.value.response["Error"]["Message"] == (
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"
    )


def test_a_seeded_split_is_exact_and_an_unseeded_one_within_five_sigma(
    serve: Callable[..., Served], client: Any
) -> None:
    create(client)
    client.publish_version(FunctionName="f")
    client.update_function_code(FunctionName="f", ZipFile=package(f"{CODE}# 2\n"))
    client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig=OFTEN)
    client.publish_version(FunctionName="f")
    client.create_alias(
        FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}}
    )
    draws = random.Random(11)
    expected = ["2" if draws.random() < 0.1 else "1" for _ in range(200)]
    executed = [client.invoke(FunctionName="f", Qualifier="live")["ExecutedVersion"] for _ in range(200)]
    assert executed == expected


def test_the_unseeded_split_is_within_five_sigma(serve: Callable[..., Served]) -> None:
    client = client_for(serve().url)
    create(client)
    client.publish_version(FunctionName="f")
    client.update_function_code(FunctionName="f", ZipFile=package(f"{CODE}# 2\n"))
    client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig=OFTEN)
    client.publish_version(FunctionName="f")
    client.create_alias(
        FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}}
    )
    count = 1000
    seen = Counter(client.invoke(FunctionName="f:live")["ExecutedVersion"] for _ in range(count))
    sigma = (count * 0.1 * 0.9) ** 0.5
    assert abs(seen["2"] - count * 0.1) < 5 * sigma
    assert seen["1"] + seen["2"] == count


def test_the_aws_cli_works_unchanged(serve: Callable[..., Served], tmp_path: Path) -> None:
    served = serve()
    archive = tmp_path / "f.zip"
    archive.write_bytes(package())
    cli = Path(sys.executable).parent / "aws"
    env = {**os.environ, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}

    def aws(*args: str) -> Any:
        done = subprocess.run(
            [cli, "--endpoint-url", served.url, "lambda", *args], env=env, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    named = ("--function-name", "f")
    made = aws(
        "create-function", *named, "--runtime", RUNTIME, "--role", ROLE, "--handler", "app.handler", "--zip-file",
        f"fileb://{archive}",
    )  # fmt: skip
    assert made["State"] == "Pending"
    aws("wait", "function-active-v2", *named)
    assert aws("publish-version", *named)["Version"] == "1"
    assert aws("publish-version", *named)["Version"] == "1"
    archive.write_bytes(package(f"{CODE}# 2\n"))
    aws("update-function-code", *named, "--zip-file", f"fileb://{archive}")
    aws("wait", "function-updated-v2", *named)
    assert aws("publish-version", *named)["Version"] == "2"
    routing = "AdditionalVersionWeights={2=0.1}"
    alias = aws("create-alias", *named, "--name", "live", "--function-version", "1", "--routing-config", routing)
    assert alias["AliasArn"].endswith(":function:f:live")
    out = tmp_path / "out.json"
    answer = aws("invoke", *named, "--qualifier", "live", "--log-type", "Tail", str(out))
    assert json.loads(out.read_text()) == answer["ExecutedVersion"]
    assert "REPORT" in base64.b64decode(answer["LogResult"]).decode()
    assert [function["FunctionName"] for function in aws("list-functions")["Functions"]] == ["f"]
    aws("delete-function", *named)
    assert aws("list-functions")["Functions"] == []


def test_code_location_downloads_what_was_uploaded(client: Any) -> None:
    import urllib.request

    create(client)
    location = client.get_function(FunctionName="f")["Code"]["Location"]
    with urllib.request.urlopen(location) as answer:
        assert answer.read() == package()


def test_a_page_in_a_browser_is_refused(serve: Callable[..., Served]) -> None:
    import urllib.error
    import urllib.request

    url = serve().url
    for path, headers in [
        ("/2015-03-31/functions", {"Origin": "http://evil.example"}),
        ("/2015-03-31/functions", {}),
        ("/2015-03-31/functions", {"Host": "evil.example", "Authorization": "AWS4-HMAC-SHA256 x"}),
        ("/_workbench/v1/call/stop", {}),
        ("/_workbench/v1/live", {"Authorization": "Bearer wrong"}),
        ("/_workbench/v1/metrics", {}),
    ]:
        request = urllib.request.Request(url + path, headers=headers, data=b"{}" if "call" in path else None)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        assert refused.value.code == 403
        assert "Access-Control-Allow-Origin" not in refused.value.headers
        refused.value.close()
