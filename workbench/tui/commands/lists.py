"""The commands of the screens that only show: layers, settings, doctor."""

from __future__ import annotations

from workbench.tui.commands.base import Command


class Reload(Command):
    """Ask again."""

    keys, shown_key, title, footer = "ctrl+r", "^r", "Ask again", "again"
    action = "screen.reload"


class Back(Command):
    """Go back."""

    keys, shown_key, title, palette, footer = "escape", "esc", "Back", False, "back"
    action = "screen.back"


class Layers(Command):
    """Go to the layer versions."""

    keys, shown_key, title = "1", "1", "Layers"
    action = "screen.pane(0)"


class Detail(Command):
    """Go to what is known of the selected one."""

    keys, shown_key, title = "2", "2", "The selected one"
    action = "screen.pane(1)"


PAGE: tuple[type[Command], ...] = (Reload, Back)
LAYERS: tuple[type[Command], ...] = (Reload, Layers, Detail, Back)
