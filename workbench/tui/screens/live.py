"""What all full screens share: they follow the engine, offer commands, and show one pane at a time when small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.events import DescendantFocus, Resize
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from workbench.tui.commands import main as commands
from workbench.tui.commands import replay
from workbench.tui.commands.base import Command
from workbench.tui.contents import contents
from workbench.tui.link import LinkState
from workbench.tui.mirror import Changed
from workbench.tui.widgets.banner import Banner
from workbench.tui.widgets.header import Header
from workbench.tui.widgets.rows import RowList
from workbench.tui.widgets.tabs import PaneTabs

if TYPE_CHECKING:
    from workbench.tui.app import WorkbenchApp

Section = tuple[str, Sequence[type[Command]]]


class LiveScreen(Screen[None]):
    """Panes under a header. `sync` is called once a frame while nothing hides the screen.

    A subclass composes `Header`, `Banner`, `PaneTabs` and its panes: widgets of class `pane`, in the order of
    `targets`, which says what takes the focus in each.
    """

    #: The smallest terminal that shows all panes at once.
    WIDE: ClassVar[int] = 110
    TALL: ClassVar[int] = 30
    #: The screen's own commands; its BINDINGS are theirs.
    OFFERS: ClassVar[tuple[type[Command], ...]] = ()
    #: Actions whose keys are commands even while a text is typed.
    WHILE_TYPING: ClassVar[frozenset[str]] = frozenset({"back"})

    #: Where the focus is changes the widgets that it leaves and enters; Textual's own draws the whole screen anew.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    @property
    def workbench(self) -> WorkbenchApp:
        """The app with its type."""
        return cast("WorkbenchApp", self.app)

    @property
    def was_left(self) -> bool:
        """What was asked for it comes too late: its widgets are going, or gone."""
        return self not in self.app.screen_stack

    # -- what a subclass says
    def targets(self) -> Sequence[Widget]:
        """What takes the focus in each pane."""
        raise NotImplementedError

    def pane_commands(self) -> Sequence[tuple[Widget, str, Sequence[type[Command]]]]:
        """A widget, what help calls it, and the commands that work while it has the focus."""
        return ()

    # -- state down
    def sync(self, changed: Changed) -> None:
        """Hand a frame's changes to the widgets; each draws only what is its own."""
        mirror, link = self.workbench.mirror, self.workbench.link
        self.query_one(Header).sync(mirror, link, changed)
        if changed.link:
            self.query_one(Banner).sync(link, starting=self.workbench.starting, startable=self.workbench.startable)
            self.refresh_bindings()
            for rows in self.query(RowList):
                rows.waiting = link.status is None
                rows.stale = link.state is LinkState.LOST
                rows.redraw()

    def on_screen_resume(self) -> None:
        """What changed while another screen hid this one."""
        if self.workbench.link.status is not None or self.workbench.link.state is not LinkState.CONNECTING:
            self.sync(Changed.everything())

    # -- layout
    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < self.WIDE or event.size.height < self.TALL, "-single")

    @on(DescendantFocus)
    def _activate(self, event: DescendantFocus) -> None:
        """The pane with the focus is the one that a small terminal shows."""
        for index, pane in enumerate(self.query(".pane")):
            if event.widget in pane.walk_children(with_self=True):
                self.show_pane(index)

    @on(PaneTabs.Chosen)
    def _choose(self, event: PaneTabs.Chosen) -> None:
        self.action_pane(event.index)

    def show_pane(self, index: int) -> None:
        """Make a pane the one that a small terminal shows; the focus stays."""
        for at, pane in enumerate(self.query(".pane")):
            pane.set_class(at == index, "-active", update=self.has_class("-single"))
        self.query_one(PaneTabs).active = index

    def action_pane(self, index: int) -> None:
        self.show_pane(index)
        # At once, so that the next key already belongs to the new pane.
        self.set_focus(self.targets()[index])

    # -- commands
    def palette_commands(self) -> Sequence[type[Command]]:
        """What the palette offers here."""
        found = [command for _, _, mine in self.pane_commands() for command in mine]
        offered = dict.fromkeys([*found, *self.OFFERS, *self._of_app()])
        return [command for command in offered if command.palette and self._allowed(command)]

    def help_sections(self) -> list[Section]:
        """Keys for the help: of the focused widget, then of the screen."""
        sections: list[Section] = [
            (name, mine)
            for widget, name, mine in self.pane_commands()
            if self.focused is not None and self.focused in widget.walk_children(with_self=True)
        ]
        shown = [command for command in self.OFFERS if self._allowed(command)]
        return [*sections, ("Everywhere", [*shown, *filter(self._allowed, self._of_app())])]

    def _of_app(self) -> Sequence[type[Command]]:
        """What the app does itself; there is more while a recording plays."""
        return (*commands.APP, *(replay.ALL if self.workbench.replay is not None else ()))

    def _allowed(self, command: type[Command]) -> bool:
        if command is commands.StartEngine:
            return self.workbench.startable
        if command is commands.Tour:
            return self.workbench.replay is None
        return self.available(command.action.rpartition(".")[2].partition("(")[0])

    def document(self) -> dict[str, Any]:
        """What is shown as data, for an export."""
        return contents(self)

    def available(self, action: str) -> bool:
        """Does this action make sense here and now?"""
        return True

    @property
    def typing(self) -> bool:
        """Is a text being typed, so that single letters are no commands?"""
        return isinstance(self.focused, (Input, TextArea))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a text is typed, its own keys are all there are, and those that no text can hold."""
        return (action in self.WHILE_TYPING or not self.typing) and self.available(action)
