"""What is not sent is told, whatever the reason: who sends goes on with its work."""

from __future__ import annotations

import pytest

from workbench.model.outcomes import Message
from workbench.services.sender import NotSent, Sender

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
MESSAGE = Message(body="{}", trace_id="Root=1-2-3")


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("endpoint", "target", "message"),
    [
        (None, QUEUE, "no endpoint of sqs is configured"),
        (None, "arn:aws:kinesis:us-east-1:000000000000:stream/s", "nothing can be sent to"),
        ("http://127.0.0.1:1", QUEUE, "did not take a message: Could not connect"),
        ("localhost:4566", QUEUE, "did not take a message: Invalid endpoint: localhost:4566"),
        ("http://[bad", QUEUE, "did not take a message: Invalid IPv6 URL"),
    ],
)
async def test_what_is_not_sent_is_told(endpoint: str | None, target: str, message: str) -> None:
    with pytest.raises(NotSent, match=message):
        await Sender(endpoint, "us-east-1").send(target, MESSAGE)
