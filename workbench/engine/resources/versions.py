"""What is attached to a function or a version of it and has no rules beyond its own: runtime management, recursion,
scaling on capacity providers, code signing.

Source: Lambda API reference, PutRuntimeManagementConfig, PutFunctionRecursionConfig, PutFunctionScalingConfig,
PutFunctionCodeSigningConfig; Lambda Developer Guide, "Understanding how Lambda manages runtime version updates".
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from workbench.engine.decide import Function
from workbench.engine.resources.find import find, key
from workbench.model.attached import Attached, RuntimeManagement, ScalingConfig, UpdateRuntimeOn
from workbench.model.errors import InvalidParameterValue, ResourceNotFound
from workbench.model.functions import FunctionConfiguration
from workbench.model.names import Account, FunctionRef


def manage_runtime(
    account: Account, function: Function | None, ref: FunctionRef, config: RuntimeManagement, arns: Collection[str]
) -> Attached:
    """How the runtime version of `$LATEST` or of a published version is chosen; aliases have none of their own.

    `arns` are the runtime versions that there are for it. The words about a container image and about an ARN that is
    none of them are a guess.
    """
    manual = config.update_runtime_on is UpdateRuntimeOn.MANUAL
    if manual and config.runtime_version_arn is None:
        raise InvalidParameterValue("RuntimeVersionArn is required when UpdateRuntimeOn is Manual.")
    if not manual and config.runtime_version_arn is not None:
        raise InvalidParameterValue("RuntimeVersionArn is allowed only when UpdateRuntimeOn is Manual.")
    function = version_of(account, function, ref)
    version = function.versions[key(ref)]
    if version.code.image is not None:
        raise InvalidParameterValue("Runtime management is not supported for functions with PackageType Image.")
    if manual and config.runtime_version_arn not in arns:
        raise InvalidParameterValue(
            f"The runtime version {config.runtime_version_arn} is not a version of {version.configuration.runtime}."
        )
    kept = {**function.attached.runtime_management, key(ref): config}
    return replace(function.attached, runtime_management=kept)


def check_pinned(before: FunctionConfiguration, after: FunctionConfiguration) -> None:
    """What a function in Manual may not change. The words are a guess.

    Raises:
        InvalidParameterValue: another runtime or architecture, where the pinned version is none of.
    """
    for what, old, new in (
        ("Runtime", before.runtime, after.runtime),
        ("Architectures", before.architecture, after.architecture),
    ):
        if old != new:
            raise InvalidParameterValue(
                f"{what} cannot be changed from {old} to {new} while UpdateRuntimeOn is Manual. "
                "Set it to Auto or FunctionUpdate first."
            )


def scale(account: Account, function: Function | None, ref: FunctionRef, config: ScalingConfig | None) -> Attached:
    """Bounds for a published version; None takes them away."""
    function = version_of(account, function, ref)
    low, high = (config.minimum, config.maximum) if config is not None else (None, None)
    if low is not None and high is not None and low > high:
        raise InvalidParameterValue(
            f"MinExecutionEnvironments ({low}) must not be greater than MaxExecutionEnvironments ({high})."
        )
    kept = {name: present for name, present in function.attached.scaling.items() if name != key(ref)}
    return replace(function.attached, scaling=kept if config is None else {**kept, key(ref): config})


def version_of(account: Account, function: Function | None, ref: FunctionRef) -> Function:
    """The function, if `ref` names one of its versions and no alias.

    Raises:
        ResourceNotFound: it does not.
    """
    if function is None or key(ref) not in function.versions:
        raise ResourceNotFound(f"Function not found: {account.function_arn(ref.name, ref.qualifier)}")
    return find(account, function, ref)
