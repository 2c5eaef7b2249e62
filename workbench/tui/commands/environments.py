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


class Earlier(Command):
    """Look a quarter of the window further back: list and chart stand still there. The wheel does it on the chart, and
    with shift on the list."""

    keys, shown_key, title, footer = "left_square_bracket,shift+left", "[", "Back in time", "earlier"
    action = "screen.scrub(-1)"


class Later(Command):
    """Come a quarter of the window nearer to now; from the newest moment on, list and chart run again."""

    keys, shown_key, title, footer = "right_square_bracket,shift+right", "]", "Forth in time", "later"
    action = "screen.later(1)"


class MuchEarlier(Command):
    """Look a whole window further back."""

    keys, shown_key, title = "left_curly_bracket", "{", "A window back in time"
    action = "screen.scrub(-4)"


class MuchLater(Command):
    """Come a whole window nearer to now."""

    keys, shown_key, title = "right_curly_bracket", "}", "A window forth in time"
    action = "screen.later(4)"


class Oldest(Command):
    """Go to the oldest moment that is known: ten minutes back, or where the past begins."""

    keys, shown_key, title = "less_than_sign,shift+home", "<", "To the oldest that is known"
    action = "screen.oldest"


class Now(Command):
    """Come back to now: list and chart run again."""

    keys, shown_key, title, footer = "greater_than_sign,shift+end", ">", "To now", "now"
    action = "screen.now"


class Back(Command):
    """Go back: come back to now, let a paused list run, show all functions again, then leave."""

    keys, shown_key, title, palette = "escape", "esc", "Back", False
    action = "screen.back"


SCREEN: tuple[type[Command], ...] = (
    Only,
    main.Kill,
    main.Freeze,
    main.Fault,
    main.Pause,
    Earlier,
    Later,
    Now,
    MuchEarlier,
    MuchLater,
    Oldest,
    main.ZoomIn,
    main.ZoomOut,
    GoFunction,
    Chart,
    Lifecycles,
    Detail,
    Back,
)
