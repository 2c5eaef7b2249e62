"""The commands of the events screen."""

from __future__ import annotations

from workbench.tui.commands.base import Command


class Take(Command):
    """Put the selected event into the editor; ^z there brings back what it replaced."""

    keys, shown_key, title, footer = "enter", "⏎", "Edit this event", "edit"
    action = "screen.take"


class Fire(Command):
    """Fire the event that stands in the editor, as often, as concurrently and as fast as the fields say."""

    keys, shown_key, title, footer = "ctrl+j,f5", "^j", "Fire", "fire"
    action = "screen.fire"


class Stop(Command):
    """Begin no further invocation; those under way are waited for."""

    keys, shown_key, title, footer = "f6,x", "x", "Stop firing", "stop"
    action = "screen.stop"


class Save(Command):
    """Save the event beside the project's others, as events/NAME.json."""

    keys, shown_key, title, footer = "ctrl+s", "^s", "Save the event…", "save"
    action = "screen.save"


class Tidy(Command):
    """Indent the event's JSON."""

    keys, shown_key, title, footer = "ctrl+t", "^t", "Indent the JSON", "indent"
    action = "screen.tidy"


class Editor(Command):
    """Edit the event in the editor that $VISUAL or $EDITOR names."""

    keys, shown_key, title, footer = "ctrl+g", "^g", "Edit in $EDITOR", "$EDITOR"
    action = "screen.editor"


class ShowCli(Command):
    """Show the invocation as the call of the aws CLI, and copy it."""

    keys, shown_key, title = "Y", "Y", "Show as aws CLI"
    action = "screen.show_cli"


class Events(Command):
    """Go to the events that are saved or were fired."""

    keys, shown_key, title = "1", "1", "Events"
    action = "screen.pane(0)"


class Text(Command):
    """Go to the editor."""

    keys, shown_key, title = "2,e", "2", "The editor"
    action = "screen.pane(1)"


class Fields(Command):
    """Go to the fields that say what is fired at, and how often."""

    keys, shown_key, title = "3", "3", "How it is fired"
    action = "screen.pane(2)"


class Result(Command):
    """Go to what came of it."""

    keys, shown_key, title = "4", "4", "Results"
    action = "screen.pane(3)"


class Back(Command):
    """Go back: from a field to the events, then leave. What is being fired goes on."""

    keys, shown_key, title, palette = "escape", "esc", "Back", False
    action = "screen.back"


LIST: tuple[type[Command], ...] = (Take,)
SCREEN: tuple[type[Command], ...] = (Fire, Stop, Save, Tidy, Editor, ShowCli, Events, Text, Fields, Result, Back)
