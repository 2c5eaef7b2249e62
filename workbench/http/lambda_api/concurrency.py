"""Reserved and provisioned concurrency.

Source: Lambda API reference, PutFunctionConcurrency, PutProvisionedConcurrencyConfig and their kin.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from workbench.http.lambda_api.operations import Call, operation
from workbench.http.lambda_api.paging import page
from workbench.model.attached import Provisioned
from workbench.model.errors import ResourceNotFound
from workbench.model.names import LATEST


@operation("PutFunctionConcurrency")
async def put_function_concurrency(call: Call) -> Mapping[str, Any]:
    ref, reserved = call.ref(), call.params["ReservedConcurrentExecutions"]
    try:
        await call.port.put_concurrency(ref, reserved)
    except ResourceNotFound:
        arn = call.account.function_arn(ref.name, LATEST)  # this operation misses it under its full name
        raise ResourceNotFound(f"Function not found: {arn}") from None
    return {"ReservedConcurrentExecutions": reserved}


@operation("GetFunctionConcurrency")
async def get_function_concurrency(call: Call) -> Mapping[str, Any]:
    return {"ReservedConcurrentExecutions": (await call.port.get_attached(call.function())).reserved}


@operation("DeleteFunctionConcurrency")
async def delete_function_concurrency(call: Call) -> Mapping[str, Any]:
    await call.port.put_concurrency(call.ref(), None)
    return {}


@operation("PutProvisionedConcurrencyConfig")
async def put_provisioned_concurrency_config(call: Call) -> Mapping[str, Any]:
    requested = call.params["ProvisionedConcurrentExecutions"]
    return _describe(await call.port.put_provisioned_concurrency(call.ref(), requested))


@operation("GetProvisionedConcurrencyConfig")
async def get_provisioned_concurrency_config(call: Call) -> Mapping[str, Any]:
    return _describe(await call.port.get_provisioned_concurrency(call.ref()))


@operation("DeleteProvisionedConcurrencyConfig")
async def delete_provisioned_concurrency_config(call: Call) -> Mapping[str, Any]:
    await call.port.delete_provisioned_concurrency(call.ref())
    return {}


@operation("ListProvisionedConcurrencyConfigs")
async def list_provisioned_concurrency_configs(call: Call) -> Mapping[str, Any]:
    name = call.function()
    attached = await call.port.get_attached(name)
    chunk, marker = page(sorted(attached.provisioned.items()), lambda item: (item[0],), call.params)
    return {
        "ProvisionedConcurrencyConfigs": [
            {"FunctionArn": call.account.function_arn(name, qualifier), **_describe(config)}
            for qualifier, config in chunk
        ],
        "NextMarker": marker,
    }


def _describe(config: Provisioned) -> dict[str, Any]:
    return {
        "RequestedProvisionedConcurrentExecutions": config.requested,
        "AvailableProvisionedConcurrentExecutions": config.available,
        "AllocatedProvisionedConcurrentExecutions": config.allocated,
        "Status": config.status.value,
        "StatusReason": config.status_reason,
        "LastModified": f"{datetime.fromtimestamp(config.last_modified, UTC):%Y-%m-%dT%H:%M:%S}+0000",
    }
