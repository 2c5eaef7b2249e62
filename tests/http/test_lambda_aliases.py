"""Aliases over the wire, as boto3 sees them."""

import pytest

from tests.http.conftest import ACCOUNT

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT.id}:function:fn"


@pytest.fixture(autouse=True)
def function(create, client):
    create(Publish=True)
    client.publish_version(FunctionName="fn")


def plain(answer):
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def test_create_get_update_delete(client):
    created = client.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    described = plain(created)
    revision = described.pop("RevisionId")
    assert described == {"AliasArn": f"{ARN}:live", "Name": "live", "FunctionVersion": "1", "Description": ""}
    assert plain(client.get_alias(FunctionName=ARN, Name="live")) == plain(created)

    updated = client.update_alias(
        FunctionName="fn", Name="live", Description="canary", RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}}
    )
    assert updated["FunctionVersion"] == "1"
    assert updated["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}}
    assert updated["RevisionId"] != revision
    kept = client.update_alias(FunctionName="fn", Name="live", FunctionVersion="$LATEST")
    assert (kept["Description"], kept["RoutingConfig"]) == ("canary", updated["RoutingConfig"])
    cleared = client.update_alias(FunctionName="fn", Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    assert "RoutingConfig" not in cleared

    deleted = client.delete_alias(FunctionName="fn", Name="live")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(client.exceptions.ResourceNotFoundException, match=f"Cannot find alias arn: {ARN}:live"):
        client.get_alias(FunctionName="fn", Name="live")


def test_weights_are_checked_by_the_model(client):
    def refusal(weights):
        with pytest.raises(client.exceptions.ClientError) as caught:
            client.create_alias(
                FunctionName="fn",
                Name="live",
                FunctionVersion="1",
                RoutingConfig={"AdditionalVersionWeights": weights},
            )
        return caught.value.response["Error"]

    error = refusal({"2": 1.5})
    assert error["Code"] == "ValidationException"
    assert error["Message"] == (
        "1 validation error detected: Value '{2=1.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy "
        "constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
        "Member must have value greater than or equal to 0.0, Member must not be null]"
    )
    assert "Map keys must satisfy constraint" in refusal({"$LATEST": 0.5})["Message"]


@pytest.mark.parametrize("name", ["123", "a b", "a/b", "x" * 129])
def test_a_bad_alias_name_is_refused_in_body_and_path(client, name):
    for call, parameters in (("create_alias", {"FunctionVersion": "1"}), ("get_alias", {})):
        with pytest.raises(client.exceptions.ClientError) as caught:
            getattr(client, call)(FunctionName="fn", Name=name, **parameters)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        assert f"Value '{name}' at 'name'" in caught.value.response["Error"]["Message"]


def test_list_by_pages_and_by_version(client):
    for number in range(5):
        client.create_alias(FunctionName="fn", Name=f"a{number}", FunctionVersion="1" if number % 2 else "2")
    client.update_alias(FunctionName="fn", Name="a0", RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}})
    pages = list(client.get_paginator("list_aliases").paginate(FunctionName="fn", PaginationConfig={"PageSize": 2}))
    assert [[alias["Name"] for alias in page["Aliases"]] for page in pages] == [["a0", "a1"], ["a2", "a3"], ["a4"]]
    found = client.list_aliases(FunctionName="fn", FunctionVersion="1")["Aliases"]
    assert [alias["Name"] for alias in found] == ["a0", "a1", "a3"]
