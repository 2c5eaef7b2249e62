"""The commands of the function screen."""

from __future__ import annotations

from workbench.tui.commands.base import Command


class Publish(Command):
    """Publish `$LATEST` as the next version; if nothing changed since the newest one, that one stays."""

    keys, shown_key, title, footer = "p", "p", "Publish $LATEST", "publish"
    action = "screen.publish"


class Diff(Command):
    """Compare the selected version with the one before it: settings, files, lines. Others can be chosen there."""

    keys, shown_key, title, footer = "d", "d", "Compare versions", "diff"
    action = "screen.diff"


class NewAlias(Command):
    """Create an alias for the selected version."""

    keys, shown_key, title, footer = "n", "n", "New alias", "new"
    action = "screen.new_alias"


class EditAlias(Command):
    """Edit the selected alias: its versions and their weights."""

    keys, shown_key, title, footer = "e,enter", "e", "Edit the alias", "edit"
    action = "screen.edit_alias"


class DeleteAlias(Command):
    """Delete the selected alias; undoing that brings it back."""

    keys, shown_key, title, footer = "D", "D", "Delete the alias…", "delete"
    action = "screen.delete_alias"


class Save(Command):
    """Save the alias as it stands in the editor."""

    keys, shown_key, title, footer = "ctrl+s", "^s", "Save the alias", "save"
    action = "screen.save"


class Undo(Command):
    """Undo the last change that was made here; again for the one before it."""

    keys, shown_key, title, footer = "u", "u", "Undo the last change", "undo"
    action = "screen.undo"


class ShowCli(Command):
    """Show the alias, as it stands in the editor, as the call of the aws CLI that saves it, and copy it."""

    keys, shown_key, title, footer = "Y", "Y", "Show as aws CLI", "aws cli"
    action = "screen.show_cli"


class Ramp(Command):
    """Let the alias move to another version by itself, linearly or by a canary, as AWS SAM and CodeDeploy do it."""

    keys, shown_key, title, footer = "w", "w", "Ramp the alias…", "ramp"
    action = "screen.ramp"


class StopRamp(Command):
    """End the ramp of the alias: stop it where it is, or roll back to the weights that it began with."""

    keys, shown_key, title, footer = "W", "W", "Stop the ramp…", "stop ramp"
    action = "screen.stop_ramp"


class Configure(Command):
    """Edit the configuration of `$LATEST`: memory, timeout, /tmp, handler, description, environment variables."""

    keys, shown_key, title, footer = "c", "c", "Edit the configuration…", "config"
    action = "screen.configure"


class Runtime(Command):
    """Choose when the selected version takes another runtime version, and see what that does to its environments."""

    keys, shown_key, title, footer = "m", "m", "Runtime management…", "runtime"
    action = "screen.runtime"


class Concurrency(Command):
    """Reserve concurrency for the function, or provision it for an alias or a version."""

    keys, shown_key, title, footer = "r", "r", "Reserved and provisioned concurrency…", "concurrency"
    action = "screen.concurrency"


class Cost(Command):
    """See what this function would have cost on AWS, and what if other concurrency were provisioned or reserved."""

    keys, shown_key, title = "dollar_sign", "$", "Cost and what-if…"
    action = "screen.cost"


class Reload(Command):
    """Ask the engine for versions and aliases again."""

    keys, shown_key, title = "ctrl+r", "^r", "Ask again"
    action = "screen.reload"


class Fire(Command):
    """Fire this function: the selected alias or version, with the event to choose."""

    keys, shown_key, title, footer = "f", "f", "Fire…", "fire"
    action = "screen.fire"


class FireAgain(Command):
    """Fire the function at once, with its last event or else its saved one."""

    keys, shown_key, title = "F", "F", "Fire again"
    action = "screen.fire_again"


class Events(Command):
    """Open the events, to fire one many times at this function or at the selected alias or version."""

    keys, shown_key, title = "E", "E", "Events and load"
    action = "screen.events"


class Environments(Command):
    """Watch this function's environments, with a chart of how many of its invocations run at once."""

    keys, shown_key, title = "v", "v", "Environments and concurrency"
    action = "screen.environments"


class Back(Command):
    """Go back: leave the editor, then the screen. What was not saved is asked about."""

    keys, shown_key, title, palette = "escape", "esc", "Back", False
    action = "screen.back"


class Versions(Command):
    """Go to the versions."""

    keys, shown_key, title = "1", "1", "Versions"
    action = "screen.pane(0)"


class Aliases(Command):
    """Go to the aliases."""

    keys, shown_key, title = "2", "2", "Aliases"
    action = "screen.pane(1)"


class Configuration(Command):
    """Go to the configuration of the selected version."""

    keys, shown_key, title = "3", "3", "Configuration"
    action = "screen.pane(2)"


class Activity(Command):
    """Go to what runs and ran: concurrency, environments, totals, the changes made here."""

    keys, shown_key, title = "4", "4", "Activity"
    action = "screen.pane(3)"


class Less(Command):
    """One percent less for the second version."""

    keys, shown_key, title, footer, palette = "left,h", "← h", "1 % less", "-1 %", False
    action = "shift(-1)"


class More(Command):
    """One percent more for the second version."""

    keys, shown_key, title, footer, palette = "right,l", "→ l", "1 % more", "+1 %", False
    action = "shift(1)"


class MuchLess(Command):
    """Ten percent less for the second version."""

    keys, shown_key, title, footer, palette = "shift+left,H", "⇧← H", "10 % less", "-10 %", False
    action = "shift(-10)"


class MuchMore(Command):
    """Ten percent more for the second version."""

    keys, shown_key, title, footer, palette = "shift+right,L", "⇧→ L", "10 % more", "+10 %", False
    action = "shift(10)"


class PresetBelow(Command):
    """The next of 0, 1, 5, 10, 25, 50 and 100 % below."""

    keys, shown_key, title, palette = "left_square_bracket,home", "[", "Preset below", False
    action = "preset(-1)"


class PresetAbove(Command):
    """The next of 0, 1, 5, 10, 25, 50 and 100 % above."""

    keys, shown_key, title, palette = "right_square_bracket,end", "]", "Preset above", False
    action = "preset(1)"


SCREEN: tuple[type[Command], ...] = (
    Publish,
    Diff,
    NewAlias,
    StopRamp,
    Save,
    Ramp,
    Configure,
    Runtime,
    Concurrency,
    Cost,
    Undo,
    Fire,
    FireAgain,
    ShowCli,
    Reload,
    Events,
    Environments,
    Versions,
    Aliases,
    Configuration,
    Activity,
    Back,
)
ALIASES: tuple[type[Command], ...] = (EditAlias, DeleteAlias)
WEIGHTS: tuple[type[Command], ...] = (Less, More, MuchLess, MuchMore, PresetBelow, PresetAbove)
