"""Functions and their versions: create, read, update, publish, list, delete.

Source: Lambda API reference, the operations of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.http.lambda_api import checks
from workbench.http.lambda_api.configuration import describe, describe_listed
from workbench.http.lambda_api.operations import Call, operation
from workbench.http.lambda_api.paging import page
from workbench.http.lambda_api.settings import merge_settings
from workbench.model.errors import InvalidParameterValue
from workbench.model.functions import Code, FunctionConfiguration, FunctionVersion, NewFunction
from workbench.model.names import LATEST, FunctionRef

#: Parameters that map one to one to a field of `FunctionConfiguration`.
_FIELDS = {
    "Runtime": "runtime",
    "Handler": "handler",
    "Role": "role",
    "Description": "description",
    "Timeout": "timeout",
    "MemorySize": "memory_size",
}


@operation("CreateFunction", unchecked=("Runtime",), limit=checks.CODE_REQUEST_BYTES)
async def create_function(call: Call) -> Mapping[str, Any]:
    params = call.params
    ref = call.ref()
    if ref.qualifier is not None:
        raise InvalidParameterValue(f"The name of a new function has no qualifier: {ref}")
    checks.check_name(ref.name)
    archive = archive_of(params["Code"], params.get("PackageType", "Zip"))
    if "CodeSigningConfigArn" in params:
        raise checks.not_yet("code signing", "Leave CodeSigningConfigArn out.")
    _no_publish_to(params)
    if "Runtime" not in params or "Handler" not in params:
        raise InvalidParameterValue(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    checks.check_tags(params.get("Tags", {}))
    changes = _changes(call, {}, ref.name)
    version = await call.port.create_function(
        NewFunction(
            name=ref.name,
            configuration=FunctionConfiguration(architecture=_architecture(params) or "x86_64", **changes),
            code=archive,
            publish=params.get("Publish", False),
            tags=params.get("Tags", {}),
        )
    )
    return describe(version, call.context)


@operation("GetFunction")
async def get_function(call: Call) -> Mapping[str, Any]:
    ref = call.ref()
    version = await call.port.get_function(ref)
    attached = await call.port.get_attached(ref.name)
    return {
        "Configuration": describe(version, call.context, qualifier=ref.qualifier),
        "Code": {"RepositoryType": "S3", "Location": location(call, version.code)},
        "Tags": dict(attached.tags) or None,
        "Concurrency": None if attached.reserved is None else {"ReservedConcurrentExecutions": attached.reserved},
    }


@operation("GetFunctionConfiguration")
async def get_function_configuration(call: Call) -> Mapping[str, Any]:
    ref = call.ref()
    return describe(await call.port.get_function(ref), call.context, qualifier=ref.qualifier)


@operation("UpdateFunctionCode", limit=checks.CODE_REQUEST_BYTES)
async def update_function_code(call: Call) -> Mapping[str, Any]:
    params = call.params
    name = call.latest()
    if "ImageUri" in params:
        await call.port.get_function(FunctionRef(name))
        raise InvalidParameterValue("Please don't provide ImageUri when updating a function with packageType Zip.")
    _no_publish_to(params)
    publish = params.get("Publish", False)
    version = await call.port.update_function_code(
        name,
        archive_of(params, "Zip"),
        architecture=_architecture(params),
        publish=publish,
        dry_run=params.get("DryRun", False),
        revision_id=params.get("RevisionId"),
    )
    return describe(version, call.context, qualifier=None if version.version == LATEST else version.version)


@operation("UpdateFunctionConfiguration", unchecked=("Runtime",))
async def update_function_configuration(call: Call) -> Mapping[str, Any]:
    params = call.params
    name = call.latest()
    current = (await call.port.get_function(FunctionRef(name))).configuration
    if "ImageConfig" in params:
        raise checks.not_yet("functions made of container images", "Leave ImageConfig out.")
    changed = replace(current, **_changes(call, current.settings, name))
    version = await call.port.update_function_configuration(name, changed, revision_id=params.get("RevisionId"))
    return describe(version, call.context)


@operation("DeleteFunction")
async def delete_function(call: Call) -> Mapping[str, Any]:
    await call.port.delete_function(call.ref())
    return {}


@operation("ListFunctions")
async def list_functions(call: Call) -> Mapping[str, Any]:
    params = call.params
    if "MasterRegion" in params:
        # It asks for replicas of Lambda@Edge functions, and there are none here.
        return {"Functions": []}
    versions = list(await call.port.list_functions())
    every = params.get("FunctionVersion") == "ALL"
    if every:
        versions = [version for latest in versions for version in await call.port.list_versions(latest.name)]
    versions.sort(key=by_name_and_number)
    chunk, marker = page(versions, by_name_and_number, params)
    return {
        "Functions": [describe_listed(version, call.context, qualified=every) for version in chunk],
        "NextMarker": marker,
    }


@operation("PublishVersion")
async def publish_version(call: Call) -> Mapping[str, Any]:
    params = call.params
    _no_publish_to(params)
    version = await call.port.publish_version(
        call.latest(),
        description=params.get("Description"),
        code_sha256=params.get("CodeSha256") or None,
        revision_id=params.get("RevisionId"),
    )
    return describe(version, call.context, qualifier=version.version)


@operation("ListVersionsByFunction")
async def list_versions_by_function(call: Call) -> Mapping[str, Any]:
    versions = await call.port.list_versions(call.function())
    chunk, marker = page(versions, by_name_and_number, call.params)
    return {
        "Versions": [describe_listed(version, call.context, qualified=True) for version in chunk],
        "NextMarker": marker,
    }


def _changes(call: Call, settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The fields of `FunctionConfiguration` that the parameters change, checked."""
    params = call.params
    changes: dict[str, Any] = {field: params[member] for member, field in _FIELDS.items() if member in params}
    if "Runtime" in params:
        checks.check_runtime(params["Runtime"], call.context.runtimes)
    checks.check_limits(params)
    if "EphemeralStorage" in params:
        changes["ephemeral_storage"] = params["EphemeralStorage"]["Size"]
    if "Environment" in params:
        changes["environment"] = params["Environment"].get("Variables", {})
        checks.check_environment(changes["environment"])
    if "Layers" in params:
        changes["layers"] = tuple(params["Layers"])
    changes["settings"] = merge_settings(settings, params, name)
    return changes


