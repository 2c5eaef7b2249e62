"""Settings that the engine stores and returns: brought into the form in which AWS answers them.

Source: Lambda API reference, CreateFunction and UpdateFunctionConfiguration; Lambda Developer Guide, "Configuring JSON
and plain text log formats".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.model.errors import InvalidParameterValue

#: Stored as they come; an update replaces the whole of one.
_AS_GIVEN = (
    "AcceleratorConfig",
    "CapacityProviderConfig",
    "DurableConfig",
    "RuntimeConfig",
    "SnapStart",
    "TenancyConfig",
    "TracingConfig",
)
#: Functions do not run in a network of AWS, and nobody here may know whose a subnet is: there is a VPC all the same.
_SOME_VPC = "vpc-00000000000000000"
_LEVELS = ("ApplicationLogLevel", "SystemLogLevel")


def merge_settings(
    current: Mapping[str, Any], params: Mapping[str, Any], name: str, vpc: str | None = None
) -> dict[str, Any]:
    """The settings of function `name` after a create or an update with these parameters.

    `vpc` is the VPC of the subnets, where it is known.
    """
    settings = dict(current)
    for member in _AS_GIVEN:
        if member in params:
            settings[member] = params[member]
    if "VpcConfig" in params:
        settings["VpcConfig"] = _network(params["VpcConfig"], vpc)
    if "LoggingConfig" in params:
        settings["LoggingConfig"] = _logging(current.get("LoggingConfig", {}), params["LoggingConfig"], name)
    # Each of these is taken away by its empty value.
    _set_or_clear(settings, params, "ImageConfig", params.get("ImageConfig"))
    _set_or_clear(settings, params, "KMSKeyArn", params.get("KMSKeyArn"))
    _set_or_clear(settings, params, "FileSystemConfigs", params.get("FileSystemConfigs"))
    _set_or_clear(settings, params, "DeadLetterConfig", params.get("DeadLetterConfig", {}).get("TargetArn"))
    return settings


def _set_or_clear(settings: dict[str, Any], params: Mapping[str, Any], member: str, says: object) -> None:
    if member not in params:
        return
    if says:
        settings[member] = params[member]
    else:
        settings.pop(member, None)


def _network(given: Mapping[str, Any], vpc: str | None) -> dict[str, Any]:
    subnets = given.get("SubnetIds", [])
    return {
        "SubnetIds": subnets,
        "SecurityGroupIds": given.get("SecurityGroupIds", []),
        "VpcId": (vpc or _SOME_VPC) if subnets else "",
        "Ipv6AllowedForDualStack": given.get("Ipv6AllowedForDualStack", False),
    }


def _logging(current: Mapping[str, Any], given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Levels exist with JSON only, and are INFO there until said otherwise."""
    merged = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}", **current, **given}
    if merged["LogFormat"] == "JSON":
        return {**dict.fromkeys(_LEVELS, "INFO"), **merged}
    if any(level in given for level in _LEVELS):
        raise InvalidParameterValue(
            'LogLevel is not supported when LogFormat is set to "Text". '
            'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.'
        )
    return {key: value for key, value in merged.items() if key not in _LEVELS}
