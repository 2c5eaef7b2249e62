"""Layers: their versions, and which functions have them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from workbench.tui.commands import lists as commands
from workbench.tui.commands import moves
from workbench.tui.commands.base import Command, bindings
from workbench.tui.mirror import Changed
from workbench.tui.screens.live import LiveScreen
from workbench.tui.widgets.banner import Banner
from workbench.tui.widgets.crumb import Crumb
from workbench.tui.widgets.header import Header
from workbench.tui.widgets.keys import KeyLine
from workbench.tui.widgets.layer_list import LayerList, layer_facts, layer_rows
from workbench.tui.widgets.panel import Panel
from workbench.tui.widgets.rows import RowList
from workbench.tui.widgets.tabs import PaneTabs

NAMES = ("Layers", "The selected one")


class LayersScreen(LiveScreen):
    """The live view has no layers: they are asked for, and again by ^r."""

    WIDE, TALL = 60, 22
    OFFERS = commands.LAYERS
    BINDINGS = bindings(*OFFERS)
    AUTO_FOCUS = "LayerList"
    DEFAULT_CSS = """
    LayersScreen {
        #panes { height: 1fr; layout: grid; grid-size: 1 2; grid-rows: 1fr 10; }
        &.-single #panes { grid-size: 1 1; grid-rows: 1fr; }
    }
    """

    def compose(self) -> ComposeResult:
        yield Header()
        yield Banner()
        yield Crumb("Layers")
        yield PaneTabs(NAMES)
        with Container(id="panes"):
            yield LayerList(id="layers").add_class("pane", "-active")
            yield Panel("2 The selected one", id="detail").add_class("pane")
        yield KeyLine()

    def on_mount(self) -> None:
        super().sync(Changed.everything())
        self.rows.retitle()
        self._draw()
        self.action_reload()

    @property
    def rows(self) -> LayerList:
        return self.query_one(LayerList)

    def targets(self) -> Sequence[Widget]:
        return (self.rows, self.query_one(Panel))

    def pane_commands(self) -> Sequence[tuple[Widget, str, Sequence[type[Command]]]]:
        return [(self.rows, "Layers", moves.ROWS)]

    def _draw(self) -> None:
        if self.was_left:
            return
        row, panel = self.rows.selected, self.query_one(Panel)
        if row is None:
            panel.write(Content.styled("None is selected.", "$foreground 50%"))
        else:
            panel.draw(partial(layer_facts, row))

    @on(RowList.Selected)
    def _selected(self) -> None:
        self._draw()

    @work(group="layers", exclusive=True)
    async def action_reload(self) -> None:
        try:
            port = self.workbench.link.port
            layers = await port.list_layer_versions(None)
            functions = await port.list_functions()
            account = await port.account()
        except Exception as error:
            self.workbench.say_error(error)
            return
        self.rows.show(layer_rows(layers, functions, account))
        self._draw()

    def action_back(self) -> None:
        self.dismiss()
