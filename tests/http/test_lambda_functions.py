"""Functions and versions over the wire, as boto3 sees them."""

import base64
import hashlib

import pytest

from tests.http.conftest import ACCOUNT, HOST, ROLE

ZIP = b"PK\x03\x04 zip"
SHA256 = hashlib.sha256(ZIP)
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT.id}:function:fn"


def plain(answer):
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def test_create_answers_exactly_what_aws_does(create, port):
    answer = create()
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert plain(answer) == {
        "FunctionName": "fn",
        "FunctionArn": ARN,
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "CodeSize": len(ZIP),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "LastModified": "2018-11-27T15:10:45.123+0000",
        "CodeSha256": base64.b64encode(SHA256.digest()).decode(),
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": "00000000-0000-4000-8000-000000000001",
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "RuntimeVersionConfig": {"RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:python3.12-x86_64"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/fn"},
    }
    assert port.created[0].code == ZIP


def test_create_keeps_every_setting(create, client):
    settings = {
        "Description": "it does",
        "Timeout": 900,
        "MemorySize": 10_240,
        "Environment": {"Variables": {"NAME": "väl\nue", "EMPTY": ""}},
        "Architectures": ["arm64"],
        "EphemeralStorage": {"Size": 1024},
        "TracingConfig": {"Mode": "Active"},
        "DeadLetterConfig": {"TargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT.id}:dlq"},
        "KMSKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT.id}:key/k",
        "LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN"},
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    }
    create(**settings, Tags={"team": "a"})
    answer = client.get_function(FunctionName="fn")
    configuration = answer["Configuration"]
    assert configuration["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "WARN",
        "LogGroup": "/aws/lambda/fn",
    }
    assert configuration["VpcConfig"] == {
        "SubnetIds": ["subnet-1"],
        "SecurityGroupIds": ["sg-1"],
        "VpcId": "vpc-00000000000000000",
        "Ipv6AllowedForDualStack": False,
    }
    for name in settings.keys() - {"LoggingConfig", "VpcConfig"}:
        assert configuration[name] == settings[name], name
    assert answer["Tags"] == {"team": "a"}


def test_create_and_publish_names_version_1_with_an_unqualified_arn(create):
    answer = create(Publish=True)
    assert (answer["Version"], answer["FunctionArn"]) == ("1", ARN)


def test_create_by_arn(create):
    assert create(ARN)["FunctionName"] == "fn"


def test_snap_start_is_on_for_published_versions_only(create, client):
    create(SnapStart={"ApplyOn": "PublishedVersions"}, Publish=True)

    def status(qualifier):
        answer = client.get_function_configuration(FunctionName="fn", Qualifier=qualifier)
        return answer["SnapStart"]["OptimizationStatus"]

    assert (status("1"), status("$LATEST")) == ("On", "Off")


def test_get_function_links_to_the_code_on_this_endpoint(create, client):
    create()
    answer = client.get_function(FunctionName="fn")
    assert answer["Code"] == {
        "RepositoryType": "S3",
        "Location": f"http://{HOST}/_workbench/v1/code/{SHA256.hexdigest()}",
    }
    assert "Tags" not in answer
    assert "Concurrency" not in answer
    assert answer["Configuration"]["State"] == "Active"
    assert answer["Configuration"]["LastUpdateStatus"] == "Successful"
    assert "StateReason" not in answer["Configuration"]
    assert "Environment" not in answer["Configuration"]


@pytest.mark.parametrize(
    ("name", "qualifier", "arn", "version"),
    [
        ("fn", None, ARN, "$LATEST"),
        ("fn", "$LATEST", f"{ARN}:$LATEST", "$LATEST"),
        ("fn", "1", f"{ARN}:1", "1"),
        ("fn:1", None, f"{ARN}:1", "1"),
        (f"{ARN}:1", "1", f"{ARN}:1", "1"),
        (f"{ACCOUNT.id}:function:fn", "live", f"{ARN}:live", "1"),
    ],
)
def test_the_arn_is_what_was_asked_for(create, client, name, qualifier, arn, version):
    create(Publish=True)
    client.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    given = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
    answer = client.get_function_configuration(**given)
    assert (answer["FunctionArn"], answer["Version"]) == (arn, version)


