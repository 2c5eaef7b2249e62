"""One invocation's screen: its phases, log, bodies, context and environment; replay, copies and the export."""

import json
import shlex

import pytest
from textual.widgets import Input, TextArea

from tests.tui.conftest import SMALL, WIDE
from tests.tui.fake_port import WALL, FakeEngine
from workbench.model.environments import EnvironmentState as State
from workbench.model.history import InvocationRecord
from workbench.model.invocations import InvocationStatus, InvocationType
from workbench.tui.screens.environment import EnvironmentDetail
from workbench.tui.screens.fire import FireDialog
from workbench.tui.screens.function import FunctionScreen

ID = "77aa0001-0000-4000-8000-000000000e09"


@pytest.fixture
def cold(engine):
    """A cold start through an alias: 2 ms to place, 96 of creating, 184 of INIT, and running for 44."""
    engine.accepted(ID, "hello", "e-1", cold=True, qualifier="live", event=b'{"name":"Ada"}')
    engine.advance(2)
    engine.environment("e-1", State.CREATING, "hello", reason="no environment yet")
    engine.advance(96)
    engine.environment("e-1", State.INIT, "hello")
    engine.advance(184)
    engine.environment("e-1", State.BUSY, "hello")
    engine.started(ID)
    engine.log(f"START RequestId: {ID}", request=ID)
    engine.log("fetched", request=ID)
    engine.log("of another", request="r-0")
    engine.advance(44)
    return engine


def finish(engine, **more) -> None:
    engine.log("stored", request=ID)
    engine.finished(ID, **({"ms": 44, "init_ms": 184, "response": b'{"statusCode":200}'} | more))
    engine.environment("e-1", State.IDLE, "hello")


def record(event: bytes, **more) -> InvocationRecord:
    return InvocationRecord(
        **{
            "request_id": ID,
            "function": "hello",
            "qualifier": None,
            "version": "$LATEST",
            "type": InvocationType.REQUEST_RESPONSE,
            "status": InvocationStatus.SUCCESS,
            "wall": WALL,
            "event": event,
            "trace_id": "Root=1-abc",
        }
        | more
    )


@pytest.mark.parametrize("size", [WIDE, SMALL, (200, 60)])
async def test_it_grows_while_it_runs_and_stays_when_it_ended(open_face, cold, size):
    async with open_face(size) as face:
        await face.press("3", "enter", "1")
        for part in ("Invocations \u203a 77aa0001", "▸ running", "hello:live", ID, "cold: no environment yet"):
            assert part in face.text
        assert "96 ms" in face.line("create ")
        assert "184 ms" in face.line("INIT ")
        assert "44 ms" in face.line("INVOKE ")
        await face.frame(1000)
        assert "1.04 s" in face.line("INVOKE ")
        await face.press("2")
        assert "fetched" in face.text
        assert "of another" not in face.text
        await face.press("3")
        assert "not yet" in face.text
        finish(cold)
        await face.frame()
        assert '"statusCode": 200' in face.text
        assert "✓ ok" in face.text
        await face.press("4")
        assert '"name": "Ada"' in face.text
        await face.press("5")
        assert "arn:aws:lambda:us-east-1:0" in face.line("invoked_function_arn")
        await face.press("6")
        for part in ("why  cold: no environment yet", "▓ creating", "▒ init", "▸ "):
            assert part in face.text
        await face.press("1")
        assert "44 ms" in face.line("INVOKE ")
        assert "1.00 s" in face.line("report ")
        await face.press("escape")
        assert face.app.screen is face.main


async def test_the_bars_stand_where_the_time_went(open_face, cold):
    finish(cold)
    async with open_face() as face:
        await face.press("3", "enter")
        create, init, invoke = (face.line(label) for label in ("create ", "INIT ", "INVOKE "))
        assert create.index("▓") < create.rindex("▓") <= init.index("▒") < init.rindex("▒") <= invoke.index("█")
        assert init.count("▒") in range(create.count("▓"), 3 * create.count("▓"))
        axis = face.lines[face.lines.index(face.line("route ")) - 1]
        assert "100 ms" in axis
        assert "live leads to $LATEST" in face.line("route ")


