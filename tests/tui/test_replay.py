"""A recording in the terminal UI: the same screens, its own keys, and a word at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.tui.conftest import Face
from tests.tui.fake_port import FakeEngine
from workbench.client.recording import Player, Tape, player_port, recorded
from workbench.tui.app import WorkbenchApp
from workbench.tui.commands import replay
from workbench.tui.format import clock
from workbench.tui.link import Link


async def shoot(path: Path, engine: FakeEngine, *, pause: float = 1000) -> Path:
    """Hello runs cold, then twice more with so many milliseconds between."""
    tape = Tape(path)
    port = recorded(engine, tape)
    await port.status()
    since = (await port.changes(0)).seq
    engine.warm("e-1", "hello")
    for number in range(3):
        engine.run(f"r-{number}", "hello", "e-1")
        since = (await port.changes(since)).seq
        engine.advance(pause)
    tape.close()
    return tape.path


@pytest.fixture
async def film(engine: FakeEngine, tmp_path: Path) -> Path:
    """Three seconds."""
    return await shoot(tmp_path / "film.ndjson", engine)


@asynccontextmanager
async def playing(film: Path, engine: FakeEngine) -> AsyncIterator[Face]:
    time = SimpleNamespace(now=100.0)
    player = Player(film, now=lambda: time.now)

    async def connect():
        return player_port(player)

    app = WorkbenchApp(
        connect, frames=None, replay=player, link=lambda connect, mirror: Link(connect, mirror, now=lambda: time.now)
    )
    app.animation_level = "none"
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        made = Face(app, pilot, engine, time)
        await made.frame()
        yield made
    player.close()


@pytest.fixture
async def face(film: Path, engine: FakeEngine) -> AsyncIterator[Face]:
    async with playing(film, engine) as made:
        yield made


async def test_it_shows_what_was_there_and_moves_with_its_time(face: Face) -> None:
    assert "a recording: film.ndjson" in face.text
    assert face.app.mirror.totals.invocations == 0
    await face.frame(900)
    assert face.app.mirror.totals.invocations == 1
    assert "hello" in face.text


async def test_one_can_go_back_in_what_was_played(tmp_path: Path, engine: FakeEngine) -> None:
    async with playing(await shoot(tmp_path / "long.ndjson", engine, pause=20_000), engine) as face:
        await face.frame(900)
        await face.press("v", "less_than_sign")
        assert "All that is known is in view" in face.said[-1]
        await face.frame(60_000)
        await face.press("left_curly_bracket", "left_curly_bracket")
        assert "idle" in face.line(" e-1 ")
        await face.press("less_than_sign")
        assert f"known from {clock(face.app.screen.rows.window.known_from)} on" in face.text
        assert "▓" in face.line(" e-1 ")


async def test_the_end_is_told_once(face: Face) -> None:
    await face.frame(60_000)
    await face.frame(60_000)
    assert face.said == ["Recording: This was all of it. ^q leaves."]


@pytest.fixture
def broken(film: Path) -> Path:
    """It breaks off in its sixth line: before it are the header, two functions, and two deltas."""
    lines = film.read_bytes().splitlines(keepends=True)
    film.write_bytes(b"".join(lines[:5]) + lines[5][:-9])
    return film


async def test_damage_is_told_with_its_line(broken: Path, engine: FakeEngine) -> None:
    async with playing(broken, engine) as face:
        await face.frame(60_000)
        assert face.said == [f"Recording: {broken}:6: the recording breaks off here"]
        assert face.app.mirror.totals.invocations == 1


async def test_hold_and_step(face: Face) -> None:
    await face.press("comma")
    await face.frame(60_000)
    assert face.app.mirror.totals.invocations == 0
    await face.press("full_stop")
    assert face.app.mirror.totals.invocations == 1
    await face.press("full_stop")
    assert face.app.mirror.totals.invocations == 2
    await face.press("comma")
    await face.frame(60_000)
    assert face.app.mirror.totals.invocations == 3


async def test_what_needs_an_engine_says_that_there_is_none(face: Face) -> None:
    await face.press("F")
    assert face.said == ["Cannot do that: this is a recording: there is no engine that could do it"]
    assert "hello" in face.text


async def test_help_names_its_keys_and_leaving_asks_nothing(face: Face) -> None:
    shown = [command for _, commands in face.main.help_sections() for command in commands]
    assert set(replay.ALL) < set(shown)
    await face.frame(900)
    assert face.app.mirror.totals.environments == 1
    await face.press("ctrl+q")
    assert not face.app.is_running or face.app._exit


async def test_without_a_recording_there_are_no_such_keys(open_face) -> None:
    async with open_face() as face:
        await face.press("comma", "full_stop")
        shown = [command for _, commands in face.main.help_sections() for command in commands]
        assert (face.said, set(replay.ALL) & set(shown)) == ([], set())
