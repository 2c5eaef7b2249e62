"""A function version as the `FunctionConfiguration` that AWS answers with: which members, and when they are absent.

Source: Lambda API reference, FunctionConfiguration; ListFunctions for the members that lists leave out.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from workbench.http.lambda_api.operations import Context
from workbench.model.functions import Code, FunctionVersion
from workbench.model.names import LATEST

#: What the list operations leave out.
_NOT_LISTED = (
    "State",
    "StateReason",
    "StateReasonCode",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
    "RuntimeVersionConfig",
)


def describe(version: FunctionVersion, context: Context, *, qualifier: str | None = None) -> dict[str, Any]:
    """The configuration of a version. `qualifier` is what its ARN ends in: the version, the alias that led to it."""
    settings = version.configuration.settings
    configuration = version.configuration
    described: dict[str, Any] = {
        "FunctionName": version.name,
        "FunctionArn": context.account.function_arn(version.name, qualifier),
        "Runtime": configuration.runtime or None,
        "Role": configuration.role,
        "Handler": configuration.handler or None,
        "CodeSize": version.code.size,
        "Description": configuration.description,
        "Timeout": configuration.timeout,
        "MemorySize": configuration.memory_size,
        "LastModified": moment(version.last_modified),
        "CodeSha256": code_sha256(version.code),
        "Version": version.version,
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": version.revision_id,
        "State": version.state.value,
        "StateReason": version.state_reason,
        "StateReasonCode": version.state_reason_code,
        "LastUpdateStatus": version.update_status.value if version.update_status else None,
        "LastUpdateStatusReason": version.update_reason,
        "LastUpdateStatusReasonCode": version.update_reason_code,
        "PackageType": "Zip" if version.code.image is None else "Image",
        "Architectures": [configuration.architecture],
        "EphemeralStorage": {"Size": configuration.ephemeral_storage},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{version.name}"},
    }
    if configuration.environment is not None:
        described["Environment"] = {"Variables": dict(configuration.environment)}
    if configuration.layers:
        described["Layers"] = [
            {"Arn": arn, "CodeSize": code.size} for arn, code in zip(configuration.layers, version.layers, strict=True)
        ]
    if version.runtime_version is not None:
        described["RuntimeVersionConfig"] = {"RuntimeVersionArn": version.runtime_version}
    described.update(settings)
    image_config = described.pop("ImageConfig", None)
    if image_config is not None:
        described["ImageConfigResponse"] = {"ImageConfig": image_config}
    described["SnapStart"] = _snap_start(version.version, settings)
    return described


def describe_listed(version: FunctionVersion, context: Context, *, qualified: bool) -> dict[str, Any]:
    """The configuration as lists show it. `qualified` ends every ARN in its version, `$LATEST` too."""
    described = describe(version, context, qualifier=version.version if qualified else None)
    for member in _NOT_LISTED:
        described.pop(member, None)
    return described


def code_sha256(code: Code) -> str:
    """A zip's hash as base64, an image's digest as it is."""
    return code.sha256 if code.image else base64.b64encode(bytes.fromhex(code.sha256)).decode("ascii")


def moment(seconds: float) -> str:
    """A time as Lambda writes it: `2018-11-27T15:10:45.123+0000`."""
    milliseconds = round(seconds * 1000)
    whole = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}+0000"


def _snap_start(version: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """SnapStart applies to published versions, never to `$LATEST`."""
    apply_on = settings.get("SnapStart", {}).get("ApplyOn", "None")
    on = apply_on == "PublishedVersions" and version != LATEST
    return {"ApplyOn": apply_on, "OptimizationStatus": "On" if on else "Off"}
