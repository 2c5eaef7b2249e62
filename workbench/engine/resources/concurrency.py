"""Reserved and provisioned concurrency: what an account may give away, and to whom.

Source: Lambda Developer Guide, "Understanding Lambda function scaling", "Configuring reserved concurrency" and
"Configuring provisioned concurrency"; the texts are AWS's answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from workbench.engine.decide import Function, Tables
from workbench.engine.resources.find import find, key
from workbench.model.attached import Attached, Provisioned
from workbench.model.errors import InvalidParameterValue, ProvisionedConcurrencyConfigNotFound, ResourceConflict
from workbench.model.functions import Alias
from workbench.model.names import LATEST, FunctionRef

#: What must stay for the functions without a reservation.
UNRESERVED_MINIMUM = 100
_BELOW_MINIMUM = (
    "Specified {what} for function decreases account's UnreservedConcurrentExecution "
    f"below its minimum value of [{UNRESERVED_MINIMUM}]."
)
_UNPUBLISHED = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."


def reserve(tables: Tables, ref: FunctionRef, reserved: int | None) -> Attached:
    """What is attached with this reservation, or with none."""
    if ref.qualifier is not None:
        raise InvalidParameterValue(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
            "Please specify either a function name or an unqualified function ARN."
        )
    function = find(tables.account, tables.functions.get(ref.name), ref)
    if reserved is not None:
        provisioned = function.attached.provisioned_total()
        if reserved < provisioned:
            raise InvalidParameterValue(
                f" ReservedConcurrentExecutions  {reserved} should not be lower than "
                f"function's total provisioned concurrency [{provisioned}]."
            )
        without = unreserved(tables, leaving_out=ref.name)
        if reserved and without - reserved < UNRESERVED_MINIMUM:
            raise _untyped(_BELOW_MINIMUM.format(what="ReservedConcurrentExecutions"))
    return replace(function.attached, reserved=reserved)


def provision(tables: Tables, ref: FunctionRef, requested: int, now: float) -> Attached:
    """What is attached once this many environments are asked for. None of them is there yet."""
    function = find(tables.account, tables.functions.get(ref.name), ref)
    _check_shared(function, key(ref))
    _check_kind(function, key(ref))
    others = function.attached.provisioned_total(leaving_out=key(ref))
    reserved = function.attached.reserved
    if reserved is not None:
        if others + requested > reserved:
            raise InvalidParameterValue(
                "Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function"
            )
    else:
        room = unreserved(tables, leaving_out=ref.name) - others
        if requested > room:
            raise InvalidParameterValue(
                "Specified ConcurrentExecutions for function is greater than "
                f"account's unreserved concurrency [{room}]."
            )
        if room - requested < UNRESERVED_MINIMUM:
            raise InvalidParameterValue(_BELOW_MINIMUM.format(what="ConcurrentExecutions"))
    config = Provisioned(requested=requested, last_modified=now)
    return replace(function.attached, provisioned={**function.attached.provisioned, key(ref): config})


def unprovision(tables: Tables, ref: FunctionRef) -> Attached:
    """What is attached without the configuration; one that does not exist is no error."""
    function = _provisionable(tables, ref)
    kept = {name: config for name, config in function.attached.provisioned.items() if name != key(ref)}
    return replace(function.attached, provisioned=kept)


def provisioned(tables: Tables, ref: FunctionRef) -> Function:
    """The function, if `ref` has a configuration."""
    function = _provisionable(tables, ref)
    if key(ref) not in function.attached.provisioned:
        raise ProvisionedConcurrencyConfigNotFound("No Provisioned Concurrency Config found for this function")
    return function


def unreserved(tables: Tables, *, leaving_out: str | None = None) -> int:
    """What is left of the account's limit for functions without a reservation."""
    return tables.concurrency_limit - sum(
        function.attached.claimed for name, function in tables.claimants.items() if name != leaving_out
    )


def check_move(function: Function, alias: Alias) -> None:
    """May an alias that may have provisioned concurrency lead where it would now?

    Raises:
        ResourceConflict, InvalidParameterValue: as `provision`.
    """
    if alias.name in function.attached.provisioned:
        _check_target(function, alias)
        for number in (alias.version, *alias.weights):
            _check_kind(function, number)


def _provisionable(tables: Tables, ref: FunctionRef) -> Function:
    if key(ref) == LATEST:
        raise InvalidParameterValue("The function resource provided must be an alias or a published version.")
    return find(tables.account, tables.functions.get(ref.name), ref)


def _check_shared(function: Function, qualifier: str) -> None:
    """A version may be provisioned under its number or through an alias, not both."""
    taken: Mapping[str, Provisioned] = function.attached.provisioned
    alias = function.aliases.get(qualifier)
    if alias is not None:
        _check_target(function, alias)
    elif any(
        other.name in taken and qualifier in (other.version, *other.weights) for other in function.aliases.values()
    ):
        raise ResourceConflict("Version is pointed by a Provisioned Concurrency alias")


def _check_target(function: Function, alias: Alias) -> None:
    if any(version in function.attached.provisioned for version in (alias.version, *alias.weights)):
        raise ResourceConflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
        )


def _check_kind(function: Function, qualifier: str) -> None:
    """Neither what is not published, nor SnapStart, nor functions that keep tenants apart; the last two texts are ours.

    Source: Lambda Developer Guide, "Lambda SnapStart" and "Tenant isolation", their limitations.
    """
    alias = function.aliases.get(qualifier)
    for number in (qualifier,) if alias is None else (alias.version, *alias.weights):
        if number == LATEST:
            raise InvalidParameterValue(_UNPUBLISHED)
        settings = function.versions[number].configuration.settings
        if settings.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions":
            raise InvalidParameterValue(f"Provisioned concurrency is not supported with SnapStart: version {number}")
        if settings.get("TenancyConfig"):
            raise InvalidParameterValue(
                f"Provisioned concurrency is not supported with tenant isolation: version {number}"
            )


def _untyped(message: str) -> InvalidParameterValue:
    """AWS leaves `Type` out of this one answer."""
    error = InvalidParameterValue(message)
    error.kind = None
    return error
