"""The resources beside functions, versions and aliases: an unmodified boto3 client before a real engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.engine.world import World, world
from workbench.http.control import Control
from workbench.http.front import Front
from workbench.http.gateway.door import Gateway
from workbench.http.lambda_api.api import LambdaApi
from workbench.model.names import Account

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:queue"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"
SIGNER = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p"
NOT_FOUND = "The resource you requested does not exist."


class Aws:
    """Calls boto3 beside the loop that the engine runs on: `await aws("get_policy", FunctionName="f")`."""

    def __init__(self, client: Any, made: World, gateway: Gateway) -> None:
        self.client = client
        self.world = made
        self.gateway = gateway

    async def __call__(self, method: str, **params: Any) -> Any:
        answer = await asyncio.to_thread(getattr(self.client, method), **params)
        answer.pop("ResponseMetadata")
        return answer

    async def refused(self, method: str, **params: Any) -> tuple[int, str, str]:
        """Status, code and message of an error."""
        with pytest.raises(ClientError) as caught:
            await self(method, **params)
        response = caught.value.response
        return (
            response["ResponseMetadata"]["HTTPStatusCode"],
            response["Error"]["Code"],
            response["Error"]["Message"],
        )


@asynccontextmanager
async def opened(tmp_path: Path, session: boto3.Session) -> AsyncIterator[Aws]:
    async with world(tmp_path / "state") as made:
        gateway = Gateway(made.engine)
        await gateway.open("127.0.0.1", 0)
        front = Front(LambdaApi(made.engine, Account()), Control(made.engine, "key"))
        await front.open("127.0.0.1", 0)
        made.engine.announce({"lambda": front.url, "gateway": gateway.url})
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
        client = session.client("lambda", endpoint_url=front.url, config=config)
        try:
            yield Aws(client, made, gateway)
        finally:
            client.close()
            front.close()
            gateway.close()
            await asyncio.sleep(0)


@pytest.fixture
async def aws(tmp_path: Path, session: boto3.Session) -> AsyncIterator[Aws]:
    """With the functions `f`, that has version 1 and the alias `live`, and `other`."""
    async with opened(tmp_path, session) as made:
        await made.world.create("f")
        await made.world.create("other")
        await made("publish_version", FunctionName="f")
        await made("create_alias", FunctionName="f", Name="live", FunctionVersion="1")
        yield made


# -- resource policies
@pytest.mark.parametrize(
    ("params", "statement"),
    [
        ({"Principal": "*"}, {"Principal": "*"}),
        ({"Principal": "s3.amazonaws.com"}, {"Principal": {"Service": "s3.amazonaws.com"}}),
        ({"Principal": "123456789012"}, {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}),
        (
            {"Principal": "arn:aws:iam::123456789012:role/r", "Qualifier": "live"},
            {"Principal": {"AWS": "arn:aws:iam::123456789012:role/r"}, "Resource": f"{ARN}:live"},
        ),
        (
            {
                "Principal": "*",
                "SourceAccount": "123456789012",
                "SourceArn": "arn:aws:s3:::bucket",
                "PrincipalOrgID": "o-1234567890",
                "EventSourceToken": "token",
                "FunctionUrlAuthType": "NONE",
                "InvokedViaFunctionUrl": True,
            },
            {
                "Principal": "*",
                "Condition": {
                    "StringEquals": {
                        "AWS:SourceAccount": "123456789012",
                        "aws:PrincipalOrgID": "o-1234567890",
                        "lambda:EventSourceToken": "token",
                        "lambda:FunctionUrlAuthType": "NONE",
                    },
                    "Bool": {"lambda:InvokedViaFunctionUrl": "true"},
                    "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
                },
            },
        ),
    ],
)
async def test_a_permission_becomes_a_statement(aws: Aws, params: dict[str, Any], statement: dict[str, Any]) -> None:
    given = {"FunctionName": "f", "StatementId": "s", "Action": "lambda:InvokeFunction", **params}
    whole = {"Sid": "s", "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": ARN, **statement}
    assert json.loads((await aws("add_permission", **given))["Statement"]) == whole
    where = {"FunctionName": "f", **({"Qualifier": params["Qualifier"]} if "Qualifier" in params else {})}
    policy = await aws("get_policy", **where)
    assert json.loads(policy["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [whole]}
    await aws("remove_permission", **where, StatementId="s", RevisionId=policy["RevisionId"])
    assert await aws.refused("get_policy", **where) == (404, "ResourceNotFoundException", NOT_FOUND)


@pytest.mark.parametrize(
    ("method", "params", "status", "message"),
    [
        ("add_permission", {"Principal": "nobody.example.com"}, 400, "The provided principal was invalid. Please "),
        ("add_permission", {"Qualifier": "$LATEST"}, 400, "We currently do not support adding policies for $LATEST."),
        ("add_permission", {"FunctionName": "no"}, 404, "Function not found: arn:aws:lambda:us-east-1:00000"),
        ("add_permission", {"Qualifier": "no"}, 404, f"Cannot find alias arn: {ARN}:no"),
        ("add_permission", {"Qualifier": "9"}, 404, f"Function not found: {ARN}:9"),
        (
            "add_permission",
            {"RevisionId": "no"},
            412,
            "The Revision Id provided does not match the latest",
        ),
        ("add_permission", {"StatementId": "no blanks"}, 400, "1 validation error detected: Value 'no blanks' at 's"),
        (
            "remove_permission",
            {"FunctionName": "no"},
            404,
            "No policy found for: arn:aws:lambda:us-east-1:",
        ),
        ("remove_permission", {}, 404, "No policy is associated with the given resource."),
        ("remove_permission", {"Qualifier": "no"}, 404, f"Cannot find alias arn: {ARN}:no"),
    ],
)
async def test_permissions_that_are_refused(
    aws: Aws, method: str, params: dict[str, Any], status: int, message: str
) -> None:
    given = {"FunctionName": "f", "StatementId": "s", **params}
    if method == "add_permission":
        given = {"Action": "lambda:InvokeFunction", "Principal": "*", **given}
    refused = await aws.refused(method, **given)
    assert (refused[0], refused[2][: len(message)]) == (status, message)


async def test_a_statement_that_is_not_there(aws: Aws) -> None:
    permission = {"FunctionName": "f", "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*"}
    await aws("add_permission", **permission)
    assert await aws.refused("add_permission", **permission) == (
        409,
        "ResourceConflictException",
        "The statement id (s) provided already exists. "
        "Please provide a new statement id, or remove the existing statement.",
    )
    assert await aws.refused("remove_permission", FunctionName="f", StatementId="t") == (
        404,
        "ResourceNotFoundException",
        "Statement t is not found in resource policy.",
    )


async def test_a_whole_policy_is_put_read_and_taken_away(aws: Aws) -> None:
    document = {"Statement": [{"Sid": "a", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": ARN}]}
    put = await aws("put_resource_policy", ResourceArn=ARN, Policy=json.dumps(document))
    assert put == await aws("get_resource_policy", ResourceArn=ARN) == await aws("get_policy", FunctionName="f")
    assert json.loads(put["Policy"])["Statement"] == document["Statement"]
    wrong = "00000000-0000-0000-0000-000000000000"
    assert (await aws.refused("delete_resource_policy", ResourceArn=ARN, RevisionId=wrong))[0] == 412
    await aws("delete_resource_policy", ResourceArn=ARN, RevisionId=put["RevisionId"])
    assert (await aws.refused("get_resource_policy", ResourceArn=ARN))[2] == NOT_FOUND


@pytest.mark.parametrize("policy", ["{", "[]", "{}", '{"Statement": []}', '{"Statement": [{"Effect": "Allow"}]}'])
async def test_a_policy_that_is_none(aws: Aws, policy: str) -> None:
    status, code, _ = await aws.refused("put_resource_policy", ResourceArn=ARN, Policy=policy)
    assert (status, code) == (400, "InvalidParameterValueException")


# -- function URLs
async def test_a_url_that_was_created_answers(aws: Aws) -> None:
    made = await aws("create_function_url_config", FunctionName="f", AuthType="NONE", Qualifier="live")
    assert set(made) == {"FunctionUrl", "FunctionArn", "AuthType", "CreationTime"}
    assert made["FunctionArn"] == f"{ARN}:live"
    host = made["FunctionUrl"].removeprefix("http://").rstrip("/")
    assert host.endswith(f".lambda-url.us-east-1.localhost:{aws.gateway.url.rpartition(':')[2]}")
    assert await get(aws, "/some/path", host) == (200, "/some/path")
    assert await get(aws, "/_url/f:live/x", "localhost") == (200, "/x")
    await aws("delete_function_url_config", FunctionName="f", Qualifier="live")
    assert (await get(aws, "/", host))[0] == 403


@pytest.mark.parametrize(
    ("settings", "origin", "preflight", "plain"),
    [
        (
            {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET", "PUT"], "AllowHeaders": ["x"], "MaxAge": 0},
            "https://a.example",
            {
                "access-control-allow-origin": "https://a.example",
                "vary": "Origin",
                "access-control-allow-methods": "GET,PUT",
                "access-control-allow-headers": "x",
                "access-control-max-age": "0",
            },
            {"access-control-allow-origin": "https://a.example", "vary": "Origin"},
        ),
        (
            {"AllowOrigins": ["*"], "ExposeHeaders": ["y", "z"]},
            "https://b.example",
            {"access-control-allow-origin": "*", "access-control-expose-headers": "y,z"},
            {"access-control-allow-origin": "*", "access-control-expose-headers": "y,z"},
        ),
        (
            {"AllowOrigins": ["*"], "AllowCredentials": True},
            "https://b.example",
            {
                "access-control-allow-origin": "https://b.example",
                "vary": "Origin",
                "access-control-allow-credentials": "true",
            },
            {
                "access-control-allow-origin": "https://b.example",
                "vary": "Origin",
                "access-control-allow-credentials": "true",
            },
        ),
        ({"AllowOrigins": ["https://a.example"], "AllowMethods": ["*"]}, "https://b.example", {}, {}),
    ],
)
async def test_cors_is_answered_for_the_function(
    aws: Aws, settings: dict[str, Any], origin: str, preflight: dict[str, str], plain: dict[str, str]
) -> None:
    await aws("create_function_url_config", FunctionName="f", AuthType="NONE", Cors=settings)
    asking = f"origin: {origin}\r\naccess-control-request-method: PUT\r\n"
    status, headers, _ = await ask(aws, "/_url/f/", "localhost", "OPTIONS", asking)
    assert (status, _cors(headers)) == (200, preflight)
    assert (await aws.world.environments()) == []
    status, headers, _ = await ask(aws, "/_url/f/", "localhost", "GET", f"origin: {origin}\r\n")
    assert (status, _cors(headers)) == (200, plain)
    status, headers, _ = await ask(aws, "/_url/f/", "localhost")
    assert (status, _cors(headers)) == (200, {})


def _cors(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("access-control-") or name == "vary"}


async def get(aws: Aws, path: str, host: str) -> tuple[int, Any]:
    """The status, and the path that the function saw: it answers its event."""
    status, _, body = await ask(aws, path, host)
    return status, json.loads(body)["rawPath"] if status == 200 else None


async def ask(
    aws: Aws, path: str, host: str, method: str = "GET", headers: str = ""
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a request to the HTTP front end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(aws.gateway.url.rpartition(":")[2]))
    writer.write(f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    lines = head.decode().split("\r\n")
    parts = [line.partition(": ") for line in lines[1:]]
    found = {name.lower(): value for name, _, value in parts}
    return int(lines[0].split()[1]), found, body


async def test_a_url_is_changed_and_listed(aws: Aws) -> None:
    await aws("create_function_url_config", FunctionName="f", AuthType="NONE", Qualifier="live")
    created = await aws(
        "create_function_url_config",
        FunctionName=ARN,
        AuthType="AWS_IAM",
        Cors={"AllowOrigins": ["*"], "MaxAge": 5},
        InvokeMode="RESPONSE_STREAM",
    )
    assert (created["InvokeMode"], created["Cors"]) == ("RESPONSE_STREAM", {"AllowOrigins": ["*"], "MaxAge": 5})
    changed = await aws("update_function_url_config", FunctionName="f", AuthType="NONE", Cors={"MaxAge": 6})
    assert (changed["AuthType"], changed["Cors"]) == ("NONE", {"MaxAge": 6})
    assert changed["FunctionUrl"] == created["FunctionUrl"]
    assert await aws("get_function_url_config", FunctionName="f") == changed
    pages = [await aws("list_function_url_configs", FunctionName="f", MaxItems=1)]
    pages.append(await aws("list_function_url_configs", FunctionName="f", MaxItems=1, Marker=pages[0]["NextMarker"]))
    assert [url["FunctionArn"] for page in pages for url in page["FunctionUrlConfigs"]] == [ARN, f"{ARN}:live"]
    assert "NextMarker" not in pages[1]


@pytest.mark.parametrize(
    ("method", "params", "status", "message"),
    [
        ("create_function_url_config", {"FunctionName": "no", "AuthType": "NONE"}, 404, "Function does not exist"),
        ("create_function_url_config", {"Qualifier": "no", "AuthType": "NONE"}, 404, "Function does not exist"),
        ("create_function_url_config", {"Qualifier": "1", "AuthType": "NONE"}, 400, "1 validation error detected: "),
        (
            "create_function_url_config",
            {"AuthType": "NONE"},
            409,
            f"Failed to create function url config for [functionArn = {ARN}]. "
            "Error message:  FunctionUrlConfig exists for this Lambda function",
        ),
        ("update_function_url_config", {"FunctionName": "no"}, 404, "Function does not exist"),
        ("update_function_url_config", {"FunctionName": "other"}, 404, NOT_FOUND),
        ("get_function_url_config", {"Qualifier": "live"}, 404, NOT_FOUND),
        ("delete_function_url_config", {"FunctionName": "no"}, 404, NOT_FOUND),
        ("list_function_url_configs", {"FunctionName": "no"}, 404, "Function does not exist"),
    ],
)
async def test_urls_that_are_refused(aws: Aws, method: str, params: dict[str, Any], status: int, message: str) -> None:
    await aws("create_function_url_config", FunctionName="f", AuthType="NONE")
    refused = await aws.refused(method, **{"FunctionName": "f", **params})
    assert (refused[0], refused[2][: len(message)]) == (status, message)


# -- asynchronous invocation
async def test_an_event_invoke_config_is_put_whole_and_updated_in_part(aws: Aws) -> None:
    other = f"{ARN[:-1]}other"
    put = await aws(
        "put_function_event_invoke_config",
        FunctionName="f",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnSuccess": {"Destination": other}},
    )
    assert put.pop("LastModified").tzinfo is not None
    assert put == {
        "FunctionArn": f"{ARN}:$LATEST",
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnSuccess": {"Destination": other}, "OnFailure": {}},
    }
    updated = await aws("update_function_event_invoke_config", FunctionName="f", MaximumEventAgeInSeconds=60)
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (1, 60)
    assert updated["DestinationConfig"] == put["DestinationConfig"]
    put = await aws("put_function_event_invoke_config", FunctionName="f", MaximumEventAgeInSeconds=70)
    assert "MaximumRetryAttempts" not in put
    assert put["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    await aws("put_function_event_invoke_config", FunctionName="f", Qualifier="live", MaximumRetryAttempts=0)
    listed = await aws("list_function_event_invoke_configs", FunctionName="f")
    arns = [config["FunctionArn"] for config in listed["FunctionEventInvokeConfigs"]]
    assert arns == [f"{ARN}:$LATEST", f"{ARN}:live"]
    await aws("delete_function_event_invoke_config", FunctionName="f")
    message = f"The function {ARN}:$LATEST doesn't have an EventInvokeConfig"
    assert await aws.refused("get_function_event_invoke_config", FunctionName="f") == (
        404,
        "ResourceNotFoundException",
        message,
    )


@pytest.mark.parametrize(
    ("destinations", "message"),
    [
        ({"OnSuccess": {"Destination": ARN}}, "You can't specify the function as a destination for itself."),
        ({"OnFailure": {"Destination": f"{ARN}:1"}}, "You can't specify the function as a destination for itself."),
        ({"OnSuccess": {"Destination": f"{ARN}x"}}, f"The destination ARN {ARN}x is invalid."),
        (
            {"OnSuccess": {"Destination": "arn:aws:s3:::bucket"}, "OnFailure": {"Destination": QUEUE}},
            "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:s3:::bucket), "
            f"onFailure=OnFailure(destination={QUEUE})) is invalid.",
        ),
        ({"OnFailure": {"Destination": "arn:aws:s3:::bucket"}}, None),
        ({"OnSuccess": {"Destination": QUEUE}}, None),
    ],
)
async def test_destinations(aws: Aws, destinations: dict[str, Any], message: str | None) -> None:
    given = {"FunctionName": "f", "DestinationConfig": destinations}
    if message is None:
        await aws("put_function_event_invoke_config", **given)
    else:
        refused = await aws.refused("put_function_event_invoke_config", **given)
        assert refused == (400, "InvalidParameterValueException", message)


# -- concurrency
async def test_reserved_concurrency_is_shown_where_aws_shows_it(aws: Aws) -> None:
    assert await aws("get_function_concurrency", FunctionName="f") == {}
    assert "Concurrency" not in await aws("get_function", FunctionName="f")
    assert await aws("put_function_concurrency", FunctionName=ARN, ReservedConcurrentExecutions=0) == {
        "ReservedConcurrentExecutions": 0
    }
    assert await aws("get_function_concurrency", FunctionName="f") == {"ReservedConcurrentExecutions": 0}
    function = await aws("get_function", FunctionName="f", Qualifier="live")
    assert function["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    assert (await aws.refused("invoke", FunctionName="f"))[:2] == (429, "TooManyRequestsException")
    await aws("delete_function_concurrency", FunctionName="f")
    assert "Concurrency" not in await aws("get_function", FunctionName="f")


@pytest.mark.parametrize(
    ("name", "number", "status", "message"),
    [
        ("no", 1, 404, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:no:$LATEST"),
        (f"{ARN}:live", 1, 400, "This operation is permitted on Lambda functions only. Aliases and versions do not"),
        ("f", 901, 400, "Specified ReservedConcurrentExecutions for function decreases account's Unreserved"),
        ("f", -1, 400, "1 validation error detected: Value '-1' at 'reservedConcurrentExecutions' failed to satisfy"),
    ],
)
async def test_reservations_that_are_refused(aws: Aws, name: str, number: int, status: int, message: str) -> None:
    refused = await aws.refused("put_function_concurrency", FunctionName=name, ReservedConcurrentExecutions=number)
    assert (refused[0], refused[2][: len(message)]) == (status, message)


async def test_provisioned_concurrency_becomes_ready_and_is_listed(aws: Aws) -> None:
    put = await aws(
        "put_provisioned_concurrency_config", FunctionName="f", Qualifier="live", ProvisionedConcurrentExecutions=2
    )
    assert put.pop("LastModified").endswith("+0000")
    assert put == {
        "RequestedProvisionedConcurrentExecutions": 2,
        "AvailableProvisionedConcurrentExecutions": 0,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
    }
    await aws.world.clock.settle()
    (listed,) = (await aws("list_provisioned_concurrency_configs", FunctionName="f"))["ProvisionedConcurrencyConfigs"]
    assert listed.pop("FunctionArn") == f"{ARN}:live"
    assert listed == await aws("get_provisioned_concurrency_config", FunctionName="f", Qualifier="live")
    assert (listed["Status"], listed["AvailableProvisionedConcurrentExecutions"]) == ("READY", 2)
    await aws("delete_provisioned_concurrency_config", FunctionName="f", Qualifier="live")
    assert (await aws.refused("get_provisioned_concurrency_config", FunctionName="f", Qualifier="live"))[:2] == (
        404,
        "ProvisionedConcurrencyConfigNotFoundException",
    )


# -- runtime management, recursion, scaling
async def test_runtime_management_is_kept_per_version(aws: Aws) -> None:
    version = f"arn:aws:lambda:us-east-1::runtime:{'1'.rjust(64, '0')}"
    assert await aws("get_runtime_management_config", FunctionName="f") == {
        "UpdateRuntimeOn": "Auto",
        "FunctionArn": ARN,
    }
    put = {"FunctionName": "f", "Qualifier": "1", "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": version}
    pinned = {"UpdateRuntimeOn": "Manual", "FunctionArn": f"{ARN}:1", "RuntimeVersionArn": version}
    assert await aws("put_runtime_management_config", **put) == pinned
    assert await aws("get_runtime_management_config", FunctionName="f", Qualifier="1") == pinned
    assert (await aws("get_runtime_management_config", FunctionName="f"))["UpdateRuntimeOn"] == "Auto"


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"UpdateRuntimeOn": "Manual"}, 400),
        ({"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": f"arn:aws:lambda:us-east-1::runtime:{'2' * 64}"}, 400),
        ({"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}"}, 400),
        ({"UpdateRuntimeOn": "Auto", "Qualifier": "live"}, 404),
        ({"UpdateRuntimeOn": "Auto", "FunctionName": "no"}, 404),
    ],
)
async def test_runtime_management_that_is_refused(aws: Aws, params: dict[str, Any], status: int) -> None:
    assert (await aws.refused("put_runtime_management_config", **{"FunctionName": "f", **params}))[0] == status


async def test_recursion_and_scaling_are_kept(aws: Aws) -> None:
    assert await aws("get_function_recursion_config", FunctionName="f") == {"RecursiveLoop": "Terminate"}
    await aws("put_function_recursion_config", FunctionName="f", RecursiveLoop="Allow")
    assert await aws("get_function_recursion_config", FunctionName="f") == {"RecursiveLoop": "Allow"}
    bounds = {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 2}
    where = {"FunctionName": "f", "Qualifier": "1"}
    assert await aws("put_function_scaling_config", **where, FunctionScalingConfig=bounds) == {
        "FunctionState": "Active"
    }
    assert await aws("get_function_scaling_config", **where) == {
        "FunctionArn": f"{ARN}:1",
        "RequestedFunctionScalingConfig": bounds,
    }
    bounds = {"MinExecutionEnvironments": 3, "MaxExecutionEnvironments": 0}
    assert (await aws.refused("put_function_scaling_config", **where, FunctionScalingConfig=bounds))[0] == 400


# -- tags
Maker = Callable[[Aws], Any]


async def signing(aws: Aws) -> str:
    config = await aws("create_code_signing_config", AllowedPublishers={"SigningProfileVersionArns": [SIGNER]})
    arn: str = config["CodeSigningConfig"]["CodeSigningConfigArn"]
    return arn


async def mapping(aws: Aws) -> str:
    arn: str = (await aws("create_event_source_mapping", FunctionName="f", EventSourceArn=QUEUE))[
        "EventSourceMappingArn"
    ]
    return arn


async def provider(aws: Aws) -> str:
    made = await aws(
        "create_capacity_provider",
        CapacityProviderName="cp",
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
        PermissionsConfig={"CapacityProviderOperatorRoleArn": "arn:aws:iam::000000000000:role/r"},
    )
    arn: str = made["CapacityProvider"]["CapacityProviderArn"]
    return arn


async def function(aws: Aws) -> str:
    return ARN


@pytest.mark.parametrize("make", [function, signing, mapping, provider], ids=lambda make: make.__name__)
async def test_tags_come_and_go(aws: Aws, make: Maker) -> None:
    arn = await make(aws)
    await aws("tag_resource", Resource=arn, Tags={"a": "1", "b": "2"})
    await aws("tag_resource", Resource=arn, Tags={"b": "3"})
    await aws("untag_resource", Resource=arn, TagKeys=["a", "never"])
    assert await aws("list_tags", Resource=arn) == {"Tags": {"b": "3"}}
    many = {f"k{number}": "v" for number in range(50)}
    assert (await aws.refused("tag_resource", Resource=arn, Tags=many))[2] == (
        "Number of tags exceeds resource tag limit."
    )
    assert await aws("list_tags", Resource=arn) == {"Tags": {"b": "3"}}


@pytest.mark.parametrize(
    ("arn", "status", "message"),
    [
        (f"{ARN}x", 404, f"Function not found: {ARN}x"),
        (f"{ARN}:live", 400, "Tags on function aliases and versions are not supported. Please specify a function ARN."),
        (ARN.replace("us-east-1", "eu-west-1"), 404, "Functions from 'eu-west-1' are not reachable in this region"),
        (ARN.replace("0" * 12, "1" * 12), 403, "User: arn:aws:iam::000000000000:root is not authorized to perform"),
        ("arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-" + "0" * 17, 404, "Code signing config not"),
        ("arn:aws:s3:::bucket", 400, "1 validation error detected: Value 'arn:aws:s3:::bucket' at 'resource' failed"),
    ],
)
async def test_what_has_no_tags(aws: Aws, arn: str, status: int, message: str) -> None:
    for method, params in (("tag_resource", {"Tags": {"a": "b"}}), ("untag_resource", {"TagKeys": ["a"]})):
        refused = await aws.refused(method, Resource=arn, **params)
        assert (refused[0], refused[2][: len(message)]) == (status, message)
    assert (await aws.refused("list_tags", Resource=arn))[0] == status


# -- code signing
async def test_a_code_signing_config_lives_with_its_functions(aws: Aws) -> None:
    arn = await signing(aws)
    await aws("put_function_code_signing_config", FunctionName="f", CodeSigningConfigArn=arn)
    assert await aws("get_function_code_signing_config", FunctionName="f") == {
        "CodeSigningConfigArn": arn,
        "FunctionName": "f",
    }
    assert await aws("list_functions_by_code_signing_config", CodeSigningConfigArn=arn) == {"FunctionArns": [ARN]}
    assert (await aws.refused("delete_code_signing_config", CodeSigningConfigArn=arn))[:2] == (
        409,
        "ResourceConflictException",
    )
    await aws("update_code_signing_config", CodeSigningConfigArn=arn, Description="d")
    (listed,) = (await aws("list_code_signing_configs"))["CodeSigningConfigs"]
    assert (listed["Description"], listed["CodeSigningPolicies"]) == ("d", {"UntrustedArtifactOnDeployment": "Warn"})
    await aws("delete_function_code_signing_config", FunctionName="f")
    assert await aws("get_function_code_signing_config", FunctionName="f") == {}
    await aws("delete_code_signing_config", CodeSigningConfigArn=arn)
    assert await aws.refused("get_code_signing_config", CodeSigningConfigArn=arn) == (
        404,
        "ResourceNotFoundException",
        f"The Lambda code signing configuration {arn} can not be found.",
    )
    assert (await aws.refused("put_function_code_signing_config", FunctionName="f", CodeSigningConfigArn=arn))[:2] == (
        404,
        "CodeSigningConfigNotFoundException",
    )


# -- event source mappings
async def test_a_mapping_of_a_queue(aws: Aws) -> None:
    created = await aws("create_event_source_mapping", FunctionName="f:live", EventSourceArn=QUEUE, BatchSize=1)
    identity = created["UUID"]
    created.pop("LastModified")
    assert created == {
        "UUID": identity,
        "BatchSize": 1,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": QUEUE,
        "FunctionArn": f"{ARN}:live",
        "FunctionResponseTypes": [],
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{identity}",
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }
    await aws.world.clock.advance(1)
    assert (await aws("get_event_source_mapping", UUID=identity))["State"] == "Enabled"
    changed = await aws("update_event_source_mapping", UUID=identity, Enabled=False, BatchSize=2)
    assert (changed["State"], changed["BatchSize"]) == ("Disabling", 2)
    assert (await aws.refused("delete_event_source_mapping", UUID=identity))[:2] == (400, "ResourceInUseException")
    await aws.world.clock.advance(1)
    for filters, found in (
        ({}, 1),
        ({"FunctionName": "f"}, 1),
        ({"FunctionName": ARN + ":live", "EventSourceArn": QUEUE}, 1),
        ({"FunctionName": "f:1"}, 0),
        ({"FunctionName": "no"}, 0),
        ({"EventSourceArn": STREAM}, 0),
    ):
        listed = await aws("list_event_source_mappings", **filters)
        assert len(listed["EventSourceMappings"]) == found, filters
    assert (await aws("delete_event_source_mapping", UUID=identity))["State"] == "Deleting"
    await aws.world.clock.advance(1)
    assert (await aws.refused("get_event_source_mapping", UUID=identity))[2] == NOT_FOUND


async def test_a_mapping_of_a_stream_says_more(aws: Aws) -> None:
    created = await aws(
        "create_event_source_mapping", FunctionName="f", EventSourceArn=STREAM, StartingPosition="LATEST", Enabled=False
    )
    assert created["StateTransitionReason"] == "User action"
    assert created["LastProcessingResult"] == "No records processed"
    expected = {"MaximumRetryAttempts": -1, "ParallelizationFactor": 1, "DestinationConfig": {"OnFailure": {}}}
    assert expected.items() <= created.items()
    await aws.world.clock.advance(1)
    assert (await aws("get_event_source_mapping", UUID=created["UUID"]))["State"] == "Disabled"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"EventSourceArn": None}, "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:s3:::bucket"}, "Unrecognized event source."),
        ({"FunctionName": "no"}, "Function does not exist"),
        ({"FunctionName": "f:no"}, "Function does not exist"),
        ({"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater"),
        ({"EventSourceArn": f"{QUEUE}.fifo", "BatchSize": 11}, "Maximum batch size for FIFO queues is 10."),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": QUEUE}}},
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        ({"EventSourceArn": STREAM}, "1 validation error detected: Value null at 'startingPosition' failed to satisfy"),
        (
            {"EventSourceArn": STREAM, "StartingPosition": "x"},
            "1 validation error detected: Value 'x' at 'startingPosition' failed to satisfy constraint: "
            "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        ),
        ({"EventSourceArn": STREAM, "StartingPosition": "AT_TIMESTAMP"}, "StartingPositionTimestamp is required"),
        (
            {"EventSourceArn": TABLE, "StartingPosition": "AT_TIMESTAMP"},
            f"Unsupported starting position for arn type: {TABLE}",
        ),
        *(
            ({"FilterCriteria": {"Filters": [{"Pattern": pattern}]}}, "Invalid filter pattern definition.")
            for pattern in ("x", "[]", '{"a": 1}', '{"a": []}', '{"a": {}}', '{"a": [{"like": "x"}]}', '{"a": [["x"]]}')
        ),
    ],
)
async def test_mappings_that_are_refused(aws: Aws, params: dict[str, Any], message: str) -> None:
    given = {"FunctionName": "f", "EventSourceArn": QUEUE, **params}
    refused = await aws.refused(
        "create_event_source_mapping", **{key: value for key, value in given.items() if value is not None}
    )
    assert (refused[0], refused[2][: len(message)]) == (400, message)


@pytest.mark.parametrize(
    "pattern",
    [
        '{"body": {"a": ["x", 1, null, "", {"prefix": "p"}]}}',
        '{"$or": [{"a": ["x"]}, {"b": [{"exists": false}]}]}',
        '{"a": [{"numeric": [">", 0, "<=", 5]}, {"anything-but": ["x"]}]}',
    ],
)
async def test_filters_that_are_good(aws: Aws, pattern: str) -> None:
    criteria = {"Filters": [{"Pattern": pattern}]}
    made = await aws("create_event_source_mapping", FunctionName="f", EventSourceArn=QUEUE, FilterCriteria=criteria)
    assert made["FilterCriteria"] == criteria


async def test_a_source_and_a_function_meet_once(aws: Aws) -> None:
    first = await aws("create_event_source_mapping", FunctionName="f", EventSourceArn=QUEUE)
    assert await aws.refused("create_event_source_mapping", FunctionName=ARN, EventSourceArn=QUEUE) == (
        409,
        "ResourceConflictException",
        f'An event source mapping with SQS arn (" {QUEUE} ") and function (" f ") already exists. '
        f"Please update or delete the existing mapping with UUID {first['UUID']}",
    )


# -- capacity providers
async def test_a_capacity_provider_is_kept_and_shown(aws: Aws) -> None:
    arn = await provider(aws)
    assert (await aws("get_capacity_provider", CapacityProviderName="cp"))["CapacityProvider"]["State"] == "Pending"
    await aws.world.clock.advance(1)
    assert (await aws("get_capacity_provider", CapacityProviderName=arn))["CapacityProvider"]["State"] == "Active"
    scaling = {"MaxVCpuCount": 4, "ScalingMode": "Auto"}
    changed = await aws("update_capacity_provider", CapacityProviderName="cp", CapacityProviderScalingConfig=scaling)
    assert changed["CapacityProvider"]["CapacityProviderScalingConfig"] == scaling
    assert len((await aws("list_capacity_providers"))["CapacityProviders"]) == 1
    versions = await aws("list_function_versions_by_capacity_provider", CapacityProviderName="cp")
    assert versions == {"CapacityProviderArn": arn, "FunctionVersions": []}
    assert (await aws("delete_capacity_provider", CapacityProviderName="cp"))["CapacityProvider"]["State"] == "Deleting"
    await aws.world.clock.advance(1)
    assert (await aws.refused("get_capacity_provider", CapacityProviderName="cp"))[0] == 404


# -- durable executions
async def test_durable_executions_are_refused_by_name(aws: Aws) -> None:
    assert await aws.refused("list_durable_executions_by_function", FunctionName="f", Qualifier="1") == (
        400,
        "InvalidParameterValueException",
        "Workbench does not implement the operation ListDurableExecutionsByFunction.",
    )
