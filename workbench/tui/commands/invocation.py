"""The commands of the invocation screen."""

from __future__ import annotations

from workbench.tui.commands.base import Command


class Replay(Command):
    """Fire the same event at the same function and qualifier again, at once."""

    keys, shown_key, title, footer = "r", "r", "Replay", "replay"
    action = "screen.replay"


class EditReplay(Command):
    """Open the fire dialog with this event, to change it first."""

    keys, shown_key, title, footer = "R", "R", "Edit and replay…", "edit+replay"
    action = "screen.edit_replay"


class CopyId(Command):
    """Copy the request id."""

    keys, shown_key, title, footer = "y", "y", "Copy the request id", "copy id"
    action = "screen.copy_id"


class ShowCli(Command):
    """Show this invocation as the call of the aws CLI that repeats it, and copy it."""

    keys, shown_key, title, footer = "Y", "Y", "Show as aws CLI", "aws cli"
    action = "screen.show_cli"


class ShowCurl(Command):
    """Show this invocation as a call of curl that repeats it, and copy it."""

    keys, shown_key, title = "C", "C", "Show as curl"
    action = "screen.show_curl"


class ShowPytest(Command):
    """Show this invocation as a case for pytest that expects the same answer, and copy it."""

    keys, shown_key, title = "P", "P", "Show as a pytest case"
    action = "screen.show_pytest"


class Compare(Command):
    """Compare with the last invocation of the same event: times, memory and the response."""

    keys, shown_key, title, footer = "c", "c", "Compare with the last", "compare"
    action = "screen.compare"


class GoEnvironment(Command):
    """Open the environment that it ran in."""

    keys, shown_key, title, footer = "e", "e", "Its environment", "environment"
    action = "screen.environment"


class GoFunction(Command):
    """Open the function."""

    keys, shown_key, title = "o", "o", "Its function"
    action = "screen.function"


class OpenLine(Command):
    """Read the selected line whole."""

    keys, shown_key, title, footer = "enter", "⏎", "Read it whole", "whole"
    action = "screen.open"


class Timing(Command):
    """Go to where the time went."""

    keys, shown_key, title = "1", "1", "Timing"
    action = "screen.pane(0)"


class Logs(Command):
    """Go to what it logged."""

    keys, shown_key, title = "2", "2", "Logs of this request"
    action = "screen.pane(1)"


class Response(Command):
    """Go to the response."""

    keys, shown_key, title = "3", "3", "Response"
    action = "screen.pane(2)"


class Event(Command):
    """Go to the event."""

    keys, shown_key, title = "4", "4", "Event"
    action = "screen.pane(3)"


class Context(Command):
    """Go to what the handler's context object said."""

    keys, shown_key, title = "5", "5", "Context"
    action = "screen.pane(4)"


class Environment(Command):
    """Go to the environment's history and what ran in it before and after."""

    keys, shown_key, title = "6", "6", "Environment"
    action = "screen.pane(5)"


class Back(Command):
    """Go back."""

    keys, shown_key, title, palette = "escape", "esc", "Back", False
    action = "screen.back"


SCREEN: tuple[type[Command], ...] = (
    Replay,
    EditReplay,
    Compare,
    CopyId,
    ShowCli,
    ShowCurl,
    ShowPytest,
    GoEnvironment,
    GoFunction,
    Timing,
    Logs,
    Response,
    Event,
    Context,
    Environment,
    Back,
)
