"""A function's settings edited in place: configuration, concurrency, runtime; undone, and said as aws CLI."""

from dataclasses import replace

import pytest
from textual.widgets import Input, Static, TextArea

from tests.tui.conftest import SMALL, WIDE
from workbench.model.attached import RuntimeManagement, UpdateRuntimeOn
from workbench.model.environments import EnvironmentState as State
from workbench.model.errors import EngineGone
from workbench.model.functions import UpdateStatus
from workbench.model.runtimes import InstalledRuntime, RuntimeOverview
from workbench.tui.changes import read, written
from workbench.tui.judged import problems_of
from workbench.tui.screens.concurrency import ConcurrencyForm
from workbench.tui.screens.configuration import ConfigurationForm
from workbench.tui.screens.function import FunctionScreen
from workbench.tui.screens.runtime import RuntimeForm
from workbench.tui.widgets.choice import Choice

OLD, NEW = "arn:aws:lambda:us-east-1::runtime:old", "arn:aws:lambda:us-east-1::runtime:new"
AUTO = RuntimeManagement()
PINNED = RuntimeManagement(update_runtime_on=UpdateRuntimeOn.MANUAL, runtime_version_arn=OLD)


def overview(published: str = NEW, moves: float | None = None) -> RuntimeOverview:
    return RuntimeOverview(
        id="python3.12",
        versions=(
            InstalledRuntime(runtime="python3.12", version="3.12.1", arn=OLD, interpreter="/usr/bin/python3.12"),
            InstalledRuntime(runtime="python3.12", version="3.12.4", arn=NEW, interpreter="/opt/python3.12"),
        ),
        published=published,
        moves=moves,
    )


@pytest.fixture
def shop(engine):
    """hello with a variable, version 1, an alias for it, and two runtime versions to run on."""
    engine.function("hello", environment={"GREETING": "Hello"})
    engine.function("hello", version="1", environment={"GREETING": "Hello"})
    engine.alias("hello", "live", "1")
    engine.runtimes = {"python3.12": overview()}
    return engine


def put(face, **values) -> None:
    for id, value in values.items():
        face.app.screen.query_one(f"#{id}", Input).value = value


def preview(face) -> str:
    """What the form says of itself, without the breaks of its lines."""
    return str(face.app.screen.query_one("#judgement", Static).content)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_the_configuration_is_edited_and_undone(open_face, shop, size):
    shop.warm("e-1", "hello")
    async with open_face(size) as face:
        await face.press("j", "enter", "c")
        assert isinstance(face.app.screen, ConfigurationForm)
        assert "Nothing is changed yet." in face.text
        await face.press("ctrl+s")
        assert isinstance(face.app.screen, ConfigurationForm)
        put(face, memory_size="256", timeout="10")
        face.app.screen.query_one(TextArea).load_text("GREETING=Salut\nSECRET=swordfish")
        await face.settle()
        assert "memory 128 → 256 MB; timeout 3 → 10 s; variables GREETING, SECRET" in face.text
        assert "1 environment of $LATEST will end" in face.text
        await face.press("ctrl+s")
        configuration = shop.versions["hello"]["$LATEST"].configuration
        assert (configuration.memory_size, configuration.timeout) == (256, 10)
        assert configuration.environment == {"GREETING": "Salut", "SECRET": "swordfish"}
        assert shop.versions["hello"]["1"].configuration.memory_size == 128
        assert isinstance(face.app.screen, FunctionScreen)
        assert "swordfish" not in face.said[-1]
        await face.press("4")
        assert "memory 128 → 256 MB" in face.text
        await face.press("u")
        configuration = shop.versions["hello"]["$LATEST"].configuration
        assert (configuration.memory_size, configuration.environment) == (128, {"GREETING": "Hello"})


