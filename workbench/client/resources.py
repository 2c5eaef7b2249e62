"""The part of an engine's port that is about what is attached to functions, and about the account's other resources.

A reference without a qualifier means the function itself. Unless something else is said, a method raises
`ResourceNotFound` when what it names does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from workbench.model.attached import (
    Attached,
    EventInvokeConfig,
    FunctionUrl,
    KeepWarm,
    Policy,
    Provisioned,
    RuntimeManagement,
    ScalingConfig,
)
from workbench.model.names import FunctionRef
from workbench.model.records import CapacityProvider, CodeSigningConfig, EventSourceMapping
from workbench.model.runtimes import RuntimeOverview


class ResourcePort(Protocol):
    """What `EnginePort` answers of resources."""

    async def get_attached(self, function: str) -> Attached:
        """Everything that is attached to a function."""

    # -- resource policies
    async def add_permission(
        self, ref: FunctionRef, statement: Mapping[str, Any], *, revision_id: str | None = None
    ) -> None:
        """Add a statement, spelled as in the policy.

        Raises:
            ResourceConflict (its `Sid` is taken), PreconditionFailed, PolicyLengthExceeded, InvalidParameterValue.
        """

    async def remove_permission(self, ref: FunctionRef, statement_id: str, *, revision_id: str | None = None) -> None:
        """Remove a statement."""

    async def get_policy(self, ref: FunctionRef) -> Policy:
        """The policy of a function, version or alias."""

    async def put_policy(
        self, ref: FunctionRef, document: Mapping[str, Any] | None, *, revision_id: str | None = None
    ) -> None:
        """Replace the whole policy; None takes it away."""

    # -- function URLs
    async def create_function_url(
        self,
        ref: FunctionRef,
        auth_type: str,
        *,
        invoke_mode: str = "BUFFERED",
        cors: Mapping[str, Any] | None = None,
    ) -> FunctionUrl:
        """Give a function or an alias a URL. Raises ResourceConflict when it has one."""

    async def update_function_url(
        self,
        ref: FunctionRef,
        *,
        auth_type: str | None = None,
        invoke_mode: str | None = None,
        cors: Mapping[str, Any] | None = None,
    ) -> FunctionUrl:
        """Change what is given, keep the rest."""

    async def get_function_url(self, ref: FunctionRef) -> FunctionUrl:
        """The URL of a function or an alias."""

    async def delete_function_url(self, ref: FunctionRef) -> None:
        """Take the URL away."""

    # -- asynchronous invocation
    async def put_event_invoke_config(
        self, ref: FunctionRef, config: EventInvokeConfig, *, merge: bool = False
    ) -> EventInvokeConfig:
        """Replace the configuration, or with `merge` only what `config` gives. Its time is set by the engine.

        Raises:
            InvalidParameterValue: it says nothing, or a destination is refused.
        """

    async def get_event_invoke_config(self, ref: FunctionRef) -> EventInvokeConfig:
        """The configuration of `$LATEST`, a version or an alias."""

    async def delete_event_invoke_config(self, ref: FunctionRef) -> None:
        """Back to AWS's defaults."""

    # -- concurrency
    async def put_concurrency(self, ref: FunctionRef, reserved: int | None) -> None:
        """Reserve concurrency for a function, 0 to stop it; None gives the reservation back.

        Raises:
            InvalidParameterValue: the reference has a qualifier, or too little would be left for the others.
        """

    async def put_provisioned_concurrency(self, ref: FunctionRef, requested: int) -> Provisioned:
        """Ask for environments that are made ahead of a version or an alias.

        Raises:
            ResourceConflict (version and alias both), InvalidParameterValue.
        """

    async def get_provisioned_concurrency(self, ref: FunctionRef) -> Provisioned:
        """How far it is. Raises ProvisionedConcurrencyConfigNotFound."""

    async def delete_provisioned_concurrency(self, ref: FunctionRef) -> None:
        """Ask for none; where none were asked for that is no error."""

    async def put_keep_warm(self, ref: FunctionRef, config: KeepWarm) -> None:
        """Ping a function, a version or an alias on a schedule; the first time at once. It is kept.

        Raises:
            UsageError: it would not keep anything warm, or its event is not JSON.
        """

    async def delete_keep_warm(self, ref: FunctionRef) -> None:
        """End the schedule; where there is none that is no error."""

    # -- versions
    async def put_runtime_management(self, ref: FunctionRef, config: RuntimeManagement) -> None:
        """Choose how the runtime version of `$LATEST` or a published version changes.

        Raises:
            InvalidParameterValue: the ARN is none of its runtime's versions, or there where none belongs.
        """

    async def get_runtime_management(self, ref: FunctionRef) -> RuntimeManagement:
        """How it changes."""

    async def list_runtimes(self) -> tuple[RuntimeOverview, ...]:
        """The runtimes that Workbench can run, with the versions that are on this machine now."""

    async def publish_runtime(self, runtime: str, version: str) -> RuntimeOverview:
        """Make a version the one that functions take: an installed one, by its number or ARN. Durable, and rolled out.

        Raises:
            UsageError: there is no such runtime, or no such version here.
        """

    async def put_recursive_loop(self, function: str, value: str) -> None:
        """`Allow` or `Terminate`."""

    async def put_scaling_config(self, ref: FunctionRef, config: ScalingConfig | None) -> None:
        """Bounds on a capacity provider; None takes them away."""

    async def get_scaling_config(self, ref: FunctionRef) -> ScalingConfig:
        """The bounds of a published version; without any, an empty one."""

    async def put_function_code_signing(self, function: str, config: str | None) -> None:
        """Attach a code signing configuration by its id; None detaches it. Raises CodeSigningConfigNotFound."""

    # -- tags
    async def get_tags(self, arn: str) -> Mapping[str, str]:
        """The tags of a function or a resource of the account."""

    async def change_tags(self, arn: str, put: Mapping[str, str], *, remove: tuple[str, ...] = ()) -> None:
        """Add and replace tags, and remove keys. Raises InvalidParameterValue beyond AWS's limit."""

    # -- code signing configurations
    async def put_code_signing_config(self, config: CodeSigningConfig, *, new: bool = False) -> CodeSigningConfig:
        """Replace a configuration by its id, or make a `new` one whose id the engine gives."""

    async def list_code_signing_configs(self) -> tuple[CodeSigningConfig, ...]:
        """All of them, by id."""

    async def delete_code_signing_config(self, id: str) -> None:
        """Raises ResourceConflict while functions use it."""

    # -- event source mappings
    async def create_event_source_mapping(self, mapping: EventSourceMapping) -> EventSourceMapping:
        """Make a mapping; id, state and time are the engine's to give. It settles by itself.

        Raises:
            InvalidParameterValue: there is no such function.
            ResourceConflict: the same source and function have one already.
        """

    async def update_event_source_mapping(
        self,
        id: str,
        *,
        ref: FunctionRef | None = None,
        enabled: bool | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> EventSourceMapping:
        """Change what is given, keep the rest. Raises ResourceInUse while it is changing."""

    async def delete_event_source_mapping(self, id: str) -> EventSourceMapping:
        """It is Deleting, then gone. Raises ResourceInUse while it is changing."""

    async def list_event_source_mappings(self) -> tuple[EventSourceMapping, ...]:
        """All of them, by id."""

    # -- capacity providers
    async def put_capacity_provider(self, provider: CapacityProvider, *, new: bool = False) -> CapacityProvider:
        """Replace a provider by its name, or make a `new` one. Raises ResourceConflict when the name is taken."""

    async def list_capacity_providers(self) -> tuple[CapacityProvider, ...]:
        """All of them, by name."""

    async def delete_capacity_provider(self, name: str) -> CapacityProvider:
        """It is Deleting, then gone."""
