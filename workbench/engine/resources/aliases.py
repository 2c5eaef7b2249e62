"""What an alias may be called, what it may point at, and how it may split invocations between two versions.

Source: Lambda API reference, CreateAlias and UpdateAlias; Lambda Developer Guide, "Create an alias for a Lambda
function", "Implement Lambda canary deployments using a weighted alias".
"""

from __future__ import annotations

from workbench.engine.decide import Function
from workbench.model.errors import InvalidParameterValue, ResourceNotFound, ValidationException
from workbench.model.functions import Alias
from workbench.model.names import ALIAS_PATTERN, LATEST, Account


def check_name(name: str) -> None:
    """Raises ValidationException for what could be a version, or is no name."""
    if not ALIAS_PATTERN.fullmatch(name):
        raise ValidationException(
            [
                f"Value '{name}' at 'name' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
            ]
        )


def check_alias(account: Account, function: Function, alias: Alias) -> None:
    """AWS's rules for an alias of the function and its weights.

    Raises:
        InvalidParameterValue, ValidationException: the weights are not such, or the versions differ in what they may
            not differ in.
        ResourceNotFound: there is no such version.
    """
    weights = alias.weights
    if len(weights) > 1:
        raise InvalidParameterValue("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for version, weight in weights.items():
        if not 0.0 <= weight <= 1.0:
            bound = "less than or equal to 1.0" if weight > 1.0 else "greater than or equal to 0.0"
            raise ValidationException(
                [
                    f"Value '{{{version}={weight}}}' at 'routingConfig.additionalVersionWeights' failed to satisfy "
                    f"constraint: Map value must satisfy constraint: [Member must have value {bound}]"
                ]
            )
        if alias.version == LATEST or version == LATEST:
            refused = InvalidParameterValue("$LATEST is not supported for an alias pointing to more than 1 version")
            if alias.version == LATEST:
                refused.kind = None  # AWS leaves `Type` out here
            raise refused
        if version == alias.version:
            raise InvalidParameterValue(
                f"Invalid function version {version}. "
                f"Function version {version} is already included in routing configuration."
            )
    for version in (alias.version, *weights):
        if version not in function.versions:
            raise ResourceNotFound(f"Function not found: {account.function_arn(alias.function, version)}")
    targets = [function.versions[version].configuration for version in (alias.version, *weights)]
    if len({target.role for target in targets}) > 1:
        raise InvalidParameterValue("Both versions of an alias must have the same execution role")
    if len({str(target.settings.get("DeadLetterConfig")) for target in targets}) > 1:
        raise InvalidParameterValue("Both versions of an alias must have the same dead-letter queue configuration")
