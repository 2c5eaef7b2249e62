"""The form for runtime management: the mode, the runtime version, and what that would do to running environments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.widgets import Label, Select

from workbench.live.view import EnvironmentView
from workbench.model.attached import Attached, RuntimeManagement, UpdateRuntimeOn
from workbench.model.environments import EnvironmentState as State
from workbench.model.functions import FunctionVersion
from workbench.model.runtimes import RuntimeOverview
from workbench.tui.changes import RuntimeChange
from workbench.tui.format import clock, plural
from workbench.tui.judged import Judgement
from workbench.tui.screens.form import Form
from workbench.tui.widgets.choice import Choice
from workbench.tui.widgets.function_facts import MODES


class RuntimeForm(Form):
    """Of `$LATEST` or a published version. `environments` gives those that there are of it."""

    AUTO_FOCUS = "#mode"

    def __init__(
        self,
        versions: Mapping[str, FunctionVersion],
        version: str,
        attached: Attached,
        overview: RuntimeOverview,
        environments: Callable[[str], list[EnvironmentView]],
        saved: Callable[[], object],
    ) -> None:
        super().__init__(f"Runtime of {versions[version].name}", saved)
        self._versions = versions
        self._version = version
        self._attached = attached
        self._overview = overview
        self._environments = environments

    def rows(self) -> ComposeResult:
        mode = self._attached.runtime_of(self._version)
        yield self.row("version", Choice([(name, name) for name in self._versions], value=self._version, id="version"))
        modes = [(f"{one.value}: {MODES[one.value]}", one) for one in UpdateRuntimeOn]
        yield self.row("mode", Choice(modes, value=mode.update_runtime_on, id="mode"))
        arns = [one.arn for one in self._overview.versions]
        now = mode.runtime_version_arn or self._versions[self._version].runtime_version
        value = now if now in arns else arns[-1] if arns else ""
        options = [(name_of(self._overview, arn), arn) for arn in reversed(arns)] or [("none is on this machine", "")]
        yield self.row("runtime", Choice(options, value=value, id="arn"))
        yield self.row("", Label("the runtime is chosen in Manual only", classes="unit"))

    @on(Select.Changed, "#version")
    def _other(self, event: Select.Changed) -> None:
        self.query_one("#mode", Choice).value = self._attached.runtime_of(str(event.value)).update_runtime_on

    def judge(self) -> Judgement:
        version = str(self.query_one("#version", Choice).value)
        details = self._versions[version]
        mode = UpdateRuntimeOn(str(self.query_one("#mode", Choice).value))
        arn = str(self.query_one("#arn", Choice).value)
        if mode is UpdateRuntimeOn.MANUAL and not arn:
            mend = self._overview.mend or "workbench doctor says more"
            return Judgement(problems=[f"no version of {self._overview.id} is on this machine ({mend})"])
        before = self._attached.runtime_of(version)
        manual = arn if mode is UpdateRuntimeOn.MANUAL else None
        after = RuntimeManagement(update_runtime_on=mode, runtime_version_arn=manual)
        if after == before:
            return Judgement()
        change = RuntimeChange(details.name, version, before, after)
        return Judgement([change], effects=effects(after, details, self._overview, self._environments(version)))


def effects(
    mode: RuntimeManagement, details: FunctionVersion, overview: RuntimeOverview, environments: list[EnvironmentView]
) -> list[str]:
    """What this mode does to a version and to the environments that it has (docs/runtime-management.md). Pure."""
    name = partial(name_of, overview)
    now = details.runtime_version or overview.published
    lines = []
    then = now
    if mode.update_runtime_on is UpdateRuntimeOn.MANUAL:
        then = mode.runtime_version_arn
        lines.append(f"It stays on {name(then)} whatever is published.")
    elif mode.update_runtime_on is UpdateRuntimeOn.FUNCTION_UPDATE:
        lines.append(f"It stays on {name(now)} until its code or configuration is updated.")
    elif overview.moves is not None:
        coming = f"the roll-out of {name(overview.published)} reaches it at {clock(overview.moves)}"
        lines.append(f"It stays on {name(now)}; {coming}.")
    else:
        then = overview.published
        lines.append(f"It takes {name(then)}, and later what is published.")
    if then == now:
        lines.append("No environment ends: it is on that one already.")
        return lines
    busy = sum(view.state is State.BUSY for view in environments)
    free = len(environments) - busy
    if not environments:
        lines.append("There is no environment now; the next one boots it.")
    if free:
        lines.append(f"{plural(free, 'environment')} of {name(now)} will end at once: cold starts come next.")
    if busy:
        lines.append(f"{plural(busy, 'environment')} at work will end after the invocation that runs in it.")
    return lines


def name_of(overview: RuntimeOverview, arn: str | None) -> str:
    """`python3.12 3.12.4`, with what is to be known of it."""
    for one in overview.versions:
        if one.arn == arn:
            notes = [
                word
                for word, true in (("published", arn == overview.published), ("newest", one is overview.versions[-1]))
                if true
            ]
            return f"{overview.id} {one.version}" + (f" ({', '.join(notes)})" if notes else "")
    return f"{overview.id} {arn.rpartition(':')[2][:12]}…" if arn else overview.id
