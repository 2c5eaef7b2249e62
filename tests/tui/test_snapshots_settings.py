"""Pictures of the screens that ask an engine, which no recording answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.fake_port import WALL, FakeEngine
from tests.tui.pictures import (
    Pictures,
    Scenes,
    Shown,
    _greenwich,
    _steady_cursors,
    as_kept,
    settle,
    take,
)
from tests.tui.test_cost import Asked, costs
from tests.tui.test_settings_forms import NEW, OLD, PINNED, overview
from workbench.model.attached import UpdateRuntimeOn
from workbench.model.environments import Process, ProcessState
from workbench.model.events import FunctionDeleted
from workbench.model.functions import Code
from workbench.model.invocations import InvocationResult, InvocationStatus
from workbench.model.layers import LayerVersion
from workbench.model.runtimes import RuntimeOverview
from workbench.tui import SavedEvent
from workbench.tui.app import WorkbenchApp
from workbench.tui.link import Link
from workbench.tui.screens.ask import Ask
from workbench.tui.screens.concurrency import ConcurrencyForm
from workbench.tui.screens.configuration import ConfigurationForm
from workbench.tui.screens.cost import CostDialog
from workbench.tui.screens.environment import EnvironmentDetail
from workbench.tui.screens.events import EventsScreen
from workbench.tui.screens.layers import LayersScreen
from workbench.tui.screens.main import MainScreen
from workbench.tui.screens.page import DoctorScreen, SettingsScreen
from workbench.tui.screens.ramp import RampDialog
from workbench.tui.screens.runtime import RuntimeForm
from workbench.tui.screens.runtimes import RuntimesScreen
from workbench.tui.screens.tour import TourDialog
from workbench.tui.widgets.choice import Choice

__all__ = ["_greenwich", "_steady_cursors", "as_kept"]

LAYER = "arn:aws:lambda:us-east-1:000000000000:layer:greetings:2"
SCENES = Scenes()


@pytest.fixture
def shop() -> FakeEngine:
    """hello with two versions, an alias, a layer and two runtime versions to run on; counter beside it."""
    engine = FakeEngine()
    engine.function("counter")
    engine.function("hello", environment={"GREETING": "Hello"}, layers=(LAYER,), description="Greets.")
    for version in ("1", "2"):
        engine.function("hello", version=version, environment={"GREETING": "Hello"})
    engine.alias("hello", "live", "1", {"2": 0.1})
    engine.attach("counter", runtime_management={"$LATEST": PINNED})
    engine.runtimes = {
        "python3.12": overview(published=OLD, moves=engine.wall + 300),
        "nodejs22.x": RuntimeOverview(id="nodejs22.x", versions=(), mend="nvm install 22"),
    }
    engine.layers = [
        LayerVersion(name="greetings", version=number, code=Code(sha256="ab" * 32, size=400), created=WALL)
        for number in (2, 1)
    ]
    engine.warm("e-1", "hello")
    engine.processes["e-1"] = tuple(
        Process(pid=pid, name=name, command=command, state=state, memory=size << 18, cpu_seconds=cpu)
        for pid, name, command, state, size, cpu in (
            (4801, "python3.12", "/var/lang/bin/python3.12 /var/runtime/bootstrap", ProcessState.SLEEPING, 151, 0.11),
            (4807, "sh", "/bin/sh -c convert -resize 50% /tmp/in.png /tmp/out.png", ProcessState.SLEEPING, 6, 0.0),
            (4808, "convert", "convert -resize 50% /tmp/in.png /tmp/out.png", ProcessState.RUNNING, 92, 1.9),
            (4809, "sleep", "", ProcessState.ENDED, 0, 0.0),
        )
    )
    numbers = iter(range(1000))

    async def answer(request: Any) -> InvocationResult:
        number = next(numbers)
        return InvocationResult(
            request_id="r",
            status=InvocationStatus.ERROR if number % 19 == 7 else InvocationStatus.SUCCESS,
            function_error="Unhandled" if number % 19 == 7 else None,
            duration_ms=3 + number * number % 97,
            executed_version="2" if number % 9 == 1 else "1",
            cold=number == 0,
            init_ms=80 if number == 0 else None,
            why="warm" if number else "cold: no environment yet",
        )

    engine.answer = answer
    Asked(engine, costs("hello"))
    return engine


@SCENES.of(EventsScreen)
async def events(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    """A load that is over, but for the seconds that it took."""
    app.open_events("hello:live")
    await settle(app, pilot)
    app.screen.query_one("#count", Input).value = "60"
    await pilot.press("f5")
    await settle(app, pilot)
    assert app.load is not None
    app.load._began, app.load._ended = 0.0, 1.5
    app.hush()


@SCENES.of(ConfigurationForm)
async def configuration(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await opened(app, pilot, "c")
    app.screen.query_one("#memory_size", Input).value = "256"


@SCENES.of(ConcurrencyForm)
async def concurrency(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await opened(app, pilot, "r")
    app.screen.query_one("#reserved", Input).value = "5"
    app.screen.query_one("#provisioned", Input).value = "two"


@SCENES.of(EnvironmentDetail)
async def environment(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    engine = app.link.port
    assert isinstance(engine, FakeEngine)
    for number in range(3):
        engine.run(f"{number}7c1", "hello", "e-1")
    await app.frame()
    app.open_environment("e-1")


@SCENES.of(RampDialog)
async def ramp(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_function("hello")
    await settle(app, pilot)
    await pilot.press("2", "w")
    await settle(app, pilot)
    app.screen.query_one("#errors", Input).value = "5"


@SCENES.of(RuntimeForm)
async def runtime(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_function("hello")
    await settle(app, pilot)
    await app.open_runtime("hello", "$LATEST", lambda: None)
    await settle(app, pilot)
    app.screen.query_one("#mode", Choice).value = UpdateRuntimeOn.MANUAL
    app.screen.query_one("#arn", Choice).value = NEW


async def opened(app: WorkbenchApp, pilot: Pilot[Any], key: str) -> None:
    app.open_function("hello")
    await settle(app, pilot)
    await pilot.press(key)
    await settle(app, pilot)


@SCENES.of(RuntimesScreen)
async def runtimes(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_runtimes()


@SCENES.of(LayersScreen)
async def layers(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_layers()


@SCENES.of(SettingsScreen)
async def settings(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_settings()


@SCENES.of(DoctorScreen)
async def doctor(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    async def said() -> str:
        return (
            "workbench  0.1.0 on Python 3.11.7, Linux x86_64\nproject    /home/ada/orders\n\nbackends\n"
            "  ✓ bubblewrap   isolated  ← auto\n  ✗ docker       the daemon does not answer\n"
            "      mend: sudo systemctl start docker\n"
        )

    app.doctor = said
    app.open_doctor()


@SCENES.of(TourDialog)
async def tour(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("T", "enter")
    await settle(app, pilot)
    await pilot.press("enter", "enter")


@SCENES.of(CostDialog)
async def cost(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await opened(app, pilot, "dollar_sign")
    app.screen.query_one(Input).value = "provisioned=5"
    await pilot.press("enter")


@SCENES.of(Ask)
async def save_as(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_events("hello:live")
    await settle(app, pilot)
    await pilot.press("ctrl+s", *" 2")


@SCENES.of(MainScreen)
async def lost(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    (await app.link._connect()).gone = True
    await app.frame()
    await pilot.press("F")


@SCENES.of(MainScreen)
async def empty(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    """An engine that has no function yet, and a template that has some."""
    engine = await app.link._connect()
    await engine.stop_environment("e-1")
    for name in ("counter", "hello"):
        engine.live.apply(FunctionDeleted(engine.now, name, None))


@pytest.mark.parametrize("scene", SCENES, ids=str)
async def test_screen(as_kept: Callable[[Pictures], None], shop: FakeEngine, scene: Shown, tmp_path: Path) -> None:
    async def connect() -> FakeEngine:
        return shop

    async def idle() -> str:
        return ""

    app = WorkbenchApp(
        connect,
        [SavedEvent("hello", '{"name": "Ada", "n": {{seq}}}'), SavedEvent("counter", '{"by": 2}')],
        events_folder=tmp_path,
        deploy=idle,
        start=idle,
        frames=None,
        link=lambda connect, mirror: Link(connect, mirror, now=lambda: 100.0),
    )
    as_kept(await take(app, scene, app.frame, lambda: shop.advance(250)))