async def test_a_warm_one_was_placed_at_once(open_face, engine):
    engine.run(ID, "hello", "e-1")
    async with open_face() as face:
        await face.press("3", "enter")
        assert "warm" in face.line("place ")
        assert "38 ms" in face.line("INVOKE ")
        assert "cold start" not in face.text


async def test_a_throttled_one_has_no_run(open_face, engine):
    engine.refused(ID, "hello")
    async with open_face() as face:
        await face.press("3", "enter")
        assert "! throttle" in face.text
        assert "why     ConcurrentInvocationLimitExceeded   no environment ever had it" in face.text
        await face.press("6", "e")
        assert "No environment ever had it." in face.text


async def test_r_replays_the_same_event(open_face, cold):
    finish(cold)
    async with open_face() as face:
        await face.press("3", "enter", "r")
        (request,) = cold.requests
        assert (str(request.function), request.payload) == ("hello:live", b'{"name":"Ada"}')
        assert face.said[-1].startswith("✓ hello:live ok")


async def test_capital_r_edits_first(open_face, cold):
    finish(cold)
    async with open_face() as face:
        await face.press("3", "enter", "R")
        assert isinstance(face.app.screen, FireDialog)
        assert face.app.screen.query_one("#qualifier", Input).value == "live"
        assert face.app.screen.query_one(TextArea).text == '{"name":"Ada"}'
        face.app.screen.query_one(TextArea).load_text('{"name":"Grace"}')
        await face.press("ctrl+j")
        assert cold.requests[0].payload == b'{"name":"Grace"}'


@pytest.mark.parametrize("key", ["r", "R", "Y"])
async def test_an_event_that_is_not_whole_is_not_replayed(open_face, engine, key):
    engine.accepted(ID, "hello", "e-1", event=b'"' + b"x" * 9_998 + b'"')
    engine.started(ID)
    engine.finished(ID)
    async with open_face() as face:
        await face.press("3", "enter", key)
        assert engine.requests == []
        assert face.said[-1].startswith("Not replayed: The live view keeps the first kilobytes of an event of 10.0 KB")


async def test_an_event_that_is_not_whole_says_so(open_face, engine):
    engine.accepted(ID, "hello", "e-1", event=b'"' + b"x" * 9_998 + b'"')
    async with open_face() as face:
        await face.press("3", "enter", "4")
        await face.press("end")
        await face.settle()
        assert "the first 4.1 KB of 10.0 KB" in face.text


async def test_a_line_that_does_not_fit_can_be_read_whole(open_face, cold):
    report = f"REPORT RequestId: {ID}\tDuration: 44.00 ms\tMemory Size: 128 MB\tMax Memory Used: 41 MB"
    cold.log(report, request=ID)
    finish(cold)
    async with open_face(SMALL) as face:
        await face.press("3", "enter", "2")
        assert "Max Memory Used" not in face.text
        await face.press("k", "k", "enter")
        assert "Max Memory Used: 41 MB" in " ".join(face.text.replace("┃", " ").replace("│", " ").split())


async def test_the_history_has_the_whole_event(open_face, engine):
    event = json.dumps({"text": "x" * 9_000, "last": "found"}).encode()
    engine.accepted(ID, "hello", "e-1", event=event)
    engine.started(ID)
    engine.finished(ID)
    engine.records[ID] = record(event)
    async with open_face() as face:
        await face.press("3", "enter", "4")
        await face.press("end")
        await face.settle()
        assert '"last": "found"' in face.text
        await face.press("5")
        assert "Root=1-abc" in face.text
        await face.press("r")
        assert engine.requests[0].payload == event


async def test_bytes_that_are_no_text_are_not_replayed(open_face, engine):
    engine.accepted(ID, "hello", "e-1", event=b"\xff\xfe")
    engine.started(ID)
    engine.finished(ID)
    engine.records[ID] = record(b"\xff\xfe")
    async with open_face() as face:
        await face.press("3", "enter", "r")
        assert engine.requests == []
        assert "it is no text" in face.said[-1]