async def test_what_aws_would_refuse_is_said_while_it_is_typed_and_not_saved(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "c")
        for field, value, problem, good in (
            ("memory_size", "127", "memory is from 128 to 10240, not “127”", "128"),
            ("memory_size", "", "memory is from 128", "256"),
            ("timeout", "901", "timeout is from 1 to 900", "3"),
            ("timeout", "1.5", "timeout is from 1 to 900", "3"),
            ("ephemeral_storage", "100", "/tmp is from 512 to 10240", "512"),
        ):
            put(face, **{field: value})
            await face.settle()
            assert f"✗ {problem}" in face.text
            await face.press("ctrl+s")
            assert isinstance(face.app.screen, ConfigurationForm)
            put(face, **{field: good})
        assert shop.versions["hello"]["$LATEST"].configuration.memory_size == 128


def test_variables_come_back_as_they_were():
    variables = {"A1": "x=y", "B1": "", "C1": " blanks ", "D1": "two\nlines", "E1": '"quoted"', "F1": "λ"}
    assert read(written(variables)) == variables
    assert read("\n  AB = c d \n\n") == {"AB": "c d"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("AB", "line 1: NAME=value is wanted"),
        ("AB=1\nAB=2", "line 2: AB is there already"),
        ('AB="x', "line 1: the quoted value"),
    ],
)
def test_lines_that_are_no_variables_are_named(text, problem):
    with pytest.raises(ValueError, match=problem):
        read(text)


def test_names_and_the_size_of_variables_are_aws_s():
    assert problems_of({"AB": "x", "A_1": ""}) == []
    assert len(problems_of({"A": "x", "1A": "x", "A-B": "x"})) == 3
    assert problems_of({"AB": "x" * 4094}) == []
    assert "4097 of 4096" in problems_of({"AB": "x" * 4095})[0]


async def test_anothers_change_is_neither_overwritten_nor_undone(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "c")
        put(face, memory_size="256")
        shop.function("hello", memory=512)
        await face.press("ctrl+s")
        assert "changed elsewhere since" in face.said[-1]
        assert shop.versions["hello"]["$LATEST"].configuration.memory_size == 512
        await face.press("escape", "ctrl+r")
        await face.press("c")
        put(face, memory_size="256")
        await face.press("ctrl+s")
        shop.function("hello", memory=1024)
        await face.press("u")
        assert "changed elsewhere since" in face.said[-1]
        assert shop.versions["hello"]["$LATEST"].configuration.memory_size == 1024


async def test_what_is_undone_at_once_waits_for_the_update_to_settle(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "c")
        put(face, memory_size="256")
        await face.press("ctrl+s")
        changed = shop.versions["hello"]["$LATEST"]
        shop.versions["hello"]["$LATEST"] = replace(changed, update_status=UpdateStatus.IN_PROGRESS)
        await face.pilot.press("u")
        await face.pilot.pause(0.05)
        assert shop.versions["hello"]["$LATEST"].configuration.memory_size == 256
        shop.versions["hello"]["$LATEST"] = changed
        await face.settle()
        assert shop.versions["hello"]["$LATEST"].configuration.memory_size == 128


async def test_it_is_shown_as_aws_cli(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "c")
        put(face, memory_size="256")
        face.app.screen.query_one(TextArea).load_text("GREETING=it's")
        await face.press("f2")
        assert face.app.clipboard == (
            "aws --endpoint-url http://127.0.0.1:3001 lambda update-function-configuration \\\n"
            "    --function-name hello \\\n"
            "    --memory-size 256 \\\n"
            """    --environment '{"Variables": {"GREETING": "it'"'"'s"}}'"""
        )
        await face.press("escape")
        assert isinstance(face.app.screen, ConfigurationForm)


