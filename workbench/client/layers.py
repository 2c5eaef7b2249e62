"""The part of an engine's port that is about layers."""

from __future__ import annotations

from typing import Protocol

from workbench.model.layers import LayerPolicy, LayerStatement, LayerVersion, NewLayerVersion


class LayerPort(Protocol):
    """What `EnginePort` answers of layers."""

    async def publish_layer_version(self, new: NewLayerVersion) -> LayerVersion:
        """Publish an archive as the next version of a layer, whose numbers are never used again.

        Raises:
            InvalidParameterValue: the archive is refused.
        """

    async def get_layer_version(self, name: str, version: int) -> LayerVersion:
        """One version of a layer."""

    async def list_layer_versions(self, name: str | None) -> tuple[LayerVersion, ...]:
        """The versions of a layer, newest first; for None those of every layer, by name."""

    async def delete_layer_version(self, name: str, version: int) -> None:
        """Delete a version; functions that have it keep it. One that does not exist is no error."""

    async def get_layer_version_policy(self, name: str, version: int) -> LayerPolicy:
        """Who may use a layer version."""

    async def add_layer_version_permission(
        self, name: str, version: int, statement: LayerStatement, *, revision_id: str | None = None
    ) -> LayerPolicy:
        """Add a statement to a layer version's policy; the policy as it is then."""

    async def remove_layer_version_permission(
        self, name: str, version: int, statement_id: str, *, revision_id: str | None = None
    ) -> None:
        """Take a statement out of a layer version's policy."""