async def test_the_request_id_and_the_aws_cli_are_copied(open_face, cold):
    finish(cold)
    async with open_face() as face:
        await face.press("3", "enter", "y")
        assert face.app.clipboard == ID
        assert face.said[-1] == f"✓ Copied: {ID}"
        await face.press("Y")
        words = shlex.split(face.app.clipboard.replace("\\\n", " "))
        assert words[words.index("--payload") + 1] == '{"name":"Ada"}'
        assert words[words.index("--qualifier") + 1] == "live"
        assert "lambda invoke" in face.text


async def test_its_export_has_everything(open_face, cold, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cold.records[ID] = record(b'{"name":"Ada","more":"than the live view keeps"}', response=b"not JSON")
    finish(cold)
    async with open_face() as face:
        await face.press("3", "enter", "X", "j")
        content = json.loads((tmp_path / "workbench-invocation.json").read_text())
        assert content["Invocation"]["RequestId"] == ID
        assert content["Invocation"]["Event"] == {"name": "Ada", "more": "than the live view keeps"}
        assert content["Invocation"]["Response"] == "not JSON"
        assert [line["Text"] for line in content["Logs"]][1:] == ["fetched", "stored"]
        assert content["Environment"]["EnvironmentId"] == "e-1"


async def test_it_leads_to_its_environment_and_its_function(open_face, cold):
    finish(cold)
    async with open_face() as face:
        await face.press("3", "enter", "e")
        assert isinstance(face.app.screen, EnvironmentDetail)
        await face.press("escape", "o")
        assert isinstance(face.app.screen, FunctionScreen)


async def test_it_survives_an_engine_that_forgets(open_face):
    engine = FakeEngine(keep=1)

    async def connect():
        return engine

    engine.function("hello")
    engine.run("r-1", "hello", "e-1", status=InvocationStatus.ERROR, error_type="ValueError")
    async with open_face(connect=connect) as face:
        await face.press("3", "enter")
        for number in range(2, 5):
            engine.run(f"r-{number}", "hello", "e-1")
        await face.frame()
        assert "r-1" not in face.app.mirror.invocations
        assert "ValueError" in face.line("INVOKE ")
        assert "END RequestId: r-1" in face.text


async def test_help_and_palette_know_its_commands(open_face, cold):
    async with open_face((120, 60)) as face:
        await face.press("3", "enter", "question_mark")
        for part in ("Open the fire dialog with this event", "Copy the request id", "Logs"):
            assert part in face.text
        await face.press("escape", "ctrl+p")
        await face.type("request id")
        await face.pilot.pause(0.3)
        await face.press("enter")
        await face.settle()
        assert face.app.clipboard == ID


async def test_it_is_copied_as_curl_and_as_a_pytest_case(open_face, cold):
    async with open_face() as face:
        await face.press("3", "enter", "P")
        assert face.said[-1] == "No pytest case: It has not been answered yet."
        finish(cold)
        await face.settle()
        await face.press("C")
        assert face.app.clipboard.startswith("curl 'http://127.0.0.1:3001/2015-03-31/functions/hello/")
        await face.press("escape", "P")
        assert "def test_hello():" in face.text
        assert "== {'statusCode': 200}" in face.app.clipboard


async def test_it_is_compared_with_the_last_of_the_same_event(open_face, cold):
    finish(cold)
    async with open_face() as face:
        await face.press("3", "enter", "c")
        assert "No earlier invocation had the same event" in face.said[-1]
        for id, event in (("r-2", b'{"name":"Ada"}'), ("r-3", b'{"name":"Grace"}')):
            cold.advance(10)
            cold.accepted(id, "hello", "e-1", event=event)
            cold.started(id)
            cold.finished(id, ms=50, response=b'{"statusCode":404}')
        await face.frame()
        face.app.open_invocation("r-2")
        await face.settle()
        await face.press("c")
        assert "44 ms" in face.line("ran    ")
        assert "+6.0 ms" in face.line("ran    ")
        assert [word for word in face.line("start    ").split() if word in ("cold", "warm")] == ["cold", "warm"]
        assert '-  "statusCode": 200' in face.text
        assert '+  "statusCode": 404' in face.text
