"""Function URLs.

Source: Lambda API reference, CreateFunctionUrlConfig and its kin. CreateFunctionUrlConfig answers `InvokeMode` only
when it was asked for (recorded).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from workbench.http.lambda_api.configuration import moment
from workbench.http.lambda_api.operations import Call, operation
from workbench.http.lambda_api.paging import page
from workbench.model.attached import FunctionUrl
from workbench.model.errors import ResourceNotFound
from workbench.model.names import LATEST


@operation("CreateFunctionUrlConfig")
async def create_function_url_config(call: Call) -> Mapping[str, Any]:
    params, ref = call.params, call.ref()
    url = await call.port.create_function_url(
        ref, params["AuthType"], invoke_mode=params.get("InvokeMode", "BUFFERED"), cors=params.get("Cors")
    )
    described = await _describe(call, url, ref.qualifier)
    del described["LastModifiedTime"]
    if "InvokeMode" not in params:
        del described["InvokeMode"]
    return described


@operation("GetFunctionUrlConfig")
async def get_function_url_config(call: Call) -> Mapping[str, Any]:
    ref = call.ref()
    return await _describe(call, await call.port.get_function_url(ref), ref.qualifier)


@operation("UpdateFunctionUrlConfig")
async def update_function_url_config(call: Call) -> Mapping[str, Any]:
    params, ref = call.params, call.ref()
    url = await call.port.update_function_url(
        ref, auth_type=params.get("AuthType"), invoke_mode=params.get("InvokeMode"), cors=params.get("Cors")
    )
    return await _describe(call, url, ref.qualifier)


@operation("DeleteFunctionUrlConfig")
async def delete_function_url_config(call: Call) -> Mapping[str, Any]:
    await call.port.delete_function_url(call.ref())
    return {}


@operation("ListFunctionUrlConfigs")
async def list_function_url_configs(call: Call) -> Mapping[str, Any]:
    try:
        attached = await call.port.get_attached(call.function())
    except ResourceNotFound:
        raise ResourceNotFound("Function does not exist") from None
    urls = sorted(attached.urls.items())
    chunk, marker = page(urls, lambda item: (item[0],), call.params)
    return {
        "FunctionUrlConfigs": [
            await _describe(call, url, None if qualifier == LATEST else qualifier) for qualifier, url in chunk
        ],
        "NextMarker": marker,
    }


async def _describe(call: Call, url: FunctionUrl, qualifier: str | None) -> dict[str, Any]:
    return {
        "FunctionUrl": await _address(call, url),
        "FunctionArn": call.account.function_arn(call.function(), qualifier),
        "AuthType": url.auth_type,
        "Cors": None if url.cors is None else dict(url.cors),
        "CreationTime": moment(url.created),
        "LastModifiedTime": moment(url.last_modified),
        "InvokeMode": url.invoke_mode,
    }


async def _address(call: Call, url: FunctionUrl) -> str:
    """Where it answers: a name under `localhost`, which is this machine everywhere; AWS's own form if nobody serves."""
    host = f"{url.id}.lambda-url.{call.account.region}"
    gateway = (await call.port.status()).urls.get("gateway")
    if gateway is None:
        return f"https://{host}.on.aws/"
    return f"http://{host}.localhost:{urlsplit(gateway).port}/"
