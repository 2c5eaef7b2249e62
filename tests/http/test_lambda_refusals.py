"""Broken constraints and unreadable requests, in AWS's words; and that hostile ones are never a failure of ours."""

import asyncio
import json
import re
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.conftest import ROLE, error_of
from workbench.http.lambda_api.validate import compile_pattern
from workbench.http.messages import Request
from workbench.model.functions import FunctionConfiguration, NewFunction

FUNCTIONS = "/2015-03-31/functions"
DEEP = b'{"Description":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

BODY = {"FunctionName": "fn", "Runtime": "python3.12", "Handler": "a.b", "Role": ROLE, "Code": {"ZipFile": "UEs="}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{bad", "Could not parse the request body as JSON: "),
        (b"[1]", "Unexpected field type"),
        (b'"text"', "Unexpected field type"),
        (b"\xff\xfe", "Invalid UTF-8 at byte 0 of the request body"),
        (b'{"Timeout": NaN}', "Could not parse the request body as JSON: Non-standard token 'NaN'"),
        (b'{"Timeout": ' + b"9" * 5_000 + b"}", "Could not parse the request body as JSON: "),
        (DEEP, "The request body is nested too deeply"),
        (b'{"Description": "\\ud800"}', "A string holds an unpaired surrogate"),
        ({**BODY, "Handler": 7}, "NUMBER_VALUE can not be converted to a String"),
        ({**BODY, "Handler": True}, "TRUE_VALUE can not be converted to a String"),
        ({**BODY, "Handler": {}}, "Start of structure or map found where not expected."),
        ({**BODY, "Handler": []}, "Start of list found where not expected."),
        ({**BODY, "Timeout": "7"}, "STRING_VALUE can not be converted to an Integer"),
        ({**BODY, "Timeout": 7.5}, "DECIMAL_VALUE can not be converted to an Integer"),
        ({**BODY, "Timeout": False}, "FALSE_VALUE can not be converted to an Integer"),
        ({**BODY, "Timeout": 2**31}, "NUMBER_VALUE can not be converted to an Integer"),
        ({**BODY, "Publish": "true"}, "STRING_VALUE can not be converted to a Boolean"),
        ({**BODY, "Code": "zip"}, "Unexpected field type"),
        ({**BODY, "Code": {"ZipFile": "no base64!"}}, "Invalid base64 encoded data"),
        ({**BODY, "Code": {"ZipFile": "é"}}, "Invalid base64 encoded data"),
        ({**BODY, "Layers": "arn"}, "Expected list or null"),
        ({**BODY, "Environment": {"Variables": [1]}}, "Expected map or null"),
        ({**BODY, "Environment": {"Variables": {"AA": 1}}}, "NUMBER_VALUE can not be converted to a String"),
    ],
)
def test_what_cannot_be_read_is_a_serialization_error(send, body, message):
    status, code, answered = error_of(send("POST", FUNCTIONS, {}, body))
    assert (status, code) == (400, "SerializationException")
    assert answered["message"].startswith(message)


@pytest.mark.parametrize(
    "target",
    [
        f"{FUNCTIONS}?MaxItems=ten",
        f"{FUNCTIONS}?MaxItems={'9' * 30}",
        f"{FUNCTIONS}?MaxItems=99999999999",
        f"{FUNCTIONS}?Marker=%ff",
        f"{FUNCTIONS}?{'a&' * 1_000}",
        f"{FUNCTIONS}/%ff",
        "/2018-10-31/layers/%ff/versions/1/policy/x",
    ],
)
def test_a_path_or_query_that_cannot_be_read_is_no_failure_of_ours(send, target):
    assert send("GET", target).status in (400, 404)


def test_null_is_absent_and_unknown_members_are_ignored(send):
    body = {**BODY, "Description": None, "Environment": None, "Unheard": {"of": 1}}
    assert send("POST", FUNCTIONS, {}, body).status == 201


