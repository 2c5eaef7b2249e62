"""Every screen as a picture, at the smallest size and at a large one, from a recording of a real engine.

After a change that is meant to be seen: pytest tests/tui/test_snapshots.py --snapshot-update, and look at the pictures.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from workbench.client.recording import Player, player_port
from workbench.model.invocations import InvocationStatus
from workbench.tui import SavedEvent
from workbench.tui.app import WorkbenchApp
from workbench.tui.link import Link

RECORDING = Path(__file__).parent / "samples.ndjson"
SIZES = {"small": (80, 24), "large": (160, 48)}
Open = Callable[[WorkbenchApp, Pilot[Any]], Awaitable[None]]


@pytest.fixture(autouse=True)
def _greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day are shown where the person is; the pictures are of nowhere."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def _steady_cursors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cursor that blinked on a slow machine would be missing from the picture."""
    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)
    monkeypatch.setattr(TextArea, "_toggle_cursor_blink_visible", lambda self: None)


@pytest.fixture
def film() -> Iterator[SimpleNamespace]:
    """The recording with a clock that only the test moves."""
    clock = SimpleNamespace(now=100.0)
    clock.player = Player(RECORDING, now=lambda: clock.now)
    yield clock
    clock.player.close()


def to_the_end(film: SimpleNamespace) -> WorkbenchApp:
    async def connect() -> Any:
        return player_port(film.player)

    app = WorkbenchApp(
        connect,
        frames=None,
        link=lambda connect, mirror: Link(connect, mirror, now=lambda: film.now, patience=3600),
    )
    app.animation_level = "none"
    return app


async def main_screen(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    """What there is at first."""


async def environments(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("2")


async def invocations(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("3")


async def logs(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("4")


async def fire(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_fire("hello")


async def events(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.saved = [SavedEvent("hello", '{"name": "Ada", "n": 1.5, "ok": true}'), SavedEvent("crash", "{}")]
    app.random.seed(1)
    await pilot.press("E")


async def function(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_function("hello")


async def alias_editor(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_function("hello")
    await settle(app, pilot)
    await pilot.press("2", "enter")


async def differences(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.open_function("hello")
    await settle(app, pilot)
    await pilot.press("d")


async def invocation(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    found = (view for view in app.mirror.invocations.values() if view.status is InvocationStatus.ERROR)
    app.open_invocation(next(found).request_id)


async def environment(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    found = (view for view in app.mirror.environments.values() if view.function == "hello" and view.invocations > 1)
    app.open_environment(next(found).id)


async def question(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    app.ask_kill(next(view.id for view in app.mirror.environments.values() if not view.state.final))


async def help_(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("question_mark")


async def palette(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await pilot.press("ctrl+p")
    # It shows nothing before it was asked for something.
    await pilot.press(*"pause")


SCREENS: tuple[Open, ...] = (
    main_screen,
    environments,
    invocations,
    logs,
    fire,
    events,
    function,
    alias_editor,
    differences,
    invocation,
    environment,
    question,
    help_,
    palette,
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__.strip("_"))
def test_screen(snap_compare: Callable[..., bool], film: SimpleNamespace, screen: Open, size: str) -> None:
    app = to_the_end(film)

    async def show(pilot: Pilot[Any]) -> None:
        while not film.player.ended:
            film.now += 0.1
            await app.frame()
        await screen(app, pilot)
        await settle(app, pilot)
        await app.frame()
        await settle(app, pilot)

    assert snap_compare(app, terminal_size=SIZES[size], run_before=show)


async def settle(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    """Wait until nothing that the app started is left to do, and the footer has had its refresh."""
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause(1 / 20)
    await pilot.pause()
