"""The cgroup that the daemon made for a container, used directly: faster than asking the daemon by a thousand times."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from workbench.backends import cgroups
from workbench.backends.cgroups import Cgroup, Role, Tree

N = TypeVar("N", int, float)


class ContainerGroup(Cgroup):
    """A group that the daemon removes when its last process is gone: figures are then as they last were."""

    def __init__(self, folders: dict[Path, Tree]) -> None:
        super().__init__(folders)
        self._last: dict[str, float] = {}

    def oom_kills(self) -> int:
        """How many processes the memory limit has killed."""
        return self._kept("oom_kills", super().oom_kills)

    def peak_memory(self) -> int:
        """The most bytes that were charged to the group."""
        return self._kept("peak_memory", super().peak_memory)

    def current_memory(self) -> int:
        """The bytes that are charged to the group now."""
        return self._kept("current_memory", super().current_memory)

    def cpu_seconds(self) -> float:
        """CPU time of all processes that were in the group."""
        return self._kept("cpu_seconds", super().cpu_seconds)

    def _kept(self, name: str, measure: Callable[[], N]) -> N:
        try:
            self._last[name] = figure = measure()
        except OSError:
            return self._last.get(name, 0)  # type: ignore[return-value]
        return figure


def group_of(pid: int, container: str) -> ContainerGroup | None:
    """The group of a container by its process 1, with the roles that this user may use; None without any."""
    try:
        mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        own = cgroups.own_paths(Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return None
    found: dict[Path, Tree] = {}
    taken: set[Role] = set()
    for version, mount, controllers in sorted(cgroups.mounts(mountinfo), key=lambda one: -one[0]):
        names = [""] if version == 2 else sorted(controllers & own.keys())
        for name in names:
            path = own.get(name, "/")
            folder = mount / path.lstrip("/")
            # Never a group above the container's own.
            if container not in path or not folder.is_dir():
                continue
            roles = (_roles2(folder) if version == 2 else _roles1(folder)) - taken
            if roles:
                taken |= roles
                found[folder] = Tree(mount, version, frozenset(roles))
            break
    return ContainerGroup(found) if found else None


def _roles2(folder: Path) -> set[Role]:
    roles = {Role.CPU} if (folder / "cpu.stat").exists() else set()
    if (folder / "memory.max").exists():
        roles.add(Role.MEMORY)
    for role, name in ((Role.FREEZE, "cgroup.freeze"), (Role.KILL, "cgroup.kill")):
        if os.access(folder / name, os.W_OK):
            roles.add(role)
    return roles


def _roles1(folder: Path) -> set[Role]:
    roles = set()
    for role, name in ((Role.MEMORY, "memory.limit_in_bytes"), (Role.CPU, "cpuacct.usage")):
        if (folder / name).exists():
            roles.add(role)
    if os.access(folder / "freezer.state", os.W_OK):
        roles.add(Role.FREEZE)
    return roles


def writable(folder: str) -> bool:
    """May this user end what is in a group?"""
    return os.access(f"{folder}/cgroup.procs", os.W_OK)
