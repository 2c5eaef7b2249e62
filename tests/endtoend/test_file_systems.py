"""A file system (EFS) is a folder of this machine, which environments and functions share, and which outlives them."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.endtoend.conftest import Served, Shell

WRITES = """
import os

def handler(event, context):
    with open("/mnt/shared/lines", "a") as file:
        for number in range(event.get("count", 0)):
            print(context.function_name, number, file=file, flush=True)
    with open("/mnt/shared/lines") as file:
        lines = len(file.readlines())
    try:
        open("/mnt/other", "w").close()
        elsewhere = True
    except OSError:
        elsewhere = False
    return [lines, os.listdir("/mnt"), elsewhere, os.getuid() == 0]
"""
TEMPLATE = """
Globals:
  Function:
    {{CodeUri: src, Handler: app.handler, Runtime: {runtime}, Timeout: 30,
      FileSystemConfigs: [{{Arn: !GetAtt Access.Arn, LocalMountPath: /mnt/shared}}]}}
Resources:
  Access: {{Type: AWS::EFS::AccessPoint, Properties: {{FileSystemId: fs-01234567}}}}
  A: {{Type: AWS::Serverless::Function}}
  B: {{Type: AWS::Serverless::Function}}
"""
#: The id that the template's access point gets.
ACCESS = "fsap-ec5ba0abb717da87a"
ON = [pytest.param("bubblewrap", marks=pytest.mark.bubblewrap), pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture
def project(shell: Shell, tmp_path: Path) -> Iterator[Path]:
    """A project with two functions that have the folder `shared` of it as a file system."""
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "app.py").write_text(WRITES)
    runtime = shell.env["WORKBENCH_PARAMETERS"].removeprefix("PythonRuntime=")
    (root / "template.yaml").write_text(TEMPLATE.format(runtime=runtime))
    (root / "workbench.toml").write_text(f'[file_systems]\n{ACCESS} = "shared"\n')
    shell.env["WORKBENCH_PROJECT"] = str(root)
    yield root
    shutil.rmtree(root)


@pytest.mark.parametrize("backend", ON)
def test_functions_append_to_one_file_at_once_and_no_line_is_lost(
    serve: Callable[..., Served], shell: Shell, project: Path, backend: str
) -> None:
    serve(backend=backend)
    assert shell.run("deploy").returncode == 0

    def write(name: str) -> tuple[int, bytes, str]:
        return shell.fire(name, "--event", '{"count": 500}', "--count", "2", "--concurrency", "2")

    with ThreadPoolExecutor() as pool:
        for code, _, err in pool.map(write, "AB"):
            assert code == 0, err
    lines = (project / "shared" / "lines").read_text().splitlines()
    assert Counter(lines) == {f"{name} {number}": 2 for name in "AB" for number in range(500)}
    code, out, err = shell.fire("A")
    assert (code, json.loads(out or b"null")) == (0, [2000, ["shared"], False, False]), err
    assert shell.run("stop").returncode == 0
    assert len((project / "shared" / "lines").read_text().splitlines()) == 2000


def test_a_backend_that_mounts_nothing_says_so_when_deployed_and_when_fired(shell: Shell, project: Path) -> None:
    (project / "workbench.toml").write_text(f'backend = "subprocess"\n[file_systems]\n{ACCESS} = "shared"\n')
    done = shell.run("deploy")
    assert done.returncode == 0
    assert b"A cannot run on subprocess, which mounts no file systems: bubblewrap does" in done.stderr
    code, _, err = shell.fire("A")
    assert code == 4
    assert "the subprocess backend mounts none (--backend bubblewrap, or docker)" in err
    assert not (project / "shared").exists()


@pytest.mark.bubblewrap
def test_without_a_folder_for_it_the_lines_that_are_missing_are_said(shell: Shell, project: Path) -> None:
    (project / "workbench.toml").unlink()
    arn = f"arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/{ACCESS}"
    missing = f'[file_systems]\n"{arn}" = "path/of/a/folder"'
    done = shell.run("deploy")
    assert done.returncode == 0
    assert missing in done.stderr.decode()
    code, _, err = shell.fire("A", "--backend", "bubblewrap")
    assert code == 2
    assert missing in err
    (project / "workbench.toml").write_text(missing.replace("path/of/a/folder", "mine"))
    code, _, err = shell.fire("A", "--backend", "bubblewrap", "--event", '{"count": 1}')
    assert code == 0, err
    assert (project / "mine" / "lines").read_text() == "A 0\n"


@pytest.mark.bubblewrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that are root's")
def test_a_folder_of_root_s_is_read_only_and_that_is_said(shell: Shell, project: Path) -> None:
    shared = project / "shared"
    shared.mkdir(mode=0o755)
    code, out, err = shell.fire("A", "--backend", "bubblewrap")
    assert (code, b"PermissionError" in out) == (1, True)
    mend = f"to let them write: chown 1999999 {shared}"
    assert f"functions can only read {shared}, which belongs to user 0; {mend}" in err


@pytest.mark.bubblewrap
@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's functions are that user anyhow")
def test_functions_are_the_user_whose_folder_it_is(shell: Shell, project: Path) -> None:
    shared = project / "shared"
    shared.mkdir(mode=0o755)
    os.chown(shared, 54321, 54321)
    code, _, err = shell.fire("A", "--backend", "bubblewrap", "--event", '{"count": 1}')
    assert code == 0, err
    assert (shared / "lines").stat().st_uid == 54321
