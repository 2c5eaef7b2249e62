"""What a function's traffic would have cost on AWS, and what it would have been with other concurrency."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from workbench.client.money import cost_lines, forecast_lines, prices_line
from workbench.model.names import FunctionRef
from workbench.model.text import one_line, sanitize
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.panel import Panel


class CostDialog(Dialog[None]):
    """The costs so far; a line of `provisioned=N` or `reserved=N` asks for the other table."""

    DEFAULT_CSS = """
    CostDialog {
        & > .box { width: 110; padding: 0; background: $background; }
        .panel { height: auto; max-height: 20; padding: 1 2; overflow-x: auto; &, &:focus { border: none; } }
        Panel > Static { width: auto; }
        Input { border: none; height: 1; padding: 0 2; background: $surface; }
    }
    """
    AUTO_FOCUS = "Input"

    def __init__(self, function: str, qualifier: str | None) -> None:
        super().__init__()
        self._function = FunctionRef(function, qualifier)

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        box.border_title = Content(one_line(f"Cost of {self._function.name}"))
        box.border_subtitle = Content("⏎ what if · esc back")
        with box:
            yield Panel("")
            yield Input(compact=True, placeholder="what if … provisioned=5, or reserved=10, or both")

    def on_mount(self) -> None:
        self.run_worker(self._costs(), exclusive=True)

    async def _costs(self) -> None:
        try:
            found = await self.workbench.link.port.costs(function=self._function.name)
        except Exception as error:
            self.workbench.say_error(error)
            return
        lines = [*cost_lines(found), "", prices_line(found)] if found.functions else ["It has not run yet."]
        self._write(lines)

    @on(Input.Submitted)
    def _ask(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.run_worker(self._what_if(event.value.split()), exclusive=True)

    async def _what_if(self, asked: list[str]) -> None:
        from workbench.model.forecast import WhatIf

        try:
            forecast = await self.workbench.link.port.what_if(WhatIf.parse(asked), function=self._function)
        except Exception as error:
            self.workbench.say_error(error)
            return
        lines = [line for one in forecast.functions for line in (*forecast_lines(forecast, one), "")]
        self._write([*lines, *forecast.notes])

    def _write(self, lines: list[str]) -> None:
        self.query_one(Panel).write(Content(sanitize("\n".join(lines).rstrip())))
