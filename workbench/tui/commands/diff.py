"""The commands of the comparison of two versions."""

from __future__ import annotations

from workbench.tui.commands.base import Command


class Swap(Command):
    """Exchange the two versions."""

    keys, shown_key, title, footer = "x", "x", "Swap the versions", "swap"
    action = "screen.swap"


class Changes(Command):
    """Go to what differs."""

    keys, shown_key, title = "1", "1", "What differs"
    action = "screen.pane(0)"


class Lines(Command):
    """Go to the lines of the selected file."""

    keys, shown_key, title, footer = "2,enter", "⏎", "Its lines", "lines"
    action = "screen.pane(1)"


class Back(Command):
    """Go back."""

    keys, shown_key, title, palette = "escape", "esc", "Back", False
    action = "screen.back"


SCREEN: tuple[type[Command], ...] = (Lines, Swap, Changes, Back)
