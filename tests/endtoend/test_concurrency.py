"""Reserved and provisioned concurrency through boto3 alone. The rules stand in tests/engine/test_concurrency.py."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.endtoend.conftest import Served, eventually
from tests.endtoend.test_aws_clients import client_for, create

#: Says that it runs, and goes on when it is let go: the `subprocess` backend shares the machine's files.
HELD = """
import pathlib, time

def handler(event, context):
    folder = pathlib.Path(event["folder"])
    (folder / context.aws_request_id).touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
"""


@pytest.fixture
def client(serve: Callable[..., Served]) -> Any:
    client = client_for(serve().url, connections=50)
    create(client, code=HELD, Timeout=60)
    return client


def at_once(client: Any, count: int, running: int, folder: Path, **target: Any) -> list[Any]:
    """What each of that many invocations at a time answered, or was refused with. So many of them run: they are let go
    when all of these do, and the others were refused."""
    payload = json.dumps({"folder": str(folder)})

    def call() -> Any:
        try:
            return client.invoke(FunctionName="f", Payload=payload, LogType="Tail", **target)
        except ClientError as error:
            return error.response

    def settled(calls: list[Future[Any]]) -> bool:
        return len(list(folder.iterdir())) >= running and sum(map(Future.done, calls)) >= count - running

    with ThreadPoolExecutor(count) as threads:
        calls = [threads.submit(call) for _ in range(count)]
        try:
            eventually(lambda: settled(calls), 50)
        finally:
            (folder / "go").touch()
    return [one.result() for one in calls]


def test_fifty_at_once_with_ten_reserved(client: Any, tmp_path: Path) -> None:
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=10)
    (tmp_path / "held").mkdir()
    answers = at_once(client, 50, 10, tmp_path / "held")
    assert Counter(answer["ResponseMetadata"]["HTTPStatusCode"] for answer in answers) == {200: 10, 429: 40}
    refused = [answer for answer in answers if "Error" in answer]
    assert {answer["Error"]["Code"] for answer in refused} == {"TooManyRequestsException"}
    assert {answer["Reason"] for answer in refused} == {"ReservedFunctionConcurrentInvocationLimitExceeded"}
    assert not any("FunctionError" in answer for answer in answers)


def test_eight_at_once_with_five_provisioned_have_three_cold_starts(client: Any, tmp_path: Path) -> None:
    client.publish_version(FunctionName="f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    asked = {"FunctionName": "f", "Qualifier": "live"}
    client.put_provisioned_concurrency_config(**asked, ProvisionedConcurrentExecutions=5)

    def ready() -> bool:
        config = client.get_provisioned_concurrency_config(**asked)
        return bool(config["Status"] == "READY" and config["AvailableProvisionedConcurrentExecutions"] == 5)

    eventually(ready, 30)
    (tmp_path / "held").mkdir()
    answers = at_once(client, 8, 8, tmp_path / "held", Qualifier="live")
    reports = [base64.b64decode(answer["LogResult"]).decode().splitlines()[-1] for answer in answers]
    assert all(report.startswith("REPORT RequestId: ") for report in reports)
    assert sum("Init Duration: " in report for report in reports) == 3
