"""`workbench history`: with an engine and without one, across restarts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.endtoend.conftest import Served, Shell


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
    assert shell.run("history", "nobody").stderr == b"nothing like that has run\n"

    id = hello["request_id"]
    assert id.encode() in shell.run("history", "hello").stdout
    assert shell.run("history", "show", id, "--only", "event").stdout == event.encode()
    assert shell.run("history", "show", id, "--only", "response").stdout == answer
    log = shell.run("history", "show", id, "--only", "log").stdout.decode().splitlines()
    assert [line.split()[0] for line in log if id in line] == ["START", "END", "REPORT"]
    shown = shell.run("history", "show", id).stdout.decode()
    assert all(part in shown for part in (id, event, answer.decode(), "cold: no environment yet", "START RequestId"))
    again = shell.run("history", "replay", id)
    assert (again.returncode, again.stdout) == (0, answer)
    assert b"REPORT RequestId" in again.stderr
    assert shell.run("history", "replay", crash["request_id"]).returncode == 1
    assert [row["function"] for row in rows(shell)] == ["crash", "hello", "crash", "hello"]


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
