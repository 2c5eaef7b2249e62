"""Changes of a function's settings: what was and what is to be, how that is done, undone, and said to the aws CLI."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from workbench.model.attached import RuntimeManagement
from workbench.model.errors import UsageError
from workbench.model.functions import FunctionConfiguration, FunctionVersion, UpdateStatus
from workbench.model.names import FunctionRef
from workbench.model.text import one_line
from workbench.tui.aws_cli import command
from workbench.tui.format import plural

if TYPE_CHECKING:
    from workbench.client.port import EnginePort

#: Seconds that an update may take to settle, and between two looks at whether it has.
_PATIENCE, _PAUSE = 30.0, 0.1
#: Settings whose values are shown, with what each is called and its unit.
_SHOWN = {
    "memory_size": ("memory", " MB"),
    "timeout": ("timeout", " s"),
    "ephemeral_storage": ("/tmp", " MB"),
    "handler": ("handler", ""),
}


class Change(Protocol):
    """One setting of one function. What `do` and `undo` raise is what the port raises; nothing has changed then."""

    @property
    def function(self) -> str: ...

    async def do(self, port: EnginePort) -> None:
        """Make it so."""

    async def undo(self, port: EnginePort) -> None:
        """Make it as it was. Raises UsageError when another has changed it since."""

    def cli(self, endpoint: str | None) -> str:
        """The call of the aws CLI that does the same."""

    def __str__(self) -> str: ...


def _ours(same: bool, what: str) -> None:
    if not same:
        raise UsageError(f"{what} was changed elsewhere since; that is not overwritten")


async def settled(port: EnginePort, function: str) -> FunctionVersion:
    """`$LATEST` when the update before has come to its end: as on AWS, another is refused until then.

    Raises:
        UsageError: it has not within half a minute.
    """
    ref = FunctionRef(function)
    try:
        async with asyncio.timeout(_PATIENCE):
            while (latest := await port.get_function(ref)).update_status is UpdateStatus.IN_PROGRESS:  # noqa: ASYNC110
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise UsageError(f"the last update of {function} is still in progress", mend="try again later") from None
    return latest


@dataclass(frozen=True, slots=True)
class ConfigurationChange:
    """The configuration of `$LATEST`. A revision says nothing of who made it: the engine itself makes one too."""

    function: str
    before: FunctionConfiguration
    after: FunctionConfiguration

    async def do(self, port: EnginePort) -> None:
        await self._put(port, self.before, self.after)

    async def undo(self, port: EnginePort) -> None:
        await self._put(port, self.after, self.before)

    async def _put(self, port: EnginePort, known: FunctionConfiguration, wanted: FunctionConfiguration) -> None:
        now = await settled(port, self.function)
        same = without_environment(now.configuration) == without_environment(known)
        _ours(same, "the configuration")
        await port.update_function_configuration(self.function, wanted, revision_id=now.revision_id)

    def cli(self, endpoint: str | None) -> str:
        before, after = self.before, self.after
        options = {"function-name": self.function}
        for name in (*_SHOWN, "description"):
            if (value := getattr(after, name)) != getattr(before, name):
                size = name == "ephemeral_storage"
                options[name.replace("_", "-")] = json.dumps({"Size": value}) if size else str(value)
        if (before.environment or {}) != (after.environment or {}):
            options["environment"] = json.dumps({"Variables": dict(after.environment or {})})
        return command("update-function-configuration", options, endpoint=endpoint)

    def __str__(self) -> str:
        before, after = self.before, self.after
        parts = [
            f"{label} {was} → {now}{unit}"
            for name, (label, unit) in _SHOWN.items()
            if (was := getattr(before, name)) != (now := getattr(after, name))
        ]
        had, has = before.environment or {}, after.environment or {}
        if names := sorted(name for name in {*had, *has} if had.get(name) != has.get(name)):
            parts.append(f"variables {', '.join(names)}")  # their values may be secrets
        if before.description != after.description:
            parts.append("description")
        return "; ".join(parts) or "configuration"


@dataclass(frozen=True, slots=True)
class ReservedChange:
    """Reserved concurrency; None is none."""

    function: str
    before: int | None
    after: int | None

    async def do(self, port: EnginePort) -> None:
        await port.put_concurrency(FunctionRef(self.function), self.after)

    async def undo(self, port: EnginePort) -> None:
        _ours((await port.get_attached(self.function)).reserved == self.after, "reserved concurrency")
        await port.put_concurrency(FunctionRef(self.function), self.before)

    def cli(self, endpoint: str | None) -> str:
        options = {"function-name": self.function}
        if self.after is None:
            return command("delete-function-concurrency", options, endpoint=endpoint)
        options["reserved-concurrent-executions"] = str(self.after)
        return command("put-function-concurrency", options, endpoint=endpoint)

    def __str__(self) -> str:
        return f"reserved {_figure(self.before)} → {_figure(self.after)}"


@dataclass(frozen=True, slots=True)
class ProvisionedChange:
    """Provisioned concurrency of an alias or a version; None is none."""

    function: str
    qualifier: str
    before: int | None
    after: int | None

    async def do(self, port: EnginePort) -> None:
        await self._put(port, self.after)

    async def undo(self, port: EnginePort) -> None:
        now = (await port.get_attached(self.function)).provisioned.get(self.qualifier)
        _ours((now.requested if now is not None else None) == self.after, "provisioned concurrency")
        await self._put(port, self.before)

    async def _put(self, port: EnginePort, count: int | None) -> None:
        ref = FunctionRef(self.function, self.qualifier)
        if count is None:
            await port.delete_provisioned_concurrency(ref)
        else:
            await port.put_provisioned_concurrency(ref, count)

    def cli(self, endpoint: str | None) -> str:
        options = {"function-name": self.function, "qualifier": self.qualifier}
        if self.after is None:
            return command("delete-provisioned-concurrency-config", options, endpoint=endpoint)
        options["provisioned-concurrent-executions"] = str(self.after)
        return command("put-provisioned-concurrency-config", options, endpoint=endpoint)

    def __str__(self) -> str:
        return f"{self.qualifier}: provisioned {_figure(self.before)} → {_figure(self.after)}"


@dataclass(frozen=True, slots=True)
class RuntimeChange:
    """How the runtime version of `$LATEST`, or of a published version, is chosen."""

    function: str
    version: str
    before: RuntimeManagement
    after: RuntimeManagement

    async def do(self, port: EnginePort) -> None:
        await port.put_runtime_management(FunctionRef(self.function, self.version), self.after)

    async def undo(self, port: EnginePort) -> None:
        ref = FunctionRef(self.function, self.version)
        _ours(await port.get_runtime_management(ref) == self.after, "runtime management")
        await port.put_runtime_management(ref, self.before)

    def cli(self, endpoint: str | None) -> str:
        options = {
            "function-name": self.function,
            "qualifier": self.version,
            "update-runtime-on": self.after.update_runtime_on.value,
        }
        if self.after.runtime_version_arn is not None:
            options["runtime-version-arn"] = self.after.runtime_version_arn
        return command("put-runtime-management-config", options, endpoint=endpoint)

    def __str__(self) -> str:
        before, after = self.before.update_runtime_on.value, self.after.update_runtime_on.value
        arrow = f"{before} → {after}" if before != after else f"{after}, another version"
        return f"runtime of {self.version}: {arrow}"


@dataclass(frozen=True, slots=True)
class RuntimePublication:
    """The runtime version that functions of a runtime take, by its ARN. It belongs to no function but to a runtime."""

    function: str
    before: str | None
    after: str
    version: str

    async def do(self, port: EnginePort) -> None:
        await port.publish_runtime(self.function, self.after)

    async def undo(self, port: EnginePort) -> None:
        overview = next((one for one in await port.list_runtimes() if one.id == self.function), None)
        _ours(overview is not None and overview.published == self.after, f"the published version of {self.function}")
        if self.before is None:
            raise UsageError(f"no version of {self.function} was published before")
        await port.publish_runtime(self.function, self.before)

    def cli(self, endpoint: str | None) -> str:
        """AWS publishes them itself: its CLI has no word for it, Workbench's has."""
        return f"workbench runtimes publish {self.function} {self.version}"

    def __str__(self) -> str:
        return f"{self.function} {self.version} is rolled out"


