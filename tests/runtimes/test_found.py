"""What the catalogue finds on a machine, which here is a folder with scripts that answer as node does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.engine.catalogue import Catalogue
from workbench.engine.catalogue.languages import Program
from workbench.engine.catalogue.nodejs import find_node
from workbench.engine.catalogue.python import find_python
from workbench.model.errors import RuntimeUnavailable


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder and a PATH of their own."""
    for name in ("PYENV_ROOT", "NVM_DIR", "FNM_DIR", "VOLTA_HOME", "ASDF_DATA_DIR", "MISE_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def install(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version} {path}'\n")
    path.chmod(0o755)
    return path


def test_the_newest_of_the_major_version_is_taken_wherever_it_is(machine: Path) -> None:
    install(machine / "bin/node", "20.9.1")
    install(machine / ".nvm/versions/node/v20.10.0/bin/node", "20.10.0")
    install(machine / ".nvm/versions/node/v22.1.0/bin/node", "22.1.0")
    newest = install(machine / ".local/share/fnm/node-versions/v20.11.0/installation/bin/node", "20.11.0")
    install(machine / ".volta/tools/image/node/20.2.0/bin/node", "20.2.0")
    found = find_node("20")
    assert found is not None
    assert (found.version, found.executable, found.prefix) == ("20.11.0", newest, newest.parent.parent)
    assert find_node("24") is None
    assert find_node("2") is None


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho words\n", "no program"])
def test_what_is_no_node_is_passed_over(machine: Path, script: str) -> None:
    install(machine / "bin/node", "").write_text(script)
    assert find_node("20") is None


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_folders_that_cannot_be_read_hide_nothing_of_the_others(
    machine: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    monkeypatch.setenv("NVM_DIR", str(machine / "locked"))
    monkeypatch.setenv("PYENV_ROOT", str(machine / "locked"))
    monkeypatch.setenv("PATH", f"{machine / ('x' * 300)}:{machine / 'bin'}")  # no such name can be looked at either
    install(machine / "bin/node", "20.9.1")
    program = machine / "bin/python3.6"
    program.write_text("#!/bin/sh\necho '3.6.1 CPython {machine}'\n".replace("{machine}", str(machine)))
    program.chmod(0o755)
    glob = Path.glob

    def refused(self: Path, pattern: str) -> Iterator[Path]:
        if self.is_relative_to(machine / "locked"):
            raise error
        return glob(self, pattern)

    monkeypatch.setattr(Path, "glob", refused)
    node, python = find_node("20"), find_python("3.6")
    assert (node and node.version, python and python.version) == ("20.9.1", "3.6.1")


def test_one_that_was_upgraded_is_asked_again(machine: Path) -> None:
    install(machine / "bin/node", "20.1.0")
    assert find_node("20") is not None
    (machine / "bin/node").unlink()
    install(machine / "bin/node", "22.1.0")
    assert find_node("20") is None


INTERPRETERS = pytest.mark.parametrize(
    ("name", "answer", "find"),
    [
        ("node", "20.9.1 {machine}/bin/node", lambda: find_node("20")),
        ("python3.6", "3.6.1 CPython {machine}", lambda: find_python("3.6")),
    ],
    ids=["node", "python"],
)
Find = Callable[[], Program | None]


def scripted(program: Path, machine: Path, answer: str, *before: str) -> None:
    """An interpreter that says what it is, after some lines of shell."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("\n".join(["#!/bin/sh", *before, f"echo '{answer}'\n"]).replace("{machine}", str(machine)))
    program.chmod(0o755)


@INTERPRETERS
def test_an_interpreter_is_asked_once_what_it_is(machine: Path, name: str, answer: str, find: Find) -> None:
    scripted(machine / "bin" / name, machine, answer, "echo asked >> {machine}/questions")
    first = find()
    assert first is not None
    assert find() == first
    assert (machine / "questions").read_text() == "asked\n"


@INTERPRETERS
def test_one_that_did_not_answer_in_time_is_asked_again(
    machine: Path, monkeypatch: pytest.MonkeyPatch, name: str, answer: str, find: Find
) -> None:
    scripted(machine / "bin" / name, machine, answer, "[ -e {machine}/ready ] || exec /bin/sleep 60")
    run = subprocess.run

    def impatient(*arguments: Any, **options: Any) -> Any:
        assert options["timeout"] <= 10
        return run(*arguments, **{**options, "timeout": 0.1})

    with monkeypatch.context() as hurry:
        hurry.setattr(subprocess, "run", impatient)
        assert find() is None
    (machine / "ready").touch()
    assert find() is not None


async def test_a_runtime_version_names_what_it_is(machine: Path) -> None:
    node = install(machine / "opt/bin/node", "20.17.3")
    (machine / "bin").mkdir()
    (machine / "bin/node").symlink_to(node)
    found = await Catalogue("eu-central-1", machine / "cache").resolve("nodejs20.x")
    assert (found.label, found.interpreter, found.prefix) == ("nodejs:20.v17", node, machine / "opt")
    assert found.arn.startswith("arn:aws:lambda:eu-central-1::runtime:")
    assert found.command[0] == "{interpreter}"
    assert (found.client / "index.mjs").is_file()
    assert not found.is_python
    node.unlink()
    install(node, "20.17.4")
    again = await Catalogue("eu-central-1", machine / "cache").resolve("nodejs20.x")
    assert again.label == found.label
    assert again.arn != found.arn
    assert again.client == found.client


async def test_provided_needs_nothing(machine: Path) -> None:
    for runtime in ("provided.al2023", "provided.al2", "provided"):
        found = await Catalogue("us-east-1", machine / "cache").resolve(runtime)
        assert (found.interpreter, found.prefix, found.command) == (None, None, ("{bootstrap}",))
        assert list(found.client.iterdir()) == []
    assert found.label == "provided:al1.v1"


async def test_what_is_missing_names_the_mend(machine: Path) -> None:
    catalogue = Catalogue("us-east-1", machine / "cache")
    with pytest.raises(RuntimeUnavailable, match=r"'nodejs22\.x' functions do not run here: no Node\.js 22") as missing:
        await catalogue.resolve("nodejs22.x")
    assert "nvm install 22" in missing.value.mend
    assert catalogue.look("nodejs22.x") == ("no Node.js 22 here", "nvm install 22")
    for runtime in ("java21", "nodejs16.x", "custom"):
        assert catalogue.look(runtime) is None
        with pytest.raises(RuntimeUnavailable, match="do not run here"):
            await catalogue.resolve(runtime)


@pytest.mark.parametrize(
    ("runtime", "name", "answer", "found"),
    [
        ("nodejs22.x", "node", "22.9.1 {machine}/opt/node", "22.9.1 at {machine}/opt/node"),
        ("python3.13", "opt/bin/python3.13", "3.13.9 CPython {machine}/opt", "3.13.9 at {machine}/opt/bin/python3.13"),
    ],
)
async def test_a_program_that_only_the_project_names_is_told_of_and_run(
    machine: Path, runtime: str, name: str, answer: str, found: str
) -> None:
    program = machine / name
    scripted(program, machine, answer)
    catalogue = Catalogue("us-east-1", machine / "cache", {runtime: [program]})
    assert catalogue.look(runtime) == (found.replace("{machine}", str(machine)), "")
    assert [one.version for one in await catalogue.installed(runtime)] == [found.split()[0]]


def test_a_program_that_the_project_names_wrongly_is_what_is_told(machine: Path) -> None:
    wrong = install(machine / "opt/node", "18.1.0")
    told = Catalogue("us-east-1", machine / "cache", {"nodejs22.x": [wrong]}).look("nodejs22.x")
    assert told == (f"workbench.toml: [runtimes]: {wrong} is no Node.js 22", "name one there that is")