def test_update_code(create, client, port):
    create()
    answer = client.update_function_code(FunctionName="fn", ZipFile=b"PK new", Architectures=["arm64"])
    assert answer["CodeSize"] == 6
    assert answer["Architectures"] == ["arm64"]
    assert answer["LastUpdateStatus"] == "InProgress"
    assert answer["FunctionArn"] == ARN
    published = client.update_function_code(FunctionName="fn", ZipFile=b"PK newer", Publish=True)
    assert (published["Version"], published["FunctionArn"]) == ("1", f"{ARN}:1")
    client.update_function_code(FunctionName="fn", ZipFile=b"PK dry", DryRun=True)
    assert client.get_function_configuration(FunctionName="fn")["CodeSize"] == 8


def test_update_configuration_changes_what_is_given_and_keeps_the_rest(create, client):
    create(Environment={"Variables": {"AA": "1"}}, TracingConfig={"Mode": "Active"}, Description="old")
    answer = client.update_function_configuration(
        FunctionName=ARN, Timeout=7, MemorySize=256, EphemeralStorage={"Size": 600}
    )
    assert (answer["Timeout"], answer["MemorySize"], answer["EphemeralStorage"]) == (7, 256, {"Size": 600})
    assert answer["Environment"] == {"Variables": {"AA": "1"}}
    assert answer["TracingConfig"] == {"Mode": "Active"}
    assert answer["Description"] == "old"
    assert answer["LastUpdateStatus"] == "InProgress"
    assert answer["LastUpdateStatusReasonCode"] == "Creating"


def test_update_configuration_clears_by_empty_values(create, client):
    create(
        Environment={"Variables": {"AA": "1"}},
        KMSKeyArn="arn:aws:kms:us-east-1:123456789012:key/k",
        DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dlq"},
        LoggingConfig={"LogFormat": "JSON"},
    )
    answer = client.update_function_configuration(
        FunctionName="fn",
        Environment={"Variables": {}},
        KMSKeyArn="",
        DeadLetterConfig={"TargetArn": ""},
        LoggingConfig={"LogFormat": "Text"},
        Description="",
    )
    assert answer["Environment"] == {"Variables": {}}
    assert answer["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/fn"}
    assert not answer.keys() & {"KMSKeyArn", "DeadLetterConfig"}


