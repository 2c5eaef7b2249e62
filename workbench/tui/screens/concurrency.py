"""The form for reserved and provisioned concurrency, with what the account would have left."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Label, Select

from workbench.live.view import FunctionView
from workbench.model.account import AccountSettings
from workbench.model.attached import Attached
from workbench.tui import judged
from workbench.tui.judged import Judgement
from workbench.tui.screens.form import Form
from workbench.tui.widgets.choice import Choice


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

    def rows(self) -> ComposeResult:
        reserved = self._attached.reserved
        field = _field("reserved", reserved)
        yield self.row("reserved", field, Label("invocations at once; 0 stops the function", classes="unit"))
        if qualifiers := judged.provisionable(self._view()):
            first = next((name for name in qualifiers if name in self._attached.provisioned), qualifiers[0])
            yield self.row("provisioned", Choice([(name, name) for name in qualifiers], value=first, id="qualifier"))
            field = _field("provisioned", judged.asked(self._attached, first))
            yield self.row("", field, Label("environments made ahead of it", classes="unit"))
        else:
            yield self.row("provisioned", Label("needs a published version", classes="unit"))

    @on(Select.Changed, "#qualifier")
    def _other(self, event: Select.Changed) -> None:
        self.query_one("#provisioned", Input).value = _text(judged.asked(self._attached, str(event.value)))

    def judge(self) -> Judgement:
        view = self._view()
        found = judged.reserved(view, self._attached, self._account, self.query_one("#reserved", Input).value)
        if not self.query("#provisioned"):
            return found
        qualifier, text = self.query_one("#qualifier", Choice).value, self.query_one("#provisioned", Input).value
        other = judged.provisioned(view, self._attached, str(qualifier), text)
        return Judgement(
            [*found.changes, *other.changes],
            [*found.problems, *other.problems],
            [*found.effects, *other.effects],
        )


def _field(id: str, figure: int | None) -> Input:
    return Input(_text(figure), id=id, compact=True, select_on_focus=True, placeholder="none", max_length=6)


def _text(figure: int | None) -> str:
    return "" if figure is None else str(figure)
