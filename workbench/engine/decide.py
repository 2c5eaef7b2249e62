"""Route, admit, place: the three decisions of an invocation.

Pure functions over the engine's tables; nothing here waits, does I/O or changes anything.
Sources: Lambda Developer Guide, "Lambda function aliases", "Understanding Lambda function scaling".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, TypeVar

from workbench.engine.rates import Rates
from workbench.model.attached import NOTHING, Attached
from workbench.model.errors import InvalidParameterValue, ResourceConflict, ResourceNotFound
from workbench.model.functions import Alias, FunctionState, FunctionVersion
from workbench.model.names import LATEST, Account, FunctionRef

#: Requests a second that a function may have for each unit of its concurrency (Lambda Developer Guide, "Understanding
#: Lambda function scaling", "Understanding concurrency and requests per second").
REQUESTS_PER_SECOND = 10


@dataclass(slots=True)
class Function:
    """A function's versions by number (`$LATEST` among them), its aliases by name, and what is attached to it.

    `serving` is what runs as `$LATEST`: while an update is in progress, still the previous code and configuration.
    """

    versions: dict[str, FunctionVersion] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    serving: FunctionVersion | None = None
    attached: Attached = NOTHING

    @property
    def latest(self) -> FunctionVersion:
        return self.versions[LATEST]


class Placeable(Protocol):
    """What placement looks at of an environment, be it real or replayed."""

    #: Its processes are gone, and INIT runs again inside the next invocation.
    bare: bool


E = TypeVar("E", bound=Placeable)


@dataclass(slots=True)
class Pool(Generic[E]):
    """The environments of one version on one backend. `ready` is a stack: the most recently used is on top.

    `finishing` have answered their invocation and are about to ask for the next one.
    """

    ready: list[E] = field(default_factory=list)
    finishing: list[E] = field(default_factory=list)
    members: dict[str, E] = field(default_factory=dict)


@dataclass(slots=True)
class Tables:
    """What the decisions look at.

    `concurrency` counts invocations in an on-demand environment or on their way to one, `busy` the same by function.
    `claimants` are the functions that have reserved or provisioned concurrency. A function may have `scaling_rate` new
    environments on demand in ten seconds, which `scaling` counts; `requests` counts requests in a second, of each
    function with a reservation, and under None of all others together.
    """

    account: Account
    concurrency_limit: int = 1000
    scaling_rate: int = 1000
    concurrency: int = 0
    busy: Counter[str] = field(default_factory=Counter)
    claimants: dict[str, Function] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    scaling: Rates = field(default_factory=lambda: Rates(10))
    requests: Rates = field(default_factory=lambda: Rates(1))


def check_tenant(version: FunctionVersion, tenant: str | None) -> None:
    """A function that keeps tenants apart must be told whose invocation it is, and no other may.

    Source: Lambda Developer Guide, "Tenant isolation"; the second text is a guess.

    Raises:
        InvalidParameterValue: the tenant is missing, or one too many.
    """
    apart = version.configuration.settings.get("TenancyConfig")
    if apart and tenant is None:
        raise InvalidParameterValue(
            "The invoked function is enabled with tenancy configuration. "
            "Add a valid tenant ID in your request and try again."
        )
    if tenant is not None and not apart:
        raise InvalidParameterValue(
            "The invoked function is not enabled with tenancy configuration. "
            "Remove the tenant ID from your request and try again."
        )


def route(tables: Tables, ref: FunctionRef, draw: float) -> FunctionVersion:
    """The version that a reference leads to. `draw`, in [0, 1), decides between the two versions of an alias.

    Raises:
        ResourceNotFound: no such function, version or alias.
        ResourceConflict: the version is not ready to be invoked.
    """
    function = tables.functions.get(ref.name)
    qualifier = ref.qualifier or LATEST
    if function is None:
        raise ResourceNotFound(f"Function not found: {tables.account.function_arn(ref.name, qualifier)}")
    alias = function.aliases.get(qualifier)
    number = pick(alias, draw) if alias else qualifier
    version = function.serving if number == LATEST else function.versions.get(number)
    if version is None:
        raise ResourceNotFound(f"Function not found: {tables.account.function_arn(ref.name, qualifier)}")
    if version.state is not FunctionState.ACTIVE:
        reason = f" ({version.state_reason})" if version.state is FunctionState.FAILED and version.state_reason else ""
        raise ResourceConflict(
            "The operation cannot be performed at this time. "
            f"The function is currently in the following state: {version.state.value}{reason}"
        )
    return version


def pick(alias: Alias, draw: float) -> str:
    """The additional version with its weight as probability, else the primary one."""
    for version, weight in alias.weights.items():
        if draw < weight:
            return version
    return alias.version


def admit_ahead(pool: Pool[E], requests: Rates, scope: tuple[str, str], provisioned: int, now: int) -> bool:
    """Can one of a version's provisioned environments take an invocation now? `scope` is the version's key.

    What comes beyond their number, or beyond their requests in a second, spills over.
    """
    return bool(pool.ready or pool.finishing) and requests.has(scope, provisioned * REQUESTS_PER_SECOND, now)


def admit(tables: Tables, name: str, now: int, *, synchronous: bool) -> str | None:
    """None when there is room for one more on-demand invocation of a function, else AWS's throttle reason.

    With a reservation, what is not provisioned of it is all that the function has; without one, it shares what no
    function has claimed. Synchronous invocations are limited by their number in a second, too (Lambda quotas).
    """
    function = tables.claimants.get(name)
    reserved = function.attached.reserved if function is not None else None
    if function is not None and reserved is not None:
        if tables.busy[name] >= reserved - function.attached.provisioned_total():
            return "ReservedFunctionConcurrentInvocationLimitExceeded"
        if synchronous and not tables.requests.has(name, reserved * REQUESTS_PER_SECOND, now):
            return "ReservedFunctionInvocationRateLimitExceeded"
        return None
    claimed, apart = 0, 0
    for other, claimant in tables.claimants.items():
        claimed += claimant.attached.claimed
        if claimant.attached.reserved is not None:
            apart += tables.busy[other]
    if tables.concurrency - apart + claimed >= tables.concurrency_limit:
        return "ConcurrentInvocationLimitExceeded"
    if synchronous and not tables.requests.has(None, tables.concurrency_limit * REQUESTS_PER_SECOND, now):
        return "FunctionInvocationRateLimitExceeded"
    return None


def count_request(tables: Tables, name: str, now: int) -> None:
    """A synchronous invocation on demand was admitted."""
    function = tables.claimants.get(name)
    reserved = function.attached.reserved if function is not None else None
    scope, figure = (None, tables.concurrency_limit) if reserved is None else (name, reserved)
    tables.requests.take(scope, figure * REQUESTS_PER_SECOND, now)


def grow(tables: Tables, name: str, now: int) -> str | None:
    """None when a function may have one more environment on demand now, else AWS's throttle reason."""
    return None if tables.scaling.has(name, tables.scaling_rate, now) else "ConcurrentInvocationLimitExceeded"


