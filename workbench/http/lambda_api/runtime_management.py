"""Runtime management, recursion and scaling: settings of a function or a version that stand beside its configuration.

Source: Lambda API reference, PutRuntimeManagementConfig, PutFunctionRecursionConfig, PutFunctionScalingConfig and the
operations that read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.http.lambda_api.operations import Call, operation
from workbench.model.attached import RuntimeManagement, ScalingConfig, UpdateRuntimeOn
from workbench.model.names import FunctionRef


@operation("PutRuntimeManagementConfig")
async def put_runtime_management_config(call: Call) -> Mapping[str, Any]:
    params, ref = call.params, call.ref()
    config = RuntimeManagement(
        update_runtime_on=UpdateRuntimeOn(params["UpdateRuntimeOn"]),
        runtime_version_arn=params.get("RuntimeVersionArn"),
    )
    await call.port.put_runtime_management(ref, config)
    return _describe(call, ref, config)


@operation("GetRuntimeManagementConfig")
async def get_runtime_management_config(call: Call) -> Mapping[str, Any]:
    ref = call.ref()
    return _describe(call, ref, await call.port.get_runtime_management(ref))


@operation("PutFunctionRecursionConfig")
async def put_function_recursion_config(call: Call) -> Mapping[str, Any]:
    value = call.params["RecursiveLoop"]
    await call.port.put_recursive_loop(call.function(), value)
    return {"RecursiveLoop": value}


@operation("GetFunctionRecursionConfig")
async def get_function_recursion_config(call: Call) -> Mapping[str, Any]:
    return {"RecursiveLoop": (await call.port.get_attached(call.function())).recursive_loop}


@operation("PutFunctionScalingConfig")
async def put_function_scaling_config(call: Call) -> Mapping[str, Any]:
    ref, given = call.ref(), call.params.get("FunctionScalingConfig")
    config = None
    if given:
        config = ScalingConfig(
            minimum=given.get("MinExecutionEnvironments"), maximum=given.get("MaxExecutionEnvironments")
        )
    await call.port.put_scaling_config(ref, config)
    return {"FunctionState": (await call.port.get_function(ref)).state.value}


@operation("GetFunctionScalingConfig")
async def get_function_scaling_config(call: Call) -> Mapping[str, Any]:
    ref = call.ref()
    config = await call.port.get_scaling_config(ref)
    described = {"MinExecutionEnvironments": config.minimum, "MaxExecutionEnvironments": config.maximum}
    # Nothing scales by it here, so what is asked for is all there is; AWS calls what is in force "applied".
    return {
        "FunctionArn": call.account.function_arn(ref.name, ref.qualifier),
        "RequestedFunctionScalingConfig": None if config == ScalingConfig() else described,
    }


def _describe(call: Call, ref: FunctionRef, config: RuntimeManagement) -> dict[str, Any]:
    return {
        "UpdateRuntimeOn": config.update_runtime_on.value,
        "FunctionArn": call.account.function_arn(ref.name, ref.qualifier),
        "RuntimeVersionArn": config.runtime_version_arn,
    }
