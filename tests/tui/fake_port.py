"""A scripted engine in memory: the real reducer over events that a test writes, on a clock that a test moves.

Deltas go through JSON and back, as over the wire, so that the face never shares an object with its engine.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count

from workbench.live.reducer import Live
from workbench.live.view import Delta, EngineStatus, Past
from workbench.model import events as ev
from workbench.model.account import AccountSettings
from workbench.model.attached import Attached, Provisioned, ProvisionedStatus, RuntimeManagement
from workbench.model.codec import decode, encode
from workbench.model.environments import EnvironmentState as State
from workbench.model.environments import Fault, Process
from workbench.model.errors import EngineGone, PreconditionFailed, ResourceNotFound
from workbench.model.functions import Alias, Code, FunctionConfiguration, FunctionState, FunctionVersion, unchanged
from workbench.model.history import InvocationRecord
from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType, InvokeRequest
from workbench.model.layers import LayerVersion
from workbench.model.names import LATEST, Account, FunctionRef
from workbench.model.runtimes import RuntimeOverview

MS = 1_000_000
WALL = 1_760_000_000.0
STATUS = EngineStatus(
    version="0.1.0",
    pid=4711,
    state_dir="/home/ada/orders/.workbench",
    project="/home/ada/orders",
    backend="bubblewrap",
    backend_why="the strongest that works here",
    isolated=True,
    urls={"lambda": "http://127.0.0.1:3001"},
)


class FakeEngine:
    """An `EnginePort`. `advance` moves its clock; the other verbs write events at the present moment."""

    def __init__(self, status: EngineStatus = STATUS, *, keep: int = 2_000) -> None:
        self.live = Live(invocations=keep)
        self.now = 1_000_000 * MS
        self.gone = False
        self.raises: Exception | None = None
        self.requests: list[InvokeRequest] = []
        self.stopped_environments: list[str] = []
        self.faults: list[tuple[str, Fault]] = []
        self.asked_past: list[str | None] = []
        self.stops = 0
        self.answer: Callable[[InvokeRequest], Awaitable[InvocationResult]] | None = None
        self.engine_status = status
        self.versions: dict[str, dict[str, FunctionVersion]] = {}
        self.aliases: dict[str, dict[str, Alias]] = {}
        self.archives: dict[str, bytes] = {}
        self.attached: dict[str, Attached] = {}
        self.layers: list[LayerVersion] = []
        self.runtimes: dict[str, RuntimeOverview] = {}
        self.records: dict[str, InvocationRecord] = {}
        self.processes: dict[str, tuple[Process, ...]] = {}
        self.asked_processes: list[str] = []
        self._functions_of: dict[str, str] = {}
        self._ids = count(1)
        self._revisions = count(1)

    @property
    def wall(self) -> float:
        return WALL + self.now / 1e9

    def advance(self, ms: float) -> None:
        self.now += int(ms * MS)

    # -- what happens
    def function(
        self,
        name: str,
        *,
        memory: int = 128,
        version: str = LATEST,
        state=FunctionState.ACTIVE,
        archive: bytes = b"",
        role: str = "arn:aws:iam::000000000000:role/x",
        **configuration,
    ) -> None:
        made = FunctionVersion(
            name=name,
            version=version,
            configuration=FunctionConfiguration(
                runtime="python3.12", handler="app.handler", role=role, memory_size=memory, **configuration
            ),
            code=Code(sha256=hashlib.sha256(archive).hexdigest(), size=len(archive)),
            revision_id="r",
            last_modified=WALL,
            state=state,
        )
        self.archives[made.code.sha256] = archive
        self._take(made)

    def _take(self, made: FunctionVersion) -> None:
        self.versions.setdefault(made.name, {})[made.version] = made
        self.live.apply(ev.FunctionChanged(self.now, made))

    def alias(self, function: str, name: str, version: str, weights: dict[str, float] | None = None) -> Alias:
        revision = f"revision-{next(self._revisions)}"
        alias = Alias(function=function, name=name, version=version, weights=weights or {}, revision_id=revision)
        return self._take_alias(alias)

    def _take_alias(self, alias: Alias) -> Alias:
        self.aliases.setdefault(alias.function, {})[alias.name] = alias
        self.live.apply(ev.AliasChanged(self.now, alias))
        return alias

    def environment(
        self, id: str, state: State, function: str, *, version: str = LATEST, reason: str = "", road: str = ""
    ) -> None:
        self._functions_of[id] = function
        entered = ev.EnvironmentChanged(self.now, id, state, reason, function, version, "bubblewrap", 128, 100, 41)
        entered.road = road
        self.live.apply(entered)

    def accepted(
        self,
        id: str,
        function: str,
        env: str,
        *,
        cold: bool = False,
        qualifier=None,
        event=b"{}",
        version: str = LATEST,
    ) -> None:
        made = self.versions.get(function, {}).get(version)
        self.live.apply(
            ev.InvocationAccepted(
                self.now,
                id,
                function,
                qualifier,
                version,
                InvocationType.REQUEST_RESPONSE,
                env,
                cold,
                "cold: no environment yet" if cold else "warm",
                event,
                self.wall,
                memory_size=made.configuration.memory_size if made is not None else 128,
            )
        )

    def started(self, id: str) -> None:
        self.live.apply(ev.InvocationStarted(self.now, id))

    def finished(
        self,
        id: str,
        *,
        status: InvocationStatus = InvocationStatus.SUCCESS,
        response: bytes = b'{"message": "Hello, Ada!"}',
        ms: float = 38,
        init_ms: float | None = None,
        error_type: str | None = None,
    ) -> None:
        self.live.apply(ev.InvocationFinished(self.now, id, status, response, ms, int(ms) + 1, init_ms, 41, error_type))

    def refused(self, id: str, function: str) -> None:
        reason = "ConcurrentInvocationLimitExceeded"
        kind = InvocationType.REQUEST_RESPONSE
        self.live.apply(ev.InvocationRefused(self.now, id, function, None, kind, reason, self.wall))

    def log(self, text: str, *, function: str = "hello", env: str = "e-1", request: str | None = None) -> None:
        platform = text.startswith(("START", "END", "REPORT", "INIT_START"))
        stream = "platform" if platform else "function"
        self.live.apply(ev.LogLine(self.now, self.wall, env, function, LATEST, request, stream, text))

    def run(self, id: str, function: str, env: str, *, ms: float = 38, **finish) -> None:
        """A whole warm invocation."""
        self.accepted(id, function, env)
        self.environment(env, State.BUSY, function)
        self.started(id)
        self.log(f"START RequestId: {id} Version: $LATEST", function=function, env=env, request=id)
        self.advance(ms)
        self.log(f"END RequestId: {id}", function=function, env=env, request=id)
        self.finished(id, ms=ms, **finish)
        self.environment(env, State.IDLE, function)

    def warm(self, env: str, function: str) -> None:
        """An environment from nothing to idle, a quarter of a second in each state."""
        for state, reason in ((State.CREATING, "no environment yet"), (State.INIT, ""), (State.IDLE, "")):
            self.environment(env, state, function, reason=reason)
            self.advance(250)

    # -- EnginePort
    def _check(self) -> None:
        if self.gone:
            raise EngineGone("connection refused")

    async def account(self) -> Account:
        return Account()

    async def invoke(self, request: InvokeRequest) -> InvocationResult:
        self._check()
        self.requests.append(request)
        if self.raises is not None:
            raise self.raises
        if self.answer is not None:
            return await self.answer(request)
        id = f"{next(self._ids):08x}-0000-4000-8000-000000000000"
        env = f"e-{request.function.name}"
        self.accepted(id, request.function.name, env, qualifier=request.function.qualifier, event=request.payload)
        self.started(id)
        self.finished(id)
        return InvocationResult(
            request_id=id, status=InvocationStatus.SUCCESS, payload=b'{"message": "Hello, Ada!"}', duration_ms=38
        )

    # -- functions, versions and aliases
    def _ask(self) -> None:
        self._check()
        if self.raises is not None:
            raise self.raises

    async def list_versions(self, name: str) -> tuple[FunctionVersion, ...]:
        self._check()
        return tuple(self.versions[name].values())

    async def list_aliases(self, function: str) -> tuple[Alias, ...]:
        self._check()
        return tuple(alias for _, alias in sorted(self.aliases.get(function, {}).items()))

    async def get_alias(self, function: str, name: str) -> Alias:
        self._ask()
        return self.aliases[function][name]

    async def create_alias(self, function, name, version, *, description="", weights=None) -> Alias:
        self._ask()
        return self._take_alias(
            replace(self.alias(function, name, version, dict(weights or {})), description=description)
        )

    async def update_alias(
        self, function, name, *, version=None, description=None, weights=None, revision_id=None
    ) -> Alias:
        self._ask()
        alias = self.aliases[function][name]
        if revision_id not in (None, alias.revision_id):
            raise PreconditionFailed("The Revision Id provided does not match the latest Revision Id.")
        return self._take_alias(
            replace(
                alias,
                version=version or alias.version,
                description=alias.description if description is None else description,
                weights=alias.weights if weights is None else dict(weights),
                revision_id=f"revision-{next(self._revisions)}",
            )
        )

    async def delete_alias(self, function: str, name: str) -> None:
        self._ask()
        if self.aliases.get(function, {}).pop(name, None):
            self.live.apply(ev.AliasDeleted(self.now, function, name))

    async def publish_version(self, name: str, **guards) -> FunctionVersion:
        self._ask()
        versions = self.versions[name]
        newest = list(versions.values())[-1]
        if newest.version != LATEST and unchanged(newest, versions[LATEST]):
            return newest
        number = max((int(version) for version in versions if version != LATEST), default=0) + 1
        self._take(replace(versions[LATEST], version=str(number)))
        return versions[str(number)]

    async def delete_function(self, ref: FunctionRef) -> None:
        self._ask()
        del self.versions[ref.name][ref.qualifier]
        self.live.apply(ev.FunctionDeleted(self.now, ref.name, ref.qualifier))

    # -- settings
    async def get_function(self, ref: FunctionRef) -> FunctionVersion:
        self._ask()
        return self.versions[ref.name][ref.qualifier or LATEST]

    async def update_function_configuration(self, name, configuration, *, revision_id=None) -> FunctionVersion:
        self._ask()
        latest = self.versions[name][LATEST]
        if revision_id not in (None, latest.revision_id):
            raise PreconditionFailed("The Revision Id provided does not match the latest Revision Id.")
        revision = f"revision-{next(self._revisions)}"
        made = replace(latest, configuration=configuration, revision_id=revision, last_modified=self.wall)
        self._take(made)
        return self.versions[name][LATEST]

    async def account_settings(self) -> AccountSettings:
        self._ask()
        reserved = sum(attached.reserved or 0 for attached in self.attached.values())
        return AccountSettings(
            concurrent_executions=1000,
            unreserved_concurrent_executions=1000 - reserved,
            total_code_size=0,
            function_count=len(self.versions),
        )

    async def get_attached(self, function: str) -> Attached:
        self._ask()
        return self.attached.get(function, Attached())

    def attach(self, function: str, **changes) -> None:
        self.attached[function] = replace(self.attached.get(function, Attached()), **changes)
        self.live.apply(ev.AttachedChanged(self.now, function, self.attached[function]))

    async def put_concurrency(self, ref: FunctionRef, reserved: int | None) -> None:
        self._ask()
        self.attach(ref.name, reserved=reserved)

    async def put_provisioned_concurrency(self, ref: FunctionRef, requested: int) -> Provisioned:
        self._ask()
        made = Provisioned(requested=requested, status=ProvisionedStatus.READY, last_modified=self.wall)
        provisioned = (await self.get_attached(ref.name)).provisioned
        self.attach(ref.name, provisioned={**provisioned, ref.qualifier: made})
        return made

    async def get_provisioned_concurrency(self, ref: FunctionRef) -> Provisioned:
        return (await self.get_attached(ref.name)).provisioned[ref.qualifier]

    async def delete_provisioned_concurrency(self, ref: FunctionRef) -> None:
        self._ask()
        provisioned = (await self.get_attached(ref.name)).provisioned
        self.attach(ref.name, provisioned={key: value for key, value in provisioned.items() if key != ref.qualifier})

    async def get_runtime_management(self, ref: FunctionRef) -> RuntimeManagement:
        return (await self.get_attached(ref.name)).runtime_of(ref.qualifier)

    async def put_runtime_management(self, ref: FunctionRef, config: RuntimeManagement) -> None:
        self._ask()
        managed = (await self.get_attached(ref.name)).runtime_management
        self.attach(ref.name, runtime_management={**managed, ref.qualifier: config})

    async def list_functions(self) -> tuple[FunctionVersion, ...]:
        self._ask()
        return tuple(versions[LATEST] for _, versions in sorted(self.versions.items()))

    async def list_layer_versions(self, name: str | None) -> tuple[LayerVersion, ...]:
        self._ask()
        return tuple(self.layers)

    async def list_runtimes(self) -> tuple[RuntimeOverview, ...]:
        self._ask()
        return tuple(self.runtimes.values())

    async def publish_runtime(self, runtime: str, version: str) -> RuntimeOverview:
        self._ask()
        self.runtimes[runtime] = replace(self.runtimes[runtime], published=version, moves=self.wall + 300)
        return self.runtimes[runtime]

    async def code(self, sha256: str) -> bytes:
        self._ask()
        return self.archives[sha256]

    async def get_invocation(self, request_id: str) -> InvocationRecord:
        self._check()
        if request_id not in self.records:
            raise ResourceNotFound(f"no invocation {request_id} in the history")
        return self.records[request_id]

    async def stop_environment(self, environment: str) -> None:
        self._check()
        if self.raises is not None:
            raise self.raises
        self.stopped_environments.append(environment)
        self.environment(environment, State.STOPPED, self._functions_of[environment], reason="killed by hand")

    async def freeze_environment(self, environment: str) -> None:
        self._ask()
        self.environment(environment, State.FROZEN, self._functions_of[environment])

    async def thaw_environment(self, environment: str) -> None:
        self._ask()
        self.environment(environment, State.IDLE, self._functions_of[environment], reason="thawed by hand")

    async def inject_fault(self, environment: str, fault: Fault) -> None:
        self._ask()
        self.faults.append((environment, fault))

    async def list_processes(self, environment: str) -> tuple[Process, ...]:
        self.asked_processes.append(environment)
        self._ask()
        return self.processes.get(environment, ())

    async def changes(self, since: int) -> Delta:
        self._check()
        delta = self.live.changes(since, self.now, self.wall)
        return decode(Delta, json.loads(json.dumps(encode(delta))))

    async def past(self, function: str | None) -> Past:
        self._ask()
        self.asked_past.append(function)
        return decode(Past, json.loads(json.dumps(encode(self.live.past(function, self.now)))))

    async def status(self) -> EngineStatus:
        self._check()
        return self.engine_status

    async def stop(self) -> None:
        self._check()
        if self.raises is not None:
            raise self.raises
        self.stops += 1
        self.gone = True

    def __getattr__(self, name: str):
        raise NotImplementedError(f"the screens do not use {name} yet")
