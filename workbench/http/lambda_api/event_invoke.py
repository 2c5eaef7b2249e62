"""Configurations for asynchronous invocation.

Source: Lambda API reference, PutFunctionEventInvokeConfig and its kin.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from workbench.http.lambda_api.operations import Call, operation
from workbench.http.lambda_api.paging import page
from workbench.model.attached import EventInvokeConfig
from workbench.model.errors import ResourceNotFound
from workbench.model.names import LATEST


@operation("PutFunctionEventInvokeConfig")
async def put_function_event_invoke_config(call: Call) -> Mapping[str, Any]:
    return await _put(call, merge=False)


@operation("UpdateFunctionEventInvokeConfig")
async def update_function_event_invoke_config(call: Call) -> Mapping[str, Any]:
    return await _put(call, merge=True)


@operation("GetFunctionEventInvokeConfig")
async def get_function_event_invoke_config(call: Call) -> Mapping[str, Any]:
    ref = call.ref()
    return _describe(call, await call.port.get_event_invoke_config(ref), ref.qualifier)


@operation("DeleteFunctionEventInvokeConfig")
async def delete_function_event_invoke_config(call: Call) -> Mapping[str, Any]:
    await call.port.delete_event_invoke_config(call.ref())
    return {}


@operation("ListFunctionEventInvokeConfigs")
async def list_function_event_invoke_configs(call: Call) -> Mapping[str, Any]:
    try:
        attached = await call.port.get_attached(call.function())
    except ResourceNotFound:
        raise ResourceNotFound("The function doesn't exist.") from None
    chunk, marker = page(sorted(attached.event_invoke.items()), lambda item: (item[0],), call.params)
    return {
        "FunctionEventInvokeConfigs": [_describe(call, config, qualifier) for qualifier, config in chunk],
        "NextMarker": marker,
    }


async def _put(call: Call, *, merge: bool) -> Mapping[str, Any]:
    params, ref = call.params, call.ref()
    on_success = on_failure = None
    if "DestinationConfig" in params:  # is replaced as a whole
        destinations = params["DestinationConfig"]
        on_success = destinations.get("OnSuccess", {}).get("Destination", "")
        on_failure = destinations.get("OnFailure", {}).get("Destination", "")
    config = EventInvokeConfig(
        maximum_retry_attempts=params.get("MaximumRetryAttempts"),
        maximum_event_age=params.get("MaximumEventAgeInSeconds"),
        on_success=on_success,
        on_failure=on_failure,
    )
    return _describe(call, await call.port.put_event_invoke_config(ref, config, merge=merge), ref.qualifier)


def _describe(call: Call, config: EventInvokeConfig, qualifier: str | None) -> dict[str, Any]:
    return {
        "LastModified": datetime.fromtimestamp(config.last_modified, UTC),
        "FunctionArn": call.account.function_arn(call.function(), qualifier or LATEST),
        "MaximumRetryAttempts": config.maximum_retry_attempts,
        "MaximumEventAgeInSeconds": config.maximum_event_age,
        "DestinationConfig": {
            "OnSuccess": {"Destination": config.on_success or None},
            "OnFailure": {"Destination": config.on_failure or None},
        },
    }
