"""The part of the app that opens screens and dialogs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from workbench.live.view import LogView
from workbench.model.runtimes import RuntimeOverview
from workbench.tui.exporting import Exporting
from workbench.tui.screens.live import LiveScreen
from workbench.tui.screens.main import MainScreen

if TYPE_CHECKING:
    from workbench.client.port import EnginePort
    from workbench.live.view import EnvironmentView


class Openers(Exporting):
    """Screens are loaded when they are first opened. There is a main screen below them all."""

    # -- opening
    def open_function(self, name: str) -> None:
        from workbench.tui.screens.function import FunctionScreen

        if view := self.mirror.functions.get(name):
            self.push_screen(FunctionScreen(view))

    async def open_runtime(self, name: str, version: str, saved: Callable[[], object]) -> None:
        """Choose how the runtime version of a function's version is managed."""
        from workbench.tui.screens.runtime import RuntimeForm

        try:
            port = self.link.port
            versions = {one.version: one for one in await port.list_versions(name)}
            attached = await port.get_attached(name)
            runtime = versions[version].configuration.runtime
            overview = next((one for one in await self._runtimes(port) if one.id == runtime), None)
        except Exception as error:
            self.say_error(error)
            return
        if overview is None:
            image = "A container image has its runtime inside."
            self.say(f"{runtime} is not in the catalogue." if runtime else image, title="Runtime", bad=True)
            return

        living = partial(self.mirror.living, name)
        self.push_screen(RuntimeForm(versions, version, attached, overview, living, saved))

    def open_cost(self, name: str, qualifier: str | None = None) -> None:
        """What a function has cost, and what it would have with other concurrency."""
        from workbench.tui.screens.cost import CostDialog

        self.push_screen(CostDialog(name, qualifier))

    def open_line(self, line: LogView) -> None:
        """A line of log in full, however long it is."""
        from workbench.tui.screens.snippet import Snippet

        self.push_screen(Snippet("Line of log", line.text.expandtabs(2), copied=False))

    def open_layers(self) -> None:
        """The layer versions that there are."""
        from workbench.tui.screens.layers import LayersScreen

        self.push_screen(LayersScreen())

    def open_settings(self) -> None:
        """What the engine was started with."""
        from workbench.tui.screens.page import SettingsScreen

        self.push_screen(SettingsScreen())

    def open_doctor(self) -> None:
        """What this machine offers, and how to mend each gap."""
        from workbench.tui.screens.page import DoctorScreen

        self.push_screen(DoctorScreen())

    @property
    def main(self) -> MainScreen:
        """The screen below all others."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    async def _runtimes(self, port: EnginePort) -> tuple[RuntimeOverview, ...]:
        """The catalogue; programs are looked for, and where that takes a while it is said."""
        asking = asyncio.ensure_future(port.list_runtimes())
        done, _ = await asyncio.wait({asking}, timeout=0.3)
        if not done:
            self.say("Looking for what this machine can run …", title="Runtimes", timeout=30)
            await asyncio.wait({asking})
            self.hush()
        return await asking

    def open_runtimes(self) -> None:
        """What this machine can run, and which versions functions take."""
        from workbench.tui.screens.runtimes import RuntimesScreen

        self.push_screen(RuntimesScreen())

    def open_environments(self, only: str | None = None) -> None:
        """Watch all environments, or those of one function."""
        from workbench.tui.screens.environments import EnvironmentsScreen

        self.push_screen(EnvironmentsScreen(only))

    def open_environment(self, environment: str, known: EnvironmentView | None = None) -> None:
        """Show one in full; what is `known` of it is all there is if the engine has forgotten it."""
        from workbench.tui.screens.environment import EnvironmentDetail

        if view := self.mirror.environments.get(environment, known):
            self.push_screen(EnvironmentDetail(view))

    def open_invocation(self, request_id: str) -> None:
        from workbench.tui.screens.invocation import InvocationScreen

        if view := self.mirror.invocations.get(request_id):
            self.push_screen(InvocationScreen(view))
        else:
            self.say(f"Invocation {request_id} is no longer kept.", title="Invocations", bad=True)

    def open_events(self, target: str = "") -> None:
        """Events on a screen of their own, to be fired at `FUNCTION[:QUALIFIER]`."""
        from workbench.tui.screens.events import EventsScreen

        self.push_screen(EventsScreen(target or next(iter(sorted(self.mirror.functions)), "")))

    def action_command_line(self) -> None:
        from workbench.tui.screens.line import CommandLine

        if isinstance(self.screen, LiveScreen):
            self.push_screen(CommandLine(), lambda call: call.do(self) if call else None)

    def action_help(self) -> None:
        from workbench.tui.screens.help import Help

        if isinstance(self.screen, LiveScreen):
            self.push_screen(Help(self.screen.help_sections()))
