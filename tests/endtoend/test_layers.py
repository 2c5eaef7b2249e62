"""Layers at run time, on each backend: a library, the later of two files, a runtime, a module for Node.js."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.endtoend.conftest import SAMPLES, Shell
from tests.support import require_tool

BACKENDS = [
    "subprocess",
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    pytest.param("docker", marks=pytest.mark.docker),
]
on_each_backend = pytest.mark.parametrize("backend", BACKENDS)
Project = Callable[..., Shell]

SEES = """
import os, sys
import library

def handler(event, context):
    opt = os.environ.get("WORKBENCH_OPT", "/opt")
    try:
        open(f"{opt}/new", "w").close()
        writable = True
    except OSError:
        writable = False
    return {
        "library": library.NAME, "file": library.__file__, "package": __import__("package").NAME, "opt": opt,
        "tool": os.popen("tool").read(), "writable": writable,
        "path": [p for p in sys.path if p.startswith(opt)], "PATH": os.environ["PATH"],
        "LD_LIBRARY_PATH": os.environ["LD_LIBRARY_PATH"],
    }
"""


@pytest.fixture
def project(shell: Shell, tmp_path: Path) -> Project:
    """A project with a function F of these files, and these layers in their order."""

    def make(runtime: str, handler: str, files: dict[str, str], *layers: dict[str, str]) -> Shell:
        root = tmp_path / "project"
        for folder, content in (("f", files), *((f"l{n}", layer) for n, layer in enumerate(layers))):
            for name, text in content.items():
                file = root / folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
                file.chmod(0o755 if text.startswith("#!") else 0o644)
        references = ", ".join(f"!Ref L{n}" for n in range(len(layers)))
        (root / "f").mkdir(exist_ok=True)
        (root / "template.yaml").write_text(
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: "
            f"{{CodeUri: f, Handler: {handler}, Runtime: {runtime}, Timeout: 5, Layers: [{references}]}}\n"
            + "".join(
                f"  L{n}:\n    Type: AWS::Serverless::LayerVersion\n    Properties: {{ContentUri: l{n}}}\n"
                for n in range(len(layers))
            )
        )
        shell.env["WORKBENCH_PROJECT"] = str(root)
        return shell

    return make


@on_each_backend
def test_the_sample_imports_its_library(shell: Shell, backend: str) -> None:
    code, out, err = shell.fire("layered", "--event", '{"name":"Ada","language":"fr"}', "--backend", backend)
    assert code == 0, err
    answer = json.loads(out)
    assert answer["message"] == "Bonjour, Ada!"
    assert "published version 1 of layer greetings" in err
    lines = [line for line in err.splitlines() if line.startswith("LAYERS Folder: ")]
    if backend == "subprocess":
        folder = Path(answer["library"]).parents[1]
        assert lines == [f"LAYERS Folder: {folder}\tThis backend has no mounts: nothing is at /opt"]
        assert folder.is_relative_to(shell.state)
    else:
        assert (answer["library"], lines) == ("/opt/python/greetings.py", [])


@on_each_backend
def test_the_later_of_two_files_is_seen_where_aws_shows_it(project: Project, shell: Shell, backend: str) -> None:
    runtime = shell.env["WORKBENCH_PARAMETERS"].removeprefix("PythonRuntime=")
    package = f"python/lib/{runtime}/site-packages/package.py"
    first = {
        "python/library.py": "NAME = 'first'",
        package: "NAME = 'first'",
        "bin/tool": "#!/bin/sh\necho first\n",
    }
    second = {"python/library.py": "NAME = 'second'", "bin/tool": "#!/bin/sh\necho second\n"}
    code, out, err = project(runtime, "app.handler", {"app.py": SEES}, first, second).fire("F", "--backend", backend)
    assert code == 0, err
    answer = json.loads(out)
    opt = answer["opt"]
    assert (answer["library"], answer["package"], answer["tool"]) == ("second", "first", "second\n")
    assert answer["file"] == f"{opt}/python/library.py"
    assert answer["path"] == [f"{opt}/python/lib/{runtime}/site-packages", f"{opt}/python"]
    assert answer["PATH"].split(":")[-1] == f"{opt}/bin"
    assert answer["LD_LIBRARY_PATH"].split(":")[-1] == f"{opt}/lib"
    if backend != "subprocess":
        assert (opt, answer["writable"]) == ("/opt", False)


@on_each_backend
def test_a_layer_can_be_the_runtime(project: Project, backend: str) -> None:
    require_tool("curl")
    bootstrap = (SAMPLES / "shell_hello" / "bootstrap").read_text()
    code, out, err = project("provided.al2023", "any", {"data": "x"}, {"bootstrap": bootstrap}).fire(
        "F", "--event", '{"name":"Ada"}', "--backend", backend
    )
    assert (code, json.loads(out or b"null")) == (0, {"message": "Hello, Ada!"}), err


@on_each_backend
def test_the_function_s_own_bootstrap_goes_before_a_layer_s(project: Project, backend: str) -> None:
    require_tool("curl")
    own = (SAMPLES / "shell_hello" / "bootstrap").read_text()
    code, out, err = project("provided.al2023", "any", {"bootstrap": own}, {"bootstrap": "#!/bin/sh\nexit 3\n"}).fire(
        "F", "--backend", backend
    )
    assert (code, json.loads(out or b"null")) == (0, {"message": "Hello, world!"}), err


@on_each_backend
@pytest.mark.parametrize("kind", ["require", "import"])
def test_node_finds_a_module_in_a_layer(project: Project, backend: str, kind: str) -> None:
    version = subprocess.run([require_tool("node"), "--version"], capture_output=True, text=True, check=True).stdout
    runtime = f"nodejs{version.removeprefix('v').split('.')[0]}.x"
    layer = {"nodejs/node_modules/library/index.js": "module.exports = 'from the layer'"}
    files = {
        "require": {"index.js": "exports.handler = async () => require('library')"},
        "import": {"index.mjs": "import library from 'library'; export const handler = async () => library"},
    }[kind]
    code, out, err = project(runtime, "index.handler", files, layer).fire("F", "--backend", backend)
    assert (code, json.loads(out or b"null")) == (0, "from the layer"), err


def test_without_layers_a_backend_without_mounts_shows_no_opt(project: Project, shell: Shell) -> None:
    """The machine's own /opt is not the function's."""
    runtime = shell.env["WORKBENCH_PARAMETERS"].removeprefix("PythonRuntime=")
    code = "import os, sys\ndef handler(event, context):\n    return [dict(os.environ), sys.path]\n"
    _, out, err = project(runtime, "app.handler", {"app.py": code}).fire("F", "--backend", "subprocess")
    environment, path = json.loads(out)
    assert not any("/opt" in value for value in (environment["PATH"], environment["LD_LIBRARY_PATH"], *path))
    assert "WORKBENCH_OPT" not in environment
    assert "LAYERS Folder" not in err


def test_layers_from_the_command_line(shell: Shell) -> None:
    folder = str(SAMPLES / "layers" / "greetings")
    arn = "arn:aws:lambda:us-east-1:000000000000:layer:words"
    done = shell.run("layers", "list")
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.startswith(b"no layers yet: `workbench layers publish NAME FOLDER` makes one")
    for number in (1, 2):
        done = shell.run("layers", "publish", "words", folder, "--runtime", "python3.12", "-d", "words")
        assert (done.returncode, done.stdout.decode()) == (0, f"{arn}:{number}\n")
    (line,) = shell.run("layers", "list").stdout.decode().splitlines()
    assert (line.startswith(f"{arn}:2  "), line.endswith("  python3.12  words")) == (True, True)
    assert len(shell.run("layers", "list", "words").stdout.splitlines()) == 2
    assert shell.run("layers", "delete", "words", "2").stdout == b"deleted version 2 of words\n"
    assert shell.run("layers", "publish", "words", folder).stdout.decode() == f"{arn}:3\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["publish", "words", "no/such.zip"], "no/such.zip cannot be read: No such file or directory"),
        (["publish", "a/b", "."], "'a/b' is no layer name"),
        (["delete", "words", "0"], "0"),
        (["list", "nosuch"], "there is no layer 'nosuch'; there are: none"),
    ],
)
def test_wrong_usage_is_one_message_and_exit_2(shell: Shell, arguments: list[str], said: str) -> None:
    done = shell.run("layers", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
