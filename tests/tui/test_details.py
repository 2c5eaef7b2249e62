"""What opens above the main screen."""

import pytest

from tests.tui.conftest import SMALL, WIDE
from workbench.model.environments import EnvironmentState as State
from workbench.model.environments import Fault, Process, ProcessState
from workbench.model.errors import BackendError, ResourceConflict, ResourceNotFound
from workbench.tui.screens.snippet import Snippet


async def test_a_line_of_log_opens_its_invocation(open_face, engine):
    engine.run("r-1", "hello", "e-1")
    engine.log("INIT_START of nobody")
    async with open_face() as face:
        await face.press("4", "enter")
        assert isinstance(face.app.screen, Snippet)  # it is of no invocation
        assert "INIT_START of nobody" in face.text
        await face.press("escape", "k", "k", "enter")
        assert "Invocations \u203a r-1" in face.text


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_an_environment_tells_its_history(open_face, engine, size):
    engine.environment("e-1", State.CREATING, "hello", reason="all 2 environments busy")
    engine.advance(41)
    engine.environment("e-1", State.INIT, "hello")
    engine.advance(63)
    async with open_face(size) as face:
        await face.press("2", "enter")
        for part in ("Environment e-1", "▓ creating", "41 ms", "all 2 environments busy", "▒ init", "pid 100"):
            assert part in face.text
        engine.environment("e-1", State.BUSY, "hello")
        engine.environment("e-1", State.FAILED, "hello", reason="Runtime exited: signal: killed")
        await face.frame()
        assert "63 ms" in face.text
        assert "! failed" in face.text
        assert "signal: killed" in face.text
        await face.press("escape")
        assert face.app.screen is face.main


def process(pid: int, command: str, state: ProcessState = ProcessState.SLEEPING, cpu: float = 0.25) -> Process:
    return Process(pid=pid, name="python3.12", command=command, state=state, memory=31 << 20, cpu_seconds=cpu)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_an_environment_tells_its_processes_while_it_is_looked_at(open_face, engine, size):
    engine.warm("e-1", "hello")
    engine.processes["e-1"] = (process(4711, "/var/lang/bin/python3.12 " + "x" * 200), process(4712, "sleep 60"))
    async with open_face(size) as face:
        assert engine.asked_processes == []
        await face.press("2", "enter")
        assert "2, 62 MB resident" in face.text
        for part in ("4711", "sleeping", "31.0 MB", "0.25 s", "/var/lang/bin/python3.12 x"):
            assert part in face.line("4711")
        assert "…" in face.line("4711")
        assert "sleep 60" in face.line("4712")
        asked = len(engine.asked_processes)
        await face.frame(300)  # what is shown is young enough
        assert len(engine.asked_processes) == asked
        engine.processes["e-1"] = (process(4711, "", ProcessState.ENDED),)
        await face.frame(1000)
        await face.settle()
        assert len(engine.asked_processes) == asked + 1
        assert "(python3.12)" in face.line("ended")
        assert "4712" not in face.text
        engine.environment("e-1", State.STOPPED, "hello")
        await face.frame(1000)
        assert "It has ended: nothing of it runs." in face.text
        await face.press("escape")
        asked = len(engine.asked_processes)
        await face.frame(5000)
        assert len(engine.asked_processes) == asked


async def test_why_processes_cannot_be_told_stands_in_their_place(open_face, engine):
    engine.warm("e-1", "hello")
    async with open_face() as face:
        engine.raises = BackendError("backend 'plain' cannot tell here which processes its environments have")
        await face.press("2", "enter")
        assert "backend 'plain' cannot tell here which processes" in face.text
        engine.raises = ResourceNotFound("gone")
        await face.frame(1000)
        await face.settle()
        assert "The engine has it no longer." in face.text
        engine.raises = None
        await face.frame(1000)
        await face.settle()
        assert "Nothing runs in it." in face.text


