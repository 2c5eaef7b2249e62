"""Recordings: what is written comes back at its time, in bounded memory, and damage is told with its line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.tui.fake_port import MS, STATUS, FakeEngine
from workbench.client.recording import Player, Tape, merge, player_port, recorded
from workbench.live.view import CELL_NS, Delta
from workbench.model.codec import encode
from workbench.model.environments import EnvironmentState as State
from workbench.model.errors import ResourceNotFound, UsageError
from workbench.tui.mirror import Mirror


class Film:
    """A recording of a scripted engine, and a clock to play it with."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.time = SimpleNamespace(now=50.0)
        self.players: list[Player] = []

    def play(self, speed: float = 1.0) -> Player:
        self.players.append(Player(self.path, speed=speed, now=lambda: self.time.now))
        return self.players[-1]


async def shoot(path: Path) -> list[Mirror]:
    """Half a minute of an engine; what a face that was there all the time knew after each look."""
    engine, tape, known = FakeEngine(), Tape(path), []
    port, since = recorded(engine, tape), 0
    watching = Mirror()

    async def look() -> None:
        nonlocal since
        delta = await port.changes(since)
        since = delta.seq
        watching.apply(delta)

    await port.status()
    engine.function("hello")
    await look()
    for number in range(20):
        engine.warm(f"e-{number}", "hello")
        engine.run(f"r-{number}", "hello", f"e-{number}")
        await look()
        engine.advance(500)
        await look()
        engine.environment(f"e-{number}", State.STOPPED, "hello", reason="idle")
    engine.advance(5000)
    await look()
    tape.close()
    known.append(watching)
    assert tape.trouble == ""
    return known


def facts(mirror: Mirror) -> object:
    mirror_facts = (mirror.functions, mirror.environments, mirror.invocations, list(mirror.logs), mirror.totals)
    return json.loads(json.dumps([encode(part) for part in mirror_facts]))


@pytest.fixture
async def film(tmp_path: Path) -> AsyncIterator[Film]:
    path = tmp_path / "film.ndjson"
    await shoot(path)
    made = Film(path)
    yield made
    for player in made.players:
        player.close()


@pytest.mark.parametrize("pace", [0.05, 0.4, 3.0, 100.0])
async def test_a_face_knows_at_the_end_what_it_knew_then_however_often_it_looks(tmp_path: Path, pace: float) -> None:
    path = tmp_path / "film.ndjson"
    (then,) = await shoot(path)
    film = Film(path)
    player, now = film.play(), Mirror()
    while not player.ended:
        now.apply(await player.changes(now.seq))
        film.time.now += pace
    assert facts(now) == facts(then)
    assert (now.now, now.wall) == (then.now, then.wall)


async def test_it_takes_its_own_time_and_speed(film: Film) -> None:
    slow, quick = film.play(), film.play(10)
    begin = (await slow.changes(0)).t_mono_ns
    await quick.changes(0)
    film.time.now += 0.1
    assert (await slow.changes(1)).t_mono_ns == begin + 100 * MS
    assert (await quick.changes(1)).invocations != []
    seen = (await quick.changes(1)).t_mono_ns
    assert seen == begin + 1000 * MS


async def test_between_changes_only_the_clock_goes_on_and_it_stands_at_the_end(film: Film) -> None:
    player = film.play()
    await player.changes(0)
    film.time.now += 0.1
    quiet = await player.changes(1)
    assert (quiet.empty, quiet.full) == (True, False)
    film.time.now += 1000
    ends = [(await player.changes(1)).t_mono_ns for _ in range(3)]
    assert ends[1] == ends[2]
    assert player.ended


async def test_pause_and_step(film: Film) -> None:
    player = film.play()
    await player.changes(0)
    player.pause()
    film.time.now += 100
    assert (await player.changes(1)).empty
    player.step()
    first = await player.changes(1)
    assert not first.empty
    assert (await player.changes(1)).empty
    player.step()
    assert (await player.changes(1)).t_mono_ns > first.t_mono_ns
    player.pause()
    film.time.now += 1000
    while not player.ended:
        await player.changes(1)


