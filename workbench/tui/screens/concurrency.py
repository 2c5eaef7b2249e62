"""The form for reserved and provisioned concurrency, with what the account would have left."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Label, Select

from workbench.live.view import FunctionView
from workbench.model.account import AccountSettings
from workbench.model.attached import Attached
from workbench.model.names import LATEST
from workbench.tui.changes import Change, ProvisionedChange, ReservedChange
from workbench.tui.format import number, plural
from workbench.tui.screens.form import Form, Judgement
from workbench.tui.widgets.choice import Choice

#: Concurrency that AWS keeps for the functions that reserved none (Developer Guide, "Reserved concurrency").
UNRESERVED = 100


class ConcurrencyForm(Form):
    """Empty fields mean none. `view` gives the function as it is now."""

    def __init__(
        self,
        view: Callable[[], FunctionView],
        attached: Attached,
        account: AccountSettings,
        saved: Callable[[], object],
    ) -> None:
        super().__init__(f"Concurrency of {view().name}", saved)
        self._view = view
        self._attached = attached
        self._account = account

    @property
    def _qualifiers(self) -> list[str]:
        view = self._view()
        aliases = [name for name, targets in sorted(view.aliases.items()) if LATEST not in targets]
        return [*aliases, *reversed(view.versions)]

    def rows(self) -> ComposeResult:
        reserved = self._attached.reserved
        field = _field("reserved", reserved)
        yield self.row("reserved", field, Label("invocations at once; 0 stops the function", classes="unit"))
        if qualifiers := self._qualifiers:
            first = next((name for name in qualifiers if name in self._attached.provisioned), qualifiers[0])
            yield self.row("provisioned", Choice([(name, name) for name in qualifiers], value=first, id="qualifier"))
            field = _field("provisioned", self._asked(first))
            yield self.row("", field, Label("environments made ahead of it", classes="unit"))
        else:
            yield self.row("provisioned", Label("needs a published version", classes="unit"))

    def _asked(self, qualifier: str) -> int | None:
        config = self._attached.provisioned.get(qualifier)
        return config.requested if config is not None else None

    @on(Select.Changed, "#qualifier")
    def _other(self, event: Select.Changed) -> None:
        self.query_one("#provisioned", Input).value = _text(self._asked(str(event.value)))

    def judge(self) -> Judgement:
        view = self._view()
        changes: list[Change] = []
        problems: list[str] = []
        effects: list[str] = []
        limit = self._account.concurrent_executions
        reserved = _figure(self.query_one("#reserved", Input).value, 0)
        if isinstance(reserved, str):
            problems.append(f"reserved {reserved}")
        elif reserved != self._attached.reserved:
            changes.append(ReservedChange(view.name, self._attached.reserved, reserved))
            left = self._account.unreserved_concurrent_executions + (self._attached.reserved or 0) - (reserved or 0)
            if left < UNRESERVED:
                most = max(0, left + (reserved or 0) - UNRESERVED)
                problems.append(f"the other functions keep {UNRESERVED} of {limit}: at most {most} can be reserved")
            else:
                effects.append(f"{number(left)} of the account's {number(limit)} are left to those that reserve none.")
            if reserved is not None and view.running >= reserved:
                effects.append(_refused(reserved, view.running))
        if self.query("#provisioned"):
            self._judge_provisioned(view, changes, problems, effects)
        return Judgement(changes, problems, effects)

    def _judge_provisioned(
        self, view: FunctionView, changes: list[Change], problems: list[str], effects: list[str]
    ) -> None:
        qualifier = str(self.query_one("#qualifier", Choice).value)
        before, after = self._asked(qualifier), _figure(self.query_one("#provisioned", Input).value, 1)
        if isinstance(after, str):
            problems.append(f"provisioned {after}")
        elif after != before:
            changes.append(ProvisionedChange(view.name, qualifier, before, after))
            more = (after or 0) - (before or 0)
            effects.append(
                f"{plural(more, 'environment')} more: made now, kept ready, and paid for while {qualifier} has them."
                if more > 0
                else f"{plural(-more, 'environment')} will end."
            )


def _refused(reserved: int, running: int) -> str:
    if reserved == 0:
        return "Every invocation is throttled from then on; those that run finish."
    return f"{plural(running, 'invocation')} run now: at {reserved} a further one is throttled."


def _field(id: str, figure: int | None) -> Input:
    return Input(_text(figure), id=id, compact=True, select_on_focus=True, placeholder="none", max_length=6)


def _text(figure: int | None) -> str:
    return "" if figure is None else str(figure)


def _figure(text: str, least: int) -> int | str | None:
    """A count, None where there is none, or what is wrong."""
    text = text.strip()
    if not text:
        return None
    if not text.isdigit() or int(text) < least:
        return f"is a whole number from {least}, or empty for none; not “{text}”"
    return int(text)
