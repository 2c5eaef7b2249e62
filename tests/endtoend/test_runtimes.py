"""Runtimes beside Python, each on every backend: Node.js, and functions that bring their own bootstrap."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.endtoend.conftest import Served, Shell
from tests.endtoend.test_aws_clients import client_for
from tests.support import require_tool

BACKENDS = [
    "subprocess",
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    pytest.param("docker", marks=pytest.mark.docker),
]
on_each_backend = pytest.mark.parametrize("backend", BACKENDS)
BOOTSTRAP_C = Path(__file__).with_name("bootstrap.c")
#: What AWS says when there is nothing to start.
NO_BOOTSTRAP = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"

Project = Callable[..., Shell]


@pytest.fixture
def node(shell: Shell) -> str:
    """The runtime of this machine's node; the samples are told of it, too."""
    version = subprocess.run([require_tool("node"), "--version"], capture_output=True, text=True, check=True).stdout
    runtime = f"nodejs{version.removeprefix('v').split('.')[0]}.x"
    shell.env["WORKBENCH_PARAMETERS"] += f",NodeRuntime={runtime}"
    return runtime


@pytest.fixture
def project(shell: Shell, tmp_path: Path) -> Project:
    """A project with one function, F, of these files."""

    def make(runtime: str, files: dict[str, str | bytes], handler: str = "index.handler", mode: int = 0o755) -> Shell:
        root = tmp_path / "project"
        (root / "f").mkdir(parents=True)
        for name, content in files.items():
            file = root / "f" / name
            file.write_bytes(content.encode() if isinstance(content, str) else content)
            file.chmod(mode)
        (root / "template.yaml").write_text(
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n"
            f"    Properties: {{CodeUri: f, Handler: {handler}, Runtime: {runtime}, Timeout: 2}}\n"
        )
        shell.env["WORKBENCH_PROJECT"] = str(root)
        return shell

    return make