def test_required_members(send):
    assert error_of(send("POST", FUNCTIONS))[2] == {
        "message": "3 validation errors detected: "
        "Value null at 'functionName' failed to satisfy constraint: Member must not be null; "
        "Value null at 'role' failed to satisfy constraint: Member must not be null; "
        "Value null at 'code' failed to satisfy constraint: Member must not be null"
    }


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"Handler": "a b"},
            "Value 'a b' at 'handler' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [^\s]+",
        ),
        (
            {"Handler": "h" * 129},
            f"Value '{'h' * 129}' at 'handler' failed to satisfy constraint: "
            "Member must have length less than or equal to 128",
        ),
        (
            {"Timeout": 0},
            "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            {"MemorySize": 40_000},
            "Value '40000' at 'memorySize' failed to satisfy constraint: "
            "Member must have value less than or equal to 32768",
        ),
        (
            {"PackageType": "Tar"},
            "Value 'Tar' at 'packageType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Zip, Image]",
        ),
        (
            {"Architectures": ["mips"]},
            "Value '[mips]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: "
            "[Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
        ),
        (
            {"Architectures": []},
            "Value '[]' at 'architectures' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            {"Architectures": ["x86_64", "arm64"]},
            "Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: "
            "Member must have length less than or equal to 1",
        ),
        (
            {"Environment": {"Variables": {"1BAD": "secret", "A=B": "secret"}}},
            "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: "
            "[Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
        ),
        (
            {"Environment": {"Variables": {"AA": None}}},
            "Value at 'environment.variables' failed to satisfy constraint: "
            "Map value must satisfy constraint: [Member must not be null]",
        ),
        (
            {"FileSystemConfigs": [{"LocalMountPath": "/mnt/x"}]},
            "Value null at 'fileSystemConfigs.1.member.arn' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"FileSystemConfigs": [None]},
            "Value '[null]' at 'fileSystemConfigs' failed to satisfy constraint: "
            "Member must satisfy constraint: [Member must not be null]",
        ),
        (
            {"EphemeralStorage": {}},
            "Value null at 'ephemeralStorage.size' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"KMSKeyArn": "no-arn"},
            "Value 'no-arn' at 'kMSKeyArn' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()",
        ),
    ],
)
def test_broken_constraints_in_awss_words(send, change, problem):
    assert error_of(send("POST", FUNCTIONS, {}, {**BODY, **change})) == (
        400,
        "ValidationException",
        {"message": f"1 validation error detected: {problem}"},
    )


@pytest.mark.parametrize("name", ["../../etc", "a/b", "a\0b", "a" * 141, "é", "a b", "fn\n", ".", "%2e%2e", "a.b"])
def test_a_new_functions_name_is_checked_at_the_door(send, port, name):
    status, code, body = error_of(send("POST", FUNCTIONS, {}, {**BODY, "FunctionName": name}))
    assert (status, code) == (400, "ValidationException")
    assert f"Value '{name}' at 'functionName' failed" in body["message"]
    assert port.created == []


def test_several_problems_are_told_at_once(send):
    message = error_of(send("POST", FUNCTIONS, {}, {**BODY, "Role": "r", "Timeout": 0}))[2]["message"]
    assert message.startswith("2 validation errors detected: Value 'r' at 'role' failed")
    assert "; Value '0' at 'timeout' failed" in message


def test_a_huge_value_is_not_repeated_in_full(send):
    response = send("POST", FUNCTIONS, {}, {**BODY, "Role": "r" * 5_000_000})
    assert response.status == 400
    assert len(response.body) < 100_000


def test_every_pattern_of_the_model_compiles(service):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, shape in service.shapes.items():
            if "pattern" in shape:
                assert compile_pattern(shape["pattern"]) is not None, name
    assert compile_pattern("(?<broken") is None


def test_java_classes_in_patterns(service):
    key = compile_pattern(service.shapes["TagKey"]["pattern"])
    assert key.fullmatch("Käse + 1/2 @home_x")
    assert not key.fullmatch("tab\there")
    assert not key.fullmatch("semi;colon")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
LATIN = st.text(st.characters(max_codepoint=255), max_size=30)
LABELS = st.sampled_from(["fn", "fn", "fn:1", "%00", "%ff", "..%2F..", "a" * 300, "1"])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_request_is_a_failure_of_ours(api, port, service, data):
    """Any operation, with members of any type or bytes that are no request at all, on a function that exists."""
    if "fn" not in port.versions:
        configuration = FunctionConfiguration(runtime="python3.12", handler="a.b", role=ROLE)
        asyncio.run(port.create_function(NewFunction(name="fn", configuration=configuration, code=b"zip")))
    operation = data.draw(st.sampled_from(list(service.operations.values())))
    path, _, query = operation.uri.partition("?")
    for label in re.findall(r"{\w+}", path):
        path = path.replace(label, data.draw(LABELS))
    members = st.sampled_from(list(service.members(operation.input)) or ["x"])
    valid = BODY if operation.name == "CreateFunction" else {}
    sent = st.dictionaries(members, JSON, max_size=4).map(lambda given: json.dumps({**valid, **given}).encode())
    body = data.draw(st.binary(max_size=40) | sent)
    extra = data.draw(st.dictionaries(members, LATIN, max_size=3))
    query = "&".join([query, *(f"{name}={value}" for name, value in extra.items())])
    header = data.draw(st.sampled_from(["x-amz-invocation-type", "x-amz-log-type", "x-amz-client-context"]))
    request = Request(operation.method, path, query, {header: data.draw(LATIN)}, body)
    response = asyncio.run(api.handle(request))
    assert response.status < 500, response.body
    assert dict(response.headers)["x-amzn-RequestId"]
