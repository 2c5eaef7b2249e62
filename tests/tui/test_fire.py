"""Firing from the keyboard."""

import asyncio

import pytest
from textual.events import Key
from textual.widgets import Input, Select, TextArea

from tests.tui.conftest import SMALL, WIDE
from workbench.model.environments import EnvironmentState as State
from workbench.model.environments import Fault
from workbench.model.errors import EngineGone, ResourceNotFound, TooManyRequests
from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType
from workbench.tui import SavedEvent

ADA = SavedEvent("hello", '{\n  "name": "Ada"\n}\n')


@pytest.mark.parametrize("size", [WIDE, SMALL])
@pytest.mark.parametrize("key", ["ctrl+j", "f5"])
async def test_f_fires_what_is_in_the_editor(open_face, engine, size, key):
    async with open_face(size, events=(ADA,)) as face:
        await face.press("j", "f")
        assert '"name": "Ada"' in face.text
        assert "✓ JSON" in face.text
        await face.press(key)
        assert face.app.screen is face.main
        (request,) = engine.requests
        assert str(request.function) == "hello"
        assert request.payload == ADA.text.encode()
        assert request.type is InvocationType.REQUEST_RESPONSE
        assert request.logs  # so that the notice has the report's times
        assert face.said == ['✓ hello ok  38 ms: {"message": "Hello, Ada!"}']
        await face.press("3")
        assert "✓ ok" in face.line("00000001")


async def test_the_button_fires_too(open_face, engine):
    async with open_face() as face:
        await face.press("f")
        await face.pilot.click("#fire")
        await face.settle()
        assert [str(request.function) for request in engine.requests] == ["counter"]


async def test_qualifier_and_type_go_along(open_face, engine):
    async with open_face() as face:
        await face.press("f")
        face.app.screen.query_one(Input).value = "live"
        face.app.screen.query_one("#type", Select).value = InvocationType.EVENT
        await face.press("ctrl+j")
        (request,) = engine.requests
        assert str(request.function) == "counter:live"
        assert request.type is InvocationType.EVENT
        assert not request.logs
        assert "accepted" in face.said[0]


async def test_the_function_of_the_row_with_the_focus_is_fired(open_face, engine):
    engine.alias("hello", "live", "1")
    engine.environment("e-1", State.IDLE, "hello", version="1")
    engine.accepted("r-1", "hello", "e-1", qualifier="live", version="1")
    engine.finished("r-1")
    engine.log("a line", function="hello", env="e-1")
    async with open_face() as face:
        assert face.main.function.name == "counter"
        for pane, target in (("2", "hello:1"), ("3", "hello:live"), ("4", "hello"), ("1", "counter")):
            await face.press(pane, "home" if pane != "3" else "end", "f", "ctrl+j")
            assert str(engine.requests[-1].function) == target


async def test_the_version_that_is_selected_is_fired_and_not_the_last_one(open_face, engine):
    engine.function("hello", version="1")
    async with open_face() as face:
        await face.press("j", "enter", "j", "f", "ctrl+j")
        assert str(engine.requests[-1].function) == "hello:1"
        assert face.said[-1].startswith("✓ hello:1 ok")
        await face.press("k", "f", "ctrl+j")
        assert str(engine.requests[-1].function) == "hello"


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_fault_goes_along_once(open_face, engine, size):
    async with open_face(size) as face:
        await face.press("f")
        assert "fault none" in " ".join(face.text.split())
        face.app.screen.query_one("#fault", Select).value = "crash"
        face.app.screen.query_one("#type", Select).value = InvocationType.EVENT
        await face.press("ctrl+j")
        assert face.said[-1] == "Not fired: A fault goes with RequestResponse, not with Event."
        assert engine.requests == []
        face.app.screen.query_one("#type", Select).value = InvocationType.REQUEST_RESPONSE
        await face.press("ctrl+j", "F", "f", "ctrl+j")
        assert [request.fault for request in engine.requests] == [Fault.CRASH, None, None]


async def test_bad_json_is_pointed_at_while_it_is_typed_and_does_not_fire(open_face, engine):
    async with open_face() as face:
        await face.press("f")
        area = face.app.screen.query_one(TextArea)
        area.load_text('{\n  "a": 1\n  "b": 2\n}')
        await face.settle()
        assert "✗ line 3, column 3: expecting ',' delimiter" in face.text
        await face.press("ctrl+j")
        assert engine.requests == []
        assert area.cursor_location == (2, 2)
        area.load_text("")
        await face.press("ctrl+j")
        assert engine.requests[0].payload == b"{}"


