"""The commands of the environments screen."""

from __future__ import annotations

from workbench.tui.commands import main
from workbench.tui.commands.base import Command


class Chart(Command):
    """Go to the chart of concurrency."""

    keys, shown_key, title = "1", "1", "Concurrency"
    action = "screen.pane(0)"


class Lifecycles(Command):
    """Go to the environments and their timelines."""

    keys, shown_key, title = "2", "2", "Lifecycles"
    action = "screen.pane(1)"


class Detail(Command):
    """Go to what is known of the selected environment."""

    keys, shown_key, title = "3", "3", "The selected one"
    action = "screen.pane(2)"


class Only(Command):
    """Show the selected environment's function alone, in list and chart; or everything again."""

    keys, shown_key, title, footer = "o", "o", "Only this function", "only"
    action = "screen.only"


class GoFunction(Command):
    """Open the function of the selected environment."""

    keys, shown_key, title = "F", "F", "Its function"
    action = "screen.function"


class Back(Command):
    """Go back: show all functions again, then leave."""

    keys, shown_key, title, palette = "escape", "esc", "Back", False
    action = "screen.back"


SCREEN: tuple[type[Command], ...] = (
    Only,
    main.Kill,
    main.Freeze,
    main.Fault,
    main.Pause,
    main.ZoomIn,
    main.ZoomOut,
    GoFunction,
    Chart,
    Lifecycles,
    Detail,
    Back,
)
