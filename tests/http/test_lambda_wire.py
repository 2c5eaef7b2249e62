"""Routing, reading and shaping by botocore's model."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime

import botocore.session
import pytest

from tests.http.conftest import error_of
from workbench.http.lambda_api.operations import OPERATIONS
from workbench.http.lambda_api.parse import parse, read_object
from workbench.http.lambda_api.service import Service
from workbench.http.lambda_api.shape import answer
from workbench.http.lambda_api.validate import Validator
from workbench.http.messages import Request

FUNCTIONS = "/2015-03-31/functions"


def test_loading_the_model_does_not_import_botocore():
    code = "import sys, workbench.http.lambda_api.api as a; a.load(); print('botocore' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_it_is_the_model_that_botocore_itself_loads(service):
    model = botocore.session.Session().get_service_model("lambda")
    assert list(service.operations) == model.operation_names
    for name, operation in service.operations.items():
        theirs = model.operation_model(name)
        assert (operation.method, operation.uri) == (theirs.http["method"], theirs.http["requestUri"])
        assert operation.input == (theirs.input_shape.name if theirs.input_shape else None)
        assert operation.output == (theirs.output_shape.name if theirs.output_shape else None)


def test_every_operation_is_found_by_its_own_uri(service):
    for name, operation in service.operations.items():
        path, _, query = operation.uri.partition("?")
        labels = {label: f"{label}%3Aa%2Fb%20c" for label in re.findall(r"{(\w+)}", path)}
        routed = service.route(operation.method, path.format(**labels), f"Marker=a&{query}")
        assert routed is not None, name
        assert routed[0].name == name
        assert routed[1] == {label: f"{label}:a/b c" for label in labels}


def test_every_registered_operation_is_in_the_model(service):
    assert OPERATIONS.keys() <= service.operations.keys()


def test_greedy_labels_and_query_literals():
    service = Service(
        {
            "shapes": {},
            "operations": {
                "All": {"http": {"method": "GET", "requestUri": "/a/{Rest+}"}},
                "One": {"http": {"method": "GET", "requestUri": "/a/{Key}/b"}},
                "Some": {"http": {"method": "GET", "requestUri": "/a/{Key}/b?list=ALL"}},
            },
        }
    )

    def route(path, query=""):
        operation, labels = service.route("GET", path, query)
        return operation.name, labels

    assert route("/a/x%2Fy/b") == ("One", {"Key": "x/y"})
    assert route("/a/x/b", "list=ALL&z=1") == ("Some", {"Key": "x"})
    assert route("/a/x/b", "list=SOME") == ("One", {"Key": "x"})
    assert route("/a/x/y%20z") == ("All", {"Rest": "x/y z"})


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/nothing"),
        ("PATCH", f"{FUNCTIONS}/fn"),
        ("BREW", f"{FUNCTIONS}/fn"),
        ("GET", f"{FUNCTIONS}//configuration"),
        ("GET", f"{FUNCTIONS}/fn/unknown"),
        ("GET", "*"),
        ("GET", "http://127.0.0.1:3001/2015-03-31/functions"),
        ("GET", "/" * 5_000),
    ],
)
def test_unknown_paths(send, method, target):
    status, code, body = error_of(send(method, target))
    assert (status, code, list(body)) == (404, "UnknownOperationException", ["message"])


def test_a_trailing_slash_is_forgiven(send):
    assert send("GET", f"{FUNCTIONS}/").status == 200


def test_operations_to_come_are_named(client):
    with pytest.raises(client.exceptions.InvalidParameterValueException) as caught:
        client.get_durable_execution(
            DurableExecutionArn="arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/a/b"
        )
    assert caught.value.response["Error"]["Message"] == (
        "Workbench does not implement the operation GetDurableExecution."
    )


def reading(members, **shape):
    """A service with one operation of these members."""
    shapes = {
        "String": {"type": "string"},
        "Integer": {"type": "integer"},
        "Long": {"type": "long"},
        "Boolean": {"type": "boolean"},
        "Double": {"type": "double"},
        "Date": {"type": "timestamp"},
        "Blob": {"type": "blob"},
        "Strings": {"type": "list", "member": {"shape": "String"}},
        "Map": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Map2"}},
        "Map2": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Pair"}},
        "Pair": {"type": "structure", "required": ["L"], "members": {"L": {"shape": "Integer"}}},
        "In": {"type": "structure", "members": members, **shape},
    }
    described = {
        "http": {"method": "POST", "requestUri": "/x/{Id}"},
        "input": {"shape": "In"},
        "output": {"shape": "In"},
    }
    service = Service({"shapes": shapes, "operations": {"Op": described}})
    return service, service.operations["Op"]


def test_every_location_is_read():
    service, operation = reading(
        {
            "Id": {"shape": "Long", "location": "uri", "locationName": "Id"},
            "Flag": {"shape": "Boolean", "location": "querystring", "locationName": "flag"},
            "Many": {"shape": "Strings", "location": "querystring", "locationName": "many"},
            "Since": {"shape": "Date", "location": "querystring", "locationName": "since"},
            "Header": {"shape": "String", "location": "header", "locationName": "X-One"},
            "Meta": {"shape": "Map", "location": "headers", "locationName": "X-Meta-"},
            "When": {"shape": "Date"},
            "At": {"shape": "Date"},
            "Weight": {"shape": "Double"},
            "Data": {"shape": "Blob"},
            "Nested": {"shape": "Map"},
        }
    )
    request = Request(
        "POST",
        "/x/12",
        "flag=true&many=a&many=b%20c&since=1",
        {"x-one": "1", "x-meta-a": "A"},
        b'{"When": 1.5, "At": "2026-11-23T00:00:00Z", "Weight": 1, "Data": "AQI=", "Nested": {"a": {"b": {"L": 3}}}}',
    )
    params = parse(service, operation, {"Id": "12"}, request)
    assert params["When"].timestamp() == 1.5
    assert params["At"].isoformat() == "2026-11-23T00:00:00+00:00"
    assert params["Since"].timestamp() == 1
    del params["When"], params["At"], params["Since"]
    assert params == {
        "Id": 12,
        "Flag": True,
        "Many": ["a", "b c"],
        "Header": "1",
        "Meta": {"a": "A"},
        "Weight": 1.0,
        "Data": b"\x01\x02",
        "Nested": {"a": {"b": {"L": 3}}},
    }
    problems = Validator(service).problems("In", {"Nested": {"a": {"b": {}}}})
    assert problems == [
        "Value null at 'nested.a.member.b.member.l' failed to satisfy constraint: Member must not be null"
    ]


@pytest.mark.parametrize("moment", ["never", 1e300, [], True])
def test_bad_times_are_serialization_errors(moment):
    service, operation = reading({"When": {"shape": "Date"}})
    request = Request("POST", "/x/1", "", {}, json.dumps({"When": moment}).encode())
    with pytest.raises(Exception, match=r"timestamp|Date|expected"):
        parse(service, operation, {}, request)


def test_a_structure_as_payload():
    service, operation = reading({"Body": {"shape": "Pair"}}, payload="Body")
    assert parse(service, operation, {}, Request("POST", "/x/1", "", {}, b'{"L": 2}')) == {"Body": {"L": 2}}
    assert parse(service, operation, {}, Request("POST", "/x/1", "", {}, b"")) == {}
    assert answer(service, operation, {"Body": {"L": 2}}, "id").body == b'{"L":2}'


def test_results_are_shaped_by_location():
    service, operation = reading(
        {
            "Code": {"shape": "Integer", "location": "statusCode"},
            "Etag": {"shape": "String", "location": "header", "locationName": "X-Etag"},
            "When": {"shape": "Date"},
            "Half": {"shape": "Date"},
            "Data": {"shape": "Blob"},
            "Gone": {"shape": "String"},
        }
    )
    when = datetime(2026, 11, 23, tzinfo=UTC)
    half = datetime(2026, 11, 23, 0, 0, 0, 500_000, tzinfo=UTC)
    result = {"Code": 202, "Etag": "e", "When": when, "Half": half, "Data": b"\x01\x02", "Gone": None, "Other": 1}
    response = answer(service, operation, result, "id")
    assert response.status == 202
    assert ("X-Etag", "e") in response.headers
    assert response.body == b'{"When":1795392000,"Half":1795392000.5,"Data":"AQI="}'


def test_an_empty_body_and_null_are_no_members():
    assert read_object(b"") == read_object(b"null") == {}
