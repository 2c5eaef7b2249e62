"""The form for the configuration of `$LATEST`: memory, timeout, /tmp, handler, description, environment variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from textual.app import ComposeResult
from textual.widgets import Input, Label, TextArea

from workbench.model.functions import FunctionVersion
from workbench.tui.changes import environments_end, read, written
from workbench.tui.commands import function
from workbench.tui.judged import BOUNDS, Judgement, configured, figure, problems_of
from workbench.tui.screens.form import Form
from workbench.tui.widgets.field import Field

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
        values: dict[str, object] = {name: self.query_one(f"#{name}", Field).text for name in _TEXTS}
        problems = []
        for name in BOUNDS:
            found = figure(name, self.query_one(f"#{name}", Input).value)
            if isinstance(found, str):
                problems.append(found)
            else:
                values[name] = found
        try:
            variables = read(self.query_one("#variables", TextArea).text)
        except ValueError as error:
            problems.append(str(error))
        else:
            problems += problems_of(variables)
            values["environment"] = variables or None
        if problems:
            return Judgement(problems=problems)
        judgement = configured(self._latest, values)
        if not judgement.changes:
            return judgement
        kept = f"Published versions keep theirs; {self.workbench.key(function.Publish)} publishes this as a new one."
        return replace(judgement, effects=[environments_end(self._count(), "$LATEST"), kept])
