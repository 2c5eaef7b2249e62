"""An engine in memory, no more than the Lambda API's tests need of one."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any

from workbench.client.layers import LayerPort
from workbench.client.resources import ResourcePort
from workbench.live.view import Delta, EngineStatus
from workbench.model.account import AccountSettings
from workbench.model.attached import NOTHING, Attached
from workbench.model.errors import PreconditionFailed, ResourceConflict, ResourceNotFound
from workbench.model.functions import (
    Alias,
    Code,
    FunctionConfiguration,
    FunctionState,
    FunctionVersion,
    NewFunction,
    UpdateStatus,
)
from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType, InvokeRequest
from workbench.model.names import LATEST, Account, FunctionRef

REQUEST_ID = "11111111-2222-4333-8444-555555555555"


class FakeStream:
    """A response that is there already."""

    def __init__(self, result: InvocationResult, pieces: list[bytes]) -> None:
        self.request_id, self.trace_id, self.executed_version = result.request_id, "Root=1-2-3", LATEST
        self.content_type = result.content_type
        self._result, self._pieces = result, pieces

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        for piece in self._pieces:
            yield piece

    async def result(self) -> InvocationResult:
        return self._result


class FakePort:
    """Functions, versions and aliases in dictionaries. `result` is what Invoke answers, or raises; `pieces` are what a
    stream holds."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._revisions = itertools.count(1)
        self.versions: dict[str, dict[str, FunctionVersion]] = {}
        self.attached: dict[str, Attached] = {}
        self.aliases: dict[tuple[str, str], Alias] = {}
        self.archives: dict[str, bytes] = {}
        self.created: list[NewFunction] = []
        self.invoked: list[InvokeRequest] = []
        self.pieces: list[bytes] = []
        self.result: InvocationResult | Exception = InvocationResult(
            request_id=REQUEST_ID, status=InvocationStatus.SUCCESS, payload=b'"done"', executed_version=LATEST
        )

    def __getattr__(self, name: str) -> Any:
        """Of resources and layers there are none; those who test them stand on a real engine."""
        if name not in {**vars(ResourcePort), **vars(LayerPort)}:
            raise AttributeError(name)

        async def absent(*args: object, **kwargs: object) -> tuple[()]:
            if name.startswith("list_"):
                return ()
            raise ResourceNotFound("there is no such resource")

        return absent

    async def account(self) -> Account:
        return self._account

    async def account_settings(self) -> AccountSettings:
        return AccountSettings(
            concurrent_executions=1000,
            unreserved_concurrent_executions=900,
            total_code_size=sum(map(len, self.archives.values())),
            function_count=len(self.versions),
        )

    async def invoke(self, request: InvokeRequest) -> InvocationResult:
        self.invoked.append(request)
        if isinstance(self.result, Exception):
            raise self.result
        if request.type is InvocationType.REQUEST_RESPONSE:
            return self.result
        return InvocationResult(request_id=REQUEST_ID, status=InvocationStatus.SUCCESS)

    async def invoke_streaming(self, request: InvokeRequest) -> FakeStream:
        self.invoked.append(request)
        if isinstance(self.result, Exception):
            raise self.result
        return FakeStream(self.result, self.pieces)

    async def create_function(self, new: NewFunction) -> FunctionVersion:
        if new.name in self.versions:
            raise ResourceConflict(f"Function already exist: {new.name}")
        self.created.append(new)
        self.attached[new.name] = Attached(tags=new.tags)
        version = FunctionVersion(
            name=new.name,
            configuration=new.configuration,
            code=self._keep(new.code, new.image),
            revision_id=self._revision(),
            last_modified=1543331445.123,
            state=FunctionState.PENDING,
            state_reason="The function is being created.",
            state_reason_code="Creating",
            update_status=None,
            runtime_version=None
            if new.image
            else f"arn:aws:lambda:us-east-1::runtime:{new.configuration.runtime}-{new.configuration.architecture}",
        )
        settled = replace(
            version,
            state=FunctionState.ACTIVE,
            state_reason=None,
            state_reason_code=None,
            update_status=UpdateStatus.SUCCESSFUL,
            revision_id=self._revision(),
        )
        self.versions[new.name] = {LATEST: settled}
        if new.publish:
            self.versions[new.name]["1"] = replace(settled, version="1")
            return replace(version, version="1")
        return version

    async def update_function_code(
        self,
        name: str,
        code: bytes,
        *,
        image: str | None = None,
        architecture: str | None = None,
        publish: bool = False,
        dry_run: bool = False,
        revision_id: str | None = None,
    ) -> FunctionVersion:
        latest = await self.get_function(FunctionRef(name))
        self._guard(latest.revision_id, revision_id)
        configuration = replace(latest.configuration, architecture=architecture or latest.configuration.architecture)
        changed = replace(
            latest, configuration=configuration, code=self._keep(code, image), update_status=UpdateStatus.IN_PROGRESS
        )
        if dry_run:
            return changed
        self.versions[name][LATEST] = changed
        return await self.publish_version(name) if publish else changed

    async def update_function_configuration(
        self, name: str, configuration: FunctionConfiguration, *, revision_id: str | None = None
    ) -> FunctionVersion:
        latest = await self.get_function(FunctionRef(name))
        self._guard(latest.revision_id, revision_id)
        changed = replace(latest, configuration=configuration, revision_id=self._revision())
        self.versions[name][LATEST] = changed
        return replace(
            changed,
            update_status=UpdateStatus.IN_PROGRESS,
            update_reason="The function is being created.",
            update_reason_code="Creating",
        )

    async def get_function(self, ref: FunctionRef) -> FunctionVersion:
        qualifier = ref.qualifier or LATEST
        alias = self.aliases.get((ref.name, qualifier))
        version = self.versions.get(ref.name, {}).get(alias.version if alias else qualifier)
        if version is None:
            raise ResourceNotFound(f"Function not found: {self._account.function_arn(ref.name, ref.qualifier)}")
        return version

    async def get_attached(self, function: str) -> Attached:
        return self.attached.get(function, NOTHING)

    async def list_functions(self) -> tuple[FunctionVersion, ...]:
        return tuple(versions[LATEST] for _, versions in sorted(self.versions.items()))

    async def list_versions(self, name: str) -> tuple[FunctionVersion, ...]:
        await self.get_function(FunctionRef(name))
        return tuple(self.versions[name].values())

    async def delete_function(self, ref: FunctionRef) -> None:
        await self.get_function(FunctionRef(ref.name))
        if ref.qualifier is None:
            del self.versions[ref.name]
        else:
            self.versions[ref.name].pop(ref.qualifier, None)

    async def code(self, sha256: str) -> bytes:
        return self.archives[sha256]

    async def publish_version(
        self,
        name: str,
        *,
        description: str | None = None,
        code_sha256: str | None = None,
        revision_id: str | None = None,
    ) -> FunctionVersion:
        latest = await self.get_function(FunctionRef(name))
        self._guard(latest.revision_id, revision_id)
        number = str(len(self.versions[name]))
        configuration = latest.configuration
        if description is not None:
            configuration = replace(configuration, description=description)
        self.versions[name][number] = replace(latest, version=number, configuration=configuration)
        return self.versions[name][number]

    async def create_alias(
        self,
        function: str,
        name: str,
        version: str,
        *,
        description: str = "",
        weights: Mapping[str, float] | None = None,
    ) -> Alias:
        await self.get_function(FunctionRef(function, version))
        alias = Alias(
            function=function,
            name=name,
            version=version,
            description=description,
            weights=weights or {},
            revision_id=self._revision(),
        )
        self.aliases[function, name] = alias
        return alias

    async def update_alias(
        self,
        function: str,
        name: str,
        *,
        version: str | None = None,
        description: str | None = None,
        weights: Mapping[str, float] | None = None,
        revision_id: str | None = None,
    ) -> Alias:
        alias = await self.get_alias(function, name)
        self._guard(alias.revision_id, revision_id)
        changed = replace(
            alias,
            version=alias.version if version is None else version,
            description=alias.description if description is None else description,
            weights=alias.weights if weights is None else weights,
            revision_id=self._revision(),
        )
        self.aliases[function, name] = changed
        return changed

    async def get_alias(self, function: str, name: str) -> Alias:
        alias = self.aliases.get((function, name))
        if alias is None:
            raise ResourceNotFound(f"Cannot find alias arn: {self._account.function_arn(function, name)}")
        return alias

    async def list_aliases(self, function: str) -> tuple[Alias, ...]:
        return tuple(alias for key, alias in sorted(self.aliases.items()) if key[0] == function)

    async def delete_alias(self, function: str, name: str) -> None:
        self.aliases.pop((function, name), None)

    async def stop_environment(self, environment: str) -> None:
        raise NotImplementedError

    async def changes(self, since: int) -> Delta:
        raise NotImplementedError

    async def status(self) -> EngineStatus:
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError

    def _keep(self, archive: bytes, image: str | None = None) -> Code:
        sha256 = hashlib.sha256(image.encode() if image else archive).hexdigest()
        self.archives[sha256] = archive
        return Code(sha256=sha256, size=len(archive), image=image)

    def _revision(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._revisions):012d}"

    def _guard(self, actual: str, given: str | None) -> None:
        if given is not None and given != actual:
            raise PreconditionFailed("The Revision Id provided does not match the latest Revision Id.")
