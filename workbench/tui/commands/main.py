"""The commands of the main screen."""

from __future__ import annotations

from workbench.tui.commands.base import Command


class Open(Command):
    """Open what is selected: all there is to know about it."""

    keys, shown_key, title, footer = "enter", "⏎", "Open", "open"
    action = "screen.open"


class Fire(Command):
    """Fire the function of the selected row: choose the event, the qualifier and the invocation type."""

    keys, shown_key, title, footer = "f", "f", "Fire…", "fire"
    action = "screen.fire"


class FireAgain(Command):
    """Fire the function of the selected row at once, with its last event or else its saved one."""

    keys, shown_key, title = "F", "F", "Fire again"
    action = "screen.fire_again"


class Filter(Command):
    """Filter the functions by name: letters in their order are enough."""

    keys, shown_key, title, footer = "slash", "/", "Filter functions", "filter"
    action = "screen.filter"


class Pause(Command):
    """Hold the focused list still, or let it run again."""

    keys, shown_key, title, footer = "space", "space", "Pause or resume the list", "pause"
    action = "screen.pause"


class Only(Command):
    """Show only what belongs to the selected function in this list, or everything again."""

    keys, shown_key, title = "o", "o", "Only the selected function"
    action = "screen.only"


class Kill(Command):
    """End the selected environment at once; an invocation in it fails."""

    keys, shown_key, title, footer = "K", "K", "Kill the environment…", "kill"
    action = "screen.kill"


class Freeze(Command):
    """Freeze the selected environment before its time, or thaw a frozen one until its next invocation has ended."""

    keys, shown_key, title, footer = "z", "z", "Freeze or thaw the environment", "freeze"
    action = "screen.freeze"


class Fault(Command):
    """Make the runtime of the selected environment fail: crash, end by a segmentation fault, or stand still."""

    keys, shown_key, title, footer = "exclamation_mark", "!", "Inject a fault…", "fault"
    action = "screen.fault"


class ZoomIn(Command):
    """Show less time in more detail."""

    keys, shown_key, title = "plus,equals_sign", "+", "Zoom the timelines in"
    action = "screen.zoom(-1)"


class ZoomOut(Command):
    """Show more time in less detail."""

    keys, shown_key, title = "minus", "-", "Zoom the timelines out"
    action = "screen.zoom(1)"


class Deploy(Command):
    """Deploy the functions of this project's template."""

    keys, shown_key, title = "d", "d", "Deploy the template"
    action = "screen.deploy"


class Functions(Command):
    """Go to the functions."""

    keys, shown_key, title = "1", "1", "Functions"
    action = "screen.pane(0)"


class Environments(Command):
    """Go to the execution environments and their timelines."""

    keys, shown_key, title = "2", "2", "Environments"
    action = "screen.pane(1)"


class Invocations(Command):
    """Go to the invocations, the newest first."""

    keys, shown_key, title = "3", "3", "Invocations"
    action = "screen.pane(2)"


class Logs(Command):
    """Go to the logs, the newest last."""

    keys, shown_key, title = "4", "4", "Logs"
    action = "screen.pane(3)"


class EnvironmentsScreen(Command):
    """Open the environments on a screen of their own, with a chart of how many invocations run at once."""

    keys, shown_key, title, footer = "v", "v", "Environments and concurrency", "envs"
    action = "screen.environments"


class EventsScreen(Command):
    """Open the events: choose, edit and save them, and fire one many times, with percentiles and a histogram."""

    keys, shown_key, title, footer = "E", "E", "Events and load", "events"
    action = "screen.events"


class Runtimes(Command):
    """Open the runtimes: what this machine can run, which version functions take, what is being rolled out."""

    keys, shown_key, title = "R", "R", "Runtimes and roll-outs"
    action = "screen.runtimes"


class Layers(Command):
    """Open the layers: their versions, and which functions have them."""

    keys, shown_key, title = "L", "L", "Layers"
    action = "screen.layers"


class Settings(Command):
    """Open the settings: what the engine was started with, and what the account may use."""

    keys, shown_key, title = "O", "O", "Settings"
    action = "screen.settings"


class Doctor(Command):
    """Open the doctor: which backends and runtimes work on this machine, and what would mend the rest."""

    keys, shown_key, title = "H", "H", "Doctor"
    action = "screen.doctor"


class CommandLine(Command):
    """Type a command: a verb and what it is done to, completed by tab."""

    keys, shown_key, title, palette = "colon", ":", "Command line", False
    action = "app.command_line"


class Back(Command):
    """Go back: clear the filter, let go of the selected row, let a paused list run."""

    keys, shown_key, title, palette = "escape", "esc", "Back", False
    action = "screen.back"


class Tour(Command):
    """Take the guided tour: seven short steps on this engine, from a cold start to a runtime roll back; all undone."""

    keys, shown_key, title = "T", "T", "Guided tour"
    action = "app.tour"


class Export(Command):
    """Write what is shown to a file: the rows of the list with the focus, or all of the screen, or its picture."""

    keys, shown_key, title = "X", "X", "Export…"
    action = "app.export"


class SwitchTheme(Command):
    """Switch between the dark and the light theme."""

    keys, shown_key, title = "ctrl+t", "^t", "Dark or light"
    action = "app.switch_theme"


class Help(Command):
    """Say what each key does here."""

    keys, shown_key, title, footer = "question_mark,f1", "?", "Help", "help"
    action = "app.help"


class Quit(Command):
    """Leave; asks what becomes of an engine that still has environments."""

    keys, shown_key, title, footer = "q", "q", "Quit", "quit"
    action = "app.quit"


class StartEngine(Command):
    """Start the project's engine again after it has gone. Functions, versions, aliases and history are on disk."""

    keys, shown_key, title, footer = "S", "S", "Start the engine again", "start engine"
    action = "app.start_engine"


#: Of the screen, whatever has the focus.
SCREEN: tuple[type[Command], ...] = (
    Fire,
    FireAgain,
    Filter,
    Deploy,
    EnvironmentsScreen,
    EventsScreen,
    Runtimes,
    Layers,
    Settings,
    Doctor,
    Functions,
    Environments,
    Invocations,
    Logs,
    Back,
)
#: Of the app, on every screen.
APP: tuple[type[Command], ...] = (StartEngine, Tour, CommandLine, Export, SwitchTheme, Help, Quit)
