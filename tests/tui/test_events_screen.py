"""The events screen: choose, edit, save, fire one or many, watch what comes back."""

import asyncio
import json
import re
from contextlib import nullcontext

import pytest
from textual.widgets import Input

from tests.tui.conftest import SMALL, WIDE
from workbench.model.environments import Fault
from workbench.model.history import InvocationRecord
from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType
from workbench.tui import SavedEvent
from workbench.tui.screens.events import EventsScreen
from workbench.tui.widgets.choice import Choice

ADA = SavedEvent("hello", '{"name": "Ada"}')
EVE = SavedEvent("hello-eve", '{"name": "Eve"}')
OTHER = SavedEvent("counter", '{"by": 2}')


def fields(face, **values) -> None:
    for id, value in values.items():
        face.app.screen.query_one(f"#{id}", Input).value = value


def names(face) -> list[str]:
    return [row.name for row in face.app.screen.rows.items]


async def many(request):
    number = len(request.payload)
    return InvocationResult(
        request_id="r",
        status=InvocationStatus.SUCCESS,
        duration_ms=10 + number,
        executed_version="8" if number % 2 else "7",
    )


@pytest.mark.parametrize("size", [WIDE, SMALL, (160, 48)])
async def test_an_event_is_chosen_fired_and_answered(open_face, engine, size):
    async with open_face(size, events=(OTHER, ADA, EVE)) as face:
        await face.press("j", "E")
        assert isinstance(face.app.screen, EventsScreen)
        assert names(face)[:4] == ["hello", "hello-eve", "counter", "api-gateway-http-get"]
        await face.press("j", "enter")
        assert '"name": "Eve"' in face.text
        await face.press("ctrl+j")
        (request,) = engine.requests
        assert (str(request.function), request.payload) == ("hello", EVE.text.encode())
        assert "✓ ok" in face.text
        assert '"message": "Hello, Ada!"' in face.text
        # What was fired is among the events now.
        await face.frame(250)
        assert [row.kind for row in face.app.screen.rows.items][3] == "history"
        await face.press("escape", "escape")
        assert face.app.screen is face.main


async def test_it_begins_with_an_event_of_the_function_and_of_no_other(open_face, engine):
    async with open_face(events=(OTHER,)) as face:
        await face.press("j", "E")
        assert face.app.screen.area.text == "{}"
        engine.accepted("r-1", "hello", "e-1", event=b'{"fired": 1}')
        await face.press("escape")
        await face.press("E")
        assert face.app.screen.area.text == '{"fired": 1}'


async def test_a_sample_is_taken_and_each_invocation_has_its_own_id(open_face, engine):
    async with open_face(events=(ADA,)) as face:
        await face.press("j", "E")
        face.app.screen.rows.select(names(face).index("sqs"))
        await face.press("enter")
        assert "sample sqs" in face.text
        fields(face, count="2")
        await face.press("ctrl+j")
        first, second = (json.loads(request.payload)["Records"][0]["messageId"] for request in engine.requests)
        assert first != second
        assert len(first) == 36


async def test_many_are_counted_split_and_drawn(open_face, engine):
    engine.answer = many
    async with open_face(events=(ADA,)) as face:
        await face.press("j", "E")
        fields(face, target="hello:live", count="60", concurrency="4")
        face.app.screen.area.load_text('{"n": {{seq}}}')
        await face.settle()
        assert "✓ JSON" in face.text
        await face.press("f5")
        assert "60 of 60  done" in face.text
        assert "✓ 60" in face.text
        assert "ran   p50" in face.text
        assert re.search(r"v7 \d+ \(\d+%\)", face.text)
        assert len({request.payload for request in engine.requests}) == 60
        assert str(engine.requests[0].function) == "hello:live"
        assert any(said.startswith("✓ Fired: 60 invocations") for said in face.said)
        before = len(engine.requests)
        await face.press("escape", "escape", "F")  # the last order is that of the function
        assert len(engine.requests) == before + 1
        assert engine.requests[-1].payload == b'{"n": 0}'


async def test_while_it_runs_it_is_watched_and_stopped_and_outlives_the_screen(open_face, engine):
    gate = asyncio.Semaphore(0)

    async def slow(request):
        await gate.acquire()
        return await many(request)

    engine.answer = slow
    async with open_face(events=(ADA,)) as face:
        await face.press("j", "E")
        fields(face, count="50", concurrency="5")
        await face.pilot.press("ctrl+j")
        await face.frame()
        assert "0 of 50" in face.text
        assert "x stop" in face.lines[-1]
        await face.pilot.press("ctrl+j")
        assert face.said[-1].startswith("Not fired: The last ones are under way")
        for _ in range(10):
            gate.release()
        await face.pilot.pause()
        await face.frame(250)
        assert "10 of 50" in face.text
        await face.pilot.press("escape", "escape", "E")
        await face.frame(250)
        assert "10 of 50" in face.text
        await face.pilot.press("x")
        for _ in range(40):
            gate.release()
        await face.settle()
        assert "15 of 50  stopped" in face.text
        assert "x stop" not in face.lines[-1]


