"""The sample functions by themselves: their handlers called directly, as a function's own unit tests would."""

import importlib.util
import json
import logging
from importlib import resources
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

SAMPLES = Path(str(resources.files("workbench_samples")))
FUNCTIONS = sorted(
    path.parent.name for name in ("app.py", "index.mjs", "bootstrap") for path in SAMPLES.glob(f"*/{name}")
)
CONTEXT = SimpleNamespace(aws_request_id="8f5d3c1a-0000-4000-8000-000000000000")


def load(function: str) -> ModuleType:
    """A fresh import of the function's module, which is what an INIT phase does."""
    spec = importlib.util.spec_from_file_location(f"sample_{function}", SAMPLES / function / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("event", "message"),
    [({"name": "Ada"}, "Hello, Ada!"), ({}, "Hello, world!")],
)
def test_hello_greets(event, message):
    assert load("hello").handler(event, CONTEXT) == {"message": message}


def test_hello_takes_its_greeting_from_the_environment(monkeypatch):
    monkeypatch.setenv("GREETING", "Ahoj")
    assert load("hello").handler({"name": "Ada"}, CONTEXT) == {"message": "Ahoj, Ada!"}


def test_slow_sleeps_for_as_long_as_it_is_told(monkeypatch):
    slow, slept = load("slow"), []
    monkeypatch.setattr(slow, "time", SimpleNamespace(sleep=slept.append))
    assert slow.handler({"seconds": 2}, CONTEXT) == {"slept": 2}
    assert slept == [2]


@pytest.fixture
def root_log_level():
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


@pytest.mark.usefixtures("root_log_level")
def test_chatty_logs_in_every_way(monkeypatch, capsys, caplog):
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    assert load("chatty").handler({"lines": 3}, CONTEXT) == {"lines": 3}

    out, err = capsys.readouterr()
    assert out.splitlines()[-3:] == ["line 1 of 3", "line 2 of 3", "line 3 of 3"]
    assert "東京" in out
    assert err == "standard error arrives too\n"
    assert [record.levelname for record in caplog.records] == ["DEBUG", "INFO", "WARNING", "ERROR", "ERROR"]
    assert caplog.records[-1].exc_info


def test_crash_raises():
    with pytest.raises(Exception, match="no beans left") as raised:
        load("crash").handler({}, CONTEXT)
    assert type(raised.value).__name__ == "OutOfCoffee"


def test_crash_leaves_without_a_word(monkeypatch):
    class Left(BaseException):
        pass

    def leave(code):
        raise Left(code)

    crash = load("crash")
    monkeypatch.setattr(crash.os, "_exit", leave)
    with pytest.raises(Left, match="3"):
        crash.handler({"how": "exit"}, CONTEXT)


def test_init_error_raises_on_import(monkeypatch):
    monkeypatch.delenv("COFFEE_MACHINE_URL", raising=False)
    with pytest.raises(RuntimeError, match="COFFEE_MACHINE_URL is not set"):
        load("init_error")


def test_init_error_names_its_own_mend(monkeypatch):
    monkeypatch.setenv("COFFEE_MACHINE_URL", "http://kitchen")
    assert load("init_error").handler({}, CONTEXT) == {"machine": "http://kitchen"}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Turns this process into one execution environment after another, with one /tmp for all."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def enter(log_stream: str) -> None:
        monkeypatch.setenv("AWS_LAMBDA_LOG_STREAM_NAME", log_stream)

    return enter


def test_counter_counts_within_an_environment(environment):
    environment("2026/11/23/[$LATEST]00112233445566778899aabbccddeeff")
    counter = load("counter")
    counter.handler({}, CONTEXT)
    assert counter.handler({}, CONTEXT) == {"environment": "aabbccddeeff", "in_memory": 2, "in_tmp": 2}


def test_counter_keeps_tmp_when_only_the_runtime_starts_again(environment):
    environment("2026/11/23/[$LATEST]00112233445566778899aabbccddeeff")
    load("counter").handler({}, CONTEXT)
    assert load("counter").handler({}, CONTEXT) == {"environment": "aabbccddeeff", "in_memory": 1, "in_tmp": 2}


def test_counter_starts_afresh_in_another_environment(environment):
    environment("2026/11/23/[$LATEST]00112233445566778899aabbccddeeff")
    load("counter").handler({}, CONTEXT)
    environment("2026/11/23/counter[$LATEST][a0b1c2d3-0000-4000-8000-ffffffffffff]")
    assert load("counter").handler({}, CONTEXT) == {"environment": "ffffffffffff", "in_memory": 1, "in_tmp": 1}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_a_saved_event(function):
    assert isinstance(json.loads((SAMPLES / "events" / f"{function}.json").read_bytes()), dict)


def test_the_template_deploys_every_function():
    # The tags (!Ref) are CloudFormation's; a line is enough to ask of it here.
    lines = (SAMPLES / "template.yaml").read_text().splitlines()
    code = sorted(line.split(":")[1].strip(" /") for line in lines if "CodeUri:" in line)
    names = sorted(line.split(":")[1].strip() for line in lines if "FunctionName:" in line)
    assert code == names == FUNCTIONS
