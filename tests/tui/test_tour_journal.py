"""What a tour that was cut off did: it stands in the state folder, is said, and can be taken back by the next face."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.tui.fake_port import STATUS, FakeEngine
from tests.tui.test_settings_forms import overview
from tests.tui.test_tour import place, state_of
from workbench.model.attached import RuntimeManagement, UpdateRuntimeOn
from workbench.model.errors import EngineGone, ResourceConflict, UsageError
from workbench.tui.screens.question import Question
from workbench.tui.screens.tour import TourDialog
from workbench.tui.tour_journal import Done, Journal, What, left_behind, take_back
from workbench.tui.touring import FILE

__all__ = ["place"]

PINNED = RuntimeManagement(update_runtime_on=UpdateRuntimeOn.MANUAL, runtime_version_arn="arn:x")
ALL = (
    Done(What.RESERVED, "slow", reserved=3),
    Done(What.VERSION, "hello", "1"),
    Done(What.PROVISIONED, "hello", "1"),
    Done(What.DESCRIPTION, "hello", description="Greets."),
    Done(What.ALIAS, "hello", "workbench-tour"),
    Done(What.RUNTIME, "hello", management=PINNED),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / FILE


def test_it_is_a_stack_that_outlives_its_process(path):
    journal = Journal(path)
    for done in ALL:
        journal.push(done)
    journal.pop()
    journal.push(ALL[0])
    journal.close()
    assert path.stat().st_mode & 0o777 == 0o600
    again = Journal(path)
    assert again.done == [*ALL[:-1], ALL[0]]
    assert left_behind(path) is False  # a tour is under way
    while again.done:
        again.pop()
    again.close()
    assert not path.exists()
    assert left_behind(path) is False


def test_one_process_has_it_at_a_time_and_a_killed_one_lets_it_go(path):
    holder = (
        "import sys, time, pathlib; from workbench.tui.tour_journal import *; j = Journal(pathlib.Path(sys.argv[1])); "
        "j.push(Done(What.ALIAS, 'hello', 'workbench-tour')); print('has it', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", holder, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"has it\n"
        with pytest.raises(UsageError, match="under way in another"):
            Journal(path)
        assert not left_behind(path)
        os.kill(process.pid, signal.SIGKILL)
    assert left_behind(path)
    journal = Journal(path)
    assert journal.done == [ALL[4]]
    journal.close()


def test_without_a_folder_it_is_only_in_memory(tmp_path):
    journal = Journal(tmp_path / "nowhere" / FILE)
    journal.push(ALL[0])
    journal.close()
    assert journal.done == [ALL[0]]


def test_a_damaged_one_is_named(path):
    path.write_text("{}\n")
    with pytest.raises(UsageError, match=r"tour\.ndjson is damaged"):
        Journal(path)
    assert not left_behind(path)


async def test_what_is_gone_is_no_error_and_without_an_engine_it_stays(path):
    engine, journal = FakeEngine(), Journal(path)
    for done in (Done(What.DESCRIPTION, "gone"), Done(What.ALIAS, "gone", "workbench-tour")):
        journal.push(done)
    engine.raises = EngineGone("gone")
    with pytest.raises(EngineGone):
        await take_back(lambda: engine, journal)
    assert len(journal.done) == 2
    engine.raises = ResourceConflict("busy")
    with pytest.raises(ResourceConflict):
        await take_back(lambda: engine, journal)
    assert journal.done == []
    journal.close()


async def test_the_next_face_says_it_and_takes_it_back(open_face, place, tmp_path):
    place.engine_status = replace(STATUS, state_dir=str(tmp_path))
    before = state_of(place)
    async with open_face() as face:
        await face.press("T")
        for _ in range(7):
            await face.press("enter")
            if "Tour 7" in face.text:
                break
            await face.press("enter")
        assert isinstance(face.app.screen, TourDialog)
        face.app.screen._tour._journal._close()  # as if it were killed
    assert state_of(place) != before
    assert (tmp_path / FILE).stat().st_size > 0
    async with open_face() as face:
        assert face.said == ["Tour: It was cut off and left something in this engine: T takes it back."]
        await face.press("T")
        assert isinstance(face.app.screen, Question)
        text = " ".join(face.text.replace("│", " ").split())
        for part in (
            "the runtime management of hello",
            "the alias hello:workbench-tour",
            "reserved concurrency of slow",
        ):
            assert part in text
        await face.press("escape")
        assert state_of(place) != before
        await face.press("T", "t")
        assert state_of(place) == before
        assert face.said[-1] == "Tour: Everything is as it was before it. T begins a new one."
        assert not (tmp_path / FILE).exists()
        await face.press("T")
        assert isinstance(face.app.screen, TourDialog)
        await face.press("escape")
        assert not (tmp_path / FILE).exists()


async def test_a_tour_that_ends_well_leaves_no_file(open_face, place, tmp_path):
    place.engine_status = replace(STATUS, state_dir=str(tmp_path))
    place.runtimes = {"python3.12": overview()}
    async with open_face() as face:
        await face.press("T", "n", "n")
        await face.press("enter")
        assert (tmp_path / FILE).stat().st_size > 0
        await face.press("escape")
        assert list(tmp_path.iterdir()) == []
