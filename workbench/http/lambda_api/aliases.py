"""Aliases: create, update, read, list, delete.

Source: Lambda API reference, CreateAlias, UpdateAlias, GetAlias, ListAliases, DeleteAlias.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.http.lambda_api.operations import Call, operation
from workbench.http.lambda_api.paging import page
from workbench.model.functions import Alias


@operation("CreateAlias")
async def create_alias(call: Call) -> Mapping[str, Any]:
    params = call.params
    alias = await call.port.create_alias(
        call.function(),
        params["Name"],
        params["FunctionVersion"],
        description=params.get("Description", ""),
        weights=_weights(params),
    )
    return _describe(call, alias)


@operation("UpdateAlias")
async def update_alias(call: Call) -> Mapping[str, Any]:
    params = call.params
    alias = await call.port.update_alias(
        call.function(),
        params["Name"],
        version=params.get("FunctionVersion"),
        description=params.get("Description"),
        weights=_weights(params),
        revision_id=params.get("RevisionId"),
    )
    return _describe(call, alias)


@operation("GetAlias")
async def get_alias(call: Call) -> Mapping[str, Any]:
    return _describe(call, await call.port.get_alias(call.function(), call.params["Name"]))


@operation("ListAliases")
async def list_aliases(call: Call) -> Mapping[str, Any]:
    aliases = await call.port.list_aliases(call.function())
    version = call.params.get("FunctionVersion")
    if version is not None:
        aliases = tuple(alias for alias in aliases if version == alias.version or version in alias.weights)
    chunk, marker = page(aliases, lambda alias: (alias.name,), call.params)
    return {"Aliases": [_describe(call, alias) for alias in chunk], "NextMarker": marker}


@operation("DeleteAlias")
async def delete_alias(call: Call) -> Mapping[str, Any]:
    await call.port.delete_alias(call.function(), call.params["Name"])
    return {}


def _weights(params: Mapping[str, Any]) -> Mapping[str, float] | None:
    """The weights that a request gives: None when it says nothing about routing, empty to clear it."""
    routing = params.get("RoutingConfig")
    return None if routing is None else routing.get("AdditionalVersionWeights", {})


def _describe(call: Call, alias: Alias) -> dict[str, Any]:
    return {
        "AliasArn": call.account.function_arn(alias.function, alias.name),
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RoutingConfig": {"AdditionalVersionWeights": dict(alias.weights)} if alias.weights else None,
        "RevisionId": alias.revision_id,
    }
