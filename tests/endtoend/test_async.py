"""Asynchronous invocation for real: destinations on moto, and a promise that survives kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.conftest import Served, Shell, eventually
from tests.endtoend.test_aws_clients import ROLE, RUNTIME, client_for, package
from tests.support import OFTEN

REGION, ACCOUNT = "us-east-1", "000000000000"
ENDS = """\
def handler(event, context):
    if event.get("fail"):
        raise ValueError("as told")
    return event
"""
#: Notes when it begins and ends an event; some are held up.
NOTES = """\
import os, time

def note(what, event, context):
    with open(os.environ["NOTES"], "a") as file:
        file.write(f"{what} {event['n']} {context.aws_request_id}\\n")

def handler(event, context):
    note("begin", event, context)
    while event["held"] and os.path.exists(os.environ["NOTES"] + ".hold"):
        time.sleep(0.02)
    note("end", event, context)
"""
MOTO = """
import logging, sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
logging.getLogger("werkzeug").disabled = True
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def moto(shell: Shell) -> Iterator[Callable[[str], Any]]:
    """boto3 clients of services that engines of this shell send to."""
    pytest.importorskip("moto")
    import boto3

    process = subprocess.Popen(
        [sys.executable, "-c", MOTO],
        env={**os.environ, "MOTO_ACCOUNT_ID": ACCOUNT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    url = f"http://127.0.0.1:{int(process.stdout.readline())}"
    shell.env["AWS_ENDPOINT_URL"] = url
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    clients: list[Any] = []

    def client(service: str) -> Any:
        clients.append(boto3.client(service, endpoint_url=url, region_name=REGION, **keys))
        return clients[-1]

    yield client
    for each in clients:
        each.close()
    process.stdin.close()
    process.wait(20)
    process.stdout.close()


def create(client: Any, name: str, code: str, **more: Any) -> None:
    client.create_function(
        FunctionName=name, Runtime=RUNTIME, Role=ROLE, Handler="app.handler", Code={"ZipFile": package(code)}, **more
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=OFTEN)


def queue(sqs: Any, name: str) -> tuple[str, str]:
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def received(sqs: Any, url: str) -> dict[str, Any]:
    def look() -> Any:
        return sqs.receive_message(
            QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"], WaitTimeSeconds=1
        ).get("Messages")

    [message] = eventually(look, 20)
    return dict(message)


def test_destinations_and_dead_letters_of_every_kind(moto: Callable[[str], Any], serve: Callable[..., Served]) -> None:
    sqs, sns, events, s3 = (moto(service) for service in ("sqs", "sns", "events", "s3"))
    url, arn = queue(sqs, "direct")
    letters_url, letters = queue(sqs, "letters")
    through_url, through = queue(sqs, "through")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=through, Attributes={"RawMessageDelivery": "true"})
    bus_url, bus_queue = queue(sqs, "bus")
    bus = events.create_event_bus(Name="bus")["EventBusArn"]
    events.put_rule(Name="all", EventBusName="bus", EventPattern='{"source": ["lambda"]}')
    events.put_targets(Rule="all", EventBusName="bus", Targets=[{"Id": "1", "Arn": bus_queue}])
    s3.create_bucket(Bucket="bucket")

    client = client_for(serve().url)
    create(client, "f", ENDS, DeadLetterConfig={"TargetArn": letters})

    def fire(event: dict[str, Any], retries: int = 0, **ends: str) -> str:
        client.put_function_event_invoke_config(
            FunctionName="f",
            MaximumRetryAttempts=retries,
            DestinationConfig={name: {"Destination": target} for name, target in ends.items()},
        )
        answer = client.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps(event).encode())
        assert answer["StatusCode"] == 202
        return str(answer["ResponseMetadata"]["RequestId"])

    request_id = fire({"n": 1}, OnSuccess=arn)
    message = received(sqs, url)
    record = json.loads(message["Body"])
    assert (record["requestContext"]["requestId"], record["responsePayload"]) == (request_id, {"n": 1})
    assert "Lineage=" in message["Attributes"]["AWSTraceHeader"]

    request_id = fire({"fail": 1}, OnFailure=topic)
    record = json.loads(received(sqs, through_url)["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responsePayload"]["errorMessage"] == "as told"
    letter = received(sqs, letters_url)
    assert json.loads(letter["Body"]) == {"fail": 1}
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "as told"}

    fire({"n": 2}, OnSuccess=bus)
    event = json.loads(received(sqs, bus_url)["Body"])
    assert (event["source"], event["detail-type"]) == ("lambda", "Lambda Function Invocation Result - Success")
    assert event["resources"] == [bus, f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:$LATEST"]
    assert event["detail"]["requestPayload"] == {"n": 2}

    request_id = fire({"fail": 2}, OnFailure="arn:aws:s3:::bucket")
    [kept] = eventually(lambda: s3.list_objects_v2(Bucket="bucket").get("Contents"), 20)
    assert kept["Key"].startswith("aws/lambda/async/f/")
    with s3.get_object(Bucket="bucket", Key=kept["Key"])["Body"] as body:
        assert json.loads(body.read())["requestContext"]["requestId"] == request_id


def test_a_202_is_a_promise_that_survives_kill_9(shell: Shell, serve: Callable[..., Served], tmp_path: Path) -> None:
    running, count = 10, 500
    notes = tmp_path / "notes"
    hold = tmp_path / "notes.hold"
    hold.touch()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "workbench.toml").write_text(f"concurrency = {running}\n")
    shell.env["WORKBENCH_PROJECT"] = str(tmp_path / "project")
    served = serve()
    client = client_for(served.url)
    create(client, "f", NOTES, Timeout=120, Environment={"Variables": {"NOTES": str(notes)}})

    def accept(number: int) -> tuple[int, str]:
        event = {"n": number, "held": number < running}
        answer = client.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps(event).encode())
        return number, str(answer["ResponseMetadata"]["RequestId"])

    accepted = dict(map(accept, range(running)))
    eventually(lambda: len(told(notes)) == running, 30)
    with ThreadPoolExecutor(8) as pool:
        accepted |= dict(pool.map(accept, range(running, count)))
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    before = told(notes)
    assert [what for what, _, _ in before] == ["begin"] * running

    hold.unlink()
    serve()
    eventually(lambda: len({n for what, n, _ in told(notes) if what == "end"}) == count, 60)
    time.sleep(0.5)  # what would come twice would come now
    begun = Counter((n, request_id) for what, n, request_id in told(notes) if what == "begin")
    assert dict(begun.keys()) == accepted
    twice = [n for (n, _), times in begun.items() if times > 1]
    assert sorted(twice) == list(range(running))
    assert max(begun.values()) == 2


def told(notes: Path) -> list[tuple[str, int, str]]:
    if not notes.exists():
        return []
    lines = (line.split() for line in notes.read_text().splitlines())
    return [(what, int(number), request_id) for what, number, request_id in lines]
