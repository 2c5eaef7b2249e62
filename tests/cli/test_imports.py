"""What a command may load: the heavy packages belong to the one command that needs them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.endtoend.conftest import Served, Shell, serve, shell

__all__ = ["serve", "shell"]
HEAVY = {"textual", "rich", "botocore", "boto3", "docker", "msgspec", "pydantic", "samtranslator", "cfnlint", "pytest"}
RUN = """
import os, sys
from workbench.cli import main
sys.argv = ["workbench", *{arguments!r}]
os._exit = lambda code: None
main()
print(*{{name.split('.')[0] for name in sys.modules}}, file=sys.stderr)
print(*[name for name in sys.modules if name.startswith('workbench.')], file=sys.stderr)
"""


def loaded(shell: Shell, *arguments: str) -> tuple[set[str], set[str]]:
    """What a command has loaded: packages, and modules of ours."""
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(arguments=[*arguments])], env=shell.env, capture_output=True, text=True
    )
    everything, ours = done.stderr.splitlines()[-2:]
    return set(everything.split()), set(ours.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["fire", "--help"],
        ["fire", "hello", "--backend", "subprocess"],
        ["fire", "nosuch", "--backend", "subprocess"],
        ["list"],
        ["status"],
        ["stop"],
        ["doctor"],
    ],
)
def test_no_command_but_the_ui_loads_a_heavy_package(shell: Shell, arguments: list[str]) -> None:
    everything, _ = loaded(shell, *arguments)
    assert "workbench" in everything
    assert everything & HEAVY == set()


def test_a_command_for_an_engine_that_runs_loads_none_of_its_own(shell: Shell, serve: Callable[..., Served]) -> None:
    serve()
    for arguments in (["list"], ["fire", "hello"], ["alias", "list", "hello"]):
        _, ours = loaded(shell, *arguments)
        assert "workbench.client.remote" in ours
        assert not {"workbench.engine.engine", "workbench.app.engine", "workbench.store.sqlite"} & ours


def test_the_backend_contract_loads_nothing_of_ours_but_the_model() -> None:
    code = "import workbench.backends.api, sys; print(*[n for n in sys.modules if n.startswith('workbench.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.split(".")[1] for name in loaded} == {"backends", "model"}


def test_the_uis_first_picture_does_not_wait_for_the_port() -> None:
    code = "import workbench.tui.app, sys; print(*[n for n in sys.modules if n.startswith('workbench.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "workbench.tui.app" in loaded
    assert not {"workbench.client.port", "workbench.client.recording", "workbench.client.remote"} & set(loaded)
