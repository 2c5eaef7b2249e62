"""Resources of the account that belong to no one function, as values. Times are epoch seconds.

What the engine acts on is typed; what it only stores and returns stays in `settings`, spelled as AWS does.
Source: Lambda API reference, the resources of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar


class MappingState(StrEnum):
    """States of an event source mapping. All but the two settled ones end by themselves."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"

    @property
    def settled(self) -> bool:
        return self in (MappingState.ENABLED, MappingState.DISABLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSourceMapping:
    """An event source and the function that its records are for. `source` is an ARN, None for a self-managed source."""

    kind: ClassVar[str] = "event-source-mapping"

    id: str
    function: str
    qualifier: str | None = None
    source: str | None = None
    enabled: bool = True
    state: MappingState = MappingState.CREATING
    state_transition_reason: str = ""
    last_processing_result: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    last_modified: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSigningConfig:
    """Who may have signed code, and what happens to other code: `untrusted` is `Warn` or `Enforce`."""

    kind: ClassVar[str] = "code-signing-config"

    id: str
    publishers: tuple[str, ...]
    untrusted: str = "Warn"
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    last_modified: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityProvider:
    """A capacity provider, whose `id` is its name. Nothing runs on it here: it is kept and shown."""

    kind: ClassVar[str] = "capacity-provider"

    id: str
    state: str = "Pending"
    settings: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    last_modified: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a template has brought and nobody has deleted: names of functions, and layer versions as `NAME:VERSION`.

    `id` names the template. A function belongs to the template that brought it last.
    """

    kind: ClassVar[str] = "deployment"

    id: str
    functions: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


#: What the Lambda API knows, with tags.
Tagged = EventSourceMapping | CodeSigningConfig | CapacityProvider
Record = Tagged | Deployment
