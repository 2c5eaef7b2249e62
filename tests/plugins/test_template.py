"""The plugin template, installed as a stranger's distribution beside Workbench: found, conforming, at work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import require_tool

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "plugins" / "backend_template"
FUNCTIONS = Path(__file__).parent / "template_functions"
WORKBENCH = str(Path(sys.executable).parent / "workbench")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the template's backend is for Linux")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables under which the template is installed: in a folder of its own, so that nothing else sees it."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = run([*command, "--no-build-isolation", "--target", str(folder), str(TEMPLATE)], dict(os.environ))
    assert done.returncode == 0, done.stderr
    return {**os.environ, "PYTHONPATH": str(folder)}


def run(command: list[str], env: dict[str, str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def fire(env: dict[str, str], tmp_path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return run([WORKBENCH, "fire", *args], {**env, "WORKBENCH_STATE": str(tmp_path / "state")})


def test_it_passes_the_kit(installed: dict[str, str], tmp_path: Path) -> None:
    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "workbench.testing.suite"]
    done = run([*suite, "--workbench-backend=unshare"], installed, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def test_its_own_tests_inherit_the_kit(installed: dict[str, str], tmp_path: Path) -> None:
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = run([*tests, str(TEMPLATE / "tests"), "-k", "exactly_one_exited or nothing_outlives"], installed, tmp_path)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_it_runs_a_function(installed: dict[str, str], tmp_path: Path) -> None:
    samples = {
        **installed,
        "WORKBENCH_PROJECT": str(ROOT / "sample_functions" / "workbench_samples"),
        "WORKBENCH_PARAMETERS": "PythonRuntime=python{}.{}".format(*sys.version_info),
    }
    done = fire(samples, tmp_path, "hello", "--event", '{"name":"Ada"}', "--backend", "unshare")
    assert done.returncode == 0, done.stderr
    assert "Ada" in done.stdout


@pytest.mark.parametrize("backend", ["unshare", "subprocess", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)])
def test_a_function_runs_on_the_runtime_that_it_brings(backend: str, installed: dict[str, str], tmp_path: Path) -> None:
    require_tool("curl")
    project = {**installed, "WORKBENCH_PROJECT": str(FUNCTIONS)}
    done = fire(project, tmp_path, "shout", "--event", '{"say":"hello"}', "--backend", backend)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"SAY": "HELLO"}
    assert "got 1 argument, request in shout" in done.stderr
    done = fire(project, tmp_path, "shout", "--event", '"fail"', "--backend", backend)
    assert done.returncode == 1
    assert json.loads(done.stdout)["errorMessage"] == "shout returned 3"


def test_without_it_there_is_neither_backend_nor_runtime(tmp_path: Path) -> None:
    project = {**os.environ, "WORKBENCH_PROJECT": str(FUNCTIONS)}
    done = fire(project, tmp_path, "shout", "--backend", "unshare")
    assert (done.returncode, "there is no backend named 'unshare'" in done.stderr) == (2, True)
    done = fire(project, tmp_path, "shout", "--backend", "subprocess")
    assert (done.returncode, "there is no runtime 'bash5'" in done.stderr) == (4, True)
