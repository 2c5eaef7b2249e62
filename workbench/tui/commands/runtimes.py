"""The commands of the runtimes screen."""

from __future__ import annotations

from workbench.tui.commands.base import Command


class Publish(Command):
    """Publish the selected version: functions take it at their next update, and those in Auto when it is rolled out."""

    keys, shown_key, title, footer = "p,enter", "p", "Publish this runtime version…", "publish"
    action = "screen.publish"


class ShowCli(Command):
    """Show the publication of the selected version as a command of Workbench, and copy it; AWS's CLI has none."""

    keys, shown_key, title = "Y", "Y", "Show as a command"
    action = "screen.show_cli"


class Mode(Command):
    """Choose how the selected function takes runtime versions."""

    keys, shown_key, title, footer = "m", "m", "Runtime management…", "mode"
    action = "screen.mode"


class Open(Command):
    """Open the selected function."""

    keys, shown_key, title, footer = "enter", "⏎", "Open the function", "open"
    action = "screen.open"


class Undo(Command):
    """Publish the version that was published before; again for the one before that."""

    keys, shown_key, title, footer = "u", "u", "Undo the last publication", "undo"
    action = "screen.undo"


class Reload(Command):
    """Look again for what this machine can run."""

    keys, shown_key, title, footer = "ctrl+r", "^r", "Look again", "again"
    action = "screen.reload"


class Runtimes(Command):
    """Go to the runtimes."""

    keys, shown_key, title = "1", "1", "Runtimes"
    action = "screen.pane(0)"


class Versions(Command):
    """Go to the versions of the selected runtime."""

    keys, shown_key, title = "2", "2", "Its versions"
    action = "screen.pane(1)"


class Functions(Command):
    """Go to the functions that have the selected runtime."""

    keys, shown_key, title = "3", "3", "Functions on it"
    action = "screen.pane(2)"


class Back(Command):
    """Go back."""

    keys, shown_key, title, palette = "escape", "esc", "Back", False
    action = "screen.back"


VERSIONS: tuple[type[Command], ...] = (Publish, ShowCli)
FUNCTIONS: tuple[type[Command], ...] = (Open, Mode)
SCREEN: tuple[type[Command], ...] = (Undo, Reload, Runtimes, Versions, Functions, Back)