async def test_what_is_typed_just_before_the_key_is_fired_too(open_face, engine):
    async with open_face() as face:
        await face.press("f")
        for key, letter in [("space", " ")] * 40 + [("ctrl+j", "\n")]:
            face.app.post_message(Key(key, letter))  # before the text has seen any of them
        await face.settle()
        assert engine.requests[0].payload == b" " * 40 + b"{}"


async def test_notices_leave_the_buttons_of_the_dialog_free(open_face, engine):
    async with open_face(SMALL) as face:
        await face.press("f")
        for number in range(3):
            face.app.say("A long sentence that goes on and on. " * 9, title=str(number), bad=True)
        await face.settle()
        assert "long sentence" in face.text
        assert "^j Fire" in face.text
        await face.pilot.click("#fire")
        await face.settle()
        assert len(engine.requests) == 1


async def test_saved_events_can_be_chosen(open_face, engine):
    events = (SavedEvent("counter", "{}"), SavedEvent("counter-big", '{"by": 100}'))
    async with open_face(events=events) as face:
        await face.press("f")
        face.app.screen.query_one("#saved", Select).value = 1
        await face.settle()
        await face.press("ctrl+j")
        assert engine.requests[0].payload == b'{"by": 100}'
        await face.press("f")
        assert "last fired" in face.text
        assert '"by": 100' in face.text


async def test_capital_f_fires_at_once_with_the_last_event(open_face, engine):
    async with open_face(events=(ADA,)) as face:
        await face.press("F")
        await face.press("j", "F")
        await face.press("f")
        face.app.screen.query_one(TextArea).load_text('{"name": "Grace"}')
        await face.press("ctrl+j")
        await face.press("F")
        assert [request.payload for request in engine.requests] == [
            b"{}",
            ADA.text.encode(),
            b'{"name": "Grace"}',
            b'{"name": "Grace"}',
        ]


async def test_escape_fires_nothing(open_face, engine):
    async with open_face() as face:
        await face.press("f", "escape")
        assert face.app.screen is face.main
        assert engine.requests == []


@pytest.mark.parametrize(
    ("error", "notice"),
    [
        (ResourceNotFound("Function not found: hello:[red]nope"), "ResourceNotFoundException: Function not found"),
        (
            TooManyRequests("ReservedFunctionConcurrentInvocationLimitExceeded"),
            "! counter throttled: the function's reserved concurrency is all in use",
        ),
        (TooManyRequests("CallerRateLimitExceeded"), "! counter throttled: CallerRateLimitExceeded"),
        (EngineGone("gone"), "Engine: gone"),
        (RuntimeError("a bug"), "RuntimeError: a bug"),
    ],
)
async def test_an_error_is_a_notice_and_the_screen_lives(open_face, engine, error, notice):
    engine.raises = error
    async with open_face() as face:
        await face.press("F")
        assert face.said[0].startswith(notice)
        engine.raises = None
        await face.press("F")
        assert face.said[-1].startswith("✓ counter ok")


async def test_a_function_error_is_told_from_success(open_face, engine):
    async def crash(request):
        return InvocationResult(
            request_id="r",
            status=InvocationStatus.ERROR,
            function_error="Unhandled",
            payload=b'{"errorType": "ValueError"}',
            duration_ms=3.1,
            init_ms=184.2,
        )

    engine.answer = crash
    async with open_face() as face:
        await face.press("F")
        assert face.said == ['✗ counter error  3.1 ms, init 184 ms: {"errorType": "ValueError"}']


async def test_a_slow_function_does_not_hold_the_screen(open_face, engine):
    release = asyncio.Event()

    async def slow(request):
        await release.wait()
        return InvocationResult(request_id="r", status=InvocationStatus.SUCCESS, payload=b"1")

    engine.answer = slow
    async with open_face() as face:
        await face.pilot.press("F", "F", "3")
        await face.frame()
        assert face.app.focused is face.main.invocations
        assert face.said == []
        release.set()
        await face.settle()
        assert face.said[0].startswith("✓ 2 answers")
