"""Capacity providers: kept and shown. Nothing runs on them here.

Source: Lambda API reference, CreateCapacityProvider and its kin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.http.lambda_api.configuration import moment
from workbench.http.lambda_api.functions import by_name_and_number
from workbench.http.lambda_api.operations import Call, operation
from workbench.http.lambda_api.paging import page
from workbench.http.lambda_api.tags import check_new
from workbench.model.errors import ResourceNotFound
from workbench.model.names import Account
from workbench.model.records import CapacityProvider

_SETTINGS = (
    "VpcConfig",
    "PermissionsConfig",
    "InstanceRequirements",
    "CapacityProviderScalingConfig",
    "KmsKeyArn",
    "PropagateTags",
    "TelemetryConfig",
)


@operation("CreateCapacityProvider")
async def create_capacity_provider(call: Call) -> Mapping[str, Any]:
    params = call.params
    provider = CapacityProvider(
        id=_name(call), settings=_given(params), tags=check_new(params.get("Tags", {})), last_modified=0.0
    )
    return {"CapacityProvider": _describe(call.account, await call.port.put_capacity_provider(provider, new=True))}


@operation("UpdateCapacityProvider")
async def update_capacity_provider(call: Call) -> Mapping[str, Any]:
    provider = await _find(call)
    changed = replace(provider, settings={**provider.settings, **_given(call.params)})
    return {"CapacityProvider": _describe(call.account, await call.port.put_capacity_provider(changed))}


@operation("GetCapacityProvider")
async def get_capacity_provider(call: Call) -> Mapping[str, Any]:
    return {"CapacityProvider": _describe(call.account, await _find(call))}


@operation("DeleteCapacityProvider")
async def delete_capacity_provider(call: Call) -> Mapping[str, Any]:
    return {"CapacityProvider": _describe(call.account, await call.port.delete_capacity_provider(_name(call)))}


@operation("ListCapacityProviders")
async def list_capacity_providers(call: Call) -> Mapping[str, Any]:
    wanted = call.params.get("State")
    providers = [one for one in await call.port.list_capacity_providers() if wanted in (None, one.state)]
    chunk, marker = page(providers, lambda provider: (provider.id,), call.params)
    return {"CapacityProviders": [_describe(call.account, one) for one in chunk], "NextMarker": marker}


@operation("ListFunctionVersionsByCapacityProvider")
async def list_function_versions_by_capacity_provider(call: Call) -> Mapping[str, Any]:
    provider = await _find(call)
    arn = call.account.arn(provider.kind, provider.id)
    versions = [
        version
        for latest in await call.port.list_functions()
        for version in await call.port.list_versions(latest.name)
        if _provider_of(version.configuration.settings) in (arn, provider.id)
    ]
    versions.sort(key=by_name_and_number)
    chunk, marker = page(versions, by_name_and_number, call.params)
    return {
        "CapacityProviderArn": arn,
        "FunctionVersions": [
            {"FunctionArn": call.account.function_arn(one.name, one.version), "State": one.state.value} for one in chunk
        ],
        "NextMarker": marker,
    }


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {member: params[member] for member in _SETTINGS if member in params}


def _provider_of(settings: Mapping[str, Any]) -> str | None:
    config = settings.get("CapacityProviderConfig", {}).get("LambdaManagedInstancesCapacityProviderConfig", {})
    arn: str | None = config.get("CapacityProviderArn")
    return arn


def _name(call: Call) -> str:
    given: str = call.params["CapacityProviderName"]
    return given.rpartition(":")[2]


async def _find(call: Call) -> CapacityProvider:
    name = _name(call)
    for provider in await call.port.list_capacity_providers():
        if provider.id == name:
            return provider
    raise ResourceNotFound(f"Capacity provider not found: {call.account.arn(CapacityProvider.kind, name)}")


def _describe(account: Account, provider: CapacityProvider) -> dict[str, Any]:
    return {
        "CapacityProviderArn": account.arn(provider.kind, provider.id),
        "State": provider.state,
        **provider.settings,
        "LastModified": moment(provider.last_modified),
    }