async def test_an_error_leaves_the_form_open(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "c")
        put(face, memory_size="256")
        shop.raises = EngineGone("gone")
        await face.press("ctrl+s")
        assert face.said[-1] == "Engine: gone"
        assert isinstance(face.app.screen, ConfigurationForm)
        shop.raises = None
        await face.press("ctrl+s")
        assert shop.versions["hello"]["$LATEST"].configuration.memory_size == 256


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_concurrency_is_reserved_provisioned_and_undone(open_face, shop, size):
    async with open_face(size) as face:
        await face.press("j", "enter", "r")
        assert isinstance(face.app.screen, ConcurrencyForm)
        put(face, reserved="950")
        await face.settle()
        assert "at most 900 can be reserved" in face.text
        put(face, reserved="5", provisioned="2")
        await face.settle()
        assert "reserved none → 5" in face.text
        assert "995 of the account's 1000 are left" in face.text
        assert "live: provisioned none → 2" in face.text
        await face.press("f2")
        assert "put-function-concurrency" in face.app.clipboard
        assert "put-provisioned-concurrency-config" in face.app.clipboard
        await face.press("escape", "ctrl+s")
        assert shop.attached["hello"].reserved == 5
        assert shop.attached["hello"].provisioned["live"].requested == 2
        await face.press("r")
        put(face, reserved="0", provisioned="")
        await face.settle()
        assert "Every invocation is throttled" in face.text
        await face.press("ctrl+s")
        assert shop.attached["hello"].reserved == 0
        assert shop.attached["hello"].provisioned == {}
        for _ in range(2):
            await face.press("u")
        assert shop.attached["hello"].reserved == 5
        assert shop.attached["hello"].provisioned["live"].requested == 2
        for _ in range(2):
            await face.press("u")
        assert shop.attached["hello"].reserved is None
        assert shop.attached["hello"].provisioned == {}


async def test_figures_that_are_none_are_refused(open_face, shop):
    async with open_face() as face:
        await face.press("j", "enter", "r")
        put(face, reserved="-1", provisioned="0")
        await face.settle()
        assert "reserved is a whole number from 0" in face.text
        assert "provisioned is a whole number from 1" in face.text
        await face.press("ctrl+s")
        assert shop.attached == {}


async def test_without_a_version_nothing_can_be_provisioned(open_face, engine):
    async with open_face() as face:
        await face.press("enter", "r")
        assert "needs a published version" in face.text


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_runtime_is_pinned_with_a_preview_and_undone(open_face, shop, size):
    shop.warm("e-1", "hello")
    shop.warm("e-2", "hello")
    shop.environment("e-2", State.BUSY, "hello")
    async with open_face(size) as face:
        await face.press("j", "enter", "m")
        assert isinstance(face.app.screen, RuntimeForm)
        face.app.screen.query_one("#mode", Choice).value = UpdateRuntimeOn.MANUAL
        await face.settle()
        assert "No environment ends: it is on that one already." in face.text
        face.app.screen.query_one("#arn", Choice).value = OLD
        await face.settle()
        assert "It stays on python3.12 3.12.1 whatever is published." in face.text
        assert "1 environment of python3.12 3.12.4 (published, newest) will end at once" in face.text
        assert "1 environment at work will end after" in face.text
        await face.press("f2")
        assert f"--runtime-version-arn {OLD}" in face.app.clipboard
        await face.press("escape", "ctrl+s")
        assert shop.attached["hello"].runtime_of() == PINNED
        await face.press("4")
        assert "(•) Manual" in face.text
        await face.press("u")
        assert shop.attached["hello"].runtime_of() == AUTO


async def test_the_preview_knows_each_mode_and_a_roll_out(open_face, shop):
    shop.attach("hello", runtime_management={"$LATEST": PINNED})
    shop.runtimes["python3.12"] = overview(moves=shop.wall + 60)
    async with open_face() as face:
        await face.press("j", "enter", "m")
        mode = face.app.screen.query_one("#mode", Choice)
        mode.value = UpdateRuntimeOn.FUNCTION_UPDATE
        await face.settle()
        assert "until its code or configuration is updated" in preview(face)
        mode.value = UpdateRuntimeOn.AUTO
        await face.settle()
        assert "the roll-out of python3.12 3.12.4 (published, newest) reaches it at" in preview(face)
        face.app.screen.query_one("#version", Choice).value = "1"
        await face.settle()
        assert "Nothing is changed yet." in preview(face)


async def test_a_runtime_that_nothing_here_runs_cannot_be_pinned(open_face, shop):
    shop.runtimes["python3.12"] = RuntimeOverview(id="python3.12", versions=(), mend="pyenv install 3.12")
    async with open_face() as face:
        await face.press("j", "enter", "m")
        face.app.screen.query_one("#mode", Choice).value = UpdateRuntimeOn.MANUAL
        await face.settle()
        assert "is on this machine (pyenv install 3.12)" in face.text
        await face.press("ctrl+s")
        assert shop.attached == {}
