"""The guided tour: seven steps that people do with Lambda, done on the engine that runs, and all of it undone after.

No widget: a step is what is said before, and what is done and said after.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.model.attached import ProvisionedStatus, RuntimeManagement, UpdateRuntimeOn
from workbench.model.errors import ResourceConflict, TooManyRequests, UsageError
from workbench.model.functions import FunctionState
from workbench.model.invocations import InvocationResult, InvokeRequest
from workbench.model.names import FunctionRef
from workbench.tui.format import milliseconds, plural
from workbench.tui.mirror import Mirror
from workbench.tui.tour_journal import Done, Journal, What, patiently, take_back

if TYPE_CHECKING:
    from workbench.client.port import EnginePort

#: Names that the tour takes where they are there, and the alias that it makes.
HELLO, SLOW, ALIAS = "hello", "slow", "workbench-tour"
#: Seconds that the engine has for what it does by itself, and between two looks at whether it has.
_PATIENCE, _PAUSE = 60.0, 0.1
#: Invocations of the roll-out.
_SHOTS = 20


@dataclass(frozen=True, slots=True)
class Step:
    """`text` says what is about to happen; `do` does it, and says what happened. It is seen in `pane` of the screen."""

    title: str
    text: str
    do: Callable[[], Awaitable[str]]
    pane: int = 1


class Tour:
    """`port` gives the engine as it is now. The function is `hello`, else the first that there is.

    What is done stands in the `journal`, so that it can be taken back although the process ends in the middle.
    """

    def __init__(self, port: Callable[[], EnginePort], mirror: Mirror, journal: Journal) -> None:
        self._port = port
        self._mirror = mirror
        names = sorted(mirror.functions)
        if not names:
            raise UsageError("the tour needs a function", mend="deploy the project's template first")
        self.function = HELLO if HELLO in names else names[0]
        self._slow = SLOW if SLOW in names else self.function
        self._journal = journal
        self._versions: list[str] = []
        f, s = self.function, self._slow
        self.steps = (
            Step(
                "Cold start",
                f"{f} is fired while no environment of it is there. One is created, its INIT runs your code's imports, "
                "then the handler. Watch its bar grow: ▓ creating, ▒ init, █ busy, then · frozen.",
                self._cold,
            ),
            Step(
                "Reuse",
                f"{f} is fired again. The frozen environment thaws and takes it: no INIT, so it is faster, and what "
                "the first invocation left in memory is still there.",
                self._reuse,
            ),
            Step(
                "Concurrency and throttle",
                f"{s} gets a reserved concurrency of 1, then three invocations at once. An environment runs one at a "
                "time, and one is all that is reserved: see ! throttle among the invocations.",
                self._throttle,
                pane=2,
            ),
            Step(
                "Provisioned concurrency",
                f"{f} is published as a version, and one environment of it is provisioned: INIT runs now, before "
                "anyone asks. The first invocation of the version is warm.",
                self._provision,
            ),
            Step(
                "Versions and aliases",
                f"A new description makes $LATEST differ, and it is published again. An alias, {ALIAS}, leads to the "
                "older version. Callers name the alias and never change.",
                self._alias,
                pane=0,
            ),
            Step(
                "Weighted roll-out",
                f"The alias gives half of its invocations to the newer version, then {_SHOTS} are fired at it. See "
                "both versions among the environments.",
                self._roll_out,
            ),
            Step(
                "Runtime roll back",
                f"{f} goes to Manual with the oldest runtime version that is on this machine, as one does when a new "
                "one breaks a function. Its environments end, the next cold start boots that version.",
                self._roll_back,
            ),
        )

    async def clean_up(self) -> None:
        """Take everything back, the last first. Raises what `tour_journal.take_back` raises."""
        try:
            await take_back(self._port, self._journal)
        finally:
            self._journal.close()

    # -- the steps
    async def _cold(self) -> str:
        port = self._port()
        views = self._mirror.environments.values()
        ending = [view.id for view in views if view.function == self.function and not view.state.final]
        await asyncio.gather(*(port.stop_environment(id) for id in ending), return_exceptions=True)
        result = await self._fire(self.function)
        ended = f"{plural(len(ending), 'environment')} ended first. " if ending else ""
        init = milliseconds(result.init_ms) if result.init_ms is not None else "not told"
        return f"{ended}{result.why}. INIT took {init}, the handler {milliseconds(result.duration_ms)}."

    async def _reuse(self) -> str:
        result = await self._fire(self.function)
        init = "there was no INIT"
        if result.init_ms is not None:
            init = f"INIT took {milliseconds(result.init_ms)}: the environment had ended meanwhile"
        return f"{result.why}. The handler took {milliseconds(result.duration_ms)}, and {init}."

    async def _throttle(self) -> str:
        port, ref = self._port(), FunctionRef(self._slow)
        before = (await port.get_attached(self._slow)).reserved
        await port.put_concurrency(ref, 1)
        self._journal.push(Done(What.RESERVED, self._slow, reserved=before))
        answers = await asyncio.gather(*(self._fire(self._slow) for _ in range(3)), return_exceptions=True)
        throttled = [answer for answer in answers if isinstance(answer, TooManyRequests)]
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, TooManyRequests):
                raise answer
        reason = f" The reason: {throttled[0].reason}." if throttled else " They were too quick to meet each other."
        return f"{3 - len(throttled)} answered, {len(throttled)} throttled with 429.{reason}"

    async def _provision(self) -> str:
        version, fresh = await self._publish()
        if not fresh:  # one that the tour did not make may have settings of its own, and is left alone
            await self._differ()
            version, _ = await self._publish()
        ref = FunctionRef(self.function, version)
        await self._port().put_provisioned_concurrency(ref, 1)
        self._journal.push(Done(What.PROVISIONED, self.function, version))

        async def ready() -> bool:
            status = (await self._port().get_provisioned_concurrency(ref)).status
            if status is ProvisionedStatus.FAILED:
                raise UsageError(f"no environment of {ref} could be provisioned")
            return status is ProvisionedStatus.READY

        await self._until(ready, "an environment is provisioned")
        result = await self._fire(self.function, version)
        return f"Version {version}: the first invocation took {milliseconds(result.duration_ms)}; {result.why}."

    async def _alias(self) -> str:
        port = self._port()
        older = self._versions[-1] if self._versions else (await self._publish())[0]
        await self._differ()
        newer, _ = await self._publish()
        await port.create_alias(self.function, ALIAS, older, description="made by the tour of Workbench")
        self._journal.push(Done(What.ALIAS, self.function, ALIAS))
        result = await self._fire(self.function, ALIAS)
        leads = f"{self.function}:{ALIAS} leads to {older}, and ran {result.executed_version}"
        return f"Version {newer} is published; {leads}."

    async def _roll_out(self) -> str:
        if len(self._versions) < 2:
            raise UsageError("the step before this one makes the two versions", mend="b goes back to it")
        older, newer = self._versions[-2:]
        await self._port().update_alias(self.function, ALIAS, version=older, weights={newer: 0.5})
        results = [await self._fire(self.function, ALIAS) for _ in range(_SHOTS)]
        ran = Counter(result.executed_version or "" for result in results)
        split = ", ".join(f"{count} by version {name}" for name, count in sorted(ran.items()))
        return f"Of {_SHOTS}: {split}. Each draw is by chance; more of them come closer to half."

    async def _roll_back(self) -> str:
        port, ref = self._port(), FunctionRef(self.function)
        latest = await port.get_function(ref)
        runtime = latest.configuration.runtime
        overview = next((one for one in await port.list_runtimes() if one.id == runtime), None)
        if overview is None or not overview.versions:
            raise UsageError(f"no version of {runtime or 'its runtime'} is listed for this machine")
        oldest = overview.versions[0]
        before = await port.get_runtime_management(ref)
        pinned = RuntimeManagement(update_runtime_on=UpdateRuntimeOn.MANUAL, runtime_version_arn=oldest.arn)
        await port.put_runtime_management(ref, pinned)
        self._journal.push(Done(What.RUNTIME, self.function, management=before))
        result = await self._fire(self.function)
        count = len(overview.versions)
        only = "" if count > 1 else " It is the only one here, so nothing else moved."
        return f"Pinned to {runtime} {oldest.version}, of {plural(count, 'version')} here; {result.why}.{only}"

    # -- parts of them
    async def _fire(self, function: str, qualifier: str | None = None) -> InvocationResult:
        """Invoke; a function that was deployed a moment ago becomes active first. The times told are the report's."""
        request = InvokeRequest(function=FunctionRef(function, qualifier), logs=True)
        try:
            return await self._port().invoke(request)
        except ResourceConflict:

            async def active() -> bool:
                version = await self._port().get_function(FunctionRef(function))
                return version.state is not FunctionState.PENDING

            await self._until(active, f"{function} is active")
            return await self._port().invoke(request)

    async def _differ(self) -> None:
        """Give `$LATEST` another description than its newest version has."""
        port = self._port()
        before = (await port.get_function(FunctionRef(self.function))).configuration
        changed = replace(before, description=f"Seen on a tour. {before.description}".strip()[:256])
        await patiently(port, self.function, lambda: port.update_function_configuration(self.function, changed))
        self._journal.push(Done(What.DESCRIPTION, self.function, description=before.description))

    async def _publish(self) -> tuple[str, bool]:
        """A version of what `$LATEST` is, and whether it is new; then it is forgotten at the end."""
        port = self._port()
        known = {one.version for one in await port.list_versions(self.function)}
        version = (await patiently(port, self.function, lambda: port.publish_version(self.function))).version
        if fresh := version not in known:
            self._journal.push(Done(What.VERSION, self.function, version))
        self._versions.append(version)
        return version, fresh

    async def _until(self, true: Callable[[], Awaitable[bool]], what: str) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                while not await true():  # noqa: ASYNC110 - another process knows
                    await asyncio.sleep(_PAUSE)
        except TimeoutError:
            raise UsageError(f"it took more than {_PATIENCE:.0f} s until {what}") from None
