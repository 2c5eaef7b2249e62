"""Code signing configurations, and which functions use them. Signatures are not checked: there is no signer here.

Source: Lambda API reference, CreateCodeSigningConfig and its kin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.http.lambda_api.configuration import moment
from workbench.http.lambda_api.operations import Call, operation
from workbench.http.lambda_api.paging import page
from workbench.http.lambda_api.tags import check_new
from workbench.model.errors import ResourceNotFound
from workbench.model.names import Account
from workbench.model.records import CodeSigningConfig


@operation("CreateCodeSigningConfig")
async def create_code_signing_config(call: Call) -> Mapping[str, Any]:
    params = call.params
    config = CodeSigningConfig(
        id="",
        publishers=tuple(params["AllowedPublishers"]["SigningProfileVersionArns"]),
        untrusted=params.get("CodeSigningPolicies", {}).get("UntrustedArtifactOnDeployment", "Warn"),
        description=params.get("Description"),
        tags=check_new(params.get("Tags", {})),
        last_modified=0.0,
    )
    return {"CodeSigningConfig": _describe(call.account, await call.port.put_code_signing_config(config, new=True))}


@operation("UpdateCodeSigningConfig")
async def update_code_signing_config(call: Call) -> Mapping[str, Any]:
    params = call.params
    changes: dict[str, Any] = {}
    if "AllowedPublishers" in params:
        changes["publishers"] = tuple(params["AllowedPublishers"]["SigningProfileVersionArns"])
    if "UntrustedArtifactOnDeployment" in params.get("CodeSigningPolicies", {}):
        changes["untrusted"] = params["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"]
    if "Description" in params:
        changes["description"] = params["Description"]
    config = replace(await _find(call), **changes)
    return {"CodeSigningConfig": _describe(call.account, await call.port.put_code_signing_config(config))}


@operation("GetCodeSigningConfig")
async def get_code_signing_config(call: Call) -> Mapping[str, Any]:
    return {"CodeSigningConfig": _describe(call.account, await _find(call))}


@operation("DeleteCodeSigningConfig")
async def delete_code_signing_config(call: Call) -> Mapping[str, Any]:
    await call.port.delete_code_signing_config((await _find(call)).id)
    return {}


@operation("ListCodeSigningConfigs")
async def list_code_signing_configs(call: Call) -> Mapping[str, Any]:
    chunk, marker = page(await call.port.list_code_signing_configs(), lambda config: (config.id,), call.params)
    return {"CodeSigningConfigs": [_describe(call.account, config) for config in chunk], "NextMarker": marker}


@operation("ListFunctionsByCodeSigningConfig")
async def list_functions_by_code_signing_config(call: Call) -> Mapping[str, Any]:
    config = await _find(call)
    names = [function.name for function in await call.port.list_functions()]
    users = [name for name in names if (await call.port.get_attached(name)).code_signing_config == config.id]
    chunk, marker = page(users, lambda name: (name,), call.params)
    return {"FunctionArns": [call.account.function_arn(name) for name in chunk], "NextMarker": marker}


@operation("PutFunctionCodeSigningConfig")
async def put_function_code_signing_config(call: Call) -> Mapping[str, Any]:
    name, arn = call.function(), call.params["CodeSigningConfigArn"]
    await call.port.put_function_code_signing(name, _id(arn))
    return {"CodeSigningConfigArn": arn, "FunctionName": name}


@operation("GetFunctionCodeSigningConfig")
async def get_function_code_signing_config(call: Call) -> Mapping[str, Any]:
    name = call.function()
    config = (await call.port.get_attached(name)).code_signing_config
    if config is None:
        return {}
    return {"CodeSigningConfigArn": call.account.arn(CodeSigningConfig.kind, config), "FunctionName": name}


@operation("DeleteFunctionCodeSigningConfig")
async def delete_function_code_signing_config(call: Call) -> Mapping[str, Any]:
    await call.port.put_function_code_signing(call.function(), None)
    return {}


async def _find(call: Call) -> CodeSigningConfig:
    arn = call.params["CodeSigningConfigArn"]
    for config in await call.port.list_code_signing_configs():
        if arn == call.account.arn(config.kind, config.id):
            return config
    error = ResourceNotFound(f"The Lambda code signing configuration {arn} can not be found.")
    error.kind = None  # AWS leaves `Type` out here
    raise error


def _id(arn: str) -> str:
    return arn.rpartition(":")[2]


def _describe(account: Account, config: CodeSigningConfig) -> dict[str, Any]:
    return {
        "CodeSigningConfigId": config.id,
        "CodeSigningConfigArn": account.arn(config.kind, config.id),
        "Description": config.description,
        "AllowedPublishers": {"SigningProfileVersionArns": list(config.publishers)},
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": config.untrusted},
        "LastModified": moment(config.last_modified),
    }
