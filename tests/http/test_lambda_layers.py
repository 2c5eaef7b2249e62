"""Layers as clients meet them: boto3 against the API with a real engine behind it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.world import World, archive, world
from tests.http.conftest import ACCOUNT, HOST, Run
from workbench.engine.engine import Engine

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT.id}:layer:"
ZIP = archive({"python/a.py": "1"})
GONE = "The resource you requested does not exist."


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[asyncio.Runner, World]]:
    with asyncio.Runner() as runner:
        opened = world(tmp_path / "state", account=ACCOUNT)
        yield runner, runner.run(opened.__aenter__())
        runner.run(opened.__aexit__(None, None, None))


@pytest.fixture
def port(running: tuple[asyncio.Runner, World]) -> Engine:
    return running[1].engine


@pytest.fixture
def run(running: tuple[asyncio.Runner, World]) -> Run:
    runner, engine = running

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        answer = runner.run(work)
        runner.run(engine.clock.settle())
        return answer

    return run


def publish(client: Any, name: str = "l", zipped: bytes = ZIP, **more: Any) -> Any:
    return client.publish_layer_version(LayerName=name, Content={"ZipFile": zipped}, **more)


def refused(call: Any, **params: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as error:
        call(**params)
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def members(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_what_publishing_answers(client: Any) -> None:
    sha256 = hashlib.sha256(ZIP)
    said = {
        "Description": "d",
        "LicenseInfo": "MIT",
        "CompatibleRuntimes": ["python3.12", "provided.al2023"],
        "CompatibleArchitectures": ["x86_64"],
    }
    answer = publish(client, **said)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    created = answer["CreatedDate"]
    assert created.endswith("+0000")
    whole = {
        "Content": {
            "Location": f"http://{HOST}/_workbench/v1/code/{sha256.hexdigest()}",
            "CodeSha256": base64.b64encode(sha256.digest()).decode(),
            "CodeSize": len(ZIP),
        },
        "LayerArn": f"{ARN}l",
        "LayerVersionArn": f"{ARN}l:1",
        "Version": 1,
        "CreatedDate": created,
        **said,
    }
    assert members(answer) == whole
    assert members(client.get_layer_version(LayerName="l", VersionNumber=1)) == whole
    assert members(client.get_layer_version(LayerName=f"{ARN}l", VersionNumber=1)) == whole
    assert members(client.get_layer_version_by_arn(Arn=f"{ARN}l:1")) == whole


def test_what_is_not_said_is_absent(client: Any) -> None:
    answer = publish(client)
    assert answer["Description"] == ""
    assert not {"LicenseInfo", "CompatibleRuntimes", "CompatibleArchitectures"} & answer.keys()


def test_numbers_go_on_after_deletions(client: Any) -> None:
    assert [publish(client)["Version"] for _ in range(2)] == [1, 2]
    for number in (2, 2, 1, 7):
        answer = client.delete_layer_version(LayerName="l", VersionNumber=number)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.list_layers()["Layers"] == []
    assert publish(client)["Version"] == 3


def test_lists_are_filtered_and_paged(client: Any) -> None:
    publish(client, "a", CompatibleRuntimes=["python3.12"], CompatibleArchitectures=["x86_64"])
    publish(client, "a", CompatibleRuntimes=["nodejs22.x"])
    publish(client, "b")
    publish(client, "c", CompatibleRuntimes=["python3.12"])

    def newest(**filters: Any) -> list[tuple[str, int]]:
        pages = client.get_paginator("list_layers").paginate(PaginationConfig={"PageSize": 1}, **filters)
        return [
            (layer["LayerName"], layer["LatestMatchingVersion"]["Version"])
            for page in pages
            for layer in page["Layers"]
        ]

    assert newest() == [("a", 2), ("b", 1), ("c", 1)]
    assert newest(CompatibleRuntime="python3.12") == [("a", 1), ("c", 1)]
    assert newest(CompatibleRuntime="python3.12", CompatibleArchitecture="x86_64") == [("a", 1)]
    assert newest(CompatibleRuntime="ruby3.4") == []
    (layer,) = client.list_layers(CompatibleArchitecture="x86_64")["Layers"]
    assert layer["LayerArn"] == f"{ARN}a"
    assert not {"Content", "LayerArn"} & layer["LatestMatchingVersion"].keys()

    pages = client.get_paginator("list_layer_versions").paginate(LayerName="a", PaginationConfig={"PageSize": 1})
    assert [version["LayerVersionArn"] for page in pages for version in page["LayerVersions"]] == [
        f"{ARN}a:2",
        f"{ARN}a:1",
    ]
    assert client.list_layer_versions(LayerName="nosuch")["LayerVersions"] == []


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("get_layer_version", {"LayerName": "no", "VersionNumber": 1}, ("ResourceNotFoundException", 404, GONE)),
        (
            "get_layer_version",
            {"LayerName": "no", "VersionNumber": 0},
            ("InvalidParameterValueException", 400, "Layer Version Cannot be less than 1"),
        ),
        (
            "delete_layer_version",
            {"LayerName": "no", "VersionNumber": -1},
            ("InvalidParameterValueException", 400, "Layer Version Cannot be less than 1"),
        ),
        ("get_layer_version_by_arn", {"Arn": f"{ARN}no:1"}, ("ResourceNotFoundException", 404, GONE)),
        ("list_layers", {"MaxItems": 51}, ("ValidationException", 400, None)),
        ("list_layers", {"CompatibleRuntime": "cobol"}, ("ValidationException", 400, None)),
        ("get_layer_version_by_arn", {"Arn": f"{ARN}no"}, ("ValidationException", 400, None)),
        (
            "publish_layer_version",
            {"LayerName": "l", "Content": {"ZipFile": b"no zip"}},
            (
                "InvalidParameterValueException",
                400,
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            ),
        ),
        (
            "publish_layer_version",
            {"LayerName": "l", "Content": {"ZipFile": ZIP}, "CompatibleArchitectures": ["z80"]},
            ("ValidationException", 400, None),
        ),
        (
            "publish_layer_version",
            {"LayerName": "a/b", "Content": {"ZipFile": ZIP}},
            ("ValidationException", 400, None),
        ),
        (
            "get_layer_version",
            {"LayerName": f"{ARN}l".replace(ACCOUNT.id, "999999999999"), "VersionNumber": 1},
            ("AccessDeniedException", 403, None),
        ),
        (
            "get_layer_version_by_arn",
            {"Arn": f"{ARN}l:1".replace("us-east-1", "eu-west-1")},
            ("ResourceNotFoundException", 404, GONE),
        ),
        (
            "add_layer_version_permission",
            {
                "LayerName": "l",
                "VersionNumber": 1,
                "StatementId": "s",
                "Action": "lambda:GetLayerVersion",
                "Principal": "999999999999",
                "OrganizationId": "o-0123456789",
            },
            ("InvalidParameterValueException", 400, None),
        ),
    ],
)
def test_refusals(client: Any, method: str, params: dict[str, Any], expected: tuple[str, int, str | None]) -> None:
    code, status, message = refused(getattr(client, method), **params)
    assert (code, status) == expected[:2]
    if expected[2] is not None:
        assert message == expected[2]
    assert client.list_layers()["Layers"] == []


def test_a_policy_s_statements(client: Any) -> None:
    publish(client)
    who = {"LayerName": "l", "VersionNumber": 1, "Action": "lambda:GetLayerVersion"}
    root = "arn:aws:iam::999999999999:root"
    everybody = {"Effect": "Allow", "Action": "lambda:GetLayerVersion", "Resource": f"{ARN}l:1"}
    wanted = [
        {"Sid": "account", **everybody, "Principal": {"AWS": root}},
        {"Sid": "root", **everybody, "Principal": {"AWS": root}},
        {
            "Sid": "organization",
            **everybody,
            "Principal": "*",
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-0123456789"}},
        },
    ]
    answers = [
        client.add_layer_version_permission(StatementId="account", Principal="999999999999", **who),
        client.add_layer_version_permission(StatementId="root", Principal=root, **who),
        client.add_layer_version_permission(
            StatementId="organization", Principal="*", OrganizationId="o-0123456789", **who
        ),
    ]
    assert [json.loads(answer["Statement"]) for answer in answers] == wanted
    assert len({answer["RevisionId"] for answer in answers}) == 3
    policy = client.get_layer_version_policy(LayerName="l", VersionNumber=1)
    assert json.loads(policy["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": wanted}
    assert policy["RevisionId"] == answers[-1]["RevisionId"]
    for name in ("account", "root", "organization"):
        client.remove_layer_version_permission(LayerName="l", VersionNumber=1, StatementId=name)
    assert refused(client.get_layer_version_policy, LayerName="l", VersionNumber=1) == (
        "ResourceNotFoundException",
        404,
        "No policy is associated with the given resource.",
    )


def test_a_function_names_its_layers_with_their_size(client: Any, create: Any) -> None:
    publish(client)
    created = create(Layers=[f"{ARN}l:1"], Code={"ZipFile": ZIP})
    shown = [{"Arn": f"{ARN}l:1", "CodeSize": len(ZIP)}]
    assert created["Layers"] == shown
    client.delete_layer_version(LayerName="l", VersionNumber=1)
    assert client.get_function(FunctionName="fn")["Configuration"]["Layers"] == shown
    assert client.list_functions()["Functions"][0]["Layers"] == shown
    assert "Layers" not in client.update_function_configuration(FunctionName="fn", Layers=[])


@pytest.mark.parametrize("arn", [f"{ARN}l", "l:1", "nonsense"])
def test_what_is_no_layer_version_s_arn_is_refused_at_the_door(create: Any, arn: str) -> None:
    code, status, message = refused(create, Layers=[arn], Code={"ZipFile": ZIP})
    assert (code, status) == ("ValidationException", 400)
    assert f"Value '[{arn}]' at 'layers' failed to satisfy constraint" in message