async def test_the_turns_of_an_environment_are_not_told_as_one_long_state(open_face, engine):
    engine.environment("e-1", State.INIT, "hello")
    engine.environment("e-1", State.BUSY, "hello")
    engine.advance(2)
    engine.environment("e-1", State.IDLE, "hello")
    engine.advance(134_000)
    engine.environment("e-1", State.STOPPING, "hello", reason="ended by hand")
    engine.advance(64)
    engine.environment("e-1", State.STOPPED, "hello", reason="ended by hand")
    async with open_face() as face:
        await face.press("2", "enter")
        assert face.line("█ busy").split("busy")[1].strip(" │┃") == ""  # not 2m14s
        assert "64 ms" in face.line("s stopping")


async def test_a_notice_is_there_once_when_a_dialog_opens_above_it(open_face, engine):
    engine.warm("e-1", "hello")
    async with open_face(SMALL) as face:
        face.app.say("is said once", title="Notice")
        await face.press("2", "K")
        assert face.text.count("is said once") == 1
        await face.press("escape")
        assert face.text.count("is said once") == 1


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_notice_covers_none_of_the_header_s_figures(open_face, engine, size):
    async with open_face(size) as face:
        before = face.lines[:2]
        assert "inv/s" in before[1]
        face.app.say("Its last words, which take two lines of a notice that is forty columns wide.", title="Notice")
        await face.pilot.pause()
        assert "Its last words" in face.text
        assert face.lines[:2] == before


async def test_kill_asks_first(open_face, engine):
    engine.warm("e-1", "hello")
    async with open_face() as face:
        await face.press("2", "K")
        assert "Kill this environment?" in face.text
        await face.press("escape")
        assert engine.stopped_environments == []
        await face.press("K", "K")
        assert engine.stopped_environments == ["e-1"]
        await face.frame()
        assert "stopped" in face.line("▸ e-1")
        await face.press("K")
        assert "has ended already" in face.said[-1]


async def test_a_kill_that_fails_is_a_notice(open_face, engine):
    engine.warm("e-1", "hello")
    engine.raises = ResourceNotFound("no such environment")
    async with open_face() as face:
        await face.press("2", "K")
        await face.pilot.click("#answer-kill")
        await face.settle()
        assert face.said == ["ResourceNotFoundException: no such environment"]


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_an_environment_is_frozen_thawed_and_made_to_fail_where_it_is_drilled_into(open_face, engine, size):
    engine.warm("e-1", "hello")
    async with open_face(size) as face:
        await face.press("2", "enter")
        assert "No line of it is kept." in face.text
        engine.log("from it", env="e-1")
        engine.log("from another", env="e-2")
        await face.frame(250)
        assert "from it" in face.text
        assert "from another" not in face.text.partition("Log")[2]
        await face.press("z")
        assert "· frozen" in face.text
        assert face.said[-1] == "Frozen: e-1"
        await face.press("z")
        assert "- idle" in face.text
        assert face.said[-1].startswith("Thawed: e-1")
        await face.press("exclamation_mark")
        assert "Which fault?" in face.text
        await face.press("escape")
        assert engine.faults == []
        await face.press("exclamation_mark", "t")
        assert engine.faults == [("e-1", Fault.STALL)]
        await face.press("K", "K")
        assert engine.stopped_environments == ["e-1"]
        await face.press("exclamation_mark")
        assert "has ended already" in face.said[-1]


async def test_the_lists_offer_the_same(open_face, engine):
    engine.warm("e-1", "hello")
    async with open_face() as face:
        await face.press("2", "z")
        await face.press("exclamation_mark", "c", "v")
        await face.press("z")
        await face.press("exclamation_mark", "s")
        assert engine.faults == [("e-1", Fault.CRASH), ("e-1", Fault.SEGFAULT)]
        engine.raises = ResourceConflict("the environment e-1 is idle: only one that is idle")
        await face.press("z")
        assert face.said[-1].startswith("ResourceConflictException")
