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
    image = _is_image(params)
    checks.check_package(params, image=image)
    _no_publish_to(params)
    if not image and ("Runtime" not in params or "Handler" not in params):
        raise InvalidParameterValue(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    checks.check_tags(params.get("Tags", {}))
    signed = bool(params.get("CodeSigningConfigArn"))
    fixed = {"runtime": "", "handler": ""} if image else {}
    changes = {**fixed, **await _changes(call, None, ref.name)}
    archive = b"" if image else await archive_of(call, params["Code"])
    version = await call.port.create_function(
        NewFunction(
            name=ref.name,
            configuration=FunctionConfiguration(architecture=_architecture(params) or "x86_64", **changes),
            code=archive,
            image=params["Code"]["ImageUri"] if image else None,
            publish=params.get("Publish", False),
            tags=params.get("Tags", {}),
            code_signing_config=params["CodeSigningConfigArn"].rpartition(":")[2] if signed else None,
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
        "Code": _where(call, version),
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
    image = (await call.port.get_function(FunctionRef(name))).code.image is not None
    if image and "ImageUri" not in params:
        raise InvalidParameterValue("Please provide ImageUri when updating a function with packageType Image.")
    if not image and "ImageUri" in params:
        raise InvalidParameterValue("Please don't provide ImageUri when updating a function with packageType Zip.")
    _no_publish_to(params)
    publish = params.get("Publish", False)
    version = await call.port.update_function_code(
        name,
        b"" if image else await archive_of(call, params),
        image=params.get("ImageUri"),
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
    latest = await call.port.get_function(FunctionRef(name))
    checks.check_package(params, image=latest.code.image is not None)
    current = latest.configuration
    changed = replace(current, **await _changes(call, current, name))
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


async def _changes(call: Call, current: FunctionConfiguration | None, name: str) -> dict[str, Any]:
    """The fields of `FunctionConfiguration` that the parameters change, checked. `current` is None for a new one."""
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
    network = params.get("VpcConfig", {})
    vpc = await call.context.services.vpc_of(network.get("SubnetIds", []), network.get("SecurityGroupIds", []))
    settings = merge_settings(current.settings if current else {}, params, name, vpc)
    checks.check_file_systems(settings)
    runtime = params.get("Runtime") or (current.runtime if current else "")
    if runtime:
        checks.check_snap_start(settings.get("SnapStart", {}).get("ApplyOn", "None"), runtime)
    changes["settings"] = settings
    return changes


def _architecture(params: Mapping[str, Any]) -> str | None:
    architectures = params.get("Architectures")
    return architectures[0] if architectures else None


def _is_image(params: Mapping[str, Any]) -> bool:
    """Is a function to be created from a container image? Its code must then be one, and only then."""
    image: bool = params.get("PackageType", "Zip") == "Image"
    if image and "ImageUri" not in params["Code"]:
        raise InvalidParameterValue("Please provide ImageUri when creating a function with packageType Image.")
    if not image and "ImageUri" in params["Code"]:
        raise InvalidParameterValue("Please don't provide ImageUri when creating a function with packageType Zip.")
    return image


async def archive_of(call: Call, code: Mapping[str, Any]) -> bytes:
    """The zip that a request carries or names. `code` is `Code` or `Content`, or all of UpdateFunctionCode."""
    bucket, key = code.get("S3Bucket"), code.get("S3Key")
    archive: bytes | None = code.get("ZipFile")
    if archive is not None and (bucket or key):
        raise InvalidParameterValue("Please do not provide other FunctionCode parameters when providing a ZipFile.")
    if bucket and key:
        return await call.context.services.get_object(bucket, key, code.get("S3ObjectVersion"))
    if archive is None:
        raise InvalidParameterValue("Please provide a source for function code.")
    if not archive:
        raise InvalidParameterValue("Uploaded file must be a non-empty zip")
    checks.check_zip(archive)
    return archive


def _no_publish_to(params: Mapping[str, Any]) -> None:
    if "PublishTo" in params:
        raise checks.not_yet("functions on capacity providers", "Leave PublishTo out.")


def _where(call: Call, version: FunctionVersion) -> dict[str, Any]:
    image = version.code.image
    if image is None:
        return {"RepositoryType": "S3", "Location": location(call, version.code)}
    name, _, digest = image.partition("@")
    place, slash, last = name.rpartition("/")
    resolved = f"{place}{slash}{last.partition(':')[0]}@{digest or 'sha256:' + version.code.sha256}"
    return {"RepositoryType": "ECR", "ImageUri": image, "ResolvedImageUri": resolved}


def location(call: Call, code: Code) -> str:
    """A URL on this endpoint, as the client addressed it, that downloads the archive. The hash in it is its key."""
    host = call.request.headers.get("host", "localhost")
    return f"http://{host}/_workbench/v1/code/{code.sha256}"


def by_name_and_number(version: FunctionVersion) -> tuple[str, int]:
    return version.name, 0 if version.version == LATEST else int(version.version)
