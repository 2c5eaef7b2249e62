"""Pictures of the screens that ask an engine, which no recording answers: small and dark, large and light."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.fake_port import WALL, FakeEngine
from tests.tui.test_settings_forms import NEW, OLD, PINNED, overview
from tests.tui.test_snapshots import SIZES, _greenwich, _steady_cursors, settle
from workbench.model.attached import UpdateRuntimeOn
from workbench.model.functions import Code
from workbench.model.invocations import InvocationResult, InvocationStatus
from workbench.model.layers import LayerVersion
from workbench.model.runtimes import RuntimeOverview
from workbench.tui import SavedEvent
from workbench.tui.app import LIGHT, WorkbenchApp
from workbench.tui.link import Link
from workbench.tui.widgets.choice import Choice

__all__ = ["_greenwich", "_steady_cursors"]

LAYER = "arn:aws:lambda:us-east-1:000000000000:layer:greetings:2"
LOOKS = {"small": "textual-dark", "large": LIGHT}
Open = Callable[[WorkbenchApp, Pilot[Any]], Awaitable[None]]


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
    return engine


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


async def configuration(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await opened(app, pilot, "c")
    app.screen.query_one("#memory_size", Input).value = "256"


async def concurrency(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await opened(app, pilot, "r")
    app.screen.query_one("#reserved", Input).value = "5"
    app.screen.query_one("#provisioned", Input).value = "none"


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


async def runtimes(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_runtimes()


async def layers(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_layers()


async def settings(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_settings()


async def doctor(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    async def said() -> str:
        return (
            "workbench  0.1.0 on Python 3.11.7, Linux x86_64\nproject    /home/ada/orders\n\nbackends\n"
            "  ✓ bubblewrap   isolated  ← auto\n  ✗ docker       the daemon does not answer\n"
            "      mend: sudo systemctl start docker\n"
        )

    app.doctor = said
    app.open_doctor()


async def tour(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("T", "enter")
    await settle(app, pilot)
    await pilot.press("enter", "enter")


async def main_screen(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    """What there is at first, in the other theme too."""


async def alias_editor(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await opened(app, pilot, "2")
    await pilot.press("e")


SCREENS: tuple[Open, ...] = (
    main_screen,
    alias_editor,
    events,
    configuration,
    concurrency,
    runtime,
    runtimes,
    layers,
    settings,
    doctor,
    tour,
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__.strip("_"))
def test_screen(snap_compare: Callable[..., bool], shop: FakeEngine, screen: Open, size: str) -> None:
    async def connect() -> FakeEngine:
        return shop

    app = WorkbenchApp(
        connect,
        [SavedEvent("hello", '{"name": "Ada", "n": {{seq}}}'), SavedEvent("counter", '{"by": 2}')],
        frames=None,
        link=lambda connect, mirror: Link(connect, mirror, now=lambda: 100.0),
    )
    app.animation_level = "none"

    async def show(pilot: Pilot[Any]) -> None:
        app.theme = LOOKS[size]
        await app.frame()
        await pilot.pause()
        await screen(app, pilot)
        await settle(app, pilot)
        shop.advance(250)
        await app.frame()
        await settle(app, pilot)

    assert snap_compare(app, terminal_size=SIZES[size], run_before=show)
