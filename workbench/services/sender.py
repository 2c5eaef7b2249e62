"""Sends what came of an asynchronous invocation to a queue, a topic, an event bus or a bucket.

They are asked at the endpoint that workbench.toml (`services`) or the environment names (AWS_ENDPOINT_URL_SQS and its
kin, AWS_ENDPOINT_URL); real AWS never, unless it is named so. botocore is loaded with the first message.
Source: Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations"; AWS SDKs and Tools Reference
Guide, "Service-specific endpoints".
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from workbench.model.errors import WorkbenchError
from workbench.model.outcomes import Message

_TIMEOUT_SECONDS = 10
_MEND = "set services in workbench.toml, or AWS_ENDPOINT_URL, for the engine"


class NotSent(WorkbenchError):
    """A message that no service took."""

    title = "Services"


class Sender:
    """Satisfies `engine.ports.Sender`. Clients are made once and shared by the threads that send."""

    def __init__(self, endpoint: str | None, region: str) -> None:
        self._endpoint = endpoint
        self._region = region
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._queues: dict[str, str] = {}
        self._services: Mapping[str, Callable[[Any, str, Message], None]] = {
            "sqs": self._to_queue,
            "sns": _to_topic,
            "events": _to_bus,
            "s3": _to_bucket,
        }

    async def send(self, target: str, message: Message) -> None:
        service = target.split(":")[2]
        if service not in self._services:
            raise NotSent(f"nothing can be sent to {target}")
        if self._url(service) is None:
            raise NotSent(f"{target} cannot be reached: no endpoint of {service} is configured", mend=_MEND)
        await asyncio.to_thread(self._send, service, target, message)

    def _send(self, service: str, target: str, message: Message) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._services[service](self._client(service), target, message)
        except (BotoCoreError, ClientError, OSError, ValueError) as error:  # of an endpoint that is no URL, the last
            raise NotSent(f"{target} did not take a message: {error}") from error

    def _to_queue(self, client: Any, target: str, message: Message) -> None:
        url = self._queues.get(target)
        if url is None:
            *_, account, name = target.split(":")
            url = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            self._queues[target] = url
        system = {"AWSTraceHeader": {"DataType": "String", "StringValue": message.trace_id}}
        try:
            client.send_message(
                QueueUrl=url,
                MessageBody=message.body,
                MessageAttributes=_attributes(message),
                MessageSystemAttributes=system,
            )
        except BaseException:
            self._queues.pop(target, None)  # it may have been made anew, elsewhere
            raise

    def _url(self, service: str) -> str | None:
        own = os.environ.get(f"AWS_ENDPOINT_URL_{_IDS[service]}")
        return own or self._endpoint or os.environ.get("AWS_ENDPOINT_URL") or None

    def _client(self, service: str) -> Any:
        from botocore.config import Config
        from botocore.session import Session

        with self._lock:
            client = self._clients.get(service)
            if client is None:
                session = Session()
                keys: dict[str, Any] = {}
                if session.get_credentials() is None:
                    keys = {"aws_access_key_id": "workbench", "aws_secret_access_key": "workbench"}
                client = self._clients[service] = session.create_client(
                    service,
                    region_name=self._region,
                    endpoint_url=self._url(service),
                    config=Config(
                        connect_timeout=_TIMEOUT_SECONDS,
                        read_timeout=_TIMEOUT_SECONDS,
                        retries={"total_max_attempts": 3},
                        s3={"addressing_style": "path"},
                    ),
                    **keys,
                )
        return client


#: The services' names in the variables that name their endpoints.
_IDS = {"sqs": "SQS", "sns": "SNS", "events": "EVENTBRIDGE", "s3": "S3"}


def _to_topic(client: Any, target: str, message: Message) -> None:
    client.publish(TopicArn=target, Message=message.body, MessageAttributes=_attributes(message))


def _to_bus(client: Any, target: str, message: Message) -> None:
    entry = {
        "Source": "lambda",
        "DetailType": message.detail_type,
        "Detail": message.body,
        "EventBusName": target,
        "Resources": [target, message.function_arn],
    }
    answer = client.put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise OSError(answer["Entries"][0].get("ErrorMessage", "the event was refused"))


def _to_bucket(client: Any, target: str, message: Message) -> None:
    bucket = target.rpartition(":")[2]
    client.put_object(Bucket=bucket, Key=message.key, Body=message.body.encode(), ContentType="application/json")


def _attributes(message: Message) -> dict[str, dict[str, str]]:
    return {
        name: {"DataType": "Number" if name == "ErrorCode" else "String", "StringValue": value}
        for name, value in message.attributes.items()
    }
