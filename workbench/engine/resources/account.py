"""What the engine's port answers of the account's resources that belong to no one function. The engine is made of it.

Source: Lambda API reference, code signing configurations, event source mappings, capacity providers, TagResource.
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from workbench.engine.clock import Clock
from workbench.engine.decide import Tables
from workbench.engine.functions import Functions
from workbench.engine.ports import Store, StoreThread
from workbench.engine.resources import tags
from workbench.engine.resources.find import NO_RESOURCE, find, has
from workbench.model.attached import Attached
from workbench.model.errors import (
    CodeSigningConfigNotFound,
    InvalidParameterValue,
    ResourceConflict,
    ResourceInUse,
    ResourceNotFound,
)
from workbench.model.names import FunctionRef
from workbench.model.records import CapacityProvider, CodeSigningConfig, EventSourceMapping, MappingState, Tagged

R = TypeVar("R", bound=Tagged)
S = TypeVar("S", bound=EventSourceMapping | CapacityProvider)

#: How long what AWS does in the background takes here, in seconds: long enough to be seen.
SETTLE = 0.1


class AccountResources:
    """Records in memory, written through. One change at a time."""

    _tables: Tables
    _clock: Clock
    _store: Store
    _thread: StoreThread
    _functions: Functions
    _spawn: Callable[[Coroutine[Any, Any, None]], None]

    def __init__(self) -> None:
        self._signing: dict[str, CodeSigningConfig] = {}
        self._mappings: dict[str, EventSourceMapping] = {}
        self._providers: dict[str, CapacityProvider] = {}
        self._records_lock = asyncio.Lock()

    async def _load_records(self) -> None:
        """Read what the store has, and take up again what was on its way."""
        for kind in (CodeSigningConfig, EventSourceMapping, CapacityProvider):
            for record in await self._thread.run(self._store.records, kind):
                self._table(record)[record.id] = record
        for mapping in self._mappings.values():
            self._settle_mapping(mapping)
        for provider in self._providers.values():
            self._settle_provider(provider)

    # -- code signing configurations
    async def put_code_signing_config(self, config: CodeSigningConfig, *, new: bool = False) -> CodeSigningConfig:
        async with self._records_lock:
            if new:
                config = replace(config, id=f"csc-0{secrets.token_hex(8)}")
            elif config.id not in self._signing:
                raise self._no_signing(config.id)
            return await self._keep(replace(config, last_modified=self._clock.time()))

    async def list_code_signing_configs(self) -> tuple[CodeSigningConfig, ...]:
        return _sorted(self._signing)

    async def delete_code_signing_config(self, id: str) -> None:
        async with self._records_lock:
            config = self._signing.get(id)
            if config is None:
                raise self._no_signing(id)
            users = [
                name for name, function in self._tables.functions.items() if self._signed_by(function.attached, id)
            ]
            if users:
                raise ResourceConflict(
                    f"The code signing configuration {self._arn(config)} is used by {len(users)} functions. "
                    "Detach it from them first."
                )
            await self._drop(config)

    async def put_function_code_signing(self, function: str, config: str | None) -> None:
        ref = FunctionRef(function)
        async with self._records_lock:
            self._check_signing(config)
            await self._functions.attach(
                function,
                lambda known: replace(find(self._tables.account, known, ref).attached, code_signing_config=config),
            )

    def _check_signing(self, config: str | None) -> None:
        if config is not None and config not in self._signing:
            arn = self._tables.account.arn(CodeSigningConfig.kind, config)
            raise CodeSigningConfigNotFound(
                "The code signing configuration cannot be found. "
                f"Check that the provided configuration is not deleted: {arn}."
            )

    @staticmethod
    def _signed_by(attached: Attached, id: str) -> bool:
        return attached.code_signing_config == id

    def _no_signing(self, id: str) -> ResourceNotFound:
        arn = self._tables.account.arn(CodeSigningConfig.kind, id)
        error = ResourceNotFound(f"The Lambda code signing configuration {arn} can not be found.")
        error.kind = None  # AWS leaves `Type` out here
        return error

    # -- event source mappings
    async def create_event_source_mapping(self, mapping: EventSourceMapping) -> EventSourceMapping:
        async with self._records_lock:
            self._check_target(mapping.function, mapping.qualifier)
            for other in self._mappings.values():
                if _same(other, mapping):
                    raise ResourceConflict(self._taken(other))
            made = await self._keep(
                replace(mapping, id=str(uuid.uuid4()), state=MappingState.CREATING, last_modified=self._clock.time())
            )
        self._settle_mapping(made)
        return made

    async def update_event_source_mapping(
        self,
        id: str,
        *,
        ref: FunctionRef | None = None,
        enabled: bool | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> EventSourceMapping:
        async with self._records_lock:
            mapping = self._changeable(id, "update")
            if ref is not None:
                self._check_target(ref.name, ref.qualifier)
                mapping = replace(mapping, function=ref.name, qualifier=ref.qualifier)
            state = MappingState.UPDATING
            if enabled is not None and enabled != mapping.enabled:
                state = MappingState.ENABLING if enabled else MappingState.DISABLING
            changed = await self._keep(
                replace(
                    mapping,
                    enabled=mapping.enabled if enabled is None else enabled,
                    settings={**mapping.settings, **(settings or {})},
                    state=state,
                    last_modified=self._clock.time(),
                )
            )
        self._settle_mapping(changed)
        return changed

    async def delete_event_source_mapping(self, id: str) -> EventSourceMapping:
        async with self._records_lock:
            mapping = self._changeable(id, "delete")
            deleted = await self._keep(replace(mapping, state=MappingState.DELETING, last_modified=self._clock.time()))
        self._settle_mapping(deleted)
        return deleted

    async def list_event_source_mappings(self) -> tuple[EventSourceMapping, ...]:
        return _sorted(self._mappings)

    def _check_target(self, function: str, qualifier: str | None) -> None:
        known = self._tables.functions.get(function)
        if known is None or not has(known, qualifier):
            raise InvalidParameterValue("Function does not exist")

    def _changeable(self, id: str, what: str) -> EventSourceMapping:
        mapping = self._mappings.get(id)
        if mapping is None:
            raise ResourceNotFound(NO_RESOURCE)
        if not mapping.state.settled:
            raise ResourceInUse(f"Cannot {what} the event source mapping because it is in use.")
        return mapping

    def _taken(self, other: EventSourceMapping) -> str:
        source = other.source or ""
        if source.split(":")[2:3] == ["sqs"]:
            named = f'An event source mapping with SQS arn (" {source} ") and function (" {other.function} ") already'
        else:
            named = f'The event source arn (" {source} ") and function (" {other.function} ") provided mapping already'
        return f"{named} exists. Please update or delete the existing mapping with UUID {other.id}"

    def _settle_mapping(self, mapping: EventSourceMapping) -> None:
        if not mapping.state.settled:
            self._spawn(self._settle(mapping, _settled))

    # -- capacity providers
    async def put_capacity_provider(self, provider: CapacityProvider, *, new: bool = False) -> CapacityProvider:
        async with self._records_lock:
            if new and provider.id in self._providers:
                raise ResourceConflict(f"Capacity provider already exists: {self._arn(provider)}")
            if not new and provider.id not in self._providers:
                raise ResourceNotFound(f"Capacity provider not found: {self._arn(provider)}")
            kept = await self._keep(
                replace(provider, state="Pending" if new else provider.state, last_modified=self._clock.time())
            )
        self._settle_provider(kept)
        return kept

    async def list_capacity_providers(self) -> tuple[CapacityProvider, ...]:
        return _sorted(self._providers)

    async def delete_capacity_provider(self, name: str) -> CapacityProvider:
        async with self._records_lock:
            provider = self._providers.get(name)
            if provider is None:
                arn = self._tables.account.arn(CapacityProvider.kind, name)
                raise ResourceNotFound(f"Capacity provider not found: {arn}")
            deleted = await self._keep(replace(provider, state="Deleting", last_modified=self._clock.time()))
        self._settle_provider(deleted)
        return deleted

    def _settle_provider(self, provider: CapacityProvider) -> None:
        if provider.state in ("Pending", "Deleting"):
            self._spawn(self._settle(provider, _available))

    # -- tags
    async def get_tags(self, arn: str) -> Mapping[str, str]:
        kind, name = tags.split(arn)
        if kind == "function":
            return find(self._tables.account, self._tables.functions.get(name), FunctionRef(name)).attached.tags
        return self._tagged(kind, name, arn).tags

    async def change_tags(self, arn: str, put: Mapping[str, str], *, remove: tuple[str, ...] = ()) -> None:
        kind, name = tags.split(arn)
        if kind == "function":
            account = self._tables.account
            await self._functions.attach(name, lambda function: tags.of_function(account, function, name, put, remove))
            return
        async with self._records_lock:
            record = self._tagged(kind, name, arn)
            await self._keep(replace(record, tags=tags.changed(record.tags, put, remove)))

    def _tagged(self, kind: str, id: str, arn: str) -> Tagged:
        tables: dict[str, Mapping[str, Tagged]] = {
            CodeSigningConfig.kind: self._signing,
            EventSourceMapping.kind: self._mappings,
            CapacityProvider.kind: self._providers,
        }
        record = tables.get(kind, {}).get(id)
        if record is None:
            raise ResourceNotFound(f"{kind.replace('-', ' ').capitalize()} not found: {arn}")
        return record

    # -- common
    def _arn(self, record: Tagged) -> str:
        return self._tables.account.arn(record.kind, record.id)

    def _table(self, record: Tagged) -> dict[str, Any]:
        if isinstance(record, CodeSigningConfig):
            return self._signing
        return self._mappings if isinstance(record, EventSourceMapping) else self._providers

    async def _keep(self, record: R) -> R:
        await self._thread.run(self._store.put_record, record)
        self._table(record)[record.id] = record
        return record

    async def _drop(self, record: Tagged) -> None:
        await self._thread.run(self._store.delete_record, record)
        del self._table(record)[record.id]

    async def _settle(self, record: S, settled: Callable[[S], S | None]) -> None:
        """What AWS does in the background: after a while the record is as `settled` says, or gone."""
        await self._clock.sleep(SETTLE)
        async with self._records_lock:
            now = self._table(record).get(record.id)
            if now is None or now.state != record.state:
                return
            done = settled(now)
            if done is None:
                await self._drop(now)
            else:
                await self._keep(done)


def _settled(mapping: EventSourceMapping) -> EventSourceMapping | None:
    if mapping.state is MappingState.DELETING:
        return None
    return replace(mapping, state=MappingState.ENABLED if mapping.enabled else MappingState.DISABLED)


def _available(provider: CapacityProvider) -> CapacityProvider | None:
    return None if provider.state == "Deleting" else replace(provider, state="Active")


def _same(one: EventSourceMapping, other: EventSourceMapping) -> bool:
    """Do both read the same source for the same function? Self-managed sources are told apart by their settings."""
    if (one.source, one.function, one.qualifier) != (other.source, other.function, other.qualifier):
        return False
    return one.source is not None or all(
        one.settings.get(name) == other.settings.get(name) for name in ("SelfManagedEventSource", "Topics")
    )


def _sorted(records: Mapping[str, R]) -> tuple[R, ...]:
    return tuple(record for _, record in sorted(records.items()))
