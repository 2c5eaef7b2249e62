"""`workbench fire` in a real shell, on each backend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.endtoend.conftest import Shell

BACKENDS = [
    "subprocess",
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    pytest.param("docker", marks=pytest.mark.docker),
]
on_each_backend = pytest.mark.parametrize("backend", BACKENDS)


@on_each_backend
def test_the_result_is_on_stdout_and_the_log_on_stderr(shell: Shell, backend: str) -> None:
    code, out, err = shell.fire("hello", "--event", '{"name":"Ada"}', "--backend", backend)
    assert (code, json.loads(out)) == (0, {"message": "Hello, Ada!"})
    lines = [line.split(" ", 1)[0] for line in err.splitlines() if not line.startswith("workbench:")]
    assert lines == ["INIT_START", "START", "END", "REPORT"]
    assert "created hello" in err


@on_each_backend
def test_a_function_error_is_awss_json_and_exit_1(shell: Shell, backend: str) -> None:
    code, out, err = shell.fire("crash", "--backend", backend)
    error = json.loads(out)
    assert code == 1
    assert error["errorType"] == "OutOfCoffee"
    assert list(error) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert error["requestId"] in err


@on_each_backend
@pytest.mark.parametrize(
    ("function", "event", "error_type", "message", "report"),
    [
        ("timeout", "{}", "Sandbox.Timedout", "Task timed out after 2.00 seconds", "Status: timeout"),
        ("init_error", "{}", "RuntimeError", "COFFEE_MACHINE_URL is not set", "Error Type: Runtime.Unknown"),
        ("crash", '{"how":"exit"}', "Runtime.ExitError", "exit status 3", "Error Type: Runtime.ExitError"),
        ("oom", "{}", "Runtime.ExitError", "signal: killed", "Error Type: Runtime.OutOfMemory"),
        ("hello --fault crash", "{}", "Runtime.ExitError", "signal: killed", "Error Type: Runtime.ExitError"),
    ],
)
def test_the_ways_to_fail_are_told_apart(
    shell: Shell, backend: str, function: str, event: str, error_type: str, message: str, report: str
) -> None:
    code, out, err = shell.fire(*function.split(), "--event", event, "--backend", backend)
    error = json.loads(out)
    assert code == 1
    assert error["errorType"] == error_type
    assert message in error["errorMessage"]
    assert err.splitlines()[-1].rstrip().endswith(report)


def test_an_unknown_function_is_one_line_that_lists_what_there_is(shell: Shell) -> None:
    code, out, err = shell.fire("nosuch", "--backend", "subprocess")
    assert (code, out) == (2, b"")
    (line,) = [line for line in err.splitlines() if "trusted code only" not in line]
    assert line == (
        "workbench: there is no function 'nosuch'; "
        "there are: chatty, counter, crash, hello, init_error, layered, node_hello, observed, oom, shell_hello, slow, "
        "timeout"
    )


def test_an_event_that_is_no_json_is_pointed_at(shell: Shell) -> None:
    code, out, err = shell.fire("hello", "--event", "{bad")
    assert (code, out) == (2, b"")
    assert err == (
        "workbench: --event is not JSON: Expecting property name enclosed in double quotes at line 1, column 2\n"
        "  {bad\n"
        "   ^\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hello:1", "--qualifier", "2"], "give the qualifier once"),
        (["hello", "--event", "no/such/file.json"], "neither JSON nor a file"),
        (
            ["hello", "--backend", "nosuch"],
            "there is no backend named 'nosuch'; installed: bubblewrap, docker, subprocess",
        ),
        (["hello", "--template", "no.yaml"], "no.yaml"),
        (["hello", "--type", "Wrong"], "Wrong"),
        (["hello", "--fault", "flood"], "flood"),
        (["hello", "--fault", "crash", "--type", "Event"], "--fault goes with RequestResponse alone"),
    ],
)
def test_wrong_usage_is_one_message_and_exit_2(shell: Shell, arguments: list[str], said: str) -> None:
    code, out, err = shell.fire(*arguments)
    assert (code, out) == (2, b"")
    assert said in err
    assert "Traceback" not in err


def test_an_event_comes_from_a_file_or_stdin(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text('{"name":"File"}')
    _, out, _ = shell.fire("hello", "--event", str(file), "--backend", "subprocess")
    assert json.loads(out) == {"message": "Hello, File!"}
    _, out, _ = shell.fire("hello", "--event", "-", "--backend", "subprocess", stdin=b'{"name":"Pipe"}')
    assert json.loads(out) == {"message": "Hello, Pipe!"}


def test_json_output_has_everything_and_nothing_beside_it(shell: Shell) -> None:
    code, out, _ = shell.fire("hello", "--output", "json", "--backend", "subprocess")
    result = json.loads(out)
    assert code == 0
    assert (result["status"], result["payload"], result["executedVersion"]) == (
        "success",
        {"message": "Hello, world!"},
        "$LATEST",
    )
    assert result["initMs"] > 0
    assert result["log"][-1].startswith("REPORT RequestId: ")


def test_many_invocations_are_lines_and_a_summary(shell: Shell) -> None:
    code, out, err = shell.fire("counter", "--count", "6", "--concurrency", "2", "--backend", "subprocess")
    results = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert len(results) == 6
    assert len({result["environment"] for result in results}) <= 2
    assert max(result["payload"]["in_memory"] for result in results) >= 3
    assert err.splitlines()[-1].startswith("6 invocations in ")


def test_an_event_invocation_in_a_one_shot_is_waited_for(shell: Shell) -> None:
    code, out, _ = shell.fire("hello", "--type", "Event", "--backend", "subprocess")
    assert code == 0
    assert len(out.strip()) == 36


def test_two_one_shots_at_once_take_turns(shell: Shell) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: shell.fire("hello", "--backend", "subprocess"), range(2)))
    assert [(code, json.loads(out)) for code, out, _ in done] == [(0, {"message": "Hello, world!"})] * 2


def test_changed_code_is_what_runs(shell: Shell, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "f").mkdir(parents=True)
    (project / "template.yaml").write_text(
        "Resources:\n  F:\n    Type: AWS::Serverless::Function\n"
        f"    Properties: {{CodeUri: f, Handler: app.handler, Runtime: {shell.env['WORKBENCH_PARAMETERS'][14:]}}}\n"
    )
    shell.env["WORKBENCH_PROJECT"] = str(project)
    for answer in ("1", "2"):
        (project / "f" / "app.py").write_text(f"def handler(event, context):\n    return {answer}\n")
        assert shell.fire("F", "--backend", "subprocess")[:2] == (0, answer.encode())
    (project / "template.yaml").write_text("Resources:\n  F: [broken\n")
    code, _, err = shell.fire("F", "--backend", "subprocess")
    assert code == 2
    assert "template.yaml:" in err


def test_nothing_is_left_running_after_a_one_shot(shell: Shell) -> None:
    from tests.endtoend.conftest import processes_with

    shell.fire("hello", "--backend", "subprocess")
    assert processes_with(str(shell.state)) == []
