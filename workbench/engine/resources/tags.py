"""Tags of functions and of the account's resources, by ARN.

Source: Lambda API reference, TagResource; Lambda Developer Guide, "Using tags on Lambda functions".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from workbench.engine.decide import Function
from workbench.engine.resources.find import find
from workbench.model.attached import Attached
from workbench.model.errors import InvalidParameterValue, ResourceConflict
from workbench.model.functions import UpdateStatus
from workbench.model.names import Account, FunctionRef

TAGS = 50


def split(arn: str) -> tuple[str, str]:
    """The kind and the name at the end of an ARN.

    Raises:
        InvalidParameterValue: it ends in a version or an alias, which have no tags.
    """
    kind, _, name = arn.split(":", 5)[-1].partition(":")
    if kind == "function" and ":" in name:
        raise InvalidParameterValue(
            "Tags on function aliases and versions are not supported. Please specify a function ARN."
        )
    return kind, name


def changed(present: Mapping[str, str], put: Mapping[str, str], remove: tuple[str, ...]) -> Mapping[str, str]:
    tags = {key: value for key, value in {**present, **put}.items() if key not in remove}
    if len(tags) > TAGS and len(tags) > len(present):
        raise InvalidParameterValue("Number of tags exceeds resource tag limit.")
    return tags


def of_function(
    account: Account, function: Function | None, name: str, put: Mapping[str, str], remove: tuple[str, ...]
) -> Attached:
    function = find(account, function, FunctionRef(name))
    if put and function.latest.update_status is UpdateStatus.IN_PROGRESS:
        raise ResourceConflict(
            "The operation cannot be performed at this time. "
            f"An update is in progress for resource: {account.function_arn(name)}"
        )
    return replace(function.attached, tags=changed(function.attached.tags, put, remove))
