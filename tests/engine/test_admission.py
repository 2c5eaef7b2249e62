"""Admission against a simple model of it: never over a limit, never refused under one, and the reason is right.

A state machine whose rules are invocations that begin and end, and changes of what is reserved and provisioned. The
model counts in lists what the engine counts in tables, and knows rates in another form: over any time that ends now, no
more than the burst and what was refilled in that time. WORKBENCH_SOAK names how many steps: `WORKBENCH_SOAK=10000
pytest tests/engine/test_admission.py` is the long walk.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.engine.world import world
from workbench.engine.resources import concurrency
from workbench.model.attached import ProvisionedStatus
from workbench.model.errors import InvalidParameterValue, ResourceConflict, TooManyRequests
from workbench.model.names import FunctionRef
from workbench.testing.fakes import FakeRuntime

STEPS = int(os.environ.get("WORKBENCH_SOAK", "400"))
#: Steps of one walk: hypothesis shortens a walk that fails, so it is better many than long.
WALK = 50
#: What the account has, what of it stays unreserved, and how many new environments a function may have in ten seconds:
#: so small that a walk meets every bound.
LIMIT, UNRESERVED, GROWTH = 12, 4, 7
FUNCTIONS = ("f", "g", "h")
#: Where an invocation may go: to `$LATEST`, to version 1, or there through an alias.
VERSIONS = {None: "$LATEST", "1": "1", "live": "1"}

names = st.sampled_from(FUNCTIONS)
qualifiers = st.sampled_from(list(VERSIONS))
places = st.sampled_from(["1", "live"])


@dataclass(slots=True)
class Log:
    """When something that has a rate happened, at which rate."""

    rate: int = 0
    times: list[int] = field(default_factory=list)

    def allows(self, now: int, rate: int, seconds: int) -> bool:
        """Would one more now be too many, in any time that ends now?"""
        if self.rate != rate:
            self.rate, self.times = rate, []
        count = len(self.times)
        return rate > 0 and all(
            (count - place + 1 - rate) * seconds * 10**9 <= rate * (now - at) for place, at in enumerate(self.times)
        )


@dataclass(slots=True)
class Running:
    """An invocation: `kind` is `provisioned`, `demand`, or `last`, in an environment that ends with it."""

    key: str
    function: str
    version: str
    kind: str
    answer: Any


@dataclass(slots=True)
class Model:
    reserved: dict[str, int] = field(default_factory=dict)
    provisioned: dict[tuple[str, str], int] = field(default_factory=dict)
    running: list[Running] = field(default_factory=list)
    #: Environments on demand that have nothing to do.
    free: Counter[tuple[str, str]] = field(default_factory=Counter)
    growth: dict[str, Log] = field(default_factory=dict)
    requests: dict[Any, Log] = field(default_factory=dict)

    def total(self, name: str) -> int:
        return sum(count for (function, _), count in self.provisioned.items() if function == name)

    def claims(self, *, without: str | None = None) -> int:
        return sum(self.reserved.get(name, self.total(name)) for name in FUNCTIONS if name != without)

    def on_demand(self, function: str | None = None) -> int:
        """Invocations on demand: of a function, or of all that have nothing reserved."""
        return sum(
            one.kind != "provisioned"
            and (one.function == function or (function is None and one.function not in self.reserved))
            for one in self.running
        )

    def busy(self, name: str) -> int:
        return sum((one.function, one.kind) == (name, "provisioned") for one in self.running)

    def submit(self, name: str, version: str, now: int) -> str:
        """How the invocation runs, or the reason why it does not."""
        ahead = self.total(name) if version == "1" else 0
        log = self.requests.setdefault((name, "1"), Log())
        if self.busy(name) < ahead and log.allows(now, ahead * 10, 1):
            log.times.append(now)
            return "provisioned"
        reserved = self.reserved.get(name)
        if reserved is not None:
            if self.on_demand(name) >= reserved - self.total(name):
                return "ReservedFunctionConcurrentInvocationLimitExceeded"
            log = self.requests.setdefault(name, Log())
            if not log.allows(now, reserved * 10, 1):
                return "ReservedFunctionInvocationRateLimitExceeded"
        else:
            if self.claims() + self.on_demand() >= LIMIT:
                return "ConcurrentInvocationLimitExceeded"
            log = self.requests.setdefault(None, Log())
            if not log.allows(now, LIMIT * 10, 1):
                return "FunctionInvocationRateLimitExceeded"
        log.times.append(now)
        if self.free[name, version]:
            self.free[name, version] -= 1
        elif self.growth.setdefault(name, Log()).allows(now, GROWTH, 10):
            self.growth[name].times.append(now)
        else:
            return "ConcurrentInvocationLimitExceeded"
        return "demand"


class Machine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="workbench-admission-"))
        self.model = Model()
        self.gates: dict[str, asyncio.Event] = {}
        self.count = 0
        self.engines = AsyncExitStack()
        self.engines.enter_context(pytest.MonkeyPatch.context()).setattr(concurrency, "UNRESERVED_MINIMUM", UNRESERVED)
        self.run(self._open())
        self.provision(name="f", place="live", count=2)  # a walk that begins with nothing meets little of it
        self.reserve(name="g", reserved=2)

    async def _open(self) -> None:
        options = {"concurrency_limit": LIMIT, "scaling_rate": GROWTH, "idle_stop": 1e6, "max_life": 1e6}
        self.made = await self.engines.enter_async_context(world(self.folder, self.program, **options))
        for name in FUNCTIONS:
            await self.made.create(name, timeout=900)
            await self.made.engine.publish_version(name)
            await self.made.engine.create_alias(name, "live", "1")

    async def program(self, runtime: FakeRuntime) -> None:
        """Keeps each invocation until it is let go."""
        while True:
            event = await runtime.next()
            gate = self.gates[event.payload.decode()] = asyncio.Event()
            await gate.wait()
            runtime.respond(event.request_id, event.payload)

    def teardown(self) -> None:
        self.run(self.engines.aclose())
        self.loop.close()
        shutil.rmtree(self.folder)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    # -- invocations
    def _submit(self, name: str, qualifier: str | None) -> None:
        self.count += 1
        key = str(self.count)
        verdict = self.model.submit(name, VERSIONS[qualifier], self.made.clock.monotonic_ns())
        if verdict in ("provisioned", "demand"):
            answer = self.made.submit(name, qualifier, key.encode())
            self.model.running.append(Running(key, name, VERSIONS[qualifier], verdict, answer))
        else:
            with pytest.raises(TooManyRequests) as caught:
                self.made.submit(name, qualifier, key.encode())
            assert caught.value.reason == verdict

    async def _let_go(self, ended: list[Running]) -> None:
        await self.made.clock.settle()
        for one in ended:
            self.gates.pop(one.key).set()
        await self.made.clock.settle()
        for one in ended:
            result = await one.answer
            assert (result.payload, result.executed_version) == (one.key.encode(), one.version)
            assert one.kind != "provisioned" or result.init_ms is None
            self.model.running.remove(one)
            if one.kind == "demand":
                self.model.free[one.function, one.version] += 1

    @rule(name=names, qualifier=qualifiers, count=st.sampled_from([1, 2, 5, 8]))
    def call(self, name: str, qualifier: str | None, count: int) -> None:
        async def called() -> None:
            for _ in range(count):
                self._submit(name, qualifier)
            await self.made.clock.settle()

        self.run(called())

    @rule(name=names, qualifier=qualifiers, count=st.integers(1, 25))
    def call_in_turn(self, name: str, qualifier: str | None, count: int) -> None:
        """Each has ended when the next one comes: that is what rates of requests are about."""

        async def called() -> None:
            for _ in range(count):
                before = len(self.model.running)
                self._submit(name, qualifier)
                await self._let_go(self.model.running[before:])

        self.run(called())

    @rule(share=st.sampled_from([2, 3, 1]))
    def end(self, share: int) -> None:
        self.run(self._let_go(self.model.running[::share]))

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.25, 1.0, 7.5]))
    def wait(self, seconds: float) -> None:
        self.run(self.made.clock.advance(seconds))

    # -- what is reserved, provisioned and changed
    @rule(name=names, reserved=st.sampled_from([None, 0, 1, 2, 4]))
    def reserve(self, name: str, reserved: int | None) -> None:
        model = self.model
        left = LIMIT - model.claims(without=name) - (reserved or 0)
        allowed = not reserved or left >= UNRESERVED
        if reserved is not None:
            allowed = allowed and reserved >= model.total(name)
        self.run(self._ask(self.made.engine.put_concurrency(FunctionRef(name), reserved), allowed))
        if allowed:
            model.reserved.pop(name, None)
            if reserved is not None:
                model.reserved[name] = reserved

    @rule(name=names, place=places, count=st.integers(1, 5))
    def provision(self, name: str, place: str, count: int) -> None:
        model = self.model
        other = "live" if place == "1" else "1"
        room = LIMIT - model.claims(without=name) - UNRESERVED
        allowed = (name, other) not in model.provisioned and count <= model.reserved.get(name, room)
        if allowed and count < model.busy(name):
            return  # which of them go is not the model's to say; `unprovision` ends all
        put = self.made.engine.put_provisioned_concurrency(FunctionRef(name, place), count)
        self.run(self._ask(put, allowed))
        if allowed:
            model.provisioned[name, place] = count

    @rule(name=names, place=places)
    def unprovision(self, name: str, place: str) -> None:
        self.run(self._ask(self.made.engine.delete_provisioned_concurrency(FunctionRef(name, place)), True))
        if self.model.provisioned.pop((name, place), None):
            self._outlive(one for one in self.model.running if (one.function, one.kind) == (name, "provisioned"))

    @rule(name=names)
    def change(self, name: str) -> None:
        """The environments of `$LATEST` are of no use any more."""
        self.count += 1
        self.run(self.made.change(name, str(self.count)))
        del self.model.free[name, "$LATEST"]
        self._outlive(one for one in self.model.running if (one.function, one.version) == (name, "$LATEST"))

    def _outlive(self, left: Iterator[Running]) -> None:
        for one in left:
            one.kind = "last"

    async def _ask(self, change: Any, allowed: bool) -> None:
        if allowed:
            await change
        else:
            with pytest.raises((InvalidParameterValue, ResourceConflict)):
                await change
        await self.made.clock.settle()

    @invariant()
    def agrees(self) -> None:
        model, engine = self.model, self.made.engine
        assert set(self.gates) == {one.key for one in model.running}
        settings = self.run(engine.account_settings())
        assert settings.unreserved_concurrent_executions == LIMIT - model.claims()
        for (name, place), count in model.provisioned.items():
            config = self.run(engine.get_provisioned_concurrency(FunctionRef(name, place)))
            figures = (config.status, config.requested, config.allocated, config.available)
            assert figures == (ProvisionedStatus.READY, count, count, count - model.busy(name))


class TestAdmission(Machine.TestCase):  # type: ignore[misc]
    settings = settings(
        max_examples=max(STEPS // WALK, 1),
        stateful_step_count=WALK,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
