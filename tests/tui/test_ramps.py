"""Ramps without a screen: their steps on the engine's clock, and everything that ends them."""

import asyncio

import pytest

from tests.tui.fake_port import FakeEngine
from workbench.model.errors import EngineGone, TooManyRequests
from workbench.model.events import InvocationAccepted
from workbench.model.invocations import InvocationStatus, InvocationType
from workbench.tui.edits import Edits
from workbench.tui.mirror import Mirror
from workbench.tui.ramp_plan import read
from workbench.tui.ramps import Ramp, RampOrder, Ramps, RampState


class Drive:
    """A ramp of hello:live, which leads to 7 and a tenth to 8, and the face that moves it."""

    def __init__(self, errors: float | None = None) -> None:
        self.engine, self.mirror, self.said = FakeEngine(), Mirror(), []
        for version in ("6", "7", "8"):
            self.engine.function("hello", version=version)
        alias = self.engine.alias("hello", "live", "7", {"8": 0.1})
        self.edits = Edits(lambda: self.mirror.wall)
        self.tasks: list[asyncio.Task[None]] = []
        self.ramps = Ramps(lambda: self.engine, self.mirror, self.edits, self.say, self.start, "u")
        self.mirror.apply(self.engine.live.changes(0, self.engine.now, self.engine.wall))
        self.ramps.begin(RampOrder(read("Linear30PercentEvery10Seconds"), "8", errors), alias)

    def say(self, message: str, *, title: str = "", bad: bool = False) -> None:
        self.said.append((title, message, bad))

    def start(self, work) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    @property
    def ramp(self) -> Ramp:
        return self.ramps.of("hello", "live")

    @property
    def alias(self) -> tuple[str, dict[str, float]]:
        found = self.engine.aliases["hello"]["live"]
        return found.version, dict(found.weights)

    async def passes(self, seconds: float) -> None:
        """Time on the engine's clock, a second a frame."""
        for _ in range(max(1, int(seconds))):
            self.engine.advance(1000 * min(1.0, seconds))
            self.mirror.apply(self.engine.live.changes(self.mirror.seq, self.engine.now, self.engine.wall))
            self.ramps.tick()
            await asyncio.gather(*self.tasks)

    def invoked(self, number: int, version: str, status: InvocationStatus) -> None:
        engine, kind, id = self.engine, InvocationType.EVENT, f"r-{version}-{number}"
        engine.live.apply(
            InvocationAccepted(engine.now, id, "hello", "live", version, kind, "e-1", False, "warm", b"{}", engine.wall)
        )
        engine.finished(id, status=status)


@pytest.fixture
async def drive() -> Drive:
    drive = Drive()
    await drive.passes(0.25)
    assert drive.alias == ("7", {"8": 0.3})
    return drive


async def test_steps_come_at_their_time(drive):
    seen = []
    for _ in range(31):
        await drive.passes(1)
        seen.append(drive.alias[1].get("8", 1.0))
    assert [seen.index(share) for share in (0.3, 0.6, 0.9, 1.0)] == [0, 9, 19, 29]
    assert drive.alias == ("8", {})
    assert drive.ramp.state is RampState.DONE
    assert drive.said == [
        ("✓ Ramp", "hello:live   done   (Linear30PercentEvery10Seconds to 8)   u takes it back", False)
    ]
    assert [str(edit) for edit in drive.edits.of("hello")] == ["live: 7 90% 8 10% → 8"]


async def test_a_step_that_is_under_way_is_rolled_back_too(drive):
    go, update = asyncio.Event(), drive.engine.update_alias

    async def slow(*args, **kwargs):
        await go.wait()
        return await update(*args, **kwargs)

    drive.engine.update_alias = slow
    stepping = asyncio.ensure_future(drive.passes(10))
    while not drive.ramp.lock.locked():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)
    rolling = asyncio.ensure_future(drive.ramps.roll_back(drive.ramp))
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(rolling, stepping)
    assert drive.alias == ("7", {"8": 0.1})
    assert drive.edits.of("hello") == []


async def test_another_change_of_the_alias_ends_it(drive):
    await drive.engine.update_alias("hello", "live", weights={"6": 0.5})
    await drive.passes(30)
    assert drive.alias == ("7", {"6": 0.5})
    assert drive.ramps.running == []
    [(title, message, bad)] = drive.said
    assert (title, bad) == ("✗ Ramp", True)
    assert "stopped at 30 %: another changed the alias" in message


async def test_a_refusal_ends_it_and_it_can_still_be_undone(drive):
    drive.engine.raises = TooManyRequests("CallerRateLimitExceeded")
    await drive.passes(10)
    drive.engine.raises = None
    await drive.passes(30)
    assert "stopped at 30 %: " in drive.said[-1][1]
    assert drive.alias == ("7", {"8": 0.3})
    assert await drive.edits.undo(drive.engine, "hello") == "live: 7 90% 8 10%"
    assert drive.alias == ("7", {"8": 0.1})


async def test_after_a_time_without_an_engine_it_goes_on_step_by_step(drive):
    drive.engine.advance(40_000)
    await drive.passes(5)
    assert drive.alias == ("7", {"8": 0.6})  # one step, not all that were due
    await drive.passes(10)
    assert drive.alias == ("7", {"8": 0.9})


async def test_too_many_errors_of_the_new_version_roll_it_back():
    drive = Drive(errors=10)
    await drive.passes(0.25)
    for number in range(30):
        drive.invoked(number, "7", InvocationStatus.ERROR)
    for number in range(9):
        drive.invoked(number, "8", InvocationStatus.ERROR if number < 2 else InvocationStatus.SUCCESS)
    await drive.passes(1)
    assert drive.ramps.running  # nine are too few to tell
    drive.invoked(9, "8", InvocationStatus.SUCCESS)
    await drive.passes(1)
    assert drive.alias == ("7", {"8": 0.1})
    assert drive.ramp.state is RampState.BACK
    [(title, message, bad)] = drive.said
    assert (title, bad) == ("Ramp rolled back", True)
    assert "2 of 10 invocations of version 8 failed, more than 10 %" in message


async def test_few_errors_do_not():
    drive = Drive(errors=10)
    await drive.passes(0.25)
    for number in range(20):
        drive.invoked(number, "8", InvocationStatus.ERROR if number < 2 else InvocationStatus.SUCCESS)
    await drive.passes(30)
    assert drive.ramp.state is RampState.DONE


async def test_a_roll_back_that_fails_says_so_and_can_be_tried_again(drive):
    drive.engine.raises = EngineGone("connection refused")
    await drive.ramps.roll_back(drive.ramp)
    assert "stopped at 30 %, not rolled back: connection refused" in drive.said[-1][1]
    drive.engine.raises = None
    await drive.edits.undo(drive.engine, "hello")
    assert drive.alias == ("7", {"8": 0.1})
