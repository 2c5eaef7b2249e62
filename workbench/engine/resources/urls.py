"""Function URLs: of a function itself, or of an alias.

Source: Lambda API reference, CreateFunctionUrlConfig and its kin; Lambda Developer Guide, "Function URLs".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.engine.decide import Function
from workbench.engine.resources.find import NO_RESOURCE, find_or, key
from workbench.model.attached import Attached, FunctionUrl
from workbench.model.errors import ResourceConflict, ResourceNotFound
from workbench.model.names import Account, FunctionRef
from workbench.model.routes import ANY, DEFAULT, ApiKind, Route

NO_FUNCTION = "Function does not exist"


def create(account: Account, function: Function | None, ref: FunctionRef, url: FunctionUrl) -> Attached:
    function = find_or(function, ref, NO_FUNCTION)
    if key(ref) in function.attached.urls:
        raise ResourceConflict(
            f"Failed to create function url config for [functionArn = {account.function_arn(ref.name, ref.qualifier)}]."
            " Error message:  FunctionUrlConfig exists for this Lambda function"
        )
    return _with(function, ref, url)


def update(
    function: Function | None,
    ref: FunctionRef,
    auth_type: str | None,
    invoke_mode: str | None,
    cors: Mapping[str, Any] | None,
    now: float,
) -> Attached:
    """What is not given stays; CORS settings are replaced as a whole."""
    function = find_or(function, ref, NO_FUNCTION)
    url = get(function, ref)
    changed = replace(
        url,
        auth_type=url.auth_type if auth_type is None else auth_type,
        invoke_mode=url.invoke_mode if invoke_mode is None else invoke_mode,
        cors=url.cors if cors is None else cors,
        last_modified=now,
    )
    return _with(function, ref, changed)


def delete(function: Function | None, ref: FunctionRef) -> Attached:
    get(function, ref)
    assert function is not None
    kept = {name: url for name, url in function.attached.urls.items() if name != key(ref)}
    return replace(function.attached, urls=kept)


def get(function: Function | None, ref: FunctionRef) -> FunctionUrl:
    url = function.attached.urls.get(key(ref)) if function else None
    if url is None:
        raise ResourceNotFound(NO_RESOURCE)
    return url


def routes(functions: Mapping[str, Function]) -> tuple[Route, ...]:
    """What the HTTP front end serves for all the URLs there are."""
    return tuple(
        Route(
            method=ANY,
            path=DEFAULT,
            function=name,
            qualifier=qualifier if qualifier in function.aliases else None,
            kind=ApiKind.URL,
            payload="2.0",
            stage=DEFAULT,
            api=url.id,
            auth=url.auth_type,
            streaming=url.invoke_mode == "RESPONSE_STREAM",
            cors=url.cors,
        )
        for name, function in functions.items()
        for qualifier, url in function.attached.urls.items()
    )


def _with(function: Function, ref: FunctionRef, url: FunctionUrl) -> Attached:
    return replace(function.attached, urls={**function.attached.urls, key(ref): url})