def test_a_file_system_is_kept_and_taken_away_by_an_update(create, client):
    create(VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})
    files = [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/files"}]
    answer = client.update_function_configuration(FunctionName="fn", FileSystemConfigs=files)
    assert answer["FileSystemConfigs"] == files
    assert client.get_function_configuration(FunctionName="fn")["FileSystemConfigs"] == files
    with pytest.raises(
        client.exceptions.InvalidParameterValueException, match="must be configured to execute in a VPC"
    ):
        client.update_function_configuration(FunctionName="fn", VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
    answer = client.update_function_configuration(FunctionName="fn", FileSystemConfigs=[])
    assert "FileSystemConfigs" not in answer


def test_revision_id_guards_an_update(create, client):
    create()
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.update_function_configuration(FunctionName="fn", Timeout=4, RevisionId="00000000-other")


def test_delete_answers_204(create, client):
    create()
    assert client.delete_function(FunctionName="fn")["StatusCode"] == 204
    with pytest.raises(client.exceptions.ResourceNotFoundException, match=f"Function not found: {ARN}$"):
        client.get_function(FunctionName="fn")


def test_delete_one_version(create, client, port):
    create(Publish=True)
    client.delete_function(FunctionName="fn:1")
    assert list(port.versions["fn"]) == ["$LATEST"]


def test_publish(create, client):
    create()
    answer = client.publish_version(FunctionName="fn", Description="first")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (answer["Version"], answer["FunctionArn"], answer["Description"]) == ("1", f"{ARN}:1", "first")


def test_list_functions_leaves_states_out(create, client):
    create("bb", Publish=True)
    create("aa")
    answer = client.list_functions()
    assert [function["FunctionName"] for function in answer["Functions"]] == ["aa", "bb"]
    assert "NextMarker" not in answer
    left_out = {"State", "LastUpdateStatus", "RuntimeVersionConfig", "StateReason"}
    assert not any(function.keys() & left_out for function in answer["Functions"])
    every = client.list_functions(FunctionVersion="ALL")["Functions"]
    assert [function["FunctionArn"].partition("function:")[2] for function in every] == [
        "aa:$LATEST",
        "bb:$LATEST",
        "bb:1",
    ]
    assert client.list_functions(FunctionVersion="ALL", MasterRegion="us-east-1")["Functions"] == []


def test_list_functions_by_pages_of_at_most_50(create, client):
    names = [f"fn{number:03d}" for number in range(103)]
    for name in names:
        create(name)
    pages = list(client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1000}))
    assert [len(page["Functions"]) for page in pages] == [50, 50, 3]
    assert [function["FunctionName"] for page in pages for function in page["Functions"]] == names
    small = client.list_functions(MaxItems=2)
    client.delete_function(FunctionName="fn002")
    after = client.list_functions(MaxItems=1, Marker=small["NextMarker"])
    assert after["Functions"][0]["FunctionName"] == "fn003"


@pytest.mark.parametrize("marker", ["nonsense", "ImEi", "W1tdXQ==", "WyJhIiwgImIiXQ==", "Wzk5XQ=="])
def test_a_marker_that_was_never_answered_is_refused(create, client, marker):
    create()
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="Marker"):
        client.list_functions(Marker=marker)


def test_list_versions_in_order(create, client):
    create()
    for _ in range(11):
        client.publish_version(FunctionName="fn")
    pages = list(
        client.get_paginator("list_versions_by_function").paginate(FunctionName="fn", PaginationConfig={"PageSize": 5})
    )
    assert [len(page["Versions"]) for page in pages] == [5, 5, 2]
    found = [version for page in pages for version in page["Versions"]]
    assert [version["Version"] for version in found] == ["$LATEST", *map(str, range(1, 12))]
    assert found[0]["FunctionArn"] == f"{ARN}:$LATEST"
    assert "State" not in found[0]


def refusal(client, call, **parameters):
    with pytest.raises(client.exceptions.ClientError) as caught:
        getattr(client, call)(**parameters)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


ACCESS_POINT = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
INVALID = (400, "InvalidParameterValueException")
KEYS = "Lambda was unable to configure your environment variables because the environment variables you have provided "


