"""Moving about in a list."""

from __future__ import annotations

from workbench.tui.commands.base import Command


class Up(Command):
    """Select the row above."""

    keys, shown_key, title, palette = "up,k", "↑ k", "Up", False
    action = "move(-1)"


class Down(Command):
    """Select the row below."""

    keys, shown_key, title, palette = "down,j", "↓ j", "Down", False
    action = "move(1)"


class PageUp(Command):
    """Move up by a page."""

    keys, shown_key, title, palette = "pageup,ctrl+b", "PgUp", "Page up", False
    action = "page(-1)"


class PageDown(Command):
    """Move down by a page."""

    keys, shown_key, title, palette = "pagedown,ctrl+f", "PgDn", "Page down", False
    action = "page(1)"


class First(Command):
    """Go to the first row."""

    keys, shown_key, title, palette = "home,g", "Home g", "First", False
    action = "first"


class Last(Command):
    """Go to the last row."""

    keys, shown_key, title, palette = "end,G", "End G", "Last", False
    action = "last"


class Left(Command):
    """Show what is further left of long lines."""

    keys, shown_key, title, palette = "left,h", "← h", "Left", False
    action = "shift(-1)"


class Right(Command):
    """Show what is further right of long lines."""

    keys, shown_key, title, palette = "right,l", "→ l", "Right", False
    action = "shift(1)"


ROWS: tuple[type[Command], ...] = (Up, Down, PageUp, PageDown, First, Last)
SIDEWAYS: tuple[type[Command], ...] = (Left, Right)
