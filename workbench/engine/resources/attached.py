"""What the engine's port answers of everything that is attached to functions. The engine is made of it."""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.engine.clock import Clock
from workbench.engine.decide import Function, Tables
from workbench.engine.functions import Functions
from workbench.engine.keep_warm import Pings
from workbench.engine.ports import Runtimes
from workbench.engine.provisioned import ProvisionedEnvironments
from workbench.engine.resources import concurrency, event_invoke, policies, urls, versions
from workbench.engine.resources.find import find, key
from workbench.engine.rollouts import Rollouts
from workbench.model.attached import (
    Attached,
    EventInvokeConfig,
    FunctionUrl,
    KeepWarm,
    Policy,
    Provisioned,
    RuntimeManagement,
    ScalingConfig,
    UpdateRuntimeOn,
)
from workbench.model.names import FunctionRef
from workbench.model.runtimes import RuntimeOverview

_LETTERS = string.ascii_lowercase + string.digits


class AttachedResources:
    """Each change is decided on the function as it is, under its lock, and durable before the caller hears of it."""

    _tables: Tables
    _clock: Clock
    _functions: Functions
    _provisioned: ProvisionedEnvironments
    _pings: Pings
    _runtimes: Runtimes
    _rollouts: Rollouts

    async def get_attached(self, function: str) -> Attached:
        found = self._found(FunctionRef(function))
        attached = found.attached
        figures = {qualifier: self._provisioned.figures(found, qualifier) for qualifier in attached.provisioned}
        return replace(attached, provisioned=figures) if figures else attached

    # -- resource policies
    async def add_permission(
        self, ref: FunctionRef, statement: Mapping[str, Any], *, revision_id: str | None = None
    ) -> None:
        account, revision = self._tables.account, str(uuid.uuid4())
        await self._functions.attach_policy(
            ref,
            lambda function: policies.add(account, function, ref, statement, revision_id, revision),
            revision,
        )

    async def remove_permission(self, ref: FunctionRef, statement_id: str, *, revision_id: str | None = None) -> None:
        account, revision = self._tables.account, str(uuid.uuid4())
        await self._functions.attach_policy(
            ref,
            lambda function: policies.remove(account, function, ref, statement_id, revision_id, revision),
            revision,
        )

    async def get_policy(self, ref: FunctionRef) -> Policy:
        return policies.get(self._function(ref), ref)

    async def put_policy(
        self, ref: FunctionRef, document: Mapping[str, Any] | None, *, revision_id: str | None = None
    ) -> None:
        account, revision = self._tables.account, str(uuid.uuid4())
        await self._functions.attach_policy(
            ref,
            lambda function: policies.put(account, function, ref, document, revision_id, revision),
            revision,
        )

    # -- function URLs
    async def create_function_url(
        self,
        ref: FunctionRef,
        auth_type: str,
        *,
        invoke_mode: str = "BUFFERED",
        cors: Mapping[str, Any] | None = None,
    ) -> FunctionUrl:
        now = self._clock.time()
        url = FunctionUrl(
            id="".join(secrets.choice(_LETTERS) for _ in range(32)),
            auth_type=auth_type,
            invoke_mode=invoke_mode,
            cors=cors,
            created=now,
            last_modified=now,
        )
        await self._functions.attach(ref.name, lambda function: urls.create(self._tables.account, function, ref, url))
        return url

    async def update_function_url(
        self,
        ref: FunctionRef,
        *,
        auth_type: str | None = None,
        invoke_mode: str | None = None,
        cors: Mapping[str, Any] | None = None,
    ) -> FunctionUrl:
        now = self._clock.time()
        await self._functions.attach(
            ref.name, lambda function: urls.update(function, ref, auth_type, invoke_mode, cors, now)
        )
        return urls.get(self._function(ref), ref)

    async def get_function_url(self, ref: FunctionRef) -> FunctionUrl:
        return urls.get(self._function(ref), ref)

    async def delete_function_url(self, ref: FunctionRef) -> None:
        await self._functions.attach(ref.name, lambda function: urls.delete(function, ref))

    # -- asynchronous invocation
    async def put_event_invoke_config(
        self, ref: FunctionRef, config: EventInvokeConfig, *, merge: bool = False
    ) -> EventInvokeConfig:
        tables, timed = self._tables, replace(config, last_modified=self._clock.time())
        await self._functions.attach(
            ref.name, lambda _: event_invoke.put(tables.account, tables.functions, ref, timed, merge=merge)
        )
        return await self.get_event_invoke_config(ref)

    async def get_event_invoke_config(self, ref: FunctionRef) -> EventInvokeConfig:
        return event_invoke.get(self._tables.account, self._function(ref), ref)

    async def delete_event_invoke_config(self, ref: FunctionRef) -> None:
        await self._functions.attach(
            ref.name, lambda function: event_invoke.delete(self._tables.account, function, ref)
        )

    # -- concurrency
    async def put_concurrency(self, ref: FunctionRef, reserved: int | None) -> None:
        await self._functions.attach(ref.name, lambda _: concurrency.reserve(self._tables, ref, reserved), shared=True)

    async def put_provisioned_concurrency(self, ref: FunctionRef, requested: int) -> Provisioned:
        now = self._clock.time()
        await self._functions.attach(
            ref.name, lambda _: concurrency.provision(self._tables, ref, requested, now), shared=True
        )
        return Provisioned(requested=requested, last_modified=now)

    async def get_provisioned_concurrency(self, ref: FunctionRef) -> Provisioned:
        return self._provisioned.figures(concurrency.provisioned(self._tables, ref), key(ref))

    async def delete_provisioned_concurrency(self, ref: FunctionRef) -> None:
        await self._functions.attach(ref.name, lambda _: concurrency.unprovision(self._tables, ref))

    async def put_keep_warm(self, ref: FunctionRef, config: KeepWarm) -> None:
        await self._functions.attach(ref.name, lambda function: self._pings.put(function, ref, config))

    async def delete_keep_warm(self, ref: FunctionRef) -> None:
        await self._functions.attach(ref.name, lambda function: self._pings.delete(function, ref))

    # -- versions
    async def put_runtime_management(self, ref: FunctionRef, config: RuntimeManagement) -> None:
        function = self._function(ref)
        version = function.versions.get(key(ref)) if function is not None else None
        runtime = version.configuration.runtime if version is not None else ""
        manual = config.update_runtime_on is UpdateRuntimeOn.MANUAL
        installed = await self._runtimes.installed(runtime) if runtime and manual else ()
        await self._functions.manage_runtime(
            ref, config, [one.arn for one in installed], self._rollouts.settled(runtime)
        )

    async def get_runtime_management(self, ref: FunctionRef) -> RuntimeManagement:
        function = versions.version_of(self._tables.account, self._function(ref), ref)
        return function.attached.runtime_of(key(ref))

    async def list_runtimes(self) -> tuple[RuntimeOverview, ...]:
        return await self._rollouts.overviews()

    async def publish_runtime(self, runtime: str, version: str) -> RuntimeOverview:
        return await self._rollouts.publish(runtime, version)

    async def put_recursive_loop(self, function: str, value: str) -> None:
        await self._put_whole(function, recursive_loop=value)

    async def put_scaling_config(self, ref: FunctionRef, config: ScalingConfig | None) -> None:
        await self._functions.attach(
            ref.name, lambda function: versions.scale(self._tables.account, function, ref, config)
        )

    async def get_scaling_config(self, ref: FunctionRef) -> ScalingConfig:
        function = versions.version_of(self._tables.account, self._function(ref), ref)
        return function.attached.scaling.get(key(ref), ScalingConfig())

    # -- common
    async def _put_whole(self, name: str, **changes: Any) -> None:
        """Change members that belong to the function as a whole."""
        ref = FunctionRef(name)
        await self._functions.attach(
            name, lambda function: replace(find(self._tables.account, function, ref).attached, **changes)
        )

    def _function(self, ref: FunctionRef) -> Function | None:
        return self._tables.functions.get(ref.name)

    def _found(self, ref: FunctionRef) -> Function:
        return find(self._tables.account, self._function(ref), ref)
