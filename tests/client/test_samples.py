"""Sample events: Powertools' models, which check what AWS's services send, take every one of them."""

from __future__ import annotations

import json
from importlib.resources import files
from random import Random
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser import models

from workbench.client.placeholders import fill
from workbench.client.samples import DESCRIPTIONS, sample_event

MODELS: dict[str, Any] = {
    "api-gateway-http-get": models.APIGatewayProxyEventV2Model,
    "api-gateway-http-post": models.APIGatewayProxyEventV2Model,
    "api-gateway-rest-get": models.APIGatewayProxyEventModel,
    "alb-get": models.AlbModel,
    "sqs": models.SqsModel,
    "sqs-three": models.SqsModel,
    "sns": models.SnsModel,
    "s3-put": models.S3Model,
    "dynamodb-insert": models.DynamoDBStreamModel,
    "kinesis": models.KinesisDataStreamModel,
    "eventbridge": models.EventBridgeModel,
    "schedule": models.EventBridgeModel,
    "cloudwatch-logs": models.CloudWatchLogsModel,
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_the_model_of_its_service_takes_it(name: str) -> None:
    first, second = (json.loads(fill(sample_event(name), 0, 0, Random(seed))) for seed in (1, 2))
    MODELS[name].model_validate(first)
    assert (first == second) is ("{{uuid}}" not in sample_event(name))


def test_each_file_is_described() -> None:
    folder = files("workbench.client").joinpath("sample_events")
    assert {path.name.removesuffix(".json") for path in folder.iterdir()} == set(DESCRIPTIONS)


def test_another_name_is_none() -> None:
    with pytest.raises(KeyError):
        sample_event("../samples")
