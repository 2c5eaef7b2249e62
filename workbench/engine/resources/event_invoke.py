"""Configurations for asynchronous invocation, per `$LATEST`, version or alias.

Source: Lambda API reference, PutFunctionEventInvokeConfig and its kin; Lambda Developer Guide, "Capturing records of
Lambda asynchronous invocations".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from workbench.engine.decide import Function
from workbench.engine.resources.find import find_or, has, key
from workbench.model.attached import Attached, EventInvokeConfig
from workbench.model.errors import ApiError, InvalidParameterValue, ResourceNotFound
from workbench.model.names import Account, FunctionRef, parse_function_ref

NO_FUNCTION = "The function doesn't exist."
_ANY_SERVICE = frozenset(("sqs", "sns", "lambda", "events"))
_FAILURE_SERVICES = _ANY_SERVICE | {"s3"}


def put(
    account: Account,
    functions: Mapping[str, Function],
    ref: FunctionRef,
    config: EventInvokeConfig,
    *,
    merge: bool,
) -> Attached:
    """What is attached with this configuration; `merge` keeps of the present one what `config` leaves out."""
    if config == EventInvokeConfig(last_modified=config.last_modified):
        raise InvalidParameterValue("You must specify at least one of error handling or destination setting.")
    function = find_or(functions.get(ref.name), ref, NO_FUNCTION)
    if merge:
        present = get(account, function, ref)
        given = {name: getattr(config, name) for name in _SETTINGS if getattr(config, name) is not None}
        config = replace(present, last_modified=config.last_modified, **given)
    _check_destinations(account, functions, ref, config)
    return replace(function.attached, event_invoke={**function.attached.event_invoke, key(ref): config})


def delete(account: Account, function: Function | None, ref: FunctionRef) -> Attached:
    get(account, function, ref)
    assert function is not None
    kept = {name: config for name, config in function.attached.event_invoke.items() if name != key(ref)}
    return replace(function.attached, event_invoke=kept)


def get(account: Account, function: Function | None, ref: FunctionRef) -> EventInvokeConfig:
    """The configuration; a function or qualifier that is missing has none either."""
    found = function.attached.event_invoke.get(key(ref)) if function and has(function, ref.qualifier) else None
    if found is None:
        arn = account.function_arn(ref.name, key(ref))
        raise ResourceNotFound(f"The function {arn} doesn't have an EventInvokeConfig")
    return found


_SETTINGS = ("maximum_retry_attempts", "maximum_event_age", "on_success", "on_failure")


def _check_destinations(
    account: Account, functions: Mapping[str, Function], ref: FunctionRef, config: EventInvokeConfig
) -> None:
    ends = ((config.on_success, _ANY_SERVICE), (config.on_failure, _FAILURE_SERVICES))
    for destination, services in ends:
        if destination and _service(destination) not in services:
            raise InvalidParameterValue(
                f"The provided destination config DestinationConfig(onSuccess={_java('OnSuccess', config.on_success)}, "
                f"onFailure={_java('OnFailure', config.on_failure)}) is invalid."
            )
    for destination, _ in ends:
        if destination and _service(destination) == "lambda":
            _check_function(account, functions, ref, destination)


def _check_function(account: Account, functions: Mapping[str, Function], ref: FunctionRef, destination: str) -> None:
    try:
        target = parse_function_ref(destination, None, account)
    except ApiError:
        target = None
    if target is not None and target.name == ref.name:
        raise InvalidParameterValue("You can't specify the function as a destination for itself.")
    known = functions.get(target.name) if target is not None else None
    if known is None or target is None or not has(known, target.qualifier):
        raise InvalidParameterValue(f"The destination ARN {destination} is invalid.")


def _service(arn: str) -> str:
    parts = arn.split(":")
    return parts[2] if len(parts) > 2 else ""


def _java(kind: str, destination: str | None) -> str:
    """As AWS's own classes print themselves."""
    return f"{kind}(destination={destination})" if destination else "null"
