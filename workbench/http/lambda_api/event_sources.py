"""The kinds of event source: what a mapping to each may say, and what it says by default.

Source: Lambda API reference, CreateEventSourceMapping; Lambda Developer Guide, the parameters of each source and
"Control which events Lambda sends to your function" (filter patterns). The texts are AWS's answers where recorded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from workbench.model.errors import InvalidParameterValue, ValidationException


class Source(Enum):
    """A kind of event source; the value is the service in its ARN."""

    SQS = "sqs"
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"
    MSK = "kafka"
    MQ = "mq"
    DOCUMENTDB = "rds"
    SELF_MANAGED_KAFKA = ""


STREAMS = frozenset((Source.KINESIS, Source.DYNAMODB))
_POSITIONED = STREAMS | {Source.MSK, Source.SELF_MANAGED_KAFKA, Source.DOCUMENTDB}
#: The members of a request that a mapping keeps and shows as they are.
SETTINGS = (
    "AmazonManagedKafkaEventSourceConfig",
    "BatchSize",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "DocumentDBEventSourceConfig",
    "FilterCriteria",
    "FunctionResponseTypes",
    "KMSKeyArn",
    "LoggingConfig",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "MetricsConfig",
    "ParallelizationFactor",
    "ProvisionedPollerConfig",
    "Queues",
    "ScalingConfig",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "StartingPosition",
    "StartingPositionTimestamp",
    "Topics",
    "TumblingWindowInSeconds",
)
#: The order in which AWS names them, which is not the model's.
_POSITIONS = ("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON")
_RULES = frozenset(("anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"))
_FILTERS = 10


def source_of(arn: str | None, self_managed: object) -> Source:
    """The kind of source that a request names.

    Raises:
        InvalidParameterValue: nothing that Lambda reads events from.
    """
    if arn is None and self_managed:
        return Source.SELF_MANAGED_KAFKA
    parts = (arn or "").split(":")
    for source in Source:
        if source.value and len(parts) > 5 and parts[2] == source.value:
            return source
    raise InvalidParameterValue("Unrecognized event source.")


def defaults(source: Source) -> dict[str, Any]:
    """What a new mapping says when the request does not."""
    common: dict[str, Any] = {
        "BatchSize": 10 if source is Source.SQS else 100,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
    }
    if source in STREAMS:
        return {
            **common,
            "BisectBatchOnFunctionError": False,
            "DestinationConfig": {"OnFailure": {}},
            "MaximumRecordAgeInSeconds": -1,
            "MaximumRetryAttempts": -1,
            "ParallelizationFactor": 1,
            "TumblingWindowInSeconds": 0,
        }
    if source in (Source.MQ, Source.DOCUMENTDB):
        del common["FunctionResponseTypes"]
    return common


def check(source: Source, params: Mapping[str, Any], *, new: bool) -> None:
    """Everything that AWS checks of a mapping without looking at the source itself.

    `params` are those of the request, for an update over what the mapping says already.

    Raises:
        InvalidParameterValue, ValidationException.
    """
    if source is Source.SQS:
        _check_queue(params)
    if new and source in _POSITIONED:
        _check_position(source, params)
    if "FilterCriteria" in params:
        _check_filters(params["FilterCriteria"].get("Filters", ()))
    age = params.get("MaximumRecordAgeInSeconds", -1)
    if -1 < age < 60:
        raise ValidationException(
            [
                f"Value '{age}' at 'maximumRecordAgeInSeconds' failed to satisfy constraint: "
                "Member must have value greater than or equal to 60"
            ]
        )
    pollers = params.get("ProvisionedPollerConfig", {})
    if pollers.get("MinimumPollers", 1) > pollers.get("MaximumPollers", 10_000):
        raise InvalidParameterValue("MinimumPollers must not be greater than MaximumPollers.")
    if pollers and params.get("ScalingConfig"):
        raise InvalidParameterValue("ScalingConfig and ProvisionedPollerConfig cannot be used together.")


def _check_queue(params: Mapping[str, Any]) -> None:
    if params.get("DestinationConfig"):
        raise InvalidParameterValue("Unsupported DestinationConfig parameter for given event source mapping type.")
    size = params.get("BatchSize", 10)
    window = params.get("MaximumBatchingWindowInSeconds", 0)
    if params["EventSourceArn"].endswith(".fifo"):
        if window:
            raise InvalidParameterValue("Batching window is not supported for FIFO queues.")
        if size > 10:
            raise InvalidParameterValue("Maximum batch size for FIFO queues is 10.")
    elif size > 10 and not window:
        raise InvalidParameterValue(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        )


def _check_position(source: Source, params: Mapping[str, Any]) -> None:
    position = params.get("StartingPosition")
    if position is None:
        raise InvalidParameterValue(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
    if position not in _POSITIONS:
        raise ValidationException(
            [
                f"Value '{position}' at 'startingPosition' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(_POSITIONS)}]"
            ]
        )
    moment = params.get("StartingPositionTimestamp")
    if position != "AT_TIMESTAMP":
        return
    if source is Source.DYNAMODB:
        raise InvalidParameterValue(f"Unsupported starting position for arn type: {params['EventSourceArn']}")
    if moment is None:
        raise InvalidParameterValue("StartingPositionTimestamp is required when StartingPosition is AT_TIMESTAMP.")
    if moment > datetime.now(UTC):
        raise InvalidParameterValue("StartingPositionTimestamp must not be in the future.")


def _check_filters(filters: list[Mapping[str, Any]]) -> None:
    if len(filters) > _FILTERS:
        raise InvalidParameterValue(f"At most {_FILTERS} filters are allowed for an event source mapping.")
    for one in filters:
        try:
            pattern = json.loads(one.get("Pattern", ""))
            good = isinstance(pattern, dict) and _is_pattern(pattern)
        except (ValueError, RecursionError):
            good = False
        if not good:
            raise InvalidParameterValue("Invalid filter pattern definition.")


def _is_pattern(pattern: Mapping[str, Any]) -> bool:
    """Objects down to arrays of values and rules; `$or` holds at least two alternatives."""
    for name, below in pattern.items():
        if name == "$or":
            if not isinstance(below, list) or not all(isinstance(one, dict) and _is_pattern(one) for one in below):
                return False
        elif isinstance(below, dict):
            if not below or not _is_pattern(below):
                return False
        elif not isinstance(below, list) or not below or not all(map(_is_value, below)):
            return False
    return True


def _is_value(value: object) -> bool:
    if isinstance(value, dict):
        return len(value) == 1 and not value.keys().isdisjoint(_RULES)
    return not isinstance(value, list)