async def test_steps_that_come_faster_than_a_face_pulls_all_count(film: Film) -> None:
    times = []
    player = film.play()
    await player.changes(0)
    for _ in range(2):
        player.step()
        times.append((await player.changes(1)).t_mono_ns)
    quick = film.play()
    await quick.changes(0)
    quick.step()
    quick.step()
    assert (await quick.changes(1)).t_mono_ns == times[1]
    assert (await quick.changes(1)).empty


async def test_it_knows_the_past_that_was_played(film: Film) -> None:
    player = film.play()
    assert (await player.past(None)).environments == []
    begins = (await player.changes(0)).t_mono_ns // CELL_NS
    film.time.now += 6.0
    await player.changes(0)
    told = await player.past("hello")
    assert (told.begins, told.t_mono_ns // CELL_NS) == (begins, begins + 6 * 4)
    assert len(told.environments) > 3
    assert max(told.peaks) <= 1
    assert (await player.past("other")).environments == []
    film.time.now += 0.1  # between two deltas the clock goes on
    assert (await player.changes(0)).t_mono_ns == (await player.past(None)).t_mono_ns
    while not player.ended:
        film.time.now += 0.5
        await player.changes(0)
    assert len((await player.past(None)).environments) == 20


async def test_its_status_says_that_it_is_a_recording(film: Film) -> None:
    status = await film.play().status()
    assert (status.project, status.backend, status.urls) == (STATUS.project, STATUS.backend, {})
    assert status.backend_why == "a recording: film.ndjson"


async def test_versions_and_aliases_are_those_of_the_moment(tmp_path: Path) -> None:
    engine, tape = FakeEngine(), Tape(tmp_path / "film.ndjson")
    port = recorded(engine, tape)
    await port.status()
    engine.function("hello")
    since = (await port.changes(0)).seq
    engine.advance(1000)
    engine.function("hello", version="1")
    engine.alias("hello", "live", "1")
    since = (await port.changes(since)).seq
    engine.advance(1000)
    engine.run("r", "hello", "e-1")
    await port.changes(since)
    tape.close()
    assert tape.path.read_bytes().count(b'"published"') == 2
    film = Film(tape.path)
    player = film.play()
    await player.changes(0)
    assert [version.version for version in await player.list_versions("hello")] == ["$LATEST"]
    film.time.now += 1
    await player.changes(1)
    assert await player.list_versions("hello") == await engine.list_versions("hello")
    assert await player.list_aliases("hello") == await engine.list_aliases("hello")
    with pytest.raises(ResourceNotFound, match="does not hold the versions of 'nobody'"):
        await player.list_versions("nobody")
    player.close()


async def test_what_needs_an_engine_is_refused(film: Film) -> None:
    port = player_port(film.play())
    with pytest.raises(UsageError, match="this is a recording"):
        await port.stop()
    with pytest.raises(UsageError, match="this is a recording"):
        await port.publish_version("hello")


# -- damage
def keep(count: int) -> Callable[[list[bytes]], bytes]:
    return lambda lines: b"".join(lines[:count])


@pytest.mark.parametrize(
    ("spoil", "line", "said"),
    [
        (lambda lines: b"", 1, "the file is empty"),
        (lambda lines: b"hello\n", 1, "damaged: Expecting value"),
        (lambda lines: b"[]\n", 1, "this is no recording of Workbench"),
        (lambda lines: b'{"seq": 1}\n', 1, "this is no recording of Workbench"),
        (lambda lines: lines[0].replace(b'"v":1', b'"v":2') + lines[1], 1, "a newer Workbench made this recording"),
        (lambda lines: lines[0].replace(b'"pid":4711', b'"pid":"x"') + lines[1], 1, "EngineStatus.pid"),
        (keep(1), 2, "a recording begins with everything there is"),
        (lambda lines: lines[0] + lines[3], 2, "a recording begins with everything there is"),
        (lambda lines: lines[0] + lines[1][:-20], 2, "the recording breaks off here"),
        (lambda lines: lines[0] + lines[2].replace(b'"v":1', b'"v":9'), 2, "a newer Workbench made this recording"),
    ],
)
async def test_a_file_that_is_no_recording_is_refused_with_its_line(
    film: Film, spoil: Callable[[list[bytes]], bytes], line: int, said: str
) -> None:
    film.path.write_bytes(spoil(film.path.read_bytes().splitlines(keepends=True)))
    with pytest.raises(UsageError) as caught:
        film.play()
    assert str(caught.value).startswith(f"{film.path}:{line}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b'{"seq": 1, "t_mono', "the recording breaks off here"),
        (b"\xff\xfe\n", "damaged"),
        (b"[" * 100_000 + b"\n", "damaged"),
        (b'{"seq": "x", "t_mono_ns": 1, "wall": 1}\n', "Delta.seq: expected int"),
        (b'{"functions": [{"state": "Strange"}]}\n', "Strange"),
        (b"7\n", "expected dict"),
    ],
)
async def test_it_plays_up_to_the_damage_and_says_where_it_is(film: Film, bad: bytes, said: str) -> None:
    lines = film.path.read_bytes().splitlines(keepends=True)
    film.path.write_bytes(b"".join(lines[:6]) + bad)
    player = film.play()
    film.time.now += 1000
    seen = Mirror()
    while not player.ended:
        seen.apply(await player.changes(seen.seq))
    assert seen.invocations != {}
    assert player.problem.startswith(f"{film.path}:7: ")
    assert said in player.problem


