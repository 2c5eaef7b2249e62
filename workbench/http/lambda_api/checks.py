"""What AWS checks of a function's configuration at the door, beyond the model's constraints.

Source: Lambda API reference, CreateFunction and UpdateFunctionConfiguration; Lambda Developer Guide, "Working with
Lambda environment variables" and "Lambda quotas"; the texts are AWS's answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from workbench.model.errors import ApiError, InvalidParameterValue, RequestEntityTooLarge, ValidationException

NAME_LENGTH = 64
TIMEOUT = 900
MEMORY = 10_240
STORAGE = 10_240
ENVIRONMENT_BYTES = 4_096
ZIP_BYTES = 52_428_800
UNZIPPED_BYTES = 262_144_000
TAGS = 50
#: The largest request that carries code: the zip as base64, and the rest.
CODE_REQUEST_BYTES = 70_167_211

#: The runtimes as AWS names them to who asks for one that is not there, in its order (recorded early in 2026).
NAMED_RUNTIMES = (
    "nodejs20.x",
    "python3.14",
    "provided.al2023",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
)
#: A managed runtime's language and version.
SNAP_START = re.compile(r"(java|python|dotnet)([0-9]+(?:\.[0-9]+)?)(?:\.al2023)?", re.ASCII)
_SNAP_START_SINCE = {"java": (11,), "python": (3, 12), "dotnet": (8,)}

RESERVED_VARIABLES = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    }
)
_ENVIRONMENT = (
    "Lambda was unable to configure your environment variables because the environment variables you have provided "
)


def check_name(name: str) -> None:
    """A new function's name. AWS words this as a broken constraint, but answers InvalidParameterValueException."""
    if len(name) > NAME_LENGTH:
        raise InvalidParameterValue(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: "
            f"Member must have length less than or equal to {NAME_LENGTH}"
        )


def check_runtime(runtime: str, runtimes: Collection[str]) -> None:
    if runtime not in runtimes:
        raise InvalidParameterValue(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(NAMED_RUNTIMES)}] or be a valid ARN"
        )


def check_snap_start(apply_on: str, runtime: str) -> None:
    """Java 11, Python 3.12, .NET 8 and newer take snapshots (Lambda Developer Guide, "Supported runtimes")."""
    managed = SNAP_START.fullmatch(runtime)
    enough = managed is not None and tuple(map(int, managed[2].split("."))) >= _SNAP_START_SINCE[managed[1]]
    if apply_on != "None" and not enough:
        raise InvalidParameterValue(f"{runtime} is not supported for SnapStart enabled functions.")


def check_package(params: Mapping[str, Any], *, image: bool) -> None:
    """What only one of the two kinds of package may have."""
    if image and any(params.get(member) for member in ("Runtime", "Handler", "Layers")):
        raise InvalidParameterValue(
            "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
        )
    if not image and params.get("ImageConfig"):
        raise InvalidParameterValue("Please don't provide ImageConfig when the intended function PackageType is Zip.")


def check_file_systems(settings: Mapping[str, Any]) -> None:
    """A function with a file system has a network to reach it by; S3Files settings are for S3 Files."""
    for one in settings.get("FileSystemConfigs", ()):
        efs = ":elasticfilesystem:" in one["Arn"]
        if efs and not settings.get("VpcConfig", {}).get("SubnetIds"):
            raise InvalidParameterValue(
                f"Function must be configured to execute in a VPC to reference access point {one['Arn']}."
            )
        if efs and "S3FilesConfig" in one:
            raise InvalidParameterValue("S3FilesConfig is only for access points of Amazon S3 Files.")


def check_limits(params: Mapping[str, Any]) -> None:
    """Timeout, memory and /tmp. The model's own bounds are those of functions that run on capacity providers."""
    timeout = params.get("Timeout", 0)
    memory = params.get("MemorySize", 0)
    storage = params.get("EphemeralStorage", {}).get("Size", 0)
    problems = []
    if timeout > TIMEOUT:
        problems.append(_too_much(timeout, "timeout", TIMEOUT))
    if storage > STORAGE:
        problems.append(_too_much(storage, "ephemeralStorage.size", STORAGE))
    if problems:
        raise ValidationException(problems)
    if memory > MEMORY:
        raise InvalidParameterValue(
            f"'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to {MEMORY}"
        )


def check_environment(variables: Mapping[str, str]) -> None:
    """Reserved keys, and 4 KB for all of it as JSON. A NUL could not be handed to any process."""
    reserved = [key for key in variables if key in RESERVED_VARIABLES]
    if reserved:
        raise InvalidParameterValue(
            f"{_ENVIRONMENT}contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(variables, ensure_ascii=False, separators=(",", ":"))
    if len(measured.encode()) > ENVIRONMENT_BYTES:
        raise InvalidParameterValue(f"{_ENVIRONMENT}exceeded the 4KB limit. String measured: {measured}")
    empty = [key for key, value in variables.items() if "\0" in value]
    if empty:
        raise InvalidParameterValue(f"{_ENVIRONMENT}contains NUL characters: {', '.join(empty)}")


def check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > TAGS:
        raise InvalidParameterValue("Number of tags exceeds resource tag limit.")


def check_zip(archive: bytes) -> None:
    if len(archive) > ZIP_BYTES:
        raise RequestEntityTooLarge(f"Zipped size must be smaller than {ZIP_BYTES} bytes")


def check_request(size: int, limit: int, operation: str) -> None:
    if size > limit:
        raise RequestEntityTooLarge(f"Request must be smaller than {limit} bytes for the {operation} operation")


def not_yet(what: str, instead: str) -> ApiError:
    """The refusal of what AWS offers and Workbench does not yet."""
    return InvalidParameterValue(f"Workbench does not implement {what} yet. {instead}")


def _too_much(value: int, path: str, most: int) -> str:
    return (
        f"Value '{value}' at '{path}' failed to satisfy constraint: Member must have value less than or equal to {most}"
    )
