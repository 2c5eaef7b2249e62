"""Functions, versions and aliases: what may be created, changed, published and deleted.

Decisions are made on the engine's tables, then written durably, then the tables follow. Error texts and rules:
Lambda API reference, and Lambda Developer Guide, "Manage Lambda function versions", "Create an alias".
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import uuid
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

from workbench.engine.clock import Clock
from workbench.engine.decide import Function, Tables
from workbench.engine.layers import Layers
from workbench.engine.ports import Runtimes, Store, StoreThread
from workbench.engine.resources import versions
from workbench.engine.resources.aliases import check_alias, check_name
from workbench.engine.resources.concurrency import check_move
from workbench.model import events as ev
from workbench.model.attached import Attached, RuntimeManagement, UpdateRuntimeOn
from workbench.model.errors import (
    InvalidParameterValue,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
    RuntimeUnavailable,
    StateError,
    WorkbenchError,
)
from workbench.model.functions import (
    Alias,
    Code,
    FunctionConfiguration,
    FunctionState,
    FunctionVersion,
    NewFunction,
    UpdateStatus,
    unchanged,
)
from workbench.model.names import LATEST, FunctionRef

_REVISION = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the {call} API to retrieve the latest Revision Id"
)
_CREATING = "The function is being created."
#: Why environments end.
CHANGED = "the function was changed"
_DELETED = "the function was deleted"
_MOVED = "its runtime version was changed"
_log = logging.getLogger("workbench.functions")


class Functions:
    """The control plane.

    `retire` ends the environments of a version whose code, configuration or runtime version was replaced;
    `runtime_version` gives the ARN that functions of a runtime take now, `image_digest` the digest of a container image
    that is on this machine.
    """

    def __init__(
        self,
        tables: Tables,
        clock: Clock,
        store: Store,
        thread: StoreThread,
        runtimes: Runtimes,
        emit: Callable[[ev.Event], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        retire: Callable[[str, str | None, str], None],
        urls_changed: Callable[[], None],
        layers: Layers,
        update_seconds: float,
        runtime_version: Callable[[str], Awaitable[str]],
        image_digest: Callable[[str], Awaitable[str | None]],
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._store = store
        self._thread = thread
        self._runtimes = runtimes
        self._emit = emit
        self._spawn = spawn
        self._retire = retire
        self._urls_changed = urls_changed
        self._layers = layers
        self._update_seconds = update_seconds
        self._runtime_version = runtime_version
        self._image_digest = image_digest
        # One change of a function at a time: a decision must still hold when its write has become durable.
        self._locks: dict[str, asyncio.Lock] = {}
        # What one function takes of the account's concurrency, no other may take at the same time.
        self._account_lock = asyncio.Lock()

    def load(self, versions: list[FunctionVersion], aliases: list[Alias], attached: Mapping[str, Attached]) -> None:
        """Fill the tables with what the store has, and take up again what was left unfinished."""
        for version in versions:
            self._take(version)
        for alias in aliases:
            self._tables.functions[alias.function].aliases[alias.name] = alias
            self._emit(ev.AliasChanged(self._clock.monotonic_ns(), alias))
        for name, what in attached.items():
            if name in self._tables.functions:
                self._take_attached(name, what)
        for version in versions:
            if version.state is FunctionState.PENDING or version.update_status is UpdateStatus.IN_PROGRESS:
                self._spawn(self._activate(version))

    # -- functions
    async def create(self, new: NewFunction) -> FunctionVersion:
        async with self._lock(new.name):
            if new.name in self._tables.functions:
                raise ResourceConflict(f"Function already exist: {new.name}")
            layers = self._layers.attach(new.configuration.layers)
            code = await self._package(new.code, new.image, layers)
            version = FunctionVersion(
                name=new.name,
                configuration=new.configuration,
                code=code,
                revision_id=_revision(),
                last_modified=self._clock.time(),
                state=FunctionState.PENDING,
                state_reason=_CREATING,
                state_reason_code="Creating",
                update_status=None,
                layers=layers,
                runtime_version=await self._runtime_version(new.configuration.runtime) if new.image is None else None,
            )
            attached = Attached(tags=new.tags, code_signing_config=new.code_signing_config)
            await self._thread.run(self._store.put_version, version, attached)
            self._take(version)
            self._take_attached(new.name, attached)
            if new.publish:
                first = await self._publish_number(version, None)
                self._spawn(self._activate(version))
                return first
        self._spawn(self._activate(version))
        return version

    async def update_code(
        self,
        name: str,
        code: bytes,
        *,
        image: str | None,
        architecture: str | None,
        publish: bool,
        dry_run: bool,
        revision_id: str | None,
    ) -> FunctionVersion:
        async with self._lock(name):
            latest = self._changeable(name, revision_id)
            package = await self._package(code, image, latest.layers)
            configuration = latest.configuration
            if architecture is not None:
                configuration = replace(configuration, architecture=architecture)
            updated = await self._in_progress(latest, configuration, package)
            if dry_run:
                return updated
            await self._write(updated)
            if publish:
                published = await self._publish(updated, None)
                self._spawn(self._activate(updated))
                return published
        self._spawn(self._activate(updated))
        return updated

    async def update_configuration(
        self, name: str, configuration: FunctionConfiguration, revision_id: str | None
    ) -> FunctionVersion:
        async with self._lock(name):
            latest = self._changeable(name, revision_id)
            updated = await self._in_progress(latest, configuration, latest.code)
            # What stays attached may have been deleted meanwhile.
            if configuration.layers != latest.configuration.layers:
                layers = self._layers.attach(configuration.layers)
                await self._layers.check_size(latest.code.sha256, layers)
                updated = replace(updated, layers=layers)
            await self._write(updated)
        self._spawn(self._activate(updated))
        return updated

    def get(self, ref: FunctionRef) -> FunctionVersion:
        function = self._function(ref.name, ref.qualifier)
        qualifier = ref.qualifier or LATEST
        alias = function.aliases.get(qualifier)
        version = function.versions.get(alias.version if alias else qualifier)
        if version is None:
            raise self._missing(ref.name, qualifier)
        return version

    def list(self) -> tuple[FunctionVersion, ...]:
        return tuple(function.latest for _, function in sorted(self._tables.functions.items()))

    def versions(self, name: str) -> tuple[FunctionVersion, ...]:
        function = self._function(name)
        numbers = sorted((number for number in function.versions if number != LATEST), key=int)
        return tuple(function.versions[number] for number in (LATEST, *numbers))

    async def delete(self, ref: FunctionRef) -> None:
        async with self._lock(ref.name):
            qualifier = ref.qualifier
            if qualifier == LATEST:
                raise InvalidParameterValue("$LATEST version cannot be deleted without deleting the function.")
            function = self._function(ref.name)
            if qualifier is None:
                await self._thread.run(self._store.delete_function, ref.name)
                del self._tables.functions[ref.name]
                self._tables.claimants.pop(ref.name, None)
                if function.attached.urls:
                    self._urls_changed()
                self._emit(ev.FunctionDeleted(self._clock.monotonic_ns(), ref.name))
                self._retire(ref.name, None, _DELETED)
                return
            if not qualifier.isdigit():
                raise InvalidParameterValue("Deletion of aliases is not currently supported.")
            users = sorted(
                a.name for a in function.aliases.values() if a.version == qualifier or qualifier in a.weights
            )
            if users:
                raise ResourceConflict(
                    f"Unable to delete version because the following aliases reference it: [{', '.join(users)}]"
                )
            if qualifier in function.versions:
                left = function.attached.without(qualifier)
                await self._thread.run(self._store.delete_version, ref.name, qualifier, left)
                del function.versions[qualifier]
                self._take_attached(ref.name, left)
                self._emit(ev.FunctionDeleted(self._clock.monotonic_ns(), ref.name, qualifier))
                self._retire(ref.name, qualifier, CHANGED)

    # -- versions
    async def publish(
        self, name: str, description: str | None, code_sha256: str | None, revision_id: str | None
    ) -> FunctionVersion:
        async with self._lock(name):
            latest = self._changeable(name, revision_id)
            sha256 = latest.code.sha256
            current = sha256 if latest.code.image else base64.b64encode(bytes.fromhex(sha256)).decode()
            if code_sha256 and code_sha256 != current:
                raise InvalidParameterValue(
                    f"CodeSHA256 ({code_sha256}) is different from current CodeSHA256 in $LATEST ({current}). "
                    "Please try again with the CodeSHA256 in $LATEST."
                )
            return await self._publish(latest, description)

    async def _publish(self, latest: FunctionVersion, description: str | None) -> FunctionVersion:
        newest = self.versions(latest.name)[-1]
        if newest.version != LATEST and unchanged(newest, latest):
            return newest
        return await self._publish_number(latest, description)

    async def _publish_number(self, latest: FunctionVersion, description: str | None) -> FunctionVersion:
        def build(number: int) -> FunctionVersion:
            configuration = latest.configuration
            if description is not None:
                configuration = replace(configuration, description=description)
            source = latest
            if configuration.settings.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions":
                # Its snapshot is still to be taken.
                source = replace(
                    latest, state=FunctionState.PENDING, state_reason=_CREATING, state_reason_code="Creating"
                )
            return replace(
                source,
                version=str(number),
                configuration=configuration,
                revision_id=_revision(),
                last_modified=self._clock.time(),
            )

        attached = self._tables.functions[latest.name].attached
        management = attached.runtime_of()

        def attach(published: FunctionVersion) -> Attached | None:
            """A version is made with the mode that `$LATEST` has."""
            if management.update_runtime_on is UpdateRuntimeOn.AUTO:
                return None
            kept = {**attached.runtime_management, published.version: management}
            return replace(attached, runtime_management=kept)

        published = await self._thread.run(self._store.publish, latest.name, build, attach)
        self._take(published)
        self._take_attached(latest.name, attach(published) or attached)
        await self._touch(latest, _revision())
        if published.state is FunctionState.PENDING or published.update_status is UpdateStatus.IN_PROGRESS:
            self._spawn(self._activate(published))
        return published

    # -- aliases
    async def create_alias(
        self, function: str, name: str, version: str, description: str, weights: Mapping[str, float] | None
    ) -> Alias:
        check_name(name)
        async with self._lock(function):
            known = self._function(function, version)
            if name in known.aliases:
                raise ResourceConflict(f"Alias already exists: {self._tables.account.function_arn(function, name)}")
            alias = Alias(
                function=function,
                name=name,
                version=version,
                description=description,
                weights=dict(weights or {}),
                revision_id=_revision(),
            )
            check_alias(self._tables.account, known, alias)
            return await self._write_alias(alias)

    async def update_alias(
        self,
        function: str,
        name: str,
        version: str | None,
        description: str | None,
        weights: Mapping[str, float] | None,
        revision_id: str | None,
    ) -> Alias:
        async with self._lock(function):
            known = self._function(function)
            alias = known.aliases.get(name)
            if alias is None:
                raise ResourceNotFound(f"Alias not found: {self._tables.account.function_arn(function, name)}")
            if revision_id and revision_id != alias.revision_id:
                raise PreconditionFailed(_REVISION.format(call="GetFunction/GetAlias"))
            changed = replace(
                alias,
                version=alias.version if version is None else version,
                description=alias.description if description is None else description,
                weights=alias.weights if weights is None else dict(weights),
                revision_id=_revision(),
            )
            check_alias(self._tables.account, known, changed)
            check_move(known, changed)
            return await self._write_alias(changed)

    def alias(self, function: str, name: str) -> Alias:
        alias = self._function(function).aliases.get(name)
        if alias is None:
            raise ResourceNotFound(f"Cannot find alias arn: {self._tables.account.function_arn(function, name)}")
        return alias

    def aliases(self, function: str) -> tuple[Alias, ...]:
        return tuple(alias for _, alias in sorted(self._function(function).aliases.items()))

    async def delete_alias(self, function: str, name: str) -> None:
        async with self._lock(function):
            known = self._function(function)
            if name in known.aliases:
                left = known.attached.without(name)
                await self._thread.run(self._store.delete_alias, function, name, left)
                del known.aliases[name]
                self._take_attached(function, left)
                self._emit(ev.AliasDeleted(self._clock.monotonic_ns(), function, name))

    # -- what is attached
    async def attach(self, name: str, decide: Callable[[Function | None], Attached], *, shared: bool = False) -> None:
        """Change what is attached to a function, as `decide` says of the function as it is, or of its absence.

        `shared` is for decisions that look at the other functions too. It is durable when this returns.
        """
        async with self._account_lock if shared else nullcontext(), self._lock(name):
            await self._attach(name, decide)

    async def attach_policy(
        self, ref: FunctionRef, decide: Callable[[Function | None], Attached], revision_id: str
    ) -> None:
        """Change a resource policy: the function or the alias that it belongs to takes its new revision."""
        async with self._lock(ref.name):
            await self._attach(ref.name, decide)
            function = self._tables.functions[ref.name]
            alias = function.aliases.get(ref.qualifier) if ref.qualifier else None
            if alias is not None:
                await self._write_alias(replace(alias, revision_id=revision_id))
            elif ref.qualifier is None:
                await self._touch(function.latest, revision_id)

    async def manage_runtime(
        self, ref: FunctionRef, config: RuntimeManagement, arns: Collection[str], settled: str | None
    ) -> None:
        """Choose how the runtime version of a version changes. `arns` are those that it may be pinned to, and `settled`
        is the one that Auto brings at once.

        Raises:
            ResourceNotFound, InvalidParameterValue: see `versions.manage_runtime`.
        """
        async with self._lock(ref.name):
            function = self._tables.functions.get(ref.name)
            attached = versions.manage_runtime(self._tables.account, function, ref, config, arns)
            assert function is not None  # it has been found just now
            version = function.versions[ref.qualifier or LATEST]
            arn = config.runtime_version_arn
            if config.update_runtime_on is UpdateRuntimeOn.AUTO:
                arn = settled
            await self._pin(version, arn or version.runtime_version, attached)

    async def move(self, name: str, number: str, runtime: str, arn: str, modes: Collection[UpdateRuntimeOn]) -> None:
        """Give a version in one of these modes another runtime version, if it still is of that runtime."""
        async with self._lock(name):
            function = self._tables.functions.get(name)
            version = function.versions.get(number) if function is not None else None
            if function is None or version is None or version.configuration.runtime != runtime:
                return
            if version.runtime_version != arn and function.attached.runtime_of(number).update_runtime_on in modes:
                await self._pin(version, arn, function.attached)

    async def _pin(self, version: FunctionVersion, arn: str | None, attached: Attached) -> None:
        """Write a version's runtime version together with what is attached to its function."""
        changed = replace(version, runtime_version=arn)
        await self._thread.run(self._store.put_version, changed, attached)
        self._take_attached(version.name, attached)
        if changed == version:
            return
        self._take(changed)
        function = self._tables.functions[version.name]
        serving = function.serving
        same = serving is not None and serving.configuration.runtime == version.configuration.runtime
        if version.version == LATEST and serving is not None and same:
            # While an update is in progress, what still serves is another one.
            function.serving = replace(serving, runtime_version=arn)
        self._retire(version.name, version.version, _MOVED)

    async def _attach(self, name: str, decide: Callable[[Function | None], Attached]) -> None:
        attached = decide(self._tables.functions.get(name))
        await self._thread.run(self._store.put_attached, name, attached)
        self._take_attached(name, attached)

    async def _touch(self, latest: FunctionVersion, revision_id: str) -> None:
        """Give `$LATEST` another revision, without a change of what it runs: its environments stay.

        While it is in progress it is left alone: the revision changes when it settles.
        """
        if latest.state is FunctionState.ACTIVE and latest.update_status is UpdateStatus.SUCCESSFUL:
            await self._write(replace(latest, revision_id=revision_id))

    def _take_attached(self, name: str, attached: Attached) -> None:
        function = self._tables.functions[name]
        before, function.attached = function.attached, attached
        if attached == before:
            return
        self._tables.claimants.pop(name, None)
        if attached.reserved is not None or attached.provisioned:
            self._tables.claimants[name] = function
        self._emit(ev.AttachedChanged(self._clock.monotonic_ns(), name, attached))
        if attached.urls != before.urls:
            self._urls_changed()

    # -- the background of Pending and InProgress
    async def _activate(self, version: FunctionVersion) -> None:
        """Make a new or changed version ready to run, then say so; the revision changes with the state."""
        if version.update_status is UpdateStatus.IN_PROGRESS and self._update_seconds:
            await self._clock.sleep(self._update_seconds)
        try:
            if version.code.image is None:
                # A function whose runtime is not here is none the worse: its invocation says what is missing.
                with suppress(RuntimeUnavailable):
                    await self._runtimes.resolve(version.configuration.runtime, version.runtime_version)
                await self._thread.run(self._store.extract, version.code.sha256)
                await self._thread.run(self._store.extract_layers, version.layers)
        except WorkbenchError as error:
            failure: WorkbenchError | None = error
        else:
            failure = None
        async with self._lock(version.name):
            function = self._tables.functions.get(version.name)
            current = function.versions.get(version.version) if function else None
            if current is None or current.revision_id != version.revision_id:
                return
            settled = self._settled(current, failure)
            try:
                await self._write(settled)
            except StateError as error:
                # It leaves Pending and InProgress all the same; an engine that starts later finds it and tries again.
                _log.error("the state of %s:%s cannot be written: %s", version.name, version.version, error)
                self._take(settled)
            if function is not None and version.version == LATEST and settled.update_status is not UpdateStatus.FAILED:
                function.serving = settled
                self._retire(version.name, LATEST, CHANGED)

    def _settled(self, version: FunctionVersion, error: WorkbenchError | None) -> FunctionVersion:
        creating = version.state is FunctionState.PENDING
        done = replace(
            version,
            revision_id=_revision(),
            state=FunctionState.ACTIVE,
            state_reason=None,
            state_reason_code=None,
            update_status=UpdateStatus.SUCCESSFUL,
            update_reason=None,
            update_reason_code=None,
        )
        if error is None:
            return done
        code = "InternalError"
        if creating:
            return replace(
                done,
                state=FunctionState.FAILED,
                state_reason=str(error),
                state_reason_code=code,
                update_status=UpdateStatus.FAILED,
                update_reason=str(error),
                update_reason_code=code,
            )
        return replace(done, update_status=UpdateStatus.FAILED, update_reason=str(error), update_reason_code=code)

    # -- common
    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    async def _package(self, archive: bytes, image: str | None, layers: tuple[Code, ...]) -> Code:
        if image is not None:
            return Code(
                sha256=_digest(image) or await self._image_digest(image) or _made_of(image), size=0, image=image
            )
        sha256 = await self._thread.run(self._store.put_code, archive)
        await self._layers.check_size(sha256, layers)
        return Code(sha256=sha256, size=len(archive))

    async def _write(self, version: FunctionVersion) -> None:
        await self._thread.run(self._store.put_version, version)
        self._take(version)

    def _take(self, version: FunctionVersion) -> None:
        function = self._tables.functions.setdefault(version.name, Function())
        function.versions[version.version] = version
        if version.version == LATEST and (
            function.serving is None or function.serving.state is not FunctionState.ACTIVE
        ):
            function.serving = version
        self._emit(ev.FunctionChanged(self._clock.monotonic_ns(), version))

    async def _write_alias(self, alias: Alias) -> Alias:
        await self._thread.run(self._store.put_alias, alias)
        self._tables.functions[alias.function].aliases[alias.name] = alias
        self._emit(ev.AliasChanged(self._clock.monotonic_ns(), alias))
        return alias

    def _function(self, name: str, qualifier: str | None = None) -> Function:
        function = self._tables.functions.get(name)
        if function is None:
            raise self._missing(name, qualifier)
        return function

    def _missing(self, name: str, qualifier: str | None) -> ResourceNotFound:
        return ResourceNotFound(f"Function not found: {self._tables.account.function_arn(name, qualifier)}")

    def _changeable(self, name: str, revision_id: str | None) -> FunctionVersion:
        latest = self._function(name).latest
        arn = self._tables.account.function_arn(name)
        if latest.state is FunctionState.PENDING:
            raise ResourceConflict(
                "The operation cannot be performed at this time. "
                "The function is currently in the following state: Pending"
            )
        if latest.update_status is UpdateStatus.IN_PROGRESS:
            raise ResourceConflict(
                f"The operation cannot be performed at this time. An update is in progress for resource: {arn}"
            )
        if revision_id and revision_id != latest.revision_id:
            raise PreconditionFailed(_REVISION.format(call="GetFunction/GetAlias"))
        return latest

    async def _in_progress(
        self, latest: FunctionVersion, configuration: FunctionConfiguration, code: Code
    ) -> FunctionVersion:
        before, runtime_version = latest.configuration, latest.runtime_version
        mode = self._tables.functions[latest.name].attached.runtime_of().update_runtime_on
        if mode is UpdateRuntimeOn.MANUAL:
            versions.check_pinned(before, configuration)
        elif code.image is None:
            runtime_version = await self._runtime_version(configuration.runtime)
        return replace(
            latest,
            configuration=configuration,
            code=code,
            runtime_version=runtime_version,
            revision_id=_revision(),
            last_modified=self._clock.time(),
            state=FunctionState.ACTIVE,
            state_reason=None,
            state_reason_code=None,
            update_status=UpdateStatus.IN_PROGRESS,
            update_reason=_CREATING,
            update_reason_code="Creating",
        )


def _digest(image: str) -> str:
    """The digest in an image's name, if there is one."""
    return image.partition("@sha256:")[2]


def _made_of(image: str) -> str:
    """A digest that is the name's own, for an image that nobody here has seen."""
    return hashlib.sha256(image.encode()).hexdigest()


def _revision() -> str:
    return str(uuid.uuid4())
