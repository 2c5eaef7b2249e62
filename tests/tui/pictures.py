"""Pictures of the screens: two sizes, two themes, all from one run of the app, compared with those that are kept.

After a change that is meant to be seen: pytest tests/tui -k snapshots --snapshot-update, and look at the pictures.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_textual_snapshot import SVGImageExtension
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot
from textual.screen import Screen, SystemModalScreen
from textual.widgets import Input, TextArea

from workbench.tui.app import WorkbenchApp
from workbench.tui.themes import DARK, LIGHT

SMALL, LARGE = (80, 24), (160, 48)
#: One follows from the one before by one change.
LOOKS = {
    "small-dark": (SMALL, DARK),
    "small-light": (SMALL, LIGHT.name),
    "large-light": (LARGE, LIGHT.name),
    "large-dark": (LARGE, DARK),
}
Pictures = dict[str, str]
Go = Callable[[WorkbenchApp, Pilot[Any]], Awaitable[None]]


@dataclass(frozen=True)
class Shown:
    """How to come to what is pictured, and what screen it is."""

    go: Go
    screen: type[Screen[Any]]

    def __str__(self) -> str:
        return self.go.__name__.strip("_")


class Scenes(list[Shown]):
    """What is pictured, in the order of its functions."""

    def of(self, screen: type[Screen[Any]]) -> Callable[[Go], Go]:
        """The decorated function comes to this screen."""

        def add(go: Go) -> Go:
            self.append(Shown(go, screen))
            return go

        return add


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
def as_kept(snapshot: SnapshotAssertion, tmp_path: Path) -> Callable[[Pictures], None]:
    """Fails if a picture is not the one that is kept, and says where the new one is."""
    kept = snapshot.use_extension(SVGImageExtension)

    def compare(pictures: Pictures) -> None:
        wrong = [name for name, picture in pictures.items() if kept(name=name) != picture]
        for name in wrong:
            (tmp_path / f"{name}.svg").write_text(pictures[name], encoding="utf-8")
        assert not wrong, f"not as kept: {', '.join(wrong)}; as they are now, they are in {tmp_path}"

    return compare


async def take(
    app: WorkbenchApp, shown: Shown, before: Callable[[], Awaitable[None]], after: Callable[[], None] = lambda: None
) -> Pictures:
    """Run the app, go there, take its pictures, and leave by escape. `before` and `after` the way the engine's time is.

    In a screen where something is edited or held, the first escape ends that.
    """
    pictures: Pictures = {}
    app.animation_level = "none"
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await before()
        await pilot.pause()
        await shown.go(app, pilot)
        await settle(app, pilot)
        after()
        assert type(app.screen) is shown.screen
        for name, ((width, height), theme) in LOOKS.items():
            if theme != app.theme:
                await switch(app, pilot, theme, shown)
            if app.size != (width, height):
                await pilot.resize_terminal(width, height)
            await app.frame()
            await settle(app, pilot)
            pictures[name] = app.export_screenshot(title=app.title)
        for _ in range(2):
            if app.screen is not app.screen_stack[0]:
                await pilot.press("escape")
                await settle(app, pilot)
        assert type(app.screen) is not shown.screen or app.screen is app.screen_stack[0], "escape does not lead back"
    return pictures


async def switch(app: WorkbenchApp, pilot: Pilot[Any], theme: str, shown: Shown) -> None:
    """Switch the theme. Textual's own screens keep the one that they were opened in, so they are opened anew."""
    anew = isinstance(app.screen, SystemModalScreen)
    if anew:
        app.pop_screen()
    app.theme = theme
    if anew:
        await pilot.pause()
        await shown.go(app, pilot)


async def settle(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    """Wait until nothing that the app started is left to do, and all of it is drawn."""
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()


def leaves(kind: type[Screen[Any]]) -> set[type[Screen[Any]]]:
    """Workbench's screens of this kind that are no mere base of others."""
    found = {leaf for one in kind.__subclasses__() for leaf in leaves(one)}
    return found or ({kind} if kind.__module__.startswith("workbench.") else set())
