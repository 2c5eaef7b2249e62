"""A Docker daemon that is stopped, or hangs, costs its functions a clear error and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import images
from tests.endtoend.conftest import SAMPLES, WORKBENCH, Served, Shell, eventually
from tests.support import require_tool
from workbench_docker import daemon

IMAGE = "workbench-tests/small"
TEMPLATE = """
Resources:
  InDocker:
    Type: AWS::Serverless::Function
    Properties: {{CodeUri: shell, Handler: none, Runtime: provided.al2023, Timeout: 20}}
  Elsewhere:
    Type: AWS::Serverless::Function
    Properties: {{CodeUri: python, Handler: app.handler, Runtime: {runtime}, Timeout: 20}}
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a daemon")


class Daemon:
    """A daemon of the test's own, as scripts/check starts one."""

    def __init__(self, folder: Path) -> None:
        self.address = f"unix://{folder}/docker.sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folder = self._folder
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(require_tool("dockerd"), "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"),
                    *("--pidfile", f"{folder}/pid", "--host", self.address),
                    *("--bridge=none", "--iptables=false", "--ip6tables=false"),
                ],
                stdout=log,
                stderr=log,
            )
        eventually(self.listens, 60)

    def listens(self) -> bool:
        try:
            return bool(daemon._get(f"{self._folder}/docker.sock", "/version"))
        except OSError:
            return False

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        self._process.wait(60)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@pytest.fixture
def own_daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    from docker import APIClient

    folder = Path(tempfile.mkdtemp(prefix="wb-docker-", dir="/tmp"))
    made = Daemon(folder)
    try:
        made.start()
        client = APIClient(base_url=made.address, timeout=300)
        images.build(client, IMAGE, languages=False)
        client.close()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


@pytest.fixture
def project(shell: Shell, tmp_path: Path, own_daemon: Daemon) -> Shell:
    require_tool("curl")
    root = tmp_path / "project"
    (root / "python").mkdir(parents=True)
    (root / "python" / "app.py").write_text("def handler(event, context):\n    return event\n")
    shutil.copytree(SAMPLES / "shell_hello", root / "shell")
    runtime = shell.env["WORKBENCH_PARAMETERS"].removeprefix("PythonRuntime=")
    (root / "template.yaml").write_text(TEMPLATE.format(runtime=runtime))
    shell.env |= {"WORKBENCH_PROJECT": str(root), "DOCKER_HOST": own_daemon.address, "WORKBENCH_DOCKER_IMAGE": IMAGE}
    shell.env["WORKBENCH_DOCKER_TIMEOUT"] = "5"
    return shell


class Load:
    """Fires the function that is not in Docker, ten times a second, and keeps how each invocation ended."""

    def __init__(self, shell: Shell) -> None:
        command = [WORKBENCH, "fire", "Elsewhere", "--count", "100000", "--rate", "10", "--event", "7"]
        env = {**shell.env, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
        self.results: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.results.append(json.loads(line))

    def goes_on(self) -> None:
        wanted = len(self.results) + 5
        eventually(lambda: len(self.results) >= wanted, 30)

    def end(self) -> list[dict[str, Any]]:
        self._process.terminate()
        self._thread.join(30)
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self.results


def in_docker(shell: Shell) -> tuple[int, bytes, str]:
    return shell.fire("InDocker", "--backend", "docker", "--event", '{"name":"Ada"}')


def doctor(shell: Shell) -> str:
    return shell.run("doctor").stdout.decode()


def test_it_may_stop_or_hang_and_come_back(serve: Callable[..., Served], project: Shell, own_daemon: Daemon) -> None:
    shell = project
    served = serve(backend="subprocess")
    assert shell.run("deploy").returncode == 0
    fine = (0, {"message": "Hello, Ada!"})
    code, out, err = in_docker(shell)
    assert (code, json.loads(out or b"null")) == fine, err
    load = Load(shell)
    try:
        load.goes_on()
        own_daemon.stop()
        code, _, err = in_docker(shell)
        assert code == 4
        assert f"no daemon answers at {own_daemon.address.removeprefix('unix://')} (" in err
        assert daemon.start_command() in err
        said = doctor(shell)
        assert "✗ docker" in said
        assert f"mend: {daemon.start_command()}" in said
        load.goes_on()

        own_daemon.start()
        code, out, err = in_docker(shell)
        assert (code, json.loads(out or b"null")) == fine, err
        load.goes_on()

        own_daemon.signal(signal.SIGSTOP)
        code, out, err = in_docker(shell)  # an environment that is there needs no daemon
        assert (code, json.loads(out or b"null")) == fine, err
        (Path(shell.env["WORKBENCH_PROJECT"]) / "shell" / "more").touch()
        assert shell.run("deploy").returncode == 0  # other code: another environment
        for longest in (20, 12):  # the second time it is known to hang
            begun = time.monotonic()
            code, _, err = in_docker(shell)
            assert time.monotonic() - begun < longest
            assert code == 4
            assert "hangs" in err
            assert daemon.restart_command() in err
        assert f"mend: {daemon.restart_command()}" in doctor(shell)
        load.goes_on()

        own_daemon.signal(signal.SIGCONT)
        code, out, err = in_docker(shell)
        assert (code, json.loads(out or b"null")) == fine, err
    finally:
        results = load.end()
    assert [one for one in results if one.get("payload") != 7] == []
    assert served.process.poll() is None
    begun = time.monotonic()
    assert shell.run("stop").returncode == 0
    served.process.wait(20)
    assert time.monotonic() - begun < 20
