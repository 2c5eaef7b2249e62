"""The form for the configuration of `$LATEST`: memory, timeout, /tmp, handler, description, environment variables."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from textual.app import ComposeResult
from textual.widgets import Input, Label, TextArea

from workbench.model.functions import FunctionVersion
from workbench.tui.changes import ConfigurationChange, environments_end, read, without_environment, written
from workbench.tui.commands import function
from workbench.tui.screens.form import Form, Judgement
from workbench.tui.widgets.field import Field

#: Field, least, most (Lambda API reference, UpdateFunctionConfiguration; Lambda quotas).
_BOUNDS = (
    ("memory_size", "memory", 128, 10_240),
    ("timeout", "timeout", 1, 900),
    ("ephemeral_storage", "/tmp", 512, 10_240),
)
#: Bytes of all names and values together, and what a name may be.
_VARIABLES = 4096
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_TEXTS = ("handler", "description")


class ConfigurationForm(Form):
    """`count` says how many environments of `$LATEST` there are now."""

    def __init__(self, latest: FunctionVersion, count: Callable[[], int], saved: Callable[[], object]) -> None:
        super().__init__(f"Configuration of {latest.name}:$LATEST", saved)
        self._latest = latest
        self._count = count

    def rows(self) -> ComposeResult:
        c = self._latest.configuration
        for name, label, unit in (
            ("memory_size", "memory", "MB"),
            ("timeout", "timeout", "s"),
            ("ephemeral_storage", "/tmp", "MB"),
        ):
            field = Input(str(getattr(c, name)), id=name, compact=True, select_on_focus=True, max_length=5)
            yield self.row(label, field, Label(unit, classes="unit"))
        for name in _TEXTS:
            yield self.row(name, Field(getattr(c, name), id=name))
        area = TextArea(written(dict(c.environment or {})), id="variables", tab_behavior="focus", soft_wrap=True)
        area.border_title = "environment variables, NAME=value"
        yield area

    def judge(self) -> Judgement:
        before = self._latest.configuration
        values: dict[str, object] = {name: self.query_one(f"#{name}", Field).text for name in _TEXTS}
        problems = []
        for name, label, least, most in _BOUNDS:
            text = self.query_one(f"#{name}", Input).value.strip()
            if not text.isdigit() or not least <= int(text) <= most:
                problems.append(f"{label} is from {least} to {most}, not “{text}”")
            else:
                values[name] = int(text)
        try:
            variables = read(self.query_one("#variables", TextArea).text)
        except ValueError as error:
            problems.append(str(error))
        else:
            problems += problems_of(variables)
            values["environment"] = variables or None
        if problems:
            return Judgement(problems=problems)
        after = without_environment(replace(before, **values))  # type: ignore[arg-type]
        if after == without_environment(before):
            return Judgement()
        change = ConfigurationChange(self._latest.name, before, after)
        kept = f"Published versions keep theirs; {self.workbench.key(function.Publish)} publishes this as a new one."
        effects = [environments_end(self._count(), "$LATEST"), kept]
        return Judgement([change], effects=effects)


def problems_of(variables: dict[str, str]) -> list[str]:
    """What AWS would refuse of these variables."""
    problems = [
        f"“{name}”: letters, digits and _, at least two, a letter first"
        for name in variables
        if _NAME.fullmatch(name) is None
    ]
    size = sum(len(name.encode()) + len(value.encode("utf-8", "replace")) for name, value in variables.items())
    if size > _VARIABLES:
        problems.append(f"the variables take {size} of {_VARIABLES} bytes")
    return problems
