"""Functions that are container images, with a runtime client of their own, on Docker."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from tests.endtoend.conftest import Served, Shell
from tests.images import pythons
from workbench_docker import daemon

NAME = f"workbench-tests/function-{os.getpid()}"
#: A runtime client in a dozen lines: what it answers says how it was started.
CLIENT = """
import http.client, json, os, sys

connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    event = connection.getresponse()
    identity = event.getheader("Lambda-Runtime-Aws-Request-Id")
    said = {"event": json.loads(event.read()), "argv": sys.argv, "cwd": os.getcwd(), "env": dict(os.environ)}
    said |= {"root": os.getuid() == 0, "task": os.path.exists("/var/task/app.py")}
    try:
        open("/function/new", "w").close()
        said["writable"] = True
    except OSError:
        said["writable"] = False
    connection.request("POST", f"/2018-06-01/runtime/invocation/{identity}/response", json.dumps(said))
    connection.getresponse().read()
"""
EXTENSION = """#!/var/lang/bin/{python}
import http.client, os

connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
headers = {{"Lambda-Extension-Name": os.path.basename(__file__)}}
connection.request("POST", "/2020-01-01/extension/register", '{{"events": []}}', headers)
answer = connection.getresponse()
answer.read()
headers = {{"Lambda-Extension-Identifier": answer.getheader("Lambda-Extension-Identifier")}}
connection.request("GET", "/2020-01-01/extension/event/next", headers=headers)
connection.getresponse()
"""
TEMPLATE = """
Resources:
  Plain:
    Type: AWS::Serverless::Function
    Properties: {{PackageType: Image, ImageUri: {name}, Environment: {{Variables: {{MINE: function}}}}}}
  Other:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      ImageUri: {name}
      ImageConfig: {{Command: [app.py, other, "two words"], WorkingDirectory: /function/deep}}
  NoProgram:
    Type: AWS::Serverless::Function
    Properties: {{PackageType: Image, ImageUri: {name}, ImageConfig: {{EntryPoint: [no-such-program]}}}}
  NoFolder:
    Type: AWS::Serverless::Function
    Properties: {{PackageType: Image, ImageUri: {name}, ImageConfig: {{WorkingDirectory: /nowhere}}}}
  Missing:
    Type: AWS::Serverless::Function
    Properties: {{PackageType: Image, ImageUri: "localhost:1/nowhere:1"}}
"""


@pytest.fixture(scope="module")
def python() -> str:
    return f"python{next(iter(pythons()))}"


@pytest.fixture(scope="module")
def client(docker_image: str) -> Iterator[Any]:
    from docker import APIClient

    found = daemon.look().daemon
    assert found is not None
    client = APIClient(base_url=found.url, version=found.api)
    yield client
    client.close()


def build(client: Any, base: str, python: str, files: dict[str, str], **config: Any) -> str:
    """Make the function's image: these files over the image of this machine, and what it says of how it is run."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    says = {
        "Entrypoint": [python],
        "Cmd": ["app.py", "plain"],
        "WorkingDir": "/function",
        "Env": ["PATH=/nowhere:/var/lang/bin:/bin", "LD_LIBRARY_PATH=/var/lang/lib", "MINE=image", "THEIRS=image"],
        **config,
    }
    made = client.create_container_from_config({"Image": base, "Cmd": ["/bin/sh"]})
    client.put_archive(made["Id"], "/", buffer.getvalue())
    image: str = client.commit(made["Id"], repository=NAME, conf=says)["Id"]
    client.remove_container(made["Id"])
    return image


@pytest.fixture
def project(shell: Shell, tmp_path: Path, client: Any, docker_image: str, python: str) -> Iterator[Path]:
    files = {
        "function/app.py": CLIENT,
        "function/deep/app.py": CLIENT,
        "opt/extensions/watcher": EXTENSION.format(python=python),
    }
    first = build(client, docker_image, python, files)
    root = tmp_path / "project"
    root.mkdir()
    (root / "template.yaml").write_text(TEMPLATE.format(name=NAME))
    shell.env["WORKBENCH_PROJECT"] = str(root)
    yield root
    shell.run("stop")  # what a container runs cannot be removed
    client.remove_image(NAME, force=True)
    with suppress(NotFound):  # it had that name to the end
        client.remove_image(first, force=True)


@pytest.mark.docker
def test_an_image_runs_as_it_says_and_as_the_function_says_otherwise(
    serve: Callable[..., Served], shell: Shell, project: Path, client: Any, docker_image: str, python: str
) -> None:
    """On Docker, though `auto` takes another backend for the rest."""
    served = serve(backend="auto")
    done = shell.run("deploy")
    assert done.returncode == 0, done.stderr
    code, out, err = shell.fire("Plain", "--event", '{"n": 1}')
    assert code == 0, err
    said = json.loads(out)
    assert (said["event"], said["argv"], said["cwd"]) == ({"n": 1}, ["app.py", "plain"], "/function")
    assert (said["root"], said["task"], said["writable"]) == (False, False, False)
    variables = said["env"]
    assert (variables["MINE"], variables["THEIRS"]) == ("function", "image")
    assert variables["PATH"] == "/nowhere:/var/lang/bin:/bin"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "Plain"
    assert variables.keys().isdisjoint({"_HANDLER", "AWS_EXECUTION_ENV", "PYTHONPATH", "LD_PRELOAD"})
    assert "EXTENSION\tName: watcher\tState: Ready\tEvents: []" in err
    assert "INIT_START" not in err

    code, out, err = shell.fire("Other")
    assert code == 0, err
    said = json.loads(out)
    assert (said["argv"], said["cwd"]) == (["app.py", "other", "two words"], "/function/deep")

    for name, kind, message in (
        ("NoProgram", "Runtime.InvalidEntrypoint", "No such file or directory: no-such-program"),
        ("NoFolder", "Runtime.InvalidWorkingDir", "No such file or directory: /nowhere"),
    ):
        code, out, err = shell.fire(name)
        failure = json.loads(out)
        assert (code, failure["errorType"]) == (1, kind), err
        assert message in failure["errorMessage"]
    code, _, err = shell.fire("Missing")
    assert code == 4
    assert "there is no image localhost:1/nowhere:1: Docker cannot fetch the image" in err
    assert "docker build -t localhost:1/nowhere:1" in err

    # The same name, another image: deploying sees it.
    assert b"nothing has changed" in shell.run("deploy").stdout
    build(client, docker_image, python, {"function/app.py": CLIENT}, Cmd=["app.py", "anew"])
    assert b"updated the code of Plain" in shell.run("deploy").stdout
    code, out, err = shell.fire("Plain")
    assert (code, json.loads(out)["argv"]) == (0, ["app.py", "anew"]), err
    assert served.process.poll() is None


@pytest.mark.docker
@pytest.mark.bubblewrap
def test_a_backend_without_images_says_so_when_deployed_and_when_fired(shell: Shell, project: Path) -> None:
    (project / "workbench.toml").write_text('backend = "bubblewrap"')
    done = shell.run("deploy")
    assert done.returncode == 0
    assert b"Plain cannot run on bubblewrap, which runs no images: docker does" in done.stderr
    code, _, err = shell.fire("Plain")
    assert code == 4
    assert "Plain is a container image, and the bubblewrap backend runs none (--backend docker)" in err