@on_each_backend
class TestNode:
    def test_the_sample_greets(self, shell: Shell, node: str, backend: str) -> None:
        code, out, err = shell.fire("node_hello", "--event", '{"name":"Ada"}', "--backend", backend)
        assert (code, json.loads(out)) == (0, {"message": "Hello, Ada!"})
        assert f"INIT_START Runtime Version: {node[:-2].replace('js', 'js:')}.v" in err
        (line,) = [line for line in err.splitlines() if "greeting Ada" in line]
        _, request, level, _ = line.split("\t")
        assert (level, f"START RequestId: {request} " in err) == ("INFO", True)

    def test_an_error_has_node_s_shape(self, shell: Shell, node: str, backend: str) -> None:
        code, out, err = shell.fire("node_hello", "--event", '{"name":"nobody"}', "--backend", backend)
        error = json.loads(out)
        assert (code, list(error)) == (1, ["errorType", "errorMessage", "trace"])
        assert (error["errorType"], error["errorMessage"]) == ("RangeError", "there is nobody to greet")
        assert error["trace"][0] == "RangeError: there is nobody to greet"
        assert "index.mjs:15:11)" in error["trace"][1]
        if backend != "subprocess":
            assert error["trace"][1] == "    at Runtime.handler (file:///var/task/index.mjs:15:11)"
        assert "\tERROR\tInvoke Error \t{" in err

    @pytest.mark.parametrize(
        ("files", "error_type", "report"),
        [
            ({"other.js": ""}, "Runtime.ImportModuleError", "Runtime.ImportModuleError"),
            ({"index.js": "exports.f = 1"}, "Runtime.HandlerNotFound", "Runtime.HandlerNotFound"),
            ({"index.js": "("}, "Runtime.UserCodeSyntaxError", "Runtime.UserCodeSyntaxError"),
            ({"index.js": "throw new TypeError('no')"}, "TypeError", "Runtime.Unknown"),
        ],
    )
    def test_a_failed_init_is_run_again_and_told(
        self, project: Project, node: str, backend: str, files: dict[str, str], error_type: str, report: str
    ) -> None:
        code, out, err = project(node, files).fire("F", "--backend", backend)
        error = json.loads(out)
        assert (code, error["errorType"], list(error)) == (1, error_type, ["errorType", "errorMessage", "trace"])
        assert err.count("INIT_REPORT ") == 2
        assert err.splitlines()[-1].rstrip().endswith(f"Status: error\tError Type: {report}")

    def test_what_nobody_catches_is_the_caller_s_error(self, project: Project, node: str, backend: str) -> None:
        lost = "exports.handler = () => new Promise(() => setTimeout(() => { throw new TypeError('late') }))"
        code, out, err = project(node, {"index.js": lost}).fire("F", "--backend", backend)
        error = json.loads(out)
        assert (code, error["errorType"], error["errorMessage"]) == (1, "TypeError", "late")
        assert "Uncaught Exception \t" in err

    @pytest.mark.parametrize(
        ("body", "error_type", "message"),
        [
            ("process.exit(3)", "Runtime.ExitError", "exit status 3"),
            ("await new Promise((resolve) => setTimeout(resolve, 60000))", "Sandbox.Timedout", "timed out after 2.00"),
        ],
    )
    def test_the_platform_tells_of_an_exit_and_of_a_timeout(
        self, project: Project, node: str, backend: str, body: str, error_type: str, message: str
    ) -> None:
        code, out, _ = project(node, {"index.js": f"exports.handler = async () => {{ {body} }}"}).fire(
            "F", "--backend", backend
        )
        error = json.loads(out)
        assert (code, error["errorType"]) == (1, error_type)
        assert message in error["errorMessage"]

    def test_what_the_function_sees(self, project: Project, node: str, backend: str) -> None:
        code = "exports.handler = async (event, context) => [process.env, context, process.cwd()]"
        _, out, _ = project(node, {"index.js": code}).fire("F", "--backend", backend)
        env, context, folder = json.loads(out)
        assert env["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{node}"
        assert folder == env["LAMBDA_TASK_ROOT"]
        assert "PYTHONPATH" not in env
        major = node.removeprefix("nodejs").removesuffix(".x")
        if backend != "subprocess":
            assert env["NODE_PATH"] == (
                f"/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:"
                "/var/runtime/node_modules:/var/runtime:/var/task"
            )
        assert context["memoryLimitInMB"] == "128"
        assert context["invokedFunctionArn"].endswith(":function:F")
        assert "identity" not in context


@on_each_backend
class TestProvided:
    def test_the_sample_greets_and_fails_in_its_own_words(self, shell: Shell, backend: str) -> None:
        require_tool("curl")
        code, out, err = shell.fire("shell_hello", "--event", '{"name":"Ada"}', "--backend", backend)
        assert (code, json.loads(out)) == (0, {"message": "Hello, Ada!"})
        assert "INIT_START Runtime Version: provided:al2023.v" in err
        assert "\ngreeting Ada\n" in err
        code, out, _ = shell.fire("shell_hello", "--event", '{"name":"nobody"}', "--backend", backend)
        error = {"errorMessage": "there is nobody to greet", "errorType": "Function.Nobody"}
        assert (code, json.loads(out)) == (1, error)

    def test_the_sample_says_when_curl_is_missing(self, project: Project, shell: Shell, backend: str) -> None:
        text = (Path(shell.env["WORKBENCH_PROJECT"]) / "shell_hello" / "bootstrap").read_text()
        files = {"bootstrap": text.replace("command -v curl", "command -v no-such-curl")}
        code, out, err = project("provided.al2023", files).fire("F", "--backend", backend)
        assert (code, json.loads(out)["errorType"]) == (1, "Runtime.ExitError")
        assert "there is no curl here: install it" in err

    def test_a_program_in_c_serves_many(self, project: Project, backend: str, tmp_path: Path) -> None:
        binary = tmp_path / "bootstrap"
        subprocess.run([require_tool("cc"), "-D_GNU_SOURCE", "-O1", "-o", binary, BOOTSTRAP_C], check=True)
        shell = project("provided.al2", {"bootstrap": binary.read_bytes()}, handler="any")
        code, out, err = shell.fire("F", "--event", '{"n": 1}', "--count", "20", "--backend", backend)
        results = [json.loads(line) for line in out.splitlines()]
        assert code == 0, err
        assert [result["payload"] for result in results] == [{"n": 1}] * 20
        assert len({result["environment"] for result in results}) == 1
        code, out, _ = shell.fire("F", "--event", '{"crash":1}', "--backend", backend)
        error = json.loads(out)
        assert (code, error["errorType"]) == (1, "Runtime.ExitError")
        assert "signal: segmentation fault" in error["errorMessage"]

    @pytest.mark.parametrize(
        ("files", "mode"),
        [({"other": "#!/bin/sh"}, 0o755), ({"bootstrap": "#!/bin/sh"}, 0o644)],
        ids=["missing", "not executable"],
    )
    def test_without_a_bootstrap_the_entrypoint_is_invalid(
        self, project: Project, backend: str, files: dict[str, str], mode: int
    ) -> None:
        code, out, err = project("provided.al2023", files, mode=mode).fire("F", "--backend", backend)
        assert out, err
        error = json.loads(out)
        assert (code, error) == (1, {"errorType": "Runtime.InvalidEntrypoint", "errorMessage": NO_BOOTSTRAP})
        assert err.count("Error Type: Runtime.InvalidEntrypoint") == 3  # two INIT_REPORTs, and the REPORT
        assert err.splitlines()[-1].rstrip().endswith("Status: error\tError Type: Runtime.InvalidEntrypoint")

    @pytest.mark.parametrize(
        ("content", "words"),
        [("echo no program\n", "Exec format error"), ("#!/no/such/shell\n", "No such file or directory")],
    )
    def test_a_bootstrap_that_is_no_program_is_an_invalid_entrypoint(
        self, project: Project, backend: str, content: str, words: str
    ) -> None:
        code, out, _ = project("provided.al2023", {"bootstrap": content}).fire("F", "--backend", backend)
        error = json.loads(out)
        assert (code, error["errorType"]) == (1, "Runtime.InvalidEntrypoint")
        assert words in error["errorMessage"]

    def test_a_bootstrap_that_leaves_is_an_exit_error(self, project: Project, backend: str) -> None:
        code, out, err = project("provided.al2023", {"bootstrap": "#!/bin/sh\necho leaving\nexit 3\n"}).fire(
            "F", "--backend", backend
        )
        error = json.loads(out)
        assert (code, error["errorType"]) == (1, "Runtime.ExitError")
        assert "exit status 3" in error["errorMessage"]
        assert err.count("\nleaving\n") == 2


@pytest.mark.bubblewrap
def test_a_function_recovers_when_its_bootstrap_is_mended(
    serve: Callable[..., Served], project: Project, shell: Shell
) -> None:
    """The engine lives on, and so does its next invocation."""
    require_tool("curl")
    text = (Path(shell.env["WORKBENCH_PROJECT"]) / "shell_hello" / "bootstrap").read_text()
    project("provided.al2023", {"other": "#!/bin/sh"})
    served = serve(backend="bubblewrap")
    shell.run("deploy")
    client = client_for(served.url)
    for _ in range(2):
        answer = client.invoke(FunctionName="F")
        assert answer["FunctionError"] == "Unhandled"
        assert json.loads(answer["Payload"].read())["errorType"] == "Runtime.InvalidEntrypoint"
    file = Path(shell.env["WORKBENCH_PROJECT"]) / "f" / "bootstrap"
    file.write_text(text)
    file.chmod(0o755)
    assert shell.run("deploy").returncode == 0
    answer = client.invoke(FunctionName="F", Payload=b"{}")
    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read()) == {"message": "Hello, world!"}


def test_the_doctor_lists_what_runs(shell: Shell, node: str) -> None:
    lines = shell.run("doctor").stdout.decode().splitlines()
    assert any(line.split()[:2] == ["✓", node] for line in lines)
    assert any(line.split()[:2] == ["✓", "provided.al2023"] for line in lines)
    assert not any("java" in line for line in lines)
