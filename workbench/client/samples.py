"""Sample events: what the services that call functions send, one of each kind.

Source: Lambda Developer Guide, the page of each service ("Using AWS Lambda with …", its example event).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

#: What each is, by name; `sample_events/NAME.json` is the event.
DESCRIPTIONS = {
    "api-gateway-http-get": "API Gateway, HTTP API or function URL (payload 2.0): GET with a query",
    "api-gateway-http-post": "API Gateway, HTTP API or function URL (payload 2.0): POST of JSON",
    "api-gateway-rest-get": "API Gateway, REST API (payload 1.0): GET through a proxy resource",
    "alb-get": "Application Load Balancer: GET",
    "sqs": "SQS: one message",
    "sqs-three": "SQS: a batch of three messages",
    "sns": "SNS: one notification",
    "s3-put": "S3: an object was put",
    "dynamodb-insert": "DynamoDB Streams: an item was inserted",
    "kinesis": "Kinesis: one record",
    "eventbridge": "EventBridge: an event of one's own",
    "schedule": "EventBridge: a schedule",
    "cloudwatch-logs": "CloudWatch Logs: a subscription, compressed",
}


@cache
def sample_event(name: str) -> str:
    """The event's JSON; `{{uuid}}` stands in it where each invocation has another (see `placeholders`).

    Raises:
        KeyError: there is none of that name.
    """
    if name not in DESCRIPTIONS:
        raise KeyError(name)
    return files("workbench.client").joinpath(f"sample_events/{name}.json").read_text("utf-8")
