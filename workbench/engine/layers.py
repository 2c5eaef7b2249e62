"""Layers: publishing, reading and deleting their versions, their policies, and attaching them to functions.

Source: Lambda API reference, the operations on layer versions; Lambda Developer Guide, "Managing Lambda dependencies
with layers" and "Lambda quotas"; the texts are AWS's answers.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace

from workbench.engine.clock import Clock
from workbench.engine.ports import Store, StoreThread
from workbench.model.errors import (
    AccessDenied,
    InvalidParameterValue,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
)
from workbench.model.functions import Code
from workbench.model.layers import (
    MAX_LAYERS,
    LayerArn,
    LayerPolicy,
    LayerStatement,
    LayerVersion,
    NewLayerVersion,
    layer_arn,
    parse_layer_arn,
)
from workbench.model.names import Account

#: Bytes that a function's code and its layers may take together, unzipped.
MAX_TOGETHER = 262_144_000
_REVISION = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetLayerPolicy API to retrieve the latest Revision Id"
)


class Layers:
    """The layer versions of one account, and what functions may have of them."""

    def __init__(self, account: Account, clock: Clock, store: Store, thread: StoreThread) -> None:
        self._account = account
        self._clock = clock
        self._store = store
        self._thread = thread
        self._versions: dict[str, dict[int, LayerVersion]] = {}
        # A policy is read, changed and written: one at a time.
        self._policies = asyncio.Lock()

    def load(self, versions: list[LayerVersion]) -> None:
        for version in versions:
            self._take(version)

    # -- versions
    async def publish(self, new: NewLayerVersion) -> LayerVersion:
        """Store an archive as the layer's next version.

        Raises:
            InvalidParameterValue: it is no zip, or one that must not be unpacked.
        """
        sha256 = await self._thread.run(self._store.put_code, new.code)

        def build(number: int) -> LayerVersion:
            return LayerVersion(
                name=new.name,
                version=number,
                code=Code(sha256=sha256, size=len(new.code)),
                created=self._clock.time(),
                description=new.description,
                license_info=new.license_info,
                runtimes=new.runtimes,
                architectures=new.architectures,
            )

        version = await self._thread.run(self._store.layers.publish, new.name, build)
        self._take(version)
        return version

    def get(self, name: str, version: int) -> LayerVersion:
        found = self._versions.get(name, {}).get(version)
        if found is None:
            raise ResourceNotFound("The resource you requested does not exist.")
        return found

    def list(self, name: str | None) -> tuple[LayerVersion, ...]:
        names = sorted(self._versions) if name is None else [name]
        return tuple(
            version for each in names for _, version in sorted(self._versions.get(each, {}).items(), reverse=True)
        )

    async def delete(self, name: str, version: int) -> None:
        """Forget a version; functions that have it keep its code."""
        async with self._policies:
            if version in self._versions.get(name, {}):
                await self._thread.run(self._store.layers.delete, name, version)
                del self._versions[name][version]
                if not self._versions[name]:
                    del self._versions[name]

    # -- policies
    def policy(self, name: str, version: int) -> LayerPolicy:
        policy = self._existing(name, version).policy
        if policy is None:
            raise ResourceNotFound("No policy is associated with the given resource.")
        return policy

    async def add_permission(
        self, name: str, version: int, statement: LayerStatement, revision_id: str | None
    ) -> LayerPolicy:
        if statement.organization_id is not None and statement.principal != "*":
            raise InvalidParameterValue("OrganizationId can only be provided when the principal is *.")
        async with self._policies:
            layer = self._existing(name, version)
            self._guard(layer, revision_id)
            statements = layer.policy.statements if layer.policy else ()
            if any(statement.id == other.id for other in statements):
                raise ResourceConflict(
                    f"The statement id ({statement.id}) provided already exists. "
                    "Please provide a new statement id, or remove the existing statement."
                )
            return await self._write_policy(layer, (*statements, statement))

    async def remove_permission(self, name: str, version: int, statement_id: str, revision_id: str | None) -> None:
        async with self._policies:
            layer = self._existing(name, version)
            self._guard(layer, revision_id)
            statements = layer.policy.statements if layer.policy else ()
            kept = tuple(statement for statement in statements if statement.id != statement_id)
            if len(kept) == len(statements):
                raise ResourceNotFound(f"Statement {statement_id} is not found in resource policy.")
            await self._write_policy(layer, kept)

    async def _write_policy(self, layer: LayerVersion, statements: tuple[LayerStatement, ...]) -> LayerPolicy:
        policy = LayerPolicy(statements=statements, revision_id=str(uuid.uuid4()))
        changed = replace(layer, policy=policy if statements else None)
        await self._thread.run(self._store.layers.put, changed)
        self._take(changed)
        return policy

    def _existing(self, name: str, version: int) -> LayerVersion:
        layer = self._versions.get(name, {}).get(version)
        if layer is None:
            raise ResourceNotFound(f"Layer version {layer_arn(self._account, name, version)} does not exist.")
        return layer

    def _guard(self, layer: LayerVersion, revision_id: str | None) -> None:
        if revision_id and (layer.policy is None or revision_id != layer.policy.revision_id):
            raise PreconditionFailed(_REVISION)

    # -- functions
    def attach(self, arns: Sequence[str]) -> tuple[Code, ...]:
        """The code of the layer versions that a function is to have.

        Raises:
            InvalidParameterValue, AccessDenied: AWS would not attach them.
        """
        if len(arns) > MAX_LAYERS:
            raise InvalidParameterValue(f"Cannot reference more than {MAX_LAYERS} layers.")
        known: dict[str, str] = {}
        found = []
        for text in arns:
            arn = parse_layer_arn(text)
            if arn is None or arn.version is None:
                raise InvalidParameterValue(f"Layer version {text} does not exist.")
            found.append(self._attachable(arn, text))
            if arn.name in known:
                raise InvalidParameterValue(
                    "Two different versions of the same layer are not allowed to be referenced in the same function. "
                    f"{known[arn.name]} and {text} are versions of the same layer."
                )
            known[arn.name] = text
        return tuple(found)

    def _attachable(self, arn: LayerArn, text: str) -> Code:
        if arn.region != self._account.region:
            raise InvalidParameterValue(
                "Layers are not in the same region as the function. "
                f"Layers are expected to be in region {self._account.region}."
            )
        if arn.account != self._account.id:
            raise AccessDenied(
                f"User: arn:aws:iam::{self._account.id}:root is not authorized to perform: lambda:GetLayerVersion on "
                f"resource: {text} because no resource-based policy allows the lambda:GetLayerVersion action"
            )
        layer = self._versions.get(arn.name, {}).get(arn.version or 0)
        if layer is None:
            raise InvalidParameterValue(f"Layer version {text} does not exist.")
        return layer.code

    async def check_size(self, code: str, layers: Sequence[Code]) -> None:
        """Hold a function's code, by its hash, and its layers to the bytes that they may take together.

        Raises:
            InvalidParameterValue: they take more.
        """
        if not layers:
            return
        sizes = [await self._thread.run(self._store.unzipped, sha256) for sha256 in (code, *(c.sha256 for c in layers))]
        if sum(sizes) > MAX_TOGETHER:
            raise InvalidParameterValue(
                f"Function code combined with layers exceeds the maximum allowed size of {MAX_TOGETHER} bytes. "
                f"The actual size is {sum(sizes)} bytes."
            )

    def _take(self, version: LayerVersion) -> None:
        self._versions.setdefault(version.name, {})[version.version] = version
