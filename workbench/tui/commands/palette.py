"""The palette: every command of the screen that it was called from."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider

from workbench.tui.commands.base import Command
from workbench.tui.screens.live import LiveScreen
from workbench.tui.shell import Shell


class WorkbenchCommands(Provider):
    """Commands by their title; the docstring says more, the key is named last."""

    def _commands(self) -> list[type[Command]]:
        return list(self.screen.palette_commands()) if isinstance(self.screen, LiveScreen) else []

    async def discover(self) -> Hits:
        for command in self._commands():
            yield DiscoveryHit(command.title, self._run(command), help=self._help(command))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in self._commands():
            score = matcher.match(command.title)
            if score > 0:
                yield Hit(score, matcher.highlight(command.title), self._run(command), help=self._help(command))

    def _run(self, command: type[Command]) -> partial[Coroutine[Any, Any, bool]]:
        return partial(self.app.run_action, command.action, self.screen)

    def _help(self, command: type[Command]) -> str:
        key = self.app.keys_of(command) if isinstance(self.app, Shell) else command.shown_key
        return f"{command.help()}  ({key})"
