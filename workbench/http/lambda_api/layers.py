"""Layers: publish, read, list and delete their versions, and who may use them.

Source: Lambda API reference, the operations of the same names.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.http.lambda_api import checks
from workbench.http.lambda_api.configuration import moment
from workbench.http.lambda_api.functions import archive_of, location
from workbench.http.lambda_api.operations import Call, operation
from workbench.http.lambda_api.paging import page
from workbench.model.errors import AccessDenied, InvalidParameterValue, ResourceNotFound
from workbench.model.layers import (
    LayerArn,
    LayerStatement,
    LayerVersion,
    NewLayerVersion,
    layer_arn,
    parse_layer_arn,
)


@operation("PublishLayerVersion", limit=checks.CODE_REQUEST_BYTES)
async def publish_layer_version(call: Call) -> Mapping[str, Any]:
    params = call.params
    version = await call.port.publish_layer_version(
        NewLayerVersion(
            name=_layer(call),
            code=await archive_of(call, params["Content"]),
            description=params.get("Description", ""),
            license_info=params.get("LicenseInfo"),
            runtimes=tuple(params.get("CompatibleRuntimes", ())),
            architectures=tuple(params.get("CompatibleArchitectures", ())),
        )
    )
    return _describe(call, version)


@operation("GetLayerVersion")
async def get_layer_version(call: Call) -> Mapping[str, Any]:
    return _describe(call, await call.port.get_layer_version(_layer(call), _number(call)))


@operation("GetLayerVersionByArn")
async def get_layer_version_by_arn(call: Call) -> Mapping[str, Any]:
    text = call.params["Arn"]
    arn = parse_layer_arn(text)
    if arn is None or arn.version is None:
        raise ResourceNotFound("The resource you requested does not exist.")
    return _describe(call, await call.port.get_layer_version(_reachable(call, arn, text), arn.version))


@operation("ListLayers")
async def list_layers(call: Call) -> Mapping[str, Any]:
    """A layer's newest version that matches stands for it; a layer without one is not listed."""
    matching = _matching(call, await call.port.list_layer_versions(None))
    newest = [next(versions) for _, versions in itertools.groupby(matching, lambda version: version.name)]
    chunk, marker = page(newest, lambda version: (version.name,), call.params)
    return {
        "Layers": [
            {
                "LayerName": version.name,
                "LayerArn": layer_arn(call.account, version.name),
                "LatestMatchingVersion": _describe_listed(call, version),
            }
            for version in chunk
        ],
        "NextMarker": marker,
    }


@operation("ListLayerVersions")
async def list_layer_versions(call: Call) -> Mapping[str, Any]:
    matching = _matching(call, await call.port.list_layer_versions(_layer(call)))
    chunk, marker = page(matching, lambda version: (-version.version,), call.params)
    return {"LayerVersions": [_describe_listed(call, version) for version in chunk], "NextMarker": marker}


@operation("DeleteLayerVersion")
async def delete_layer_version(call: Call) -> Mapping[str, Any]:
    await call.port.delete_layer_version(_layer(call), _number(call))
    return {}


@operation("AddLayerVersionPermission")
async def add_layer_version_permission(call: Call) -> Mapping[str, Any]:
    params = call.params
    name, number = _layer(call), params["VersionNumber"]
    statement = LayerStatement(
        id=params["StatementId"],
        action=params["Action"],
        principal=params["Principal"],
        organization_id=params.get("OrganizationId"),
    )
    policy = await call.port.add_layer_version_permission(name, number, statement, revision_id=params.get("RevisionId"))
    described = _describe_statement(statement, layer_arn(call.account, name, number))
    return {"Statement": json.dumps(described, separators=(",", ":")), "RevisionId": policy.revision_id}


@operation("GetLayerVersionPolicy")
async def get_layer_version_policy(call: Call) -> Mapping[str, Any]:
    name, number = _layer(call), call.params["VersionNumber"]
    policy = await call.port.get_layer_version_policy(name, number)
    resource = layer_arn(call.account, name, number)
    document = {
        "Version": "2012-10-17",
        "Id": "default",
        "Statement": [_describe_statement(statement, resource) for statement in policy.statements],
    }
    return {"Policy": json.dumps(document, separators=(",", ":")), "RevisionId": policy.revision_id}


@operation("RemoveLayerVersionPermission")
async def remove_layer_version_permission(call: Call) -> Mapping[str, Any]:
    params = call.params
    await call.port.remove_layer_version_permission(
        _layer(call), params["VersionNumber"], params["StatementId"], revision_id=params.get("RevisionId")
    )
    return {}


def _layer(call: Call) -> str:
    """The name of the layer that `LayerName`, a name or an ARN, addresses."""
    text: str = call.params["LayerName"]
    arn = parse_layer_arn(text)
    return text if arn is None else _reachable(call, arn, text)


def _reachable(call: Call, arn: LayerArn, text: str) -> str:
    """The name in an ARN of this account and Region; nothing of another is here."""
    if arn.account != call.account.id:
        raise AccessDenied(
            f"User: arn:aws:iam::{call.account.id}:root is not authorized to perform: lambda:GetLayerVersion on "
            f"resource: {text} because no resource-based policy allows the lambda:GetLayerVersion action"
        )
    if arn.region != call.account.region:
        raise ResourceNotFound("The resource you requested does not exist.")
    return arn.name


def _number(call: Call) -> int:
    number: int = call.params["VersionNumber"]
    if number < 1:
        raise InvalidParameterValue("Layer Version Cannot be less than 1")
    return number


def _matching(call: Call, versions: Sequence[LayerVersion]) -> list[LayerVersion]:
    """Those that say that they go with the runtime and the architecture asked for, if one is."""
    runtime, architecture = call.params.get("CompatibleRuntime"), call.params.get("CompatibleArchitecture")
    return [
        version
        for version in versions
        if (runtime is None or runtime in version.runtimes)
        and (architecture is None or architecture in version.architectures)
    ]


def _describe(call: Call, version: LayerVersion) -> dict[str, Any]:
    return {
        "Content": {
            "Location": location(call, version.code),
            "CodeSha256": base64.b64encode(bytes.fromhex(version.code.sha256)).decode("ascii"),
            "CodeSize": version.code.size,
        },
        "LayerArn": layer_arn(call.account, version.name),
        **_describe_listed(call, version),
    }


def _describe_listed(call: Call, version: LayerVersion) -> dict[str, Any]:
    return {
        "LayerVersionArn": layer_arn(call.account, version.name, version.version),
        "Version": version.version,
        "Description": version.description,
        "CreatedDate": moment(version.created),
        "CompatibleRuntimes": list(version.runtimes) or None,
        "CompatibleArchitectures": list(version.architectures) or None,
        "LicenseInfo": version.license_info,
    }


def _describe_statement(statement: LayerStatement, resource: str) -> dict[str, Any]:
    principal = statement.principal
    if principal != "*":
        root = principal if principal.startswith("arn:") else f"arn:aws:iam::{principal}:root"
        described: Any = {"AWS": root}
    else:
        described = principal
    sentence: dict[str, Any] = {
        "Sid": statement.id,
        "Effect": "Allow",
        "Principal": described,
        "Action": statement.action,
        "Resource": resource,
    }
    if statement.organization_id is not None:
        sentence["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": statement.organization_id}}
    return sentence
