"""A ramp to be begun: to which version, by which plan, and when it is rolled back by itself."""

from __future__ import annotations

from collections.abc import Mapping

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Label, Select

from workbench.model.functions import Alias, FunctionVersion
from workbench.model.names import LATEST
from workbench.model.text import one_line, sanitize
from workbench.tui.alias_draft import Draft, check
from workbench.tui.commands import function as commands
from workbench.tui.edits import routing
from workbench.tui.ramp_plan import PRESETS, RampPlan, cli, read
from workbench.tui.ramps import ENOUGH, RampOrder
from workbench.tui.screens.fields import Fields
from workbench.tui.widgets.choice import Choice

_OWN = "other figures"


class RampDialog(Fields[RampOrder]):
    """Returns the order, or None for esc."""

    DEFAULT_CSS = """
    RampDialog {
        & > .box { width: 84; }
        .row #errors { width: 8; }
    }
    """
    GO = ("Start", "starts it")
    AUTO_FOCUS = "#plan"

    def __init__(self, alias: Alias, versions: Mapping[str, FunctionVersion]) -> None:
        super().__init__(f"Ramp of {alias.function}:{alias.name}")
        self._alias = alias
        self._versions = versions
        published = sorted((name for name in versions if name != LATEST), key=int, reverse=True)
        self._targets = [name for name in published if name != alias.version]

    def rows(self) -> ComposeResult:
        targets = [(name, name) for name in self._targets] or [("no other version is published", "")]
        now = routing({self._alias.version: 1.0 - sum(self._alias.weights.values()), **self._alias.weights})
        yield self.row("now", Label(one_line(now), classes="unit"))
        yield self.row("to version", Choice(targets, value=self._likely or targets[0][1], id="target"))
        presets = [(name, name) for name in (*PRESETS, _OWN)]
        yield self.row("plan", Choice(presets, value=PRESETS[0], id="plan"))
        yield self.row("in words", Input(PRESETS[0], id="words", compact=True))
        errors = Input("", id="errors", compact=True, placeholder="never", max_length=5)
        yield self.row("roll back if", errors, Label("% of its invocations fail", classes="unit"))

    def on_mount(self) -> None:
        self._show()

    @property
    def _likely(self) -> str | None:
        """The version that shares the alias already, else the newest that may."""
        second = next(iter(self._alias.weights), None)
        return (
            second if second in self._targets else next(filter(lambda to: not self._refused(to), self._targets), None)
        )

    def _refused(self, target: str) -> list[str]:
        """Why AWS would not let this version share the alias."""
        alias = self._alias
        draft = Draft(alias.function, alias.name, alias.version, target, "0.5", alias.description, "r")
        return [found.text for found in check(draft, self._versions, ()) if found.bad]

    # -- what is wanted
    def _judge(self) -> tuple[RampOrder | None, list[str]]:
        """The order, or what is wrong with it."""
        target = str(self.query_one("#target", Choice).value)
        problems = []
        plan: RampPlan | None = None
        if not target:
            publish = self.workbench.key(commands.Publish)
            problems.append(f"there is no other version: {publish} publishes $LATEST as one")
        else:
            problems += self._refused(target)
        try:
            plan = read(self.query_one("#words", Input).value)
        except ValueError as error:
            problems.append(f"the plan: {error}")
        text = self.query_one("#errors", Input).value.strip()
        errors = None
        if text:
            try:
                errors = float(text)
            except ValueError:
                errors = -1.0
            if not 0.0 <= errors < 100.0:
                problems.append("a share of errors is a percentage from 0 to below 100, or empty for never")
        if plan is None or problems:
            return None, problems
        if not plan.beyond(self._alias.weights.get(target, 0.0)):
            return None, [f"version {target} has it all already"]
        return RampOrder(plan, target, errors), []

    @on(Select.Changed, "#plan")
    def _chosen(self, event: Select.Changed) -> None:
        words = self.query_one("#words", Input)
        if event.value in PRESETS:
            words.value = str(event.value)
        elif self.focused is self.query_one("#plan", Choice):
            self.set_focus(words)

    @on(Input.Changed)
    @on(Select.Changed)
    def _changed(self) -> None:
        text = self.query_one("#words", Input).value.strip()
        choice = self.query_one("#plan", Choice)
        name = text if text in PRESETS else _OWN
        if choice.value != name:
            with self.prevent(Select.Changed):
                choice.value = name
        self._show()

    def _show(self) -> None:
        order, problems = self._judge()
        lines = [Content.styled(f"✗ {sanitize(text)}", "$text-error") for text in problems]
        if order is not None:
            share = self._alias.weights.get(order.target, 0.0)
            lines.append(Content.styled(f"Version {order.target}: {order.plan.told(share)}", "bold"))
            if dropped := [name for name in self._alias.weights if name != order.target]:
                lines.append(Content.styled(f"→ Version {dropped[0]} gets nothing from then on.", "$text-warning"))
            if order.errors is not None:
                text = f"From {ENOUGH} of its invocations on: if more than {order.errors:g} % fail, all is rolled back."
                lines.append(Content(text))
            undo = self.workbench.key(commands.Undo)
            text = "→ The terminal UI moves it, by UpdateAlias: quitting ends it where it is."
            lines.append(Content.styled(f"{text} {undo} takes it all back.", "$text-warning"))
        self.show(lines, order is not None)

    # -- what the person does
    def action_go(self) -> None:
        order, _ = self._judge()
        if order is None:
            self.app.bell()
        else:
            self.dismiss(order)

    def action_show_cli(self) -> None:
        from workbench.tui.screens.snippet import Snippet

        order, _ = self._judge()
        if order is None:
            self.app.bell()
            return
        text = cli(order.plan, self._alias, order.target, self.workbench.endpoint)
        self.app.push_screen(Snippet("This ramp with the aws CLI", text))