async def test_what_cannot_be_fired_is_said(open_face, engine):
    async with open_face(events=(ADA,)) as face:
        await face.press("j", "E")
        for id, value, problem in (
            ("target", "nobody", "There is no function nobody."),
            ("target", "", "Name a function"),
            ("count", "0", "count is a number from 1 to 100000, not “0”"),
            ("count", "many", "count is a number"),
            ("concurrency", "1001", "concurrency is a number from 1 to 1000"),
            ("rate", "nan", "rate is a number"),
        ):
            good = face.app.screen.query_one(f"#{id}", Input).value
            fields(face, **{id: value})
            await face.press("ctrl+j")
            assert problem in face.said[-1]
            fields(face, **{id: good})
        assert engine.requests == []


async def test_a_fault_is_injected_into_each(open_face, engine):
    async with open_face() as face:
        await face.press("E")
        fields(face, count="3")
        face.app.screen.query_one("#fault", Choice).value = "stall"
        face.app.screen.query_one("#type", Choice).value = InvocationType.EVENT
        await face.press("ctrl+j")
        assert face.said[-1] == "Not fired: A fault goes with RequestResponse, not with Event."
        face.app.screen.query_one("#type", Choice).value = InvocationType.REQUEST_RESPONSE
        await face.press("ctrl+j")
        assert [request.fault for request in engine.requests] == [Fault.STALL] * 3
        await face.press("1", "Y")
        assert "workbench fire counter --fault stall" in face.text


async def test_what_is_no_json_is_pointed_at(open_face, engine):
    async with open_face(SMALL, events=(ADA,)) as face:
        await face.press("j", "E")
        face.app.screen.area.load_text('{\n "a" 1}')
        await face.press("ctrl+j")
        assert engine.requests == []
        assert face.app.focused is face.app.screen.area
        assert face.app.focused.cursor_location == (1, 5)
        await face.press("ctrl+s")
        assert face.said[-1].startswith("Not saved")


async def test_an_event_is_saved_and_offered_at_once(open_face, engine, tmp_path):
    async with open_face(events=(ADA,), events_folder=tmp_path / "events") as face:
        await face.press("j", "E")
        face.app.screen.area.load_text('{"name": "Grace"}')
        await face.press("ctrl+s")
        await face.press("ctrl+u")
        await face.type("../up")
        assert "letters, digits" in face.text
        await face.press("enter")  # refused
        await face.press("ctrl+u")
        await face.type("hello-grace")
        await face.press("enter")
        assert (tmp_path / "events" / "hello-grace.json").read_text() == '{"name": "Grace"}'
        assert names(face)[:2] == ["hello", "hello-grace"]
        await face.press("escape", "escape", "f")
        assert "hello-grace" in [event.name for event in face.app._events_of("hello")]


async def test_without_a_project_nothing_is_saved(open_face, engine):
    async with open_face(events=(ADA,)) as face:
        await face.press("j", "E", "ctrl+s", "enter")
        assert "no project to save events in" in face.said[-1]


async def test_an_event_of_the_past_is_taken_whole_from_the_history(open_face, engine):
    long = '{"text": "' + "x" * 20_000 + '"}'
    engine.accepted("r-1", "hello", "e-1", event=long.encode())
    engine.finished("r-1")
    async with open_face() as face:
        await face.press("j", "E", "enter")
        assert "The whole event is not to be had" in face.said[-1]
        engine.records["r-1"] = record(long.encode())
        await face.press("enter")
        assert face.app.screen.area.text == long
        await face.press("ctrl+z")  # taking it can be undone
        assert face.app.screen.area.text != long


def record(event: bytes) -> InvocationRecord:
    from dataclasses import fields as fields_of

    values = {field.name: None for field in fields_of(InvocationRecord)}
    return InvocationRecord(**(values | {"event": event}))


async def test_the_persons_own_editor(open_face, engine, monkeypatch, tmp_path):
    async with open_face(events=(ADA,)) as face:
        await face.press("j", "E")
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.delenv("EDITOR", raising=False)
        await face.press("ctrl+g")
        assert "Neither VISUAL nor EDITOR" in face.said[-1]
        monkeypatch.setenv("EDITOR", "sed -i s/Ada/Grace/")
        await face.press("ctrl+g")
        assert "cannot be lent" in face.said[-1]  # a test has no terminal
        monkeypatch.setattr(face.app, "suspend", nullcontext)
        await face.press("ctrl+g")
        assert face.app.screen.area.text.strip() == '{"name": "Grace"}'
        monkeypatch.setenv("EDITOR", "false")
        await face.press("ctrl+g")
        assert "CalledProcessError" in face.said[-1]


async def test_it_is_indented_and_shown_as_aws_cli(open_face, engine):
    async with open_face(events=(ADA,)) as face:
        await face.press("j", "E", "ctrl+t")
        assert face.app.screen.area.text == '{\n  "name": "Ada"\n}'
        face.app.screen.query_one("#type", Choice).value = InvocationType.EVENT
        await face.press("Y")
        assert "--invocation-type Event" in face.app.clipboard
        await face.press("escape", "ctrl+j")
        assert engine.requests[0].type is InvocationType.EVENT
        assert "accepted" in face.text


async def test_colon_events_opens_it(open_face, engine):
    async with open_face(events=(ADA, OTHER)) as face:
        await face.press("colon")
        await face.type("events counter")
        await face.press("enter")
        assert face.app.screen.query_one("#target", Input).value == "counter"
        assert '"by": 2' in face.text
