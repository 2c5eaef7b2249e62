"""What is attached to a function beside its versions and aliases. A version freezes none of it.

Maps are by qualifier: an alias, a version number, or `$LATEST` for the function itself. Times are epoch seconds.
Source: Lambda API reference, the resources of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from workbench.model.names import LATEST


class ProvisionedStatus(StrEnum):
    IN_PROGRESS = "IN_PROGRESS"
    READY = "READY"
    FAILED = "FAILED"


class UpdateRuntimeOn(StrEnum):
    """When a version takes another runtime version."""

    AUTO = "Auto"
    FUNCTION_UPDATE = "FunctionUpdate"
    MANUAL = "Manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A resource policy: the document as AWS shows it, with `Version`, `Id` and `Statement`."""

    document: Mapping[str, Any]
    revision_id: str

    @property
    def statements(self) -> list[Mapping[str, Any]]:
        """Its statements; a policy that was put whole may hold a single one outside a list."""
        found = self.document.get("Statement", [])
        return list(found) if isinstance(found, (list, tuple)) else [found]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionUrl:
    """A function URL. `id` is the first label of its host name, and is never used again."""

    id: str
    auth_type: str
    invoke_mode: str = "BUFFERED"
    cors: Mapping[str, Any] | None = None
    created: float
    last_modified: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventInvokeConfig:
    """How asynchronous invocations end. None is AWS's default; an empty destination is one that was set to nothing."""

    maximum_retry_attempts: int | None = None
    maximum_event_age: int | None = None
    on_success: str | None = None
    on_failure: str | None = None
    last_modified: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """A provisioned concurrency configuration: environments asked for, made, and made and not busy."""

    requested: int
    allocated: int = 0
    available: int = 0
    status: ProvisionedStatus = ProvisionedStatus.IN_PROGRESS
    status_reason: str | None = None
    last_modified: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepWarm:
    """A schedule of Workbench's own: `environments` invocations at once `every` so many seconds, with `event`, JSON."""

    every: float
    environments: int = 1
    event: str = '{"source":"workbench.keep-warm"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeManagement:
    """Which runtime version a version runs on; `runtime_version_arn` is there if and only if the mode is Manual."""

    update_runtime_on: UpdateRuntimeOn = UpdateRuntimeOn.AUTO
    runtime_version_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingConfig:
    """Bounds of the execution environments of a version on a capacity provider."""

    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """Everything that is attached to one function."""

    tags: Mapping[str, str] = field(default_factory=dict)
    reserved: int | None = None
    recursive_loop: str = "Terminate"
    code_signing_config: str | None = None
    policies: Mapping[str, Policy] = field(default_factory=dict)
    urls: Mapping[str, FunctionUrl] = field(default_factory=dict)
    event_invoke: Mapping[str, EventInvokeConfig] = field(default_factory=dict)
    provisioned: Mapping[str, Provisioned] = field(default_factory=dict)
    runtime_management: Mapping[str, RuntimeManagement] = field(default_factory=dict)
    scaling: Mapping[str, ScalingConfig] = field(default_factory=dict)
    keep_warm: Mapping[str, KeepWarm] = field(default_factory=dict)

    def without(self, qualifier: str) -> Attached:
        """What is left when this version or alias is gone; the very same if nothing was attached to it."""
        kept: dict[str, Any] = {}
        for name in _BY_QUALIFIER:
            here = getattr(self, name)
            if qualifier in here:
                kept[name] = {key: value for key, value in here.items() if key != qualifier}
        return replace(self, **kept) if kept else self

    def provisioned_total(self, *, leaving_out: str | None = None) -> int:
        """The environments that are asked for ahead, over all qualifiers but one."""
        return sum(config.requested for name, config in self.provisioned.items() if name != leaving_out)

    @property
    def claimed(self) -> int:
        """What the function takes out of the account's pool: its reservation, or else what is provisioned for it."""
        return self.provisioned_total() if self.reserved is None else self.reserved

    def runtime_of(self, version: str = LATEST) -> RuntimeManagement:
        """How a version's runtime is managed; Auto until said otherwise."""
        return self.runtime_management.get(version, _AUTO)


NOTHING = Attached()
_AUTO = RuntimeManagement()
_BY_QUALIFIER = ("policies", "urls", "event_invoke", "provisioned", "runtime_management", "scaling", "keep_warm")