def _figure(count: int | None) -> str:
    return "none" if count is None else str(count)


# -- variables as a person types them


def written(variables: dict[str, str]) -> str:
    """`NAME=value`, a line each; a value that would not come back so is written as a string of JSON."""
    return "\n".join(f"{one_line(name)}={_value(value)}" for name, value in sorted(variables.items()))


def _value(value: str) -> str:
    plain = value.isprintable() and value == value.strip() and not value.startswith('"')
    return value if plain else json.dumps(value)


def read(text: str) -> dict[str, str]:
    """The variables of such lines; blank ones count for nothing.

    Raises:
        ValueError: a line is none; the message names it.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        name, value = name.strip(), value.strip()
        if not equals:
            raise ValueError(f"line {number}: NAME=value is wanted")
        if name in found:
            raise ValueError(f"line {number}: {name} is there already")
        if value.startswith('"'):
            try:
                value = json.loads(value)
            except ValueError:
                raise ValueError(f"line {number}: the quoted value is no string of JSON") from None
        found[name] = value
    return found


def environments_end(count: int, what: str) -> str:
    """What becomes of environments that are ready when `what` changes."""
    if not count:
        return f"No environment of {what} is there: the next invocation is a cold start anyway."
    return f"{plural(count, 'environment')} of {what} will end when free; the next invocations are cold starts."


def without_environment(configuration: FunctionConfiguration) -> FunctionConfiguration:
    """The same with no variables as None, as the engine keeps it."""
    return configuration if configuration.environment else replace(configuration, environment=None)
