"""Versions, aliases and logs from the command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.endtoend.conftest import WORKBENCH, Served, Shell, eventually, new_shell


@pytest.fixture
def project(shell: Shell, tmp_path: Path) -> Path:
    return new_project(shell, tmp_path / "project")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A project whose function is deployed and has version 1, for commands that change nothing."""
    folder = tmp_path_factory.mktemp("published")
    shell = new_shell(folder)
    new_project(shell, folder / "project")
    assert shell.run("deploy").returncode == 0
    assert shell.run("publish", "F").stdout == b"1\n"
    return shell


def new_project(shell: Shell, folder: Path) -> Path:
    """A project of one function, `F`, that answers its own version."""
    (folder / "f").mkdir(parents=True)
    (folder / "template.yaml").write_text(
        "Resources:\n  F:\n    Type: AWS::Serverless::Function\n"
        f"    Properties: {{CodeUri: f, Handler: app.handler, Runtime: {shell.env['WORKBENCH_PARAMETERS'][14:]}}}\n"
    )
    write(folder, "first")
    shell.env["WORKBENCH_PROJECT"] = str(folder)
    return folder


def write(project: Path, mark: str) -> None:
    code = f"# {mark}\ndef handler(event, context):\n    print('{mark}')\n    return context.function_version\n"
    (project / "f" / "app.py").write_text(code)


def test_publish_alias_and_fire_by_qualifier(shell: Shell, project: Path) -> None:
    assert shell.run("deploy").stdout == b"created F\n"
    assert [shell.run("publish", "F").stdout for _ in range(2)] == [b"1\n", b"1\n"]
    write(project, "second")
    assert shell.run("deploy").stdout == b"updated the code of F\n"
    assert shell.run("deploy").stdout == b"nothing has changed\n"
    assert shell.run("publish", "F", "--description", "two").stdout == b"2\n"
    assert shell.run("alias", "set", "F", "live", "1").stdout.decode() == "live → 1 100%\n"
    assert shell.run("alias", "set", "F", "live", "2", "--weight", "1=0.25").stdout.decode() == "live → 2 75%  1 25%\n"
    assert shell.run("alias", "list", "F").stdout.decode() == "live → 2 75%  1 25%\n"
    assert shell.fire("F:1", "--backend", "subprocess")[1] == b'"1"'
    assert shell.fire("F", "--qualifier", "live", "--backend", "subprocess")[1] in (b'"1"', b'"2"')
    (row,) = [json.loads(line) for line in shell.run("list", "--json").stdout.splitlines()]
    assert (row["versions"], row["aliases"]) == (["1", "2"], {"live": {"2": 0.75, "1": 0.25}})
    assert shell.run("alias", "delete", "F", "live").stdout == b"F has no alias live\n"
    done = shell.run("alias", "list", "F")
    assert (done.stdout, done.stderr) == (b"", b"F has no alias\n")


KEPT = 'F:1: 2 environments, every 60 s, {"source":"workbench.keep-warm"}\n'


def test_concurrency_and_runtime_mode(shell: Shell, project: Path, serve: Callable[..., Served]) -> None:
    serve()
    said = [
        (["deploy"], "created F\n"),
        (["publish", "F"], "1\n"),
        (["concurrency", "get", "F"], "nothing reserved\n"),
        (["concurrency", "set", "F", "0"], "reserved 0\n"),
        (["concurrency", "get", "F"], "reserved 0\n"),
        (["concurrency", "delete", "F"], "nothing reserved\n"),
        (["concurrency", "set", "F", "1", "-q", "1"], "1: provisioned 1, IN_PROGRESS, 0 available\n"),
        (["concurrency", "delete", "F", "--qualifier", "1"], "1: nothing provisioned\n"),
        (["concurrency", "get", "F"], "nothing reserved\n"),
        (["keep-warm", "set", "F", "--every", "1m", "-n", "2", "-q", "1"], KEPT),
        (["keep-warm", "list"], KEPT),
        (["keep-warm", "remove", "F", "-q", "1"], "F:1: not kept warm\n"),
        (["keep-warm", "list"], ""),
        (["runtime-mode", "F"], "Auto\n"),
        (["runtime-mode", "F", "functionupdate"], "FunctionUpdate\n"),
        (["runtime-mode", "F", "--qualifier", "1"], "Auto\n"),
    ]
    assert [shell.run(*arguments).stdout.decode() for arguments, _ in said] == [words for _, words in said]
    assert b"nothing is kept warm" in shell.run("keep-warm", "list").stderr
    eventually(lambda: shell.run("history", "list", "--json").stdout.count(b'"why": "keep-warm ping; cold: ') == 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["concurrency", "set", "F", "901"], "below its minimum value of [100]"),
        (["concurrency", "set", "F", "0", "-q", "live"], "provisioned concurrency is at least 1"),
        (["concurrency", "get", "nosuch"], "Function not found"),
        (["keep-warm", "set", "F", "--every", "10m"], "pings are 1 s to 300 s apart, not 600 s"),
        (["keep-warm", "set", "F", "--every", "soon"], "'soon' is no time"),
        (["runtime-mode", "F", "sometimes"], "a runtime mode is Auto, FunctionUpdate or Manual, not 'sometimes'"),
        (["runtime-mode", "F", "manual"], "RuntimeVersionArn is required"),
        (["publish", "nosuch"], "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nosuch"),
        (["alias", "set", "F", "live", "9"], "function:F:9"),
        (["alias", "set", "F", "live", "1", "--weight", "1=0.5"], "is already included in routing configuration"),
        (["alias", "set", "F", "live", "1", "--weight", "half"], "--weight is VERSION=WEIGHT"),
        (["alias", "set", "F", "live", "1", "--weight", "2=25"], "or in percent, such as 2=0.1 or 2=10%; not '2=25'"),
        (["alias", "set", "F", "1", "1"], "failed to satisfy constraint"),
    ],
)
def test_what_awss_rules_refuse_is_one_message(published: Shell, arguments: list[str], said: str) -> None:
    done = published.run(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") <= 2


def test_logs_of_one_function_and_as_they_come(serve: Callable[..., Served], shell: Shell, project: Path) -> None:
    assert shell.run("logs").returncode == 4
    serve()
    assert shell.fire("F")[0] == 0
    lines = [json.loads(line) for line in shell.run("logs", "F", "--json").stdout.splitlines()]
    assert [line["stream"] for line in lines] == ["platform", "platform", "function", "platform", "platform"]
    assert lines[2]["text"] == "first"
    unknown = shell.run("logs", "G")
    assert (unknown.returncode, unknown.stderr) == (2, b"workbench: there is no function 'G'; there are: F\n")
    follow = subprocess.Popen([WORKBENCH, "logs", "-f"], env=shell.env, stdout=subprocess.PIPE, text=True)
    try:
        assert follow.stdout is not None
        for _ in lines:
            follow.stdout.readline()
        shell.fire("F")
        seen = [follow.stdout.readline() for _ in range(4)]
        assert seen[1].endswith("  first\n")
        assert "REPORT RequestId:" in seen[3]
    finally:
        follow.kill()
        follow.wait()
        assert follow.stdout is not None
        follow.stdout.close()
