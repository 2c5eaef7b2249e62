"""What starts a runtime, and what it finds in its environment. Nothing is started here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.world import configured
from workbench.backends.api import Layout
from workbench.engine.entrypoint import NoEntrypoint, command
from workbench.engine.variables import runtime_variables
from workbench.model.functions import Code, FunctionState, FunctionVersion
from workbench.model.names import Account
from workbench.model.runtimes import RuntimeVersion

MOUNTED = Layout(task="/var/task", opt="/opt", runtime="/var/runtime", interpreter="/var/lang/bin/node")


def runtime(*words: str) -> RuntimeVersion:
    return RuntimeVersion(runtime="r", label="r", arn="arn", client=Path("/client"), command=words)


def program(folder: Path, mode: int = 0o755) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "bootstrap").touch()
    (folder / "bootstrap").chmod(mode)
    return folder


def test_each_word_is_filled_in_once(tmp_path: Path) -> None:
    words = runtime("{interpreter}", "-x", "--old={old_space}", "--semi={semi_space}", "{runtime}/b", "{handler}")
    found = command(words, configured(handler="{task}.h", memory_size=200), MOUNTED, tmp_path, None)
    assert found == ("/var/lang/bin/node", "-x", "--old=180", "--semi=10", "/var/runtime/b", "{task}.h")


def test_the_bootstrap_of_the_code_goes_before_a_layer_s(tmp_path: Path) -> None:
    task, opt = program(tmp_path / "task"), program(tmp_path / "opt")
    assert command(runtime("{bootstrap}"), configured(), MOUNTED, task, opt) == ("/var/task/bootstrap",)
    (task / "bootstrap").chmod(0o644)
    assert command(runtime("{bootstrap}"), configured(), MOUNTED, task, opt) == ("/opt/bootstrap",)


def test_without_mounts_it_is_where_it_is(tmp_path: Path) -> None:
    task = program(tmp_path / "task")
    layout = Layout(task=str(task), opt="", runtime="/client", interpreter="")
    assert command(runtime("{bootstrap}"), configured(), layout, task, None) == (f"{task}/bootstrap",)


@pytest.mark.parametrize("opt", [None, "opt"])
def test_none_is_said_in_aws_s_words(tmp_path: Path, opt: str | None) -> None:
    (tmp_path / "bootstrap").mkdir()  # a folder is no program
    with pytest.raises(NoEntrypoint) as caught:
        command(runtime("{bootstrap}"), configured(), MOUNTED, tmp_path, tmp_path / opt if opt else None)
    assert str(caught.value) == "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"


@pytest.mark.parametrize(
    ("wrapper", "task", "opt", "inside"),
    [
        ("/opt/wrap", "/var/task", "/opt", "/opt/wrap"),
        ("/opt/wrap", "/state/code", "/state/layers", "/state/layers/wrap"),
        ("/opt/wrap", "/state/code", "", "/opt/wrap"),
        ("/var/task/wrap", "/state/code", "", "/state/code/wrap"),
        ("/optional/wrap", "/state/code", "/state/layers", "/optional/wrap"),
    ],
)
def test_a_managed_runtime_starts_through_the_function_s_wrapper(
    tmp_path: Path, wrapper: str, task: str, opt: str, inside: str
) -> None:
    layout = Layout(task=task, opt=opt, runtime="/r", interpreter="/i")
    managed = replace(runtime("{interpreter}", "{runtime}/b"), interpreter=Path("/i"))
    configuration = configured(environment={"AWS_LAMBDA_EXEC_WRAPPER": wrapper})
    shell, option, _, named, *rest = command(managed, configuration, layout, tmp_path, None)
    assert (shell, option, named, rest) == ("/bin/sh", "-c", wrapper, [inside, "/i", "/r/b"])


def test_a_function_s_own_program_has_no_wrapper(tmp_path: Path) -> None:
    configuration = configured(environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"})
    assert command(runtime("{bootstrap}"), configuration, MOUNTED, program(tmp_path), None) == ("/var/task/bootstrap",)


def variables(runtime: str, **environment: str) -> dict[str, str]:
    version = FunctionVersion(
        name="f",
        configuration=configured(runtime=runtime, environment=environment),
        code=Code(sha256="0", size=1),
        revision_id="r",
        last_modified=0.0,
        state=FunctionState.ACTIVE,
    )
    return runtime_variables(version, Account(), MOUNTED, "127.0.0.1:9001", "e", 0.0)


def test_each_language_is_told_where_its_libraries_are() -> None:
    found = variables("python3.12")
    assert (found["PYTHONPATH"], "NODE_PATH" in found) == ("/var/runtime", False)
    found = variables("nodejs22.x")
    assert found["NODE_PATH"] == (
        "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task"
    )
    assert "PYTHONPATH" not in found
    found = variables("provided.al2023")
    assert not {"PYTHONPATH", "NODE_PATH", "AWS_EXECUTION_ENV"} & set(found)


def test_the_function_s_own_paths_are_kept() -> None:
    assert variables("python3.12", PYTHONPATH="/mine")["PYTHONPATH"] == "/mine:/var/runtime"
    assert variables("nodejs22.x", PYTHONPATH="/mine", NODE_PATH="/own")["PYTHONPATH"] == "/mine"
    assert variables("nodejs22.x", NODE_PATH="/own")["NODE_PATH"] == "/own"
