"""Two patch levels of one Python on this machine are two runtime versions; `sys.version` inside tells which one ran.

The rules on their own stand in tests/engine/test_runtime_management.py.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.endtoend.conftest import Served, Shell, eventually
from tests.endtoend.test_aws_clients import client_for
from tests.support import OFTEN
from workbench.engine.catalogue.languages import by_version
from workbench.engine.catalogue.python import find_pythons

RUNTIME = "python3.11"
CODE = "import sys\n\ndef handler(event, context):\n    return sys.version.split()[0]\n"
BACKENDS = ["subprocess", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)]


@pytest.fixture(scope="module")
def patch_levels() -> tuple[str, str]:
    """The oldest and the newest Python 3.11 here."""
    found = list(by_version(find_pythons(RUNTIME.removeprefix("python"))))
    if len(found) < 2:
        pytest.skip(f"only {found or 'no'} Python 3.11 here: two patch levels are needed")
    return found[0], found[-1]


@pytest.fixture
def project(shell: Shell, tmp_path: Path) -> Path:
    """Functions `auto`, `updated` and `manual`, and a roll-out that waits an hour before its second phase."""
    root = tmp_path / "project"
    (root / "code").mkdir(parents=True)
    (root / "code" / "app.py").write_text(CODE)
    (root / "workbench.toml").write_text("runtime_rollout = 3600\n")
    properties = f"CodeUri: code, Handler: app.handler, Runtime: {RUNTIME}, Timeout: 10"
    functions = [
        f"  {name.title()}: {{Type: AWS::Serverless::Function, Properties: {{FunctionName: {name}, {properties}}}}}"
        for name in ("auto", "updated", "manual")
    ]
    (root / "template.yaml").write_text("\n".join(["Resources:", *functions]))
    shell.env["WORKBENCH_PROJECT"] = str(root)
    return root


@pytest.mark.parametrize("backend", BACKENDS)
def test_auto_moves_to_the_patch_level_that_is_published_manual_stays_and_rolls_back(
    serve: Callable[..., Served], shell: Shell, project: Path, patch_levels: tuple[str, str], backend: str
) -> None:
    old, new = patch_levels
    publish(shell, old)
    arns = {version["version"]: version["arn"] for version in runtime(shell)["versions"]}
    client = client_for(serve(backend=backend).url)
    assert shell.run("deploy").returncode == 0
    for name in ("auto", "updated", "manual"):
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=OFTEN)
        assert ran(client, shell, name) == (old, arns[old])
    client.put_runtime_management_config(FunctionName="manual", UpdateRuntimeOn="Manual", RuntimeVersionArn=arns[old])

    publish(shell, new)
    client.update_function_configuration(FunctionName="updated", Timeout=11)
    client.get_waiter("function_updated_v2").wait(FunctionName="updated", WaiterConfig=OFTEN)
    assert ran(client, shell, "updated") == (new, arns[new])
    assert (ran(client, shell, "auto"), shown(client, "auto")) == ((old, arns[old]), arns[old])

    # The hour is over for an engine that waits none; that it has not forgotten is tried along with it.
    assert shell.run("stop").returncode == 0
    (project / "workbench.toml").write_text("runtime_rollout = 0\n")
    client = client_for(serve(backend=backend).url)
    eventually(lambda: shown(client, "auto") == arns[new])
    assert ran(client, shell, "auto") == (new, arns[new])
    assert ran(client, shell, "manual") == (old, arns[old])

    rolled_back = shell.run("runtime-mode", "auto", "manual", "--arn", arns[old])
    assert rolled_back.stdout.decode() == f"Manual {arns[old]}\n"
    assert ran(client, shell, "auto") == (old, arns[old])
    assert (shown(client, "auto"), shown(client, "updated")) == (arns[old], arns[new])


def test_the_list_names_what_is_here(shell: Shell, project: Path, patch_levels: tuple[str, str]) -> None:
    old, new = patch_levels
    publish(shell, old)
    listed = shell.run("runtimes", "list").stdout.decode()
    section = listed[listed.index(RUNTIME) :]
    assert re.search(rf"  {re.escape(old)} +/\S+/python3\.11\n +arn:\S+  ← published", section)
    assert re.search(rf"  {re.escape(new)} +/\S+/python3\.11\n +arn:\S+  ← newest", section)


def test_a_project_adds_programs(shell: Shell, project: Path, patch_levels: tuple[str, str], tmp_path: Path) -> None:
    newest = runtime(shell)["versions"][-1]
    settings = project / "workbench.toml"
    settings.write_text(f'[runtimes]\n"{RUNTIME}" = ["{newest["interpreter"]}"]\n')
    assert runtime(shell)["versions"][-1] == newest
    for text, said in (
        (f'[runtimes]\n"{RUNTIME}" = ["/bin/sh"]\n', "/bin/sh is no Python 3.11"),
        ('[runtimes]\n"cobol74" = []\n', "names 'cobol74'"),
        (f'[runtimes]\n"{RUNTIME}" = "/bin/sh"\n', "takes a list of programs"),
    ):
        settings.write_text(text)
        done = shell.run("runtimes", "list")
        assert (done.returncode, done.stderr.count(b"\n")) == (2, 1), done.stderr
        assert said in done.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((RUNTIME, "3.11.999"), f"there is no version 3.11.999 of '{RUNTIME}' on this machine; there is: "),
        (("cobol74", "1"), "there is no runtime 'cobol74'"),
    ],
)
def test_what_cannot_be_published_is_one_message(
    shell: Shell, project: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = shell.run("runtimes", "publish", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert said in done.stderr.decode()


def test_both_of_debian_and_pyenv_are_found() -> None:
    """Where both are installed; in CI they are."""
    system = Path("/usr/bin/python3.11")
    pyenv = sorted((Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions").glob("3.11.*"))
    if not system.exists() or not pyenv:
        pytest.skip("no Python 3.11 of both the distribution and pyenv here")
    found = {str(program.executable) for program in find_pythons("3.11")}
    assert {str(system), *(str(folder / "bin/python3.11") for folder in pyenv)} <= found


def ran(client: Any, shell: Shell, name: str) -> tuple[str, str]:
    """`sys.version` inside a function, and the ARN on the last INIT_START line of its log."""
    try:
        answer = client.invoke(FunctionName=name)
    except ClientError as error:
        if "cannot be fetched" in str(error):
            pytest.skip(str(error))  # AWS's client for another version than our own comes from the network
        raise
    log = shell.run("logs", name).stdout.decode()
    return json.loads(answer["Payload"].read()), re.findall(r"INIT_START .*Runtime Version ARN: (\S+)", log)[-1]


def publish(shell: Shell, version: str) -> None:
    done = shell.run("runtimes", "publish", RUNTIME, version)
    assert done.returncode == 0, done.stderr


def runtime(shell: Shell) -> dict[str, Any]:
    lines = shell.run("runtimes", "list", "--json").stdout.splitlines()
    (found,) = [entry for line in lines if (entry := json.loads(line))["id"] == RUNTIME]
    return dict(found)


def shown(client: Any, name: str) -> str:
    """The runtime version that GetFunction names."""
    return str(client.get_function(FunctionName=name)["Configuration"]["RuntimeVersionConfig"]["RuntimeVersionArn"])
