"""Every screen as a picture, in two sizes and two themes, from a recording of a real engine.

The screens that ask an engine are in test_snapshots_settings.py: no recording answers them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.screen import Screen

from tests.tui import test_snapshots_settings
from tests.tui.pictures import (
    Pictures,
    Scenes,
    Shown,
    _greenwich,
    _steady_cursors,
    as_kept,
    leaves,
    settle,
    take,
)
from workbench.client.recording import Player, player_port
from workbench.model.invocations import InvocationStatus
from workbench.tui import SavedEvent, screens
from workbench.tui.app import WorkbenchApp
from workbench.tui.link import Link
from workbench.tui.screens.diff import DiffScreen
from workbench.tui.screens.environments import EnvironmentsScreen
from workbench.tui.screens.events import EventsScreen
from workbench.tui.screens.fire import FireDialog
from workbench.tui.screens.function import FunctionScreen
from workbench.tui.screens.help import Help
from workbench.tui.screens.invocation import InvocationScreen
from workbench.tui.screens.line import CommandLine
from workbench.tui.screens.main import MainScreen
from workbench.tui.screens.question import Question
from workbench.tui.screens.snippet import Snippet

__all__ = ["_greenwich", "_steady_cursors", "as_kept"]

RECORDING = Path(__file__).parent / "samples.ndjson"
SCENES = Scenes()


@pytest.fixture
def film() -> Iterator[SimpleNamespace]:
    """The recording with a clock that only the test moves."""
    clock = SimpleNamespace(now=100.0)
    clock.player = Player(RECORDING, now=lambda: clock.now)
    yield clock
    clock.player.close()


@SCENES.of(MainScreen)
async def main_screen(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    """What there is at first."""


@SCENES.of(MainScreen)
async def environments(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("2")


@SCENES.of(MainScreen)
async def invocations(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("3")


@SCENES.of(MainScreen)
async def logs(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("4")


@SCENES.of(FireDialog)
async def fire(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_fire("hello")


@SCENES.of(EventsScreen)
async def events(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.saved = [SavedEvent("hello", '{"name": "Ada", "n": 1.5, "ok": true}'), SavedEvent("crash", "{}")]
    app.random.seed(1)
    await pilot.press("E")


@SCENES.of(FunctionScreen)
async def function(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_function("hello")


@SCENES.of(FunctionScreen)
async def alias_editor(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_function("hello")
    await settle(app, pilot)
    await pilot.press("2", "enter")


@SCENES.of(DiffScreen)
async def differences(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_function("hello")
    await settle(app, pilot)
    await pilot.press("d")


@SCENES.of(InvocationScreen)
async def invocation(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    found = (view for view in app.mirror.invocations.values() if view.status is InvocationStatus.ERROR)
    app.open_invocation(next(found).request_id)


@SCENES.of(Question)
async def question(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.ask_kill(next(view.id for view in app.mirror.environments.values() if not view.state.final))


@SCENES.of(MainScreen)
async def notice(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.say('{"message": "Hello, Ada!"}', title="✓ hello ok  38 ms", timeout=3600)


@SCENES.of(Help)
async def help_(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("question_mark")


@SCENES.of(CommandPalette)
async def palette(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("ctrl+p")
    # It shows nothing before it was asked for something.
    await pilot.press(*"pause")


@SCENES.of(EnvironmentsScreen)
async def watch(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("v")


@SCENES.of(CommandLine)
async def command_line(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("colon", *"f")


@SCENES.of(Snippet)
async def snippet(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await invocation(app, pilot)
    await settle(app, pilot)
    await pilot.press("Y")


@pytest.mark.parametrize("scene", SCENES, ids=str)
async def test_screen(as_kept: Callable[[Pictures], None], film: SimpleNamespace, scene: Shown) -> None:
    async def connect() -> Any:
        return player_port(film.player)

    app = WorkbenchApp(
        connect,
        frames=None,
        link=lambda connect, mirror: Link(connect, mirror, now=lambda: film.now, patience=3600),
    )

    async def play() -> None:
        while not film.player.ended:
            film.now += 0.1
            await app.frame()

    as_kept(await take(app, scene, play))


def test_every_screen_has_pictures() -> None:
    for module in pkgutil.iter_modules(screens.__path__):
        import_module(f"{screens.__name__}.{module.name}")
    pictured = {scene.screen for scene in (*SCENES, *test_snapshots_settings.SCENES)}
    assert leaves(Screen) == pictured - {CommandPalette}
