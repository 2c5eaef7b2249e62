"""The `subprocess` backend keeps the contract, with cgroups and without."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.backends import CGROUPS, DEPENDING, kill_and_wait, open_folder, own_cgroup_folders, start_engine
from workbench.backends import cgroups, registry
from workbench.backends.api import Backend, Network
from workbench.backends.cgroups import Role, Support
from workbench.testing import conformance
from workbench.testing.kit import Subject
from workbench.testing.suite import BackendConformance


@pytest.fixture(autouse=True)
def no_cgroup_is_left() -> Iterator[None]:
    yield
    assert own_cgroup_folders() == []


class TestSubprocess(BackendConformance):
    def backend(self) -> Backend:
        return registry.create("subprocess")


@pytest.mark.parametrize("which", ["version 1 only", "none"])
@pytest.mark.parametrize("name", DEPENDING)
async def test_it_conforms_with_less(name: str, which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support = CGROUPS[which]()
    if which != "none" and not support.trees:
        pytest.skip(f"cgroups of {which}: there are none here")
    monkeypatch.setattr(cgroups, "claim", lambda: support)
    await conformance.run(conformance.CHECKS[name], registry.create("subprocess"), tmp_path)


async def test_it_says_that_it_is_no_boundary() -> None:
    backend = registry.create("subprocess")
    assert not backend.capabilities.isolation
    assert backend.capabilities.networks == {Network.HOST}
    health = await backend.health()
    assert health.usable
    assert "trusted code only" in health.notes[0]


async def test_it_says_what_is_missing_without_cgroups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "support", lambda: Support((), "because of a test"))
    notes = (await registry.create("subprocess").health()).notes
    assert any("measured every 100 ms" in note and "because of a test" in note for note in notes)
    assert any("outlives" in note for note in notes)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("with_cgroups", [True, False])
async def test_kill_9_of_the_engine_leaves_no_process(with_cgroups: bool, tmp_path: Path) -> None:
    engine, family = start_engine("subprocess", 4, open_folder(tmp_path), with_cgroups=with_cgroups)
    assert len(family) >= 9  # 4 environments of 2 processes, and the keeper
    assert await kill_and_wait(engine, family, within=1) == []
    if os.geteuid() == 0:
        for tree in cgroups.claim().trees:
            assert not [folder for folder in tree.root.iterdir() if folder.name.startswith(f"{engine.pid}-")]


@pytest.mark.skipif(Role.SHARE not in cgroups.support().roles, reason="no writable cgroup that shares the CPU here")
@pytest.mark.parametrize("backend", ["subprocess", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)])
async def test_the_share_of_the_cpu_is_one_vcpu_s_until_it_settles(backend: str, tmp_path: Path) -> None:
    async def look(subject: Subject) -> None:
        async with subject.environment(memory_size=128) as running:
            assert shares() in ("1024", "100")
            await running.environment.settle()
            assert shares() in ("74", "7")

    await conformance.run(look, registry.create(backend), tmp_path)


def shares() -> str:
    """What the kernel has for the only environment of this process."""
    places = [Path(folder, name) for folder in own_cgroup_folders() for name in ("cpu.shares", "cpu.weight")]
    (share,) = [place.read_text().strip() for place in places if place.exists()]
    return share
