"""docs/plugins.md: it names every hook, call, capability and check, and the backend that it shows passes the kit."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.backends import api, hookspecs, registry
from workbench.engine import backend_host
from workbench.engine.catalogue import GROUP as RUNTIMES
from workbench.engine.catalogue import brought
from workbench.testing import conformance

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```\w+ file=(\S+)\n(.*?)```", PAGE, re.DOTALL))


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_column(title: str) -> list[str]:
    cells = re.findall(r"^\| (`[^|]*) \|", section(title), re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def public(kind: type) -> set[str]:
    return {name for name, member in vars(kind).items() if inspect.isfunction(member) and not name.startswith("_")}


def test_every_capability_is_documented_once() -> None:
    assert sorted(first_column("Capabilities")) == sorted(field.name for field in dataclasses.fields(api.Capabilities))


def test_every_call_is_documented_once() -> None:
    calls = sorted(public(api.Backend) | public(api.ImageBackend)) + sorted(public(api.Environment))
    assert sorted(first_column("What the engine calls")) == sorted(calls)


@pytest.mark.parametrize("kind", [api.Health, api.Host, api.EnvironmentSpec, api.ProcessSpec, api.BackendFactory])
def test_every_field_is_documented(kind: type) -> None:
    text = section("What the engine calls") + section("The hook")
    assert [field.name for field in dataclasses.fields(kind) if f"`{field.name}`" not in text] in ([], ["usable"])


def test_every_attribute_of_an_environment_is_documented() -> None:
    text = section("What the engine calls")
    assert not [name for name in inspect.get_annotations(api.Environment) if f"`{name}`" not in text]


def test_every_hook_is_documented() -> None:
    hooks = [name for name, member in vars(hookspecs).items() if hasattr(member, "workbench_spec")]
    assert hooks == ["workbench_backend"]
    assert all(f"`{hook}`" in section("The hook") for hook in hooks)
    assert f"`{registry.GROUP}`" in section("The hook")


def test_every_check_is_documented_once() -> None:
    assert sorted(first_column("The kit")) == sorted(conformance.CHECKS)


def test_every_helper_is_there() -> None:
    for name in first_column("What may help"):
        if name not in {"spawn", "watch", "EventStream"}:
            __import__(f"workbench.backends.{name}")


def test_the_deadlines_are_those_of_the_engine() -> None:
    text = section("What the engine calls")
    for call, seconds in (("health", backend_host.HEALTH_SECONDS), ("launch", backend_host.LAUNCH_SECONDS)):
        assert re.search(rf"^\| `{call}` .* \| {seconds:g} s \|$", text, re.MULTILINE)


def test_every_key_of_a_brought_runtime_is_documented() -> None:
    text = section("Runtimes")
    assert f"`{RUNTIMES}`" in text
    keys = set(re.findall(r'entry(?:\.get\(|\[)"(\w+)"', inspect.getsource(brought))) - {"package"}
    assert keys >= {"id", "interpreter", "program", "command"}
    assert not [key for key in keys if f"`{key}`" not in text]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def test_the_backend_on_the_page_passes_the_kit_as_the_page_says(folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert f"{len(conformance.CHECKS)} passed" in done.stdout, done.stdout + done.stderr
