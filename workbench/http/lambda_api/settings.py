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
_LEVELS = ("ApplicationLogLevel", "SystemLogLevel")


def merge_settings(current: Mapping[str, Any], params: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The settings of function `name` after a create or an update with these parameters."""
    settings = dict(current)
    for member in _AS_GIVEN:
        if member in params:
            settings[member] = params[member]
    if "VpcConfig" in params:
        settings["VpcConfig"] = _network(params["VpcConfig"])
    if "LoggingConfig" in params:
        settings["LoggingConfig"] = _logging(current.get("LoggingConfig", {}), params["LoggingConfig"], name)
    # Each of these is taken away by its empty value.
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


def _network(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "SubnetIds": given.get("SubnetIds", []),
        "SecurityGroupIds": given.get("SecurityGroupIds", []),
        "VpcId": "",
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