def _architecture(params: Mapping[str, Any]) -> str | None:
    architectures = params.get("Architectures")
    return architectures[0] if architectures else None


def archive_of(code: Mapping[str, Any], package_type: str) -> bytes:
    """The zip that a request carries. `code` is `Code` or `Content`, or all of UpdateFunctionCode."""
    if package_type == "Image" or "ImageUri" in code:
        raise checks.not_yet("functions made of container images", "Send a zip archive as ZipFile.")
    if "S3Bucket" in code or "S3Key" in code:
        raise checks.not_yet("code from S3", "Send the zip archive itself as ZipFile.")
    archive: bytes | None = code.get("ZipFile")
    if archive is None:
        raise InvalidParameterValue("Please provide a source for function code.")
    if not archive:
        raise InvalidParameterValue("Uploaded file must be a non-empty zip")
    checks.check_zip(archive)
    return archive


def _no_publish_to(params: Mapping[str, Any]) -> None:
    if "PublishTo" in params:
        raise checks.not_yet("functions on capacity providers", "Leave PublishTo out.")


def location(call: Call, code: Code) -> str:
    """A URL on this endpoint, as the client addressed it, that downloads the archive. The hash in it is its key."""
    host = call.request.headers.get("host", "localhost")
    return f"http://{host}/_workbench/v1/code/{code.sha256}"


def by_name_and_number(version: FunctionVersion) -> tuple[str, int]:
    return version.name, 0 if version.version == LATEST else int(version.version)