@pytest.mark.parametrize(
    ("parameters", "status", "code", "message"),
    [
        (
            {"name": "a" * 65},
            *INVALID,
            f"1 validation error detected: Value '{'a' * 65}' at 'functionName' failed to satisfy constraint: "
            "Member must have length less than or equal to 64",
        ),
        ({"name": "fn:1"}, *INVALID, "The name of a new function has no qualifier: fn:1"),
        (
            {"Runtime": None},
            *INVALID,
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ),
        (
            {"Timeout": 901},
            400,
            "ValidationException",
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: "
            "Member must have value less than or equal to 900",
        ),
        (
            {"MemorySize": 10_241},
            *INVALID,
            "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 10240",
        ),
        (
            {"EphemeralStorage": {"Size": 10_241}},
            400,
            "ValidationException",
            "1 validation error detected: Value '10241' at 'ephemeralStorage.size' failed to satisfy constraint: "
            "Member must have value less than or equal to 10240",
        ),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x", "AA": "x", "LAMBDA_TASK_ROOT": "x"}}},
            *INVALID,
            f"{KEYS}contains reserved keys that are currently not supported for modification. "
            "Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT",
        ),
        (
            {"Environment": {"Variables": {"AA": "ü" * 2_048}}},
            *INVALID,
            f'{KEYS}exceeded the 4KB limit. String measured: {{"AA":"{"ü" * 2_048}"}}',
        ),
        ({"Environment": {"Variables": {"AA": "a\0b"}}}, *INVALID, f"{KEYS}contains NUL characters: AA"),
        (
            {"Tags": {f"t{number}": "v" for number in range(51)}},
            *INVALID,
            "Number of tags exceeds resource tag limit.",
        ),
        (
            {"LoggingConfig": {"LogFormat": "Text", "ApplicationLogLevel": "INFO"}},
            *INVALID,
            'LogLevel is not supported when LogFormat is set to "Text". '
            'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.',
        ),
        ({"Code": {}}, *INVALID, "Please provide a source for function code."),
        ({"Code": {"ZipFile": b""}}, *INVALID, "Uploaded file must be a non-empty zip"),
        (
            {"Code": {"S3Bucket": "bucket", "S3Key": "key"}},
            *INVALID,
            "The code s3://bucket/key cannot be fetched: no endpoint of S3 is configured. "
            "Set services in workbench.toml, or AWS_ENDPOINT_URL, for the engine; or send the archive as ZipFile.",
        ),
        (
            {"FileSystemConfigs": [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/x"}]},
            *INVALID,
            f"Function must be configured to execute in a VPC to reference access point {ACCESS_POINT}.",
        ),
        (
            {
                "FileSystemConfigs": [
                    {"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/x", "S3FilesConfig": {"DirectS3Read": "AUTO"}}
                ],
                "VpcConfig": {"SubnetIds": ["subnet-0123456789abcdef0"], "SecurityGroupIds": ["sg-0123456789abcdef0"]},
            },
            *INVALID,
            "S3FilesConfig is only for access points of Amazon S3 Files.",
        ),
        (
            {"PackageType": "Image", "Code": {"ImageUri": "image:latest"}},
            *INVALID,
            "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.",
        ),
        (
            {"Code": {"ZipFile": bytes(52_428_801)}},
            413,
            "RequestEntityTooLargeException",
            "Zipped size must be smaller than 52428800 bytes",
        ),
        (
            {"Code": {"ZipFile": bytes(52_700_000)}},
            413,
            "RequestEntityTooLargeException",
            "Request must be smaller than 70167211 bytes for the CreateFunction operation",
        ),
    ],
)
def test_create_refuses(client, parameters, status, code, message):
    given = {"name": "fn", "Runtime": "python3.12", "Handler": "a.b", "Role": ROLE, "Code": {"ZipFile": ZIP}}
    given.update(parameters)
    given["FunctionName"] = given.pop("name")
    given = {key: value for key, value in given.items() if value is not None}
    assert refusal(client, "create_function", **given) == (status, code, message)


def test_an_unknown_runtime_is_named_with_all_that_are_known(create, client):
    create()
    for refused in (
        refusal(client, "update_function_configuration", FunctionName="fn", Runtime="python9"),
        refusal(
            client,
            "create_function",
            FunctionName="other",
            Runtime="python9",
            Handler="a.b",
            Role=ROLE,
            Code={"ZipFile": ZIP},
        ),
    ):
        assert refused[:2] == INVALID
        assert refused[2].startswith(
            "Value python9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, "
        )
        assert "python3.12" in refused[2]
        assert refused[2].endswith("] or be a valid ARN")


def test_update_refuses(create, client):
    create()
    refused = refusal(client, "update_function_code", FunctionName="fn", ImageUri="image")
    assert refused == (*INVALID, "Please don't provide ImageUri when updating a function with packageType Zip.")
    refused = refusal(client, "update_function_code", FunctionName="fn:1", ZipFile=ZIP)
    assert refused[:2] == INVALID
    refused = refusal(client, "update_function_configuration", FunctionName="fn", Environment={"Variables": {"_X": ""}})
    assert refused[:2] == (400, "ValidationException")
