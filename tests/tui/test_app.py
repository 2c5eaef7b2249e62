"""Empty and lost engines, deploying, help, palette, themes."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from textual.events import Key

from tests.tui.conftest import SMALL
from tests.tui.fake_port import STATUS, FakeEngine
from workbench.model.errors import EngineGone, TemplateError
from workbench.model.invocations import InvocationStatus
from workbench.tui.mirror import Changed


async def test_without_functions_it_teaches(open_face):
    async with open_face(connect=_attach_to_nothing) as face:
        assert "No functions yet." in face.text
        assert "Press d" not in face.text
        assert "workbench deploy" in face.text
        await face.press("f", "F")
        assert face.said == ["Fire: There is no function to fire yet."] * 2


async def _attach_to_nothing():
    return FakeEngine()


async def test_d_deploys(open_face):
    engine = FakeEngine()

    async def connect():
        return engine

    async def deploy():
        engine.function("deployed")
        return "1 function"

    async with open_face(connect=connect, deploy=deploy) as face:
        assert "Press d to deploy" in face.text
        await face.press("d")
        assert "deployed" in face.text
        assert face.said[-1] == "✓ Deployed: 1 function"


async def test_a_deploy_that_fails_is_a_notice(open_face):
    async def deploy():
        raise TemplateError("CodeUri is missing", where="template.yaml:7", mend="add it")

    async with open_face(deploy=deploy) as face:
        await face.press("d")
        assert face.said[-1] == "Template: template.yaml:7: CodeUri is missing (add it)"
        assert "counter" in face.text


async def test_help_names_the_keys_of_the_focused_pane(open_face):
    async with open_face(SMALL) as face:
        await face.press("2", "question_mark")
        assert "Environments" in face.text
        assert "End the selected environment" in face.text
        await face.press("escape", "1", "question_mark")
        assert "End the selected environment" not in face.text
        await face.press("escape")
        assert face.app.screen is face.main


async def test_the_palette_has_the_commands_and_runs_them(open_face, engine):
    engine.run("r-1", "hello", "e-1")
    async with open_face() as face:
        await face.press("3", "ctrl+p")
        for part in ("Fire…", "Kill the environment…", "Pause or resume"):
            assert part in face.text
        assert "Deploy" not in face.text
        await face.type("pause")
        await face.press("enter")
        await face.settle()
        assert face.main.invocations.paused


async def test_themes_switch(open_face):
    async with open_face() as face:
        assert face.app.theme == "textual-dark"
        await face.press("ctrl+t")
        assert face.app.theme == "workbench-light"
        await face.press("ctrl+t")
        assert face.app.theme == "textual-dark"


async def test_without_colour_it_still_tells_everything(open_face, engine, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    engine.warm("e-1", "hello")
    engine.run("r-1", "hello", "e-1", status=InvocationStatus.OOM)
    async with open_face() as face:
        assert face.app.no_color
        assert "✗ oom" in face.line("r-1")
        assert "▸ counter" in face.text
        assert "┏━" in face.text


async def test_an_engine_that_is_lost_is_attached_again(open_face, engine):
    engine.run("r-1", "hello", "e-1")
    async with open_face() as face:
        engine.gone = True
        await face.frame()
        assert "engine does not answer; trying again" in face.text
        assert "connection refused" in face.text
        assert "r-1" in face.text
        assert "last known" in face.line("3 Invocations")
        await face.press("F")
        assert any("does not answer" in notice for notice in face.said)
        engine.gone = False
        engine.run("r-2", "hello", "e-1")
        await face.frame(1000)
        assert "trying again" not in face.text
        assert "r-2" in face.text
        assert "● live" in face.line("3 Invocations")


async def test_it_opens_without_an_engine_and_waits_for_one(open_face, engine):
    engine.gone = True
    async with open_face() as face:
        assert "connecting to the engine" in face.text
        assert "trying again" in face.text
        assert "Waiting for the engine" in face.text
        assert "No functions yet" not in face.text
        engine.gone = False
        await face.frame(1000)
        assert "counter" in face.text


async def test_an_engine_that_is_gone_is_started_again_and_what_ran_stays(open_face, engine):
    engine.run("done", "hello", "e-1")
    engine.accepted("lost", "hello", "e-1")
    engines = [engine]
    problem = None

    async def connect():
        engines[-1]._check()
        return engines[-1]

    async def start():
        if problem is not None:
            raise problem
        engines.append(FakeEngine(replace(STATUS, pid=4712)))
        engines[-1].function("hello")

    async with open_face(SMALL, connect=connect, start=start) as face:
        await face.press("S")
        assert engines == [engine]  # it is not gone
        engine.gone = True
        await face.frame()
        assert "S starts it again" in face.text
        assert "S start engine" in face.lines[-1]
        problem = EngineGone("the engine did not start: no space left")
        await face.press("S")
        assert face.said == ["Engine: the engine did not start: no space left"]
        problem = None
        await face.press("S")
        assert len(engines) == 2
        assert "does not answer" not in face.text
        assert "S start engine" not in face.lines[-1]
        await face.press("3")
        assert "✓ ok" in face.line("done")
        assert "✗ failed" in face.line("lost")
        assert "0 invocations of this engine · 2 shown" in face.text


async def test_where_no_engine_can_be_started_none_is_offered(open_face, engine):
    async with open_face() as face:
        engine.gone = True
        await face.frame()
        await face.press("S")
        assert "trying again" in face.text
        assert "S start" not in face.text


@pytest.mark.parametrize(
    ("key_in", "did"),
    [
        (None, ["rest 1", "pull", "rest 1", "show"]),
        ("rest 1", ["rest 1", "key", "rest 40", "pull", "rest 1", "show"]),
        ("pull", ["rest 1", "pull", "key", "rest 1", "rest 39", "show"]),
        ("before", ["key", "rest 1", "rest 39", "pull", "rest 1", "show"]),
        ("long before", ["key", "rest 1", "pull", "rest 1", "show"]),
    ],
)
async def test_a_frame_waits_until_what_a_key_changed_is_on_the_screen(open_face, monkeypatch, key_in, did):
    """docs/decisions/0006: before it asks the engine, and again before it hands over what came."""
    async with open_face() as face:
        app, seen, clock = face.app, [], SimpleNamespace(now=100.0)
        pull, sync = app.link.pull, face.main.sync

        async def key() -> None:
            seen.append("key")
            await app.on_event(Key("j", "j"))

        async def done(what: str) -> None:
            seen.append(what)
            if what == key_in and "key" not in seen:
                await key()

        async def rest(seconds: float) -> None:
            clock.now += seconds
            await done(f"rest {1000 * seconds:.0f}")

        async def pulled() -> Changed:
            changed = await pull()
            await done("pull")
            return changed

        def shown(changed: Changed) -> None:
            seen.append("show")
            sync(changed)

        monkeypatch.setattr("workbench.tui.app.time", SimpleNamespace(monotonic=lambda: clock.now))
        monkeypatch.setattr("workbench.tui.app.asyncio", SimpleNamespace(sleep=rest))
        monkeypatch.setattr(app.link, "pull", pulled)
        monkeypatch.setattr(face.main, "sync", shown)
        monkeypatch.setattr(app, "_frames", 20.0)
        if key_in in ("before", "long before"):
            await key()
            clock.now += 1.0 if key_in == "long before" else 0.0
        await app.frame()
        assert seen == did
