"""The same function, event and assertion on every Python that is found here, on each backend."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.endtoend.conftest import Shell
from tests.images import pythons

OWN = "{}.{}".format(*sys.version_info)
BACKENDS = [
    "subprocess",
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    pytest.param("docker", marks=pytest.mark.docker),
]
CODE = """
import json, platform, ssl, sqlite3

def handler(event, context):
    if event.get("fail"):
        raise KeyError("no beans")
    return {"python": platform.python_version(), "doubled": event["n"] * 2, "name": context.function_name}
"""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("minor", list(pythons()))
def test_the_same_everywhere(shell: Shell, tmp_path: Path, minor: str, backend: str) -> None:
    project = tmp_path / "project"
    (project / "f").mkdir(parents=True)
    (project / "f" / "app.py").write_text(CODE)
    (project / "template.yaml").write_text(
        "Resources:\n  F:\n    Type: AWS::Serverless::Function\n"
        f"    Properties: {{CodeUri: f, Handler: app.handler, Runtime: python{minor}, Timeout: 10}}\n"
    )
    shell.env["WORKBENCH_PROJECT"] = str(project)
    code, out, err = shell.fire("F", "--event", '{"n": 21}', "--backend", backend)
    if minor != OWN and "cannot be fetched" in err:
        pytest.skip(err.splitlines()[-1])  # AWS's client for another version than our own comes from the network
    assert (code, json.loads(out or b"null")) == (
        0,
        {"python": pythons()[minor].version, "doubled": 42, "name": "F"},
    ), err
    assert f"INIT_START Runtime Version: python:{minor}.v" in err

    code, out, err = shell.fire("F", "--event", '{"fail": true}', "--backend", backend)
    error = json.loads(out)
    assert (code, error["errorType"], error["errorMessage"]) == (1, "KeyError", "'no beans'")
    assert list(error) == ["errorMessage", "errorType", "requestId", "stackTrace"]
