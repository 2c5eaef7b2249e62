"""`workbench delete`, `destroy`, `deploy` and `prune`: what they say, and what is left then."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.endtoend.conftest import Served, Shell

FUNCTION = """  {name}:
    Type: AWS::Serverless::Function
    Properties: {{FunctionName: {name}, CodeUri: src/, Handler: app.handler, Runtime: {runtime}}}
"""
HERE = "python{}.{}".format(*sys.version_info)


@pytest.fixture
def project(shell: Shell, tmp_path: Path) -> Callable[..., None]:
    """Writes a template of functions and their runtimes."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src/app.py").write_text("def handler(event, context):\n    return 1\n")
    shell.env |= {"WORKBENCH_PROJECT": str(folder), "WORKBENCH_PARAMETERS": ""}

    def write(**functions: str) -> None:
        resources = "".join(FUNCTION.format(name=name, runtime=runtime) for name, runtime in functions.items())
        (folder / "template.yaml").write_text(f"Transform: AWS::Serverless-2016-10-31\nResources:\n{resources}")

    return write


def said(shell: Shell, *args: str) -> tuple[int, list[str], str]:
    done = shell.run(*args)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()


def test_from_deploy_to_an_empty_folder(shell: Shell, project: Callable[..., None]) -> None:
    project(a=HERE, b=HERE, c=HERE)
    assert said(shell, "deploy")[:2] == (0, ["created a", "created b", "created c"])
    project(a=HERE)
    code, lines, errors = said(shell, "deploy")
    assert (code, lines) == (0, ["nothing has changed"])
    assert "workbench delete b removes it" in errors
    assert said(shell, "publish", "b")[:2] == (0, ["1"])
    assert said(shell, "delete", "b")[:2] == (0, ["deleted b, 1 version"])
    code, lines, errors = said(shell, "delete", "b")
    assert (code, lines, "there is no function 'b'; there are: a, c" in errors) == (2, [], True)
    assert said(shell, "destroy")[:2] == (0, ["deleted a", "deleted c"])
    assert said(shell, "destroy")[0] == 2
    code, lines, _ = said(shell, "prune")
    assert (code, lines[:2]) == (0, ["removed 1 archive of code", "removed 1 unpacked archive"])
    assert lines[2].startswith("freed ")
    assert said(shell, "prune")[:2] == (0, ["nothing to remove"])


def test_a_runtime_that_is_missing_is_said_and_no_failure(shell: Shell, project: Callable[..., None]) -> None:
    project(a=HERE, b="ruby3.3")
    code, lines, errors = said(shell, "deploy")
    assert (code, lines) == (0, ["created a", "created b"])
    assert "workbench: b cannot run here: ruby3.3" in errors
    assert "a cannot run" not in errors


def test_a_runtime_that_only_the_project_brings_is_not_missing(
    shell: Shell, project: Callable[..., None], tmp_path: Path
) -> None:
    project(a="nodejs24.x")
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho '24.1.0 {node}'\n")
    node.chmod(0o755)
    (tmp_path / "project/workbench.toml").write_text(f'[runtimes]\n"nodejs24.x" = ["{node}"]\n')
    code, lines, errors = said(shell, "deploy")
    assert (code, lines) == (0, ["created a"])
    assert "cannot run" not in errors


def test_prune_leaves_a_running_engine_alone(shell: Shell, serve: Callable[..., Served]) -> None:
    serve()
    code, lines, errors = said(shell, "prune")
    assert (code, lines) == (4, [])
    assert "another engine uses" in errors
    assert "workbench stop ends it" in errors
