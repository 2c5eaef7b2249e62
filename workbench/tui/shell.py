"""The ground of the app: the engine's mirror, the road to it, and how a person is told something."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from textual.app import App
from textual.binding import Binding
from textual.widget import Widget

from workbench.model.errors import ApiError, WorkbenchError
from workbench.model.text import one_line, sanitize
from workbench.tui.commands.base import Command, shown
from workbench.tui.link import Link
from workbench.tui.mirror import Mirror


class Outcome(Enum):
    """How the app was left. `QUIT`: the engine had no environment, so nobody was asked what becomes of it."""

    QUIT = "quit"
    LEFT = "left"
    STOPPED = "stopped"
    CRASHED = "crashed"


def key_of(widget: Widget, command: type[Command]) -> str:
    """How the command's key is written in the app of this widget."""
    return widget.app.key(command) if isinstance(widget.app, Shell) else command.shown_key


class Shell(App[Outcome]):
    """What every part of the app stands on."""

    SUSPENDED_SCREEN_CLASS = "-beneath"

    def __init__(self, link: Link, mirror: Mirror, keys: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__()
        #: The keys of commands that workbench.toml has given others, by the command's name.
        self.own_keys = keys
        self.mirror = mirror
        self.link = link

    def key(self, command: type[Command]) -> str:
        """How a sentence writes the command's key; the first where workbench.toml gives it several."""
        keys = self.own_keys.get(command.name())
        return shown(keys[:1]) if keys else command.shown_key

    def get_key_display(self, binding: Binding) -> str:
        return binding.key_display or shown([binding.key])

    def keys_of(self, command: type[Command]) -> str:
        """How help writes the keys of the command."""
        keys = self.own_keys.get(command.name())
        return shown(keys) if keys else command.shown_key

    @property
    def endpoint(self) -> str | None:
        """The URL that AWS's clients are given."""
        return self.link.status.urls.get("lambda") if self.link.status is not None else None

    # -- telling the person
    def say(self, message: str, *, title: str = "", bad: bool = False, timeout: float | None = None) -> None:
        """A notification; what it says is never markup. It takes the place of the last one that was no error."""
        self.hush()
        self.notify(
            sanitize(message),
            title=one_line(title),
            severity="error" if bad else "information",
            timeout=timeout,
            markup=False,
        )

    def hush(self) -> None:
        """Take away what was said, but for errors."""
        for notice in [notice for notice in self._notifications if notice.severity == "information"]:
            self._unnotify(notice)

    def say_error(self, error: Exception) -> None:
        """An error as a notification: the screen lives on."""
        title = error.title if isinstance(error, WorkbenchError) else type(error).__name__
        if isinstance(error, ApiError):
            title = error.code
        self.say(str(error) or type(error).__name__, title=title, bad=True)