async def test_an_engine_that_was_started_anew_takes_over(film: Film) -> None:
    lines = film.path.read_bytes().splitlines(keepends=True)
    another = Delta(seq=1, t_mono_ns=5, wall=9.0, full=True)
    film.path.write_bytes(b"".join(lines) + json.dumps(encode(another)).encode() + b"\n")
    player, seen = film.play(), Mirror()
    film.time.now += 1000
    while not player.ended:
        seen.apply(await player.changes(seen.seq))
    assert (seen.functions, seen.now) == ({}, 5)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "film").write_text("precious")
    with pytest.raises(UsageError, match="File exists"):
        Tape(tmp_path / "film")
    with pytest.raises(UsageError, match="No such file"):
        Tape(tmp_path / "nowhere" / "film")
    with pytest.raises(UsageError, match="cannot read"):
        Player(tmp_path / "nothing")


def test_a_disk_that_fills_up_ends_the_recording_and_says_so() -> None:
    path = Path("/dev/full")
    tape = Tape.__new__(Tape)
    tape.path, tape.deltas, tape.trouble, tape._begun, tape._last, tape._written = path, 0, "", False, None, None
    tape._file = path.open("wb")
    tape.begin(STATUS)
    tape.take(Delta(seq=1, t_mono_ns=1, wall=1.0, full=True))
    assert tape.trouble == "/dev/full: No space left on device"
    with pytest.raises(OSError, match="No space"):
        tape._file.close()


def test_what_went_and_came_back_stays() -> None:
    engine = FakeEngine()
    engine.function("f")
    view = engine.live.changes(0, 1, 1.0).functions[0]
    gone = Delta(seq=1, t_mono_ns=1, wall=1.0, gone={"functions": ["f"]})
    back = Delta(seq=2, t_mono_ns=2, wall=2.0, functions=[view])
    assert (merge(gone, back).gone, merge(gone, back).functions) == ({"functions": []}, [view])
    assert (merge(back, gone).gone, merge(back, gone).functions) == ({"functions": ["f"]}, [])
