"""The environment variables of a runtime. Those of AWS stand in the Developer Guide, "Defined runtime variables"."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.engine.world import configured
from workbench.backends.api import Layout
from workbench.engine.variables import runtime_variables
from workbench.model.functions import Code, FunctionVersion
from workbench.model.names import Account
from workbench.model.platform import InitializationType

LAYOUT = Layout(task="/var/task", opt="/opt", runtime="/var/runtime", interpreter="/var/lang/bin/python3")
CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}


def variables(version: str = "$LATEST", initialization: Any = InitializationType.ON_DEMAND, **more: Any) -> Any:
    settings = {"runtime": "python3.14", "handler": "handler.handler", "memory_size": 128, **more}
    made = FunctionVersion(
        name="f",
        version=version,
        configuration=configured(**settings),
        code=Code(sha256="0", size=1),
        revision_id="r",
        last_modified=0.0,
    )
    return runtime_variables(made, Account(), LAYOUT, "127.0.0.1:9001", "e-1", 1_700_000_000.0, initialization)


def test_the_variables_of_a_managed_runtime() -> None:
    found = variables("7")
    assert found.pop("AWS_LAMBDA_LOG_STREAM_NAME").startswith("2023/11/14/[7]")
    assert all(found.pop(name) for name in CREDENTIALS)
    assert found == {
        "_HANDLER": "handler.handler",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.14",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64"
        ":/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
        "PYTHONPATH": "/var/runtime",
        "PWD": "/var/task",
        "SHLVL": "0",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
    }


def test_a_runtime_that_is_provided_has_fewer() -> None:
    found = variables(runtime="provided.al2023")
    assert not {"AWS_EXECUTION_ENV", "PWD", "SHLVL", "PYTHONPATH"} & set(found)
    assert found["_HANDLER"] == "handler.handler"


def test_the_functions_own_variables_win_over_defaults_only() -> None:
    found = variables(environment={"TZ": "CET", "MINE": "1", "AWS_REGION": "mars"})
    assert (found["TZ"], found["MINE"], found["AWS_REGION"]) == ("CET", "1", "us-east-1")


@pytest.mark.parametrize(
    ("logging", "level"),
    [
        ({}, None),
        ({"LogFormat": "Text"}, None),
        ({"LogFormat": "JSON"}, "INFO"),
        ({"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"}, "DEBUG"),
    ],
)
def test_logging_settings_reach_the_runtime(logging: dict[str, str], level: str | None) -> None:
    found = variables(settings={"LoggingConfig": {**logging, "LogGroup": "/mine"}})
    assert found["AWS_LAMBDA_LOG_GROUP_NAME"] == "/mine"
    assert found.get("AWS_LAMBDA_LOG_FORMAT") == ("JSON" if level else None)
    assert found.get("AWS_LAMBDA_LOG_LEVEL") == level


def test_the_log_stream_is_the_environment_s_own_and_names_the_function_in_a_group_of_many() -> None:
    def stream(group: str | None) -> str:
        settings = {"LoggingConfig": {"LogGroup": group}} if group else {}
        return str(variables("7", settings=settings)["AWS_LAMBDA_LOG_STREAM_NAME"])

    for group in (None, "/aws/lambda/f"):
        assert re.fullmatch(r"2023/11/14/\[7\][0-9a-f]{32}", stream(group))
    assert re.fullmatch(r"2023/11/14/f\[7\]\[[0-9a-f]{32}\]", stream("ours"))


@pytest.mark.parametrize("initialization", InitializationType)
def test_the_kind_of_initialization_is_told(initialization: InitializationType) -> None:
    assert variables(initialization=initialization)["AWS_LAMBDA_INITIALIZATION_TYPE"] == initialization.value
