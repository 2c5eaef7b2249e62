"""Functions, versions and aliases as values.

Fields the engine acts on are typed. Settings that it only stores and returns stay in `settings`, spelled as AWS does.
Source of defaults and limits: Lambda API reference, CreateFunction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import isnan, nan
from typing import Any

from workbench.model.names import LATEST


class FunctionState(StrEnum):
    PENDING = "Pending"
    ACTIVE = "Active"
    INACTIVE = "Inactive"
    FAILED = "Failed"


class UpdateStatus(StrEnum):
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    IN_PROGRESS = "InProgress"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionConfiguration:
    """What a version freezes. Times in seconds, sizes in MB.

    The runtime and the handler of a container image are its own business, and empty here.
    """

    runtime: str
    handler: str
    role: str
    description: str = ""
    timeout: int = 3
    memory_size: int = 128
    ephemeral_storage: int = 512
    architecture: str = "x86_64"
    environment: Mapping[str, str] | None = None
    layers: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A deployment package: hex SHA-256 of the zip as uploaded, and its size in bytes.

    Of a container image: the hex digest, and `image` as it was named.
    """

    sha256: str
    size: int
    image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionVersion:
    """`$LATEST` or one immutable published version. `last_modified` is in epoch seconds.

    `layers` is the code of what `configuration.layers` names, in that order; it outlives the layer versions.
    `runtime_version` is the ARN of the runtime version that its environments get; alone of all it may change in a
    published version.
    """

    name: str
    version: str = LATEST
    configuration: FunctionConfiguration
    code: Code
    revision_id: str
    last_modified: float
    state: FunctionState = FunctionState.ACTIVE
    state_reason: str | None = None
    state_reason_code: str | None = None
    update_status: UpdateStatus | None = UpdateStatus.SUCCESSFUL
    update_reason: str | None = None
    update_reason_code: str | None = None
    layers: tuple[Code, ...] = ()
    runtime_version: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Name and version: what an execution environment belongs to."""
        return (self.name, self.version)


def unchanged(published: FunctionVersion, latest: FunctionVersion) -> bool:
    """Has nothing that a version freezes changed since `published`, so that publishing `latest` gives nothing new?

    A description may have been given for that version alone: another one counts only if `$LATEST` was changed since.
    """
    before, now = published.configuration, latest.configuration
    if before.description != now.description and latest.last_modified <= published.last_modified:
        before = replace(before, description=now.description)
    return published.code.sha256 == latest.code.sha256 and before == now


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name for a version, with at most one additional version and its weight (0.0 to 1.0)."""

    function: str
    name: str
    version: str
    description: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    revision_id: str


def weight_of(text: str) -> float:
    """A weight as a person writes it, `0.25` or `25%`; it may lie outside 0 to 1.

    Raises:
        ValueError: it is no number.
    """
    number, percent, rest = text.strip().partition("%")
    try:
        weight = float(number) / (100 if percent else 1)
    except ValueError:
        weight = nan
    if rest or isnan(weight):
        raise ValueError(f"no weight: '{text}'")
    return weight


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFunction:
    """A request to create a function; `code` is the zip archive's bytes, unless `image` names a container image.

    `code_signing_config` is a configuration's id.
    """

    name: str
    configuration: FunctionConfiguration
    code: bytes
    image: str | None = None
    publish: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    code_signing_config: str | None = None