_AFTER_RESET = "warm: reset after its last invocation, INIT runs again inside this one"


class Road(Enum):
    """How an invocation gets its environment."""

    WARM = "warm"
    CLAIM = "warm, finishing its last invocation"
    COLD = "cold"


@dataclass(slots=True)
class Placement(Generic[E]):
    road: Road
    environment: E | None
    why: str


def place(pool: Pool[E], last_end: str | None = None) -> Placement[E]:
    """The most recently used ready environment; else one that is about to be ready; else a cold start.

    `last_end` is why the version's last environment ended, for people who wonder why there is none.
    """
    if pool.ready:
        environment = pool.ready[-1]
        return Placement(Road.WARM, environment, _AFTER_RESET if environment.bare else "warm")
    if pool.finishing:
        return Placement(Road.CLAIM, pool.finishing[-1], "warm: waited for its last invocation to finish")
    if not pool.members:
        why = f"the last environment ended: {last_end}" if last_end else "no environment yet"
        return Placement(Road.COLD, None, f"cold: {why}")
    return Placement(Road.COLD, None, f"cold: all {len(pool.members)} environments busy")


def reclaim_seconds(idle_stop: float) -> float:
    """How often one looks for environments that have been idle for `idle_stop` seconds."""
    return max(idle_stop / 20, 0.05)
