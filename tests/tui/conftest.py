"""The app on a scripted engine: a test moves time with `frame`, and reads the screen as text."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from textual._context import visible_screen_stack
from textual.pilot import Pilot
from textual.screen import Screen
from textual.worker import WorkerCancelled

from tests.tui.fake_port import FakeEngine
from workbench.tui import SavedEvent
from workbench.tui.app import Outcome, WorkbenchApp
from workbench.tui.link import Link
from workbench.tui.screens.main import MainScreen

WIDE, SMALL = (120, 36), (80, 24)


@dataclass
class Face:
    """An app under test with its engine."""

    app: WorkbenchApp
    pilot: Pilot[Outcome]
    engine: FakeEngine
    time: SimpleNamespace

    async def frame(self, ms: float = 0) -> None:
        """Let time pass for engine and app alike, then draw one frame."""
        self.engine.advance(ms)
        self.time.now += ms / 1000
        await self.app.frame()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys, let their work finish, draw a frame."""
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    async def settle(self) -> None:
        """Wait for what the app does by itself, then draw a frame."""
        await self.pilot.pause()
        while any(not worker.is_finished for worker in self.app.workers):
            with contextlib.suppress(WorkerCancelled):  # another took its place
                await self.app.workers.wait_for_complete()
        await self.frame()

    async def type(self, text: str) -> None:
        names = {" ": "space", "{": "left_curly_bracket", "}": "right_curly_bracket", '"': "quotation_mark"}
        await self.press(*(names.get(letter, letter) for letter in text))

    @property
    def main(self) -> MainScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    @property
    def lines(self) -> list[str]:
        """What the terminal shows."""
        visible_screen_stack.set(self.app._background_screens)
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def line(self, part: str) -> str:
        """The first line that contains this."""
        found = next((line for line in self.lines if part in line), None)
        assert found is not None, f"{part!r} is not on the screen:\n{self.text}"
        return found

    @property
    def said(self) -> list[str]:
        """Titles and texts of the notifications."""
        return [f"{notice.title}: {notice.message}" for notice in self.app._notifications]


Open = Callable[..., contextlib.AbstractAsyncContextManager[Face]]


@pytest.fixture(autouse=True)
def _quick_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual's pilot looks every 20 ms whether the app is idle, twice a key. Looking more often saves a third."""
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.004)
    monkeypatch.setattr("textual._wait.SLEEP_IDLE", 0.0004)


@pytest.fixture(autouse=True)
def _drawn_when_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sees what is drawn between two looks at the screen, and it costs a quarter; a look draws everything."""
    refresh = Screen._compositor_refresh

    def quietly(screen: Screen) -> None:
        if screen is screen.app.screen:
            screen._dirty_widgets.clear()
            screen.app._update_mouse_over(screen)
        else:  # a dialog above it keeps the look of it
            refresh(screen)

    monkeypatch.setattr(Screen, "_compositor_refresh", quietly)


@pytest.fixture
def engine() -> FakeEngine:
    """An engine with two functions and nothing running."""
    engine = FakeEngine()
    engine.function("counter")
    engine.function("hello")
    return engine


@pytest.fixture
def open_face(engine: FakeEngine) -> Open:
    """Opens the app; it has drawn its first frame."""

    @contextlib.asynccontextmanager
    async def opened(
        size: tuple[int, int] = WIDE, *, events: tuple[SavedEvent, ...] = (), connect=None, **options
    ) -> AsyncIterator[Face]:
        time = SimpleNamespace(now=100.0)

        async def attach() -> FakeEngine:
            engine._check()
            return engine

        app = WorkbenchApp(
            connect or attach,
            events,
            frames=None,
            link=lambda connect, mirror: Link(connect, mirror, now=lambda: time.now),
            **options,
        )
        app.animation_level = "none"
        async with app.run_test(size=size, notifications=True) as pilot:
            face = Face(app, pilot, engine, time)
            await face.frame()
            await pilot.pause(1 / 30)  # the footer comes with the first refresh
            yield face

    return opened
