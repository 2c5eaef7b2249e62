"""Finding cgroups: on hosts that are described by files, and on the one that runs the tests."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.backends import api, cgroups
from workbench.backends.cgroups import Cgroup, Role, Support
from workbench.model.errors import BackendError


def host(tmp_path: Path, *mounts: str) -> str:
    """Lines of mountinfo for mounts such as `memory` (version 1) or `unified` (version 2)."""
    lines = []
    for name in mounts:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        kind, options = ("cgroup2", "rw") if name == "unified" else ("cgroup", f"rw,{name}")
        lines.append(f"30 23 0:26 / {folder} rw,nosuid shared:9 - {kind} {kind} {options}")
    return "\n".join(["22 1 254:0 / / rw - ext4 /dev/root rw", *lines])


def group2(folder: Path, *, controllers: str, handed_down: str = "", processes: str = "", root: bool = False) -> None:
    """A version 2 group, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.controllers").write_text(controllers)
    (folder / "cgroup.subtree_control").write_text(handed_down)
    (folder / "cgroup.procs").write_text(processes)
    if not root:
        (folder / "cgroup.type").write_text("domain")


def test_version_1_gives_each_role_by_its_controller(tmp_path: Path) -> None:
    found = cgroups.look(
        host(tmp_path, "memory", "pids", "freezer", "cpuacct", "cpu", "blkio"), "4:memory:/a\n3:pids:/a\n"
    )
    assert found.roles == {Role.MEMORY, Role.PIDS, Role.FREEZE, Role.CPU, Role.SHARE}
    assert {tree.root for tree in found.trees} == {
        tmp_path / name / "workbench" for name in ("memory", "pids", "freezer", "cpuacct", "cpu")
    }


def test_a_hybrid_host_limits_by_version_1_and_freezes_by_version_2(tmp_path: Path) -> None:
    group2(tmp_path / "unified", controllers="hugetlb", root=True)
    found = cgroups.look(host(tmp_path, "memory", "pids", "freezer", "unified"), "4:memory:/\n0::/\n")
    by_role = {role: tree.root.parent.name for tree in found.trees for role in tree.roles}
    assert by_role == {
        Role.MEMORY: "memory",
        Role.PIDS: "pids",
        Role.FREEZE: "unified",
        Role.CPU: "unified",
        Role.KILL: "unified",
    }


def test_version_2_uses_the_nearest_group_above_that_hands_down_memory(tmp_path: Path) -> None:
    top = tmp_path / "unified"
    group2(top, controllers="cpu memory pids", root=True)
    group2(top / "user.slice", controllers="cpu memory pids", handed_down="cpu memory pids")
    group2(top / "user.slice" / "app.scope", controllers="memory pids", processes="1\n")
    found = cgroups.look(host(tmp_path, "unified"), "0::/user.slice/app.scope\n")
    assert [tree.root for tree in found.trees] == [top / "user.slice" / "workbench"]
    assert found.roles == set(Role)


def test_the_top_of_a_container_hands_down_nothing_new(tmp_path: Path) -> None:
    group2(tmp_path / "unified", controllers="memory pids", processes="1\n")
    found = cgroups.look(host(tmp_path, "unified"), "0::/\n")
    assert found.roles == {Role.FREEZE, Role.CPU, Role.KILL}
    assert "memory" in found.lacks(Role.MEMORY)
    assert found.lacks(Role.FREEZE) == ""


def test_nothing_mounted_is_said() -> None:
    found = cgroups.look("22 1 254:0 / / rw - ext4 /dev/root rw", "")
    assert found.roles == set()
    assert found.why == "no cgroup file system is mounted"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_is_said(tmp_path: Path) -> None:
    mounts = host(tmp_path, "memory")
    (tmp_path / "memory").chmod(0o500)
    assert "may not write" in cgroups.look(mounts, "4:memory:/\n").why


def test_elsewhere_than_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    cgroups.support.cache_clear()
    try:
        assert cgroups.support() == Support((), "cgroups exist on Linux only")
    finally:
        cgroups.support.cache_clear()


def test_a_group_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = cgroups.Tree(tmp_path, 1, frozenset({Role.MEMORY}))  # a plain folder has no memory.limit_in_bytes
    monkeypatch.setattr(cgroups, "claim", lambda: Support((tree,)))
    with pytest.raises(BackendError, match="cannot make a cgroup"):
        Cgroup.create("x", memory=1 << 20, pids=None)
    assert list(tmp_path.iterdir()) == []


def busy() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


def share_of(group: Cgroup) -> dict[str, int]:
    places = [Path(folder, name) for folder in group.folders for name in ("cpu.shares", "cpu.weight")]
    return {place.name: int(place.read_text()) for place in places if place.exists()}


@pytest.mark.skipif(Role.SHARE not in cgroups.support().roles, reason="no writable cgroup that shares the CPU here")
@pytest.mark.parametrize(("memory", "shares", "weight"), [(128, 74, 7), (1769, 1024, 100), (10_240, 5928, 579)])
async def test_the_share_of_the_cpu_follows_the_memory(memory: int, shares: int, weight: int) -> None:
    group = Cgroup.create("shares", memory=None, pids=None, vcpus=memory / api.MB_OF_A_VCPU)
    try:
        assert share_of(group) in ({"cpu.shares": shares}, {"cpu.weight": weight})
    finally:
        assert await group.remove()


@pytest.mark.parametrize(("processes", "shares"), [("1\n", str(1024 * (os.cpu_count() or 1))), ("", "1024")])
def test_beside_processes_all_environments_count_as_one_for_each_cpu(
    tmp_path: Path, processes: str, shares: str
) -> None:
    (tmp_path / "cgroup.procs").write_text(processes)
    tree = cgroups.Tree(tmp_path / "workbench", 1, frozenset({Role.SHARE}))
    tree.root.mkdir()
    (tree.root / "cpu.shares").write_text("1024")
    assert cgroups._claim(tree) == tree
    assert (tree.root / "cpu.shares").read_text() == shares


@pytest.mark.skipif(Role.FREEZE not in cgroups.support().roles, reason="no writable cgroup here")
async def test_freeze_thaw_kill_remove_for_real() -> None:
    group = Cgroup.create("test/with odd name", memory=64 << 20, pids=10)
    child = busy()
    try:
        await asyncio.to_thread(group.attach, child.pid)
        assert group.pids() == [child.pid]
        await group.freeze()
        before = group.cpu_seconds()
        await asyncio.sleep(0.05)
        assert group.cpu_seconds() - before < 0.005
        group.thaw()
        await asyncio.sleep(0.05)
        assert group.cpu_seconds() > before
        await group.freeze()
        group.kill()
        assert child.wait(5) == -9
        assert group.oom_kills() == 0
        assert await group.remove()
        assert await group.remove()
        assert not any(map(os.path.exists, group.folders))
    finally:
        child.kill()
        child.wait()


@pytest.mark.skipif(not cgroups.support().trees, reason="no writable cgroup here")
async def test_sweep_removes_only_what_is_old_empty_and_without_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Cgroup.create("live", memory=None, pids=None)
    root = cgroups.claim().trees[0].root
    dead = root / "4194999-dead"  # above the largest process id
    dead.mkdir()
    try:
        cgroups.sweep()
        assert dead.exists()  # young
        monkeypatch.setattr(cgroups, "STALE_AFTER", -1.0)
        cgroups.sweep()
        assert not dead.exists()
        assert all(map(os.path.exists, live.folders))
    finally:
        await live.remove()
        if dead.exists():
            dead.rmdir()
