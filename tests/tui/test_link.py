"""The road to the engine: attached, lost, attached again."""

import asyncio
from types import SimpleNamespace

import pytest

from tests.tui.fake_port import FakeEngine
from workbench.model.errors import EngineGone
from workbench.tui.link import Link, LinkState
from workbench.tui.mirror import Mirror


@pytest.fixture
def time() -> SimpleNamespace:
    return SimpleNamespace(now=0.0)


def linked(engines: list[FakeEngine], time: SimpleNamespace, **options) -> Link:
    """A link that attaches to the first of these engines that answers."""

    async def connect():
        connects.append(time.now)
        for engine in engines:
            if not engine.gone:
                return engine
        raise EngineGone("no endpoint file")

    connects: list[float] = []
    link = Link(connect, Mirror(), now=lambda: time.now, **options)
    link.connects = connects
    return link


async def test_the_first_pull_attaches(time):
    engine = FakeEngine()
    engine.function("hello")
    link = linked([engine], time)
    assert link.state is LinkState.CONNECTING
    with pytest.raises(EngineGone):
        _ = link.port
    changed = await link.pull()
    assert changed.link
    assert link.attached
    assert link.port is engine
    assert link.status.pid == 4711
    assert not (await link.pull()).link


async def test_a_lost_engine_is_tried_again_but_not_every_frame(time):
    engine = FakeEngine()
    engine.function("hello")
    link = linked([engine], time)
    await link.pull()
    engine.gone = True
    assert (await link.pull()).link
    assert (link.state, link.reason) == (LinkState.LOST, "connection refused")
    assert "hello" in link._mirror.functions
    for _ in range(5):
        await link.pull()
    assert link.connects == [0.0]
    time.now = 0.6
    assert (await link.pull()).link  # another reason
    assert link.reason == "no endpoint file"
    time.now = 1.2
    assert not (await link.pull()).link
    engine.gone = False
    time.now = 1.8
    assert (await link.pull()).link
    assert link.attached
    assert link.reason == ""


async def test_another_engine_replaces_what_the_last_one_had(time):
    first, second = FakeEngine(), FakeEngine()
    first.function("old")
    second.function("new")
    link = linked([first, second], time)
    await link.pull()
    first.gone = True
    await link.pull()
    time.now = 1
    await link.pull()
    assert list(link._mirror.functions) == ["new"]


async def test_an_engine_that_never_answers_is_lost(time):
    class Hanging(FakeEngine):
        async def changes(self, since):
            if since:
                await asyncio.Event().wait()
            return await super().changes(since)

    engine = Hanging()
    engine.function("hello")
    link = linked([engine], time, patience=0.01)
    await link.pull()
    await link.pull()
    assert link.state is LinkState.LOST
    assert "no answer" in link.reason


async def test_no_engine_at_the_start_is_no_end(time):
    link = linked([], time)
    assert (await link.pull()).link
    assert link.state is LinkState.LOST
