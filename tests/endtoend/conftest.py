"""A project on the samples with a state folder of its own, the real commands, and real engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_functions" / "workbench_samples"
WORKBENCH = str(Path(sys.executable).parent / "workbench")


@dataclass(slots=True)
class Shell:
    """Runs commands of one project."""

    env: dict[str, str]
    state: Path

    def run(self, *args: str, stdin: bytes | None = None, timeout: float = 60) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([WORKBENCH, *args], env=self.env, input=stdin, capture_output=True, timeout=timeout)

    def fire(self, *args: str, **more: Any) -> tuple[int, bytes, str]:
        """Exit code, stdout and stderr of `workbench fire`."""
        done = self.run("fire", *args, **more)
        return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return new_shell(tmp_path)


def new_shell(folder: Path) -> Shell:
    """A project on the samples, with its state in this folder."""
    env = {
        **os.environ,
        "WORKBENCH_PROJECT": str(SAMPLES),
        "WORKBENCH_STATE": str(folder / "state"),
        "WORKBENCH_PARAMETERS": "PythonRuntime=python{}.{}".format(*sys.version_info),
    }
    return Shell(env, folder / "state")


@dataclass(slots=True)
class Served:
    """A running engine process."""

    shell: Shell
    process: subprocess.Popen[bytes]
    facts: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.facts["lambda"])

    def environment_pids(self) -> list[int]:
        """Processes that the engine's environments run now, by the mark that their command line bears."""
        return processes_with(str(self.shell.state))


@pytest.fixture
def serve(shell: Shell) -> Iterator[Callable[..., Served]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*args: str, backend: str = "subprocess") -> Served:
        command = [WORKBENCH, "serve", "--json", "--port", "0", "--gateway-port", "0", "--backend", backend, *args]
        env = shell.env if backend == "subprocess" else {"WORKBENCH_NETWORK": "none", **shell.env}
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        return Served(shell, process, json.loads(process.stdout.readline()))

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def processes_with(text: str) -> list[int]:
    """Processes whose environment or command line has `text`, but for engines and this test itself."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            command = (folder / "cmdline").read_bytes()
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if b"boot.py" in command and text.encode() in command + environment:
            found.append(int(folder.name))
    return found


def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The condition's first true answer; fails with its last one."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {condition}: {answer!r}")
        time.sleep(0.02)
