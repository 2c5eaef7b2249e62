"""Layers as values: versions, their policies, and the ARNs that name them.

Source: Lambda API reference, PublishLayerVersion and AddLayerVersionPermission; patterns of botocore's `lambda` model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from workbench.model.functions import Code
from workbench.model.names import Account

#: Layers that one function may have.
MAX_LAYERS = 5
LAYER_NAME_PATTERN = re.compile(r"[a-zA-Z0-9-_]{1,140}")
_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:(?P<name>[a-zA-Z0-9-_]+)"
    r"(?::(?P<version>\d+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStatement:
    """One permission to use a layer version. `principal` is an account's digits, its root ARN, or `*`."""

    id: str
    action: str
    principal: str
    organization_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPolicy:
    """The resource policy of one layer version; it has a revision of its own and at least one statement."""

    statements: tuple[LayerStatement, ...]
    revision_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerVersion:
    """One version of a layer. But for its policy it never changes. `created` is in epoch seconds."""

    name: str
    version: int
    code: Code
    created: float
    description: str = ""
    license_info: str | None = None
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    policy: LayerPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLayerVersion:
    """A request to publish a layer version; `code` is the zip archive's bytes."""

    name: str
    code: bytes
    description: str = ""
    license_info: str | None = None
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerArn:
    """The parts of a layer's ARN, or of a layer version's when it has a number."""

    region: str
    account: str
    name: str
    version: int | None


def layer_arn(account: Account, name: str, version: int | None = None) -> str:
    """The ARN of a layer, or of one of its versions."""
    arn = f"arn:aws:lambda:{account.region}:{account.id}:layer:{name}"
    return arn if version is None else f"{arn}:{version}"


def parse_layer_arn(text: str) -> LayerArn | None:
    """Read the ARN of a layer or of a layer version; None when it is neither."""
    match = _ARN.fullmatch(text)
    if match is None:
        return None
    version = match["version"]
    return LayerArn(match["region"], match["account"], match["name"], int(version) if version else None)
