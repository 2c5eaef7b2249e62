"""Backends by name: listing and importing stay light."""

import subprocess
import sys

import pytest

from workbench.backends import registry
from workbench.backends.api import API_VERSION, BackendFactory
from workbench.model.errors import BackendError, UsageError

OURS = ("workbench_bubblewrap", "workbench_subprocess", "workbench_docker")
HEAVY = ("textual", "botocore", "boto3", "docker", "typer", "psutil", "awslambdaric")


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_listing_reads_metadata_and_loads_no_plugin() -> None:
    loaded = modules_after("from workbench.backends import registry; assert registry.names()")
    assert not loaded & set(OURS + HEAVY)


def test_the_contract_is_light() -> None:
    assert not modules_after("import workbench.backends.api") & set(OURS + HEAVY)


def test_creating_one_backend_loads_only_that_one() -> None:
    loaded = modules_after("from workbench.backends import registry; registry.create('subprocess')")
    assert "workbench_subprocess" in loaded
    assert not loaded & {*HEAVY, "workbench_bubblewrap"}


def test_names_are_in_the_order_of_auto() -> None:
    names = registry.names()
    assert {"bubblewrap", "subprocess"} <= set(names)
    assert [name for name in names if name in registry.AUTO_ORDER] == [
        name for name in registry.AUTO_ORDER if name in names
    ]


def test_only_those_allowed_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_BACKENDS", "subprocess")
    assert registry.names() == ("subprocess",)


@pytest.mark.parametrize("name", ["bubblewrap", "subprocess"])
def test_ours_come_through_the_door_for_all(name: str) -> None:
    factory = registry.factory(name)
    assert isinstance(factory, BackendFactory)
    assert factory.summary
    assert registry.create(name).api_version == API_VERSION


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"'nosuch'.*subprocess"):
        registry.factory("nosuch")


class TestForeignEntryPoints:
    """What a stranger's plugin can do wrong."""

    def load(self, monkeypatch: pytest.MonkeyPatch, loaded: object) -> None:
        class Entry:
            value = "stranger"

            def load(self) -> object:
                if isinstance(loaded, Exception):
                    raise loaded
                return loaded

        monkeypatch.setattr(registry, "_entry_points", lambda: {"stranger": Entry()})

    def test_one_that_cannot_be_imported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.load(monkeypatch, ImportError("no module"))
        with pytest.raises(BackendError, match=r"'stranger' .*cannot be loaded: no module"):
            registry.create("stranger")

    def test_one_without_the_hook(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.load(monkeypatch, object())
        with pytest.raises(BackendError, match="no workbench_backend hook"):
            registry.create("stranger")

    def test_one_of_another_major_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from workbench.backends.hookspecs import hookimpl

        class Old:
            api_version = (API_VERSION[0] + 1, 0)

        class Module:
            @staticmethod
            @hookimpl
            def workbench_backend() -> BackendFactory:
                return BackendFactory(create=Old, summary="from the future")  # type: ignore[arg-type]

        self.load(monkeypatch, Module())
        with pytest.raises(BackendError, match="implements contract"):
            registry.create("stranger")
