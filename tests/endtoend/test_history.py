"""`workbench history`: with an engine and without one, across restarts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.conftest import SAMPLES, Served, Shell


def rows(shell: Shell, *args: str) -> list[dict[str, Any]]:
    done = shell.run("history", *args, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_shots_are_kept_shown_and_fired_again(shell: Shell) -> None:
    assert shell.run("history").stderr == b"nothing has run yet\n"
    event = '{"name": "Ada"}'
    code, answer, _ = shell.fire("hello", "--event", event, "--backend", "subprocess")
    assert code == 0
    assert shell.fire("crash", "--backend", "subprocess")[0] == 1
    crash, hello = rows(shell)
    assert (hello["function"], hello["status"], hello["backend"]) == ("hello", "success", "subprocess")
    assert (crash["function"], crash["error_type"]) == ("crash", "OutOfCoffee")
    assert rows(shell, "hello") == rows(shell, "list", "hello") == rows(shell, "--status", "success") == [hello]
    assert rows(shell, "-n", "1") == [crash]
    unknown = shell.run("history", "nobody")
    assert (unknown.returncode, unknown.stdout) == (2, b"")
    assert unknown.stderr.startswith(b"workbench: there is no function 'nobody'; there are: chatty, counter, crash, ")
    slow = shell.run("history", "slow")  # there is one, which never ran
    assert (slow.returncode, slow.stderr) == (0, b"nothing like that has run\n")

    id = hello["request_id"]
    assert id.encode() in shell.run("history", "hello").stdout
    assert shell.run("history", "show", id, "--only", "event").stdout == event.encode()
    assert shell.run("history", "show", id[:8], "--only", "event").stdout == event.encode()
    assert shell.run("history", "show", id, "--only", "response").stdout == answer
    log = shell.run("history", "show", id, "--only", "log").stdout.decode().splitlines()
    assert [line.split()[0] for line in log if id in line] == ["START", "END", "REPORT"]
    shown = shell.run("history", "show", id).stdout.decode()
    assert all(part in shown for part in (id, event, answer.decode(), "cold: no environment yet", "START RequestId"))
    assert (hello["architecture"], hello["provisioned"]) == ("x86_64", False)
    assert 0 < hello["started_ms"] <= hello["responded_ms"] <= hello["finished_ms"]
    assert hello["cost_usd"] == pytest.approx(0.2e-6 + hello["billed_ms"] * hello["memory_size"] / 1024e3 * 16.6667e-6)
    assert f"cost         ${hello['cost_usd']:.9f}: request $0.000000200, duration $" in shown
    again = shell.run("history", "replay", id)
    assert (again.returncode, again.stdout) == (0, answer)
    assert b"REPORT RequestId" in again.stderr
    assert shell.run("history", "replay", crash["request_id"]).returncode == 1
    everything = rows(shell)
    assert [row["function"] for row in everything] == ["crash", "hello", "crash", "hello"]

    assert shell.run("cost", "nobody").stderr == b"nobody has not run yet\n"
    costs = json.loads(shell.run("cost", "--json").stdout)
    assert costs["total"]["total"] == pytest.approx(sum(row["cost_usd"] for row in everything))
    assert [(one["function"], one["invocations"]) for one in costs["functions"]] == [("crash", 2), ("hello", 2)]
    told = shell.run("cost", "hello")
    head, line = told.stdout.decode().splitlines()
    assert (head.split()[0], line.split()[:2]) == ("function", ["hello", "2"])
    assert b"at prices of us-east-1 as of 20" in told.stderr


def test_fire_says_what_it_cost_and_the_project_may_have_its_own_prices(shell: Shell, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(SAMPLES, project)
    (project / "workbench.toml").write_text("[prices]\nrequests = 1_000_000\n[prices.x86_64]\nduration = 0\n")
    shell.env["WORKBENCH_PROJECT"] = str(project)
    code, out, _ = shell.fire("hello", "--backend", "subprocess", "--output", "json")
    assert (code, json.loads(out)["costUsd"]) == (0, 1.0)
    assert json.loads(shell.run("cost", "--json").stdout)["total"]["total"] == 1.0
    (project / "workbench.toml").write_text("[prices]\nrequest = 1\n")
    wrong = shell.run("cost")
    assert (wrong.returncode, b"[prices]: no price is called 'request'; known: " in wrong.stderr) == (2, True)


def test_a_running_engine_answers_and_what_it_ran_outlives_it(shell: Shell, serve: Callable[..., Served]) -> None:
    engine = serve()
    assert shell.fire("hello")[0] == 0
    assert shell.fire("hello", "--type", "Event")[0] == 0
    live = rows(shell, "hello")
    assert live[-1]["type"] == "RequestResponse"
    assert shell.run("stop").returncode == 0
    engine.process.wait(20)
    kept = rows(shell, "hello")
    assert [row["type"] for row in kept] == ["Event", "RequestResponse"]
    assert kept[-1] == live[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "nobody"], 2, "the history has no invocation 'nobody'"),
        (["replay", "nobody"], 2, "the history has no invocation 'nobody'"),
        (["show", "x", "--only", "log", "--json"], 2, "one of --only and --json"),
        (["--status", "running"], 2, "'running' is not one of"),
        (["show"], 2, "Missing argument 'REQUEST_ID'"),
    ],
)
def test_what_it_refuses(shell: Shell, arguments: list[str], code: int, said: str) -> None:
    done = shell.run("history", *arguments)
    assert (done.returncode, done.stdout) == (code, b"")
    assert said in done.stderr.decode()


def test_a_damaged_file_stops_nothing(shell: Shell) -> None:
    assert shell.fire("hello", "--backend", "subprocess")[0] == 0
    (shell.state / "history.db").write_bytes(b"rubbish" * 4000)
    done = shell.run("history")
    assert (done.returncode, b"is damaged" in done.stderr) == (4, True)
    code, _, said = shell.fire("hello", "--backend", "subprocess")
    assert (code, "the history was damaged" in said) == (0, True)
    assert len(rows(shell)) == 1
