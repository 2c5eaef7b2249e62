"""The guided tour: seven steps, each told, and everything as it was afterwards."""

import asyncio
from itertools import count

import pytest

from tests.tui.conftest import SMALL
from tests.tui.test_settings_forms import overview
from workbench.model.errors import EngineGone, TooManyRequests
from workbench.model.invocations import InvocationResult, InvocationStatus
from workbench.tui.screens.tour import TourDialog
from workbench.tui.tour import ALIAS


@pytest.fixture
def place(engine):
    """hello and slow, on an engine that draws by turns, reserves, and knows two runtime versions."""
    engine.function("slow")
    engine.function("hello", description="Greets.")
    engine.runtimes = {"python3.12": overview()}
    running, turns = [], count()

    async def answer(request):
        ref = request.function
        attached = await engine.get_attached(ref.name)
        if attached.reserved is not None and len(running) >= attached.reserved:
            raise TooManyRequests("ReservedFunctionConcurrentInvocationLimitExceeded")
        running.append(ref)
        await asyncio.sleep(0)
        running.remove(ref)
        alias = engine.aliases.get(ref.name, {}).get(ref.qualifier or "")
        version = ref.qualifier or "$LATEST"
        if alias is not None:
            version = next(iter(alias.weights)) if alias.weights and next(turns) % 2 else alias.version
        return InvocationResult(
            request_id="r",
            status=InvocationStatus.SUCCESS,
            duration_ms=2,
            init_ms=80 if len(engine.requests) == 1 else None,
            executed_version=version,
            why="cold: no environment yet",
        )

    engine.answer = answer
    return engine


def state_of(engine) -> tuple[object, ...]:
    configuration = engine.versions["hello"]["$LATEST"].configuration
    provisioned = {
        name: dict(attached.provisioned) for name, attached in engine.attached.items() if attached.provisioned
    }
    reserved = {name: attached.reserved for name, attached in engine.attached.items() if attached.reserved is not None}
    mode = engine.attached["hello"].runtime_of() if "hello" in engine.attached else None
    modes = mode.update_runtime_on.value if mode is not None else "Auto"
    aliases = {name: list(found) for name, found in engine.aliases.items() if found}
    return list(engine.versions["hello"]), configuration, provisioned, reserved, modes, aliases


async def test_seven_steps_and_everything_is_as_it_was(open_face, place):
    place.warm("e-1", "hello")
    before = state_of(place)
    async with open_face(SMALL) as face:
        await face.press("T")
        assert isinstance(face.app.screen, TourDialog)
        for title, said in (
            ("Tour 1 of 7: Cold start", "1 environment ended first. cold: no environment yet. INIT took 80 ms"),
            ("Tour 2 of 7: Reuse", "there was no INIT"),
            ("Tour 3 of 7: Concurrency and throttle", "1 answered, 2 throttled with 429"),
            ("Tour 4 of 7: Provisioned concurrency", "Version 1: the first invocation took 2.0 ms"),
            ("Tour 5 of 7: Versions and aliases", f"Version 2 is published; hello:{ALIAS} leads to 1, and ran 1."),
            ("Tour 6 of 7: Weighted roll-out", "Of 20: 10 by version 1, 10 by version 2."),
            ("Tour 7 of 7: Runtime roll back", "Pinned to python3.12 3.12.1, of 2 versions here"),
        ):
            assert title in face.text
            assert "✓" not in face.text.partition("Tour")[2]
            await face.press("enter")
            told = " ".join(str(face.app.screen.query_one("#done").content).split())
            assert said in told
            if "Provisioned" in title:
                assert place.attached["hello"].provisioned["1"].requested == 1
            await face.press("enter")
        assert face.app.screen is face.main
        assert face.said[-1] == "Tour: Everything is as it was before."
    assert place.stopped_environments == ["e-1"]
    assert state_of(place) == before


async def test_a_version_of_the_user_is_left_alone(open_face, place):
    await place.publish_version("hello")
    before = state_of(place)
    async with open_face(SMALL) as face:
        await face.press("T", "n", "n", "n", "enter")
        assert list(place.attached["hello"].provisioned) == ["2"]  # not 1, which was there
        await face.frame(1000)
        await face.press("n", "enter")
        told = str(face.app.screen.query_one("#done").content)
        assert "Version 3 is published" in told
        await face.press("escape")
    assert state_of(place) == before


async def test_what_a_step_does_is_in_view_above_the_tour(open_face, place):
    for number in range(10, 30):
        place.warm(f"e-{number}", "hello")
    place.run("r-1", "hello", "e-10")
    async with open_face(SMALL) as face:
        await face.press("3", "space", "2", "T", "enter")
        place.warm("e-new", "hello")
        for _ in range(40):  # the panes beneath a dialog make room for it when they come to it
            await face.frame(250)
            if "▸ e-new" in face.text:
                break
        assert "▸ e-new" in face.text
        assert face.main.environments.region.bottom <= face.app.screen.query_one(".box").region.y
        assert not face.main.invocations.paused
        await face.press("escape")
        assert face.main.environments.region.bottom == 23


@pytest.mark.parametrize("leave", ["escape", "ctrl+q"])
async def test_left_early_it_takes_back_what_it_did(open_face, place, leave):
    before = state_of(place)
    async with open_face() as face:
        await face.press("T", "n", "n")
        await face.press("enter", "n")
        await face.press("enter")
        assert state_of(place) != before
        await face.press(leave)
        assert face.app.screen is face.main
    assert state_of(place) == before


async def test_a_step_that_fails_says_so_and_can_be_done_again(open_face, place):
    async with open_face() as face:
        await face.press("T", "n")
        place.raises = EngineGone("gone")
        await face.press("enter")
        assert "✗ gone" in face.text
        place.raises = None
        await face.press("enter")
        assert "there was no INIT" in face.text
        await face.press("n", "n", "n", "n")
        assert "Tour 6 of 7" in face.text
        await face.press("enter")
        assert "the step before this one makes the two versions" in face.text
        await face.press("b", "enter")
        await face.press("enter", "enter")
        assert "Of 20:" in face.text


async def test_without_functions_there_is_no_tour(open_face):
    from tests.tui.test_app import _attach_to_nothing

    async with open_face(connect=_attach_to_nothing) as face:
        await face.press("T")
        assert face.app.screen is face.main
        assert "the tour needs a function (deploy the project's template first)" in face.said[-1]
