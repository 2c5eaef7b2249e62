"""What a command may load: the heavy packages belong to the one command that needs them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.endtoend.conftest import Shell, shell

__all__ = ["shell"]
HEAVY = {"textual", "rich", "botocore", "boto3", "docker", "msgspec", "pydantic", "samtranslator", "cfnlint", "pytest"}
RUN = """
import os, sys
from workbench.cli import main
sys.argv = ["workbench", *{arguments!r}]
os._exit = lambda code: None
main()
print(*{{name.split('.')[0] for name in sys.modules}}, file=sys.stderr)
"""


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
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(arguments=arguments)], env=shell.env, capture_output=True, text=True
    )
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "workbench" in loaded
    assert loaded & HEAVY == set()


def test_the_backend_contract_loads_nothing_of_ours_but_the_model() -> None:
    code = "import workbench.backends.api, sys; print(*[n for n in sys.modules if n.startswith('workbench.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.split(".")[1] for name in loaded} == {"backends", "model"}


def test_the_uis_first_picture_does_not_wait_for_the_port() -> None:
    code = "import workbench.tui.app, sys; print(*[n for n in sys.modules if n.startswith('workbench.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "workbench.tui.app" in loaded
    assert not {"workbench.client.port", "workbench.client.recording", "workbench.client.remote"} & set(loaded)
