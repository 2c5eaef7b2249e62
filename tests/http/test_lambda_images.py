"""Functions made of container images: stored, described and validated as AWS does."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/r"
DIGEST = "ab" * 32


@pytest.fixture
def image(client: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.create_function(
        FunctionName="fn",
        PackageType="Image",
        Role=ROLE,
        Code={"ImageUri": "registry:5000/team/app:v1"},
        ImageConfig={"Command": ["app.handler"]},
    )
    return answer


def test_an_image_has_no_runtime_and_no_handler(image: dict[str, Any]) -> None:
    assert image["PackageType"] == "Image"
    assert image["ImageConfigResponse"] == {"ImageConfig": {"Command": ["app.handler"]}}
    assert image["CodeSize"] == 0
    assert image.keys().isdisjoint({"Runtime", "Handler", "RuntimeVersionConfig"})


@pytest.mark.parametrize(
    ("uri", "resolved"),
    [
        ("registry:5000/team/app:v1", "registry:5000/team/app@sha256:{sha256}"),
        ("app", "app@sha256:{sha256}"),
        (f"registry/app@sha256:{DIGEST}", f"registry/app@sha256:{DIGEST}"),
    ],
)
def test_the_image_is_named_by_its_digest(client: Any, image: dict[str, Any], uri: str, resolved: str) -> None:
    updated = client.update_function_code(FunctionName="fn", ImageUri=uri)
    code = client.get_function(FunctionName="fn")["Code"]
    assert code == {
        "RepositoryType": "ECR",
        "ImageUri": uri,
        "ResolvedImageUri": resolved.format(sha256=updated["CodeSha256"]),
    }


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        (
            "update_function_code",
            {"ZipFile": b"x"},
            "Please provide ImageUri when updating a function",
        ),
        ("update_function_configuration", {"Handler": "a.b"}, "Please don't provide Handler or Runtime or Layer"),
        (
            "update_function_configuration",
            {"Runtime": "python3.12"},
            "Please don't provide Handler or Runtime or Layer",
        ),
        (
            "create_function",
            {"PackageType": "Image", "Role": ROLE, "Code": {"ZipFile": b"x"}},
            "Please provide ImageUri when creating a function with packageType Image.",
        ),
        (
            "create_function",
            {"Role": ROLE, "Code": {"ImageUri": "app"}},
            "Please don't provide ImageUri when creating a function with packageType Zip.",
        ),
    ],
)
def test_what_does_not_fit_the_package_is_refused(
    client: Any, image: dict[str, Any], operation: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(FunctionName="fn", **parameters)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert caught.value.response["Error"]["Message"].startswith(message)


def test_an_image_configuration_is_replaced_as_a_whole_and_cleared_by_an_empty_one(
    client: Any, image: dict[str, Any]
) -> None:
    client.update_function_configuration(FunctionName="fn", ImageConfig={"WorkingDirectory": "/app"})
    described = client.get_function_configuration(FunctionName="fn")
    assert described["ImageConfigResponse"] == {"ImageConfig": {"WorkingDirectory": "/app"}}
    client.update_function_configuration(FunctionName="fn", ImageConfig={})
    assert "ImageConfigResponse" not in client.get_function_configuration(FunctionName="fn")
