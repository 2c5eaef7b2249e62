"""Control groups for backends that run processes on Linux, version 2, version 1, or both side by side.

Every group is a folder under a parent folder `workbench` in each hierarchy that is used. Which hierarchy serves what:
memory and pids limits come from version 2 where it has those controllers, else from version 1; freezing, CPU time and
killing need no controller in version 2, so they come from there also on a host where the controllers are still
version 1's.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from workbench.backends import keeper
from workbench.model.errors import BackendError

PARENT = "workbench"
#: Freezing takes microseconds; a process in an uninterruptible wait can hold it up.
FREEZE_TIMEOUT = 1.0
#: An empty group of an engine that is gone is removed when it is older than this: a younger one may be just being made.
STALE_AFTER = 60.0


class Role(StrEnum):
    """What a hierarchy is used for."""

    MEMORY = "memory"
    PIDS = "pids"
    FREEZE = "freeze"
    CPU = "cpu"
    SHARE = "share"
    KILL = "kill"


#: Controllers of version 2 that limit something, by name.
_LIMITS2 = {"memory": Role.MEMORY, "pids": Role.PIDS, "cpu": Role.SHARE}


@dataclass(frozen=True, slots=True)
class Tree:
    """One hierarchy: `root` is our parent folder in it."""

    root: Path
    version: int
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Support:
    """What this process may do with cgroups. Without any tree, `why` says what is in the way."""

    trees: tuple[Tree, ...]
    why: str = ""

    @property
    def roles(self) -> frozenset[Role]:
        """All that can be done."""
        return frozenset(role for tree in self.trees for role in tree.roles)

    def lacks(self, role: Role) -> str:
        """Why something cannot be done, in words that fit behind a colon; empty when it can."""
        if role in self.roles:
            return ""
        return self.why or f"no cgroup hierarchy with {role} is writable"


@functools.cache
def support() -> Support:
    """Look, once, without changing anything."""
    if sys.platform != "linux":
        return Support((), "cgroups exist on Linux only")
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        own = Path("/proc/self/cgroup").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        return Support((), f"/proc cannot be read ({error.strerror})")
    return look(mounts, own)


@functools.cache
def claim() -> Support:
    """Make the parent folders, once, and say what really works."""
    found = support()
    trees = tuple(tree for tree in map(_claim, found.trees) if tree is not None)
    if found.trees and not trees:
        return Support((), "the cgroup file system refuses new groups")
    return replace(found, trees=trees)


def look(mountinfo: str, own_groups: str) -> Support:
    """Find the usable hierarchies from the text of /proc/self/mountinfo and /proc/self/cgroup."""
    own = own_paths(own_groups)
    trees: list[Tree] = []
    taken: set[Role] = set()
    seen = False
    for version, mount, controllers in sorted(mounts(mountinfo), key=lambda mount: -mount[0]):
        seen = True
        tree = _tree2(mount, own.get("", "/")) if version == 2 else _tree1(mount, controllers, own)
        if tree is not None and (roles := tree.roles - taken):
            trees.append(replace(tree, roles=roles))
            taken |= roles
    if trees:
        return Support(tuple(trees))
    if not seen:
        return Support((), "no cgroup file system is mounted")
    return Support(
        (), "this user may not write to any cgroup (with systemd: systemd-run --user --scope workbench serve)"
    )


class Cgroup:
    """One group: a folder in each hierarchy. Make it with `create`."""

    def __init__(self, folders: dict[Path, Tree]) -> None:
        self._folders = folders
        self._by_role = {role: (path, tree.version) for path, tree in folders.items() for role in tree.roles}
        self._freezing = False

    @classmethod
    def create(cls, name: str, *, memory: int | None, pids: int | None, vcpus: float | None = None) -> Cgroup:
        """Make a group with limits (bytes, processes); a limit without a hierarchy for it is left out.

        `vcpus` is its share of the CPU where others want it too; alone it may have all there is.

        Raises:
            BackendError: it cannot be made; nothing is left behind.
        """
        made: dict[Path, Tree] = {}
        try:
            for tree in claim().trees:
                folder = tree.root / f"{os.getpid()}-{_safe(name)}"
                folder.mkdir()
                made[folder] = tree
                if memory is not None and Role.MEMORY in tree.roles:
                    _limit_memory(folder, tree.version, memory)
                if pids is not None and Role.PIDS in tree.roles:
                    _write(folder / "pids.max", str(pids))
                if vcpus is not None and Role.SHARE in tree.roles:
                    _share_cpu(folder, tree.version, vcpus)
        except OSError as error:
            for folder in made:
                folder.rmdir()
            raise BackendError(f"cannot make a cgroup: {error}") from error
        return cls(made)

    def limit(self, memory: int) -> None:
        """Another limit of memory in bytes, for a group whose processes use less.

        Raises:
            BackendError: the kernel refuses it.
        """
        self._change(Role.MEMORY, lambda folder, version: _limit_memory(folder, version, memory))

    def share(self, vcpus: float) -> None:
        """Another share of the CPU.

        Raises:
            BackendError: the kernel refuses it.
        """
        self._change(Role.SHARE, lambda folder, version: _share_cpu(folder, version, vcpus))

    def _change(self, role: Role, write: Callable[[Path, int], None]) -> None:
        if (found := self._by_role.get(role)) is not None:
            try:
                write(*found)
            except OSError as error:
                raise BackendError(f"cannot change the {role} of a cgroup: {error}") from error

    @property
    def folders(self) -> tuple[str, ...]:
        """The absolute paths, for the keeper."""
        return tuple(map(str, self._folders))

    def can(self, role: Role) -> bool:
        """Does this group have a hierarchy for it?"""
        return role in self._by_role

    def attach(self, *pids: int) -> None:
        """Put running processes into the group; one that is gone is not an error.

        The first attachment after a quiet moment takes some 10 ms in the kernel: do it in a thread, while the process
        is starting. Later ones take microseconds.
        """
        for folder in self.folders:
            for pid in pids:
                with suppress(ProcessLookupError):
                    _write(Path(folder, "cgroup.procs"), str(pid))

    def pids(self) -> list[int]:
        """The processes in the group now."""
        return keeper.cgroup_pids(self.folders[0])

    async def freeze(self) -> None:
        """Stop every process in the group; returns when all have stopped, or when `thaw` was called meanwhile.

        Raises:
            BackendError: not within `FREEZE_TIMEOUT`.
        """
        folder, version = self._by_role[Role.FREEZE]
        self._freezing = True
        if version == 2:
            _write(folder / "cgroup.freeze", "1")
            report, word = folder / "cgroup.events", "frozen 1"
        else:
            _write(folder / "freezer.state", "FROZEN")
            report, word = folder / "freezer.state", "FROZEN\n"
        give_up = time.monotonic() + FREEZE_TIMEOUT
        tries = 0
        while self._freezing and word not in report.read_text():
            if time.monotonic() > give_up:
                raise BackendError(f"the processes of {folder.name} did not freeze within {FREEZE_TIMEOUT:g} s")
            tries += 1
            # Nearly always done at the first look or within a few more; else leave the loop to others.
            await asyncio.sleep(0 if tries < 10 else 0.001)

    def thaw(self) -> None:
        """Let the processes go on."""
        folder, version = self._by_role[Role.FREEZE]
        self._freezing = False
        if version == 2:
            _write(folder / "cgroup.freeze", "0")
        else:
            _write(folder / "freezer.state", "THAWED")

    def oom_kills(self) -> int:
        """How many processes the memory limit has killed."""
        if (found := self._by_role.get(Role.MEMORY)) is None:
            return 0
        folder, version = found
        name = "memory.events" if version == 2 else "memory.oom_control"
        return _keyed(folder / name, "oom_kill")

    def peak_memory(self) -> int:
        """The most bytes that were charged to the group; on kernels that do not keep a peak, what is now."""
        return self._memory(("memory.peak", "memory.current"), "memory.max_usage_in_bytes")

    def current_memory(self) -> int:
        """The bytes that are charged to the group now."""
        return self._memory(("memory.current",), "memory.usage_in_bytes")

    def held_memory(self) -> int:
        """Those of them that are no file's: neither /tmp nor what was read from a disk."""
        if (found := self._by_role.get(Role.MEMORY)) is None:
            return 0
        folder, version = found
        return max(self.current_memory() - _keyed(folder / "memory.stat", "file" if version == 2 else "cache"), 0)

    def cpu_seconds(self) -> float:
        """CPU time of all processes that were in the group."""
        if (found := self._by_role.get(Role.CPU)) is None:
            return 0.0
        folder, version = found
        if version == 2:
            return _keyed(folder / "cpu.stat", "usage_usec") / 1e6
        return int((folder / "cpuacct.usage").read_text()) / 1e9

    def kill(self) -> None:
        """SIGKILL everything in the group, frozen or not."""
        if (found := self._by_role.get(Role.KILL)) is not None:
            keeper.kill_cgroup(str(found[0]))
            return
        for folder in self.folders:
            keeper.kill_cgroup(folder)

    async def remove(self, timeout: float = 2.0) -> bool:
        """Remove the folders once the last process is gone; False when one still is there after `timeout` seconds."""
        give_up = time.monotonic() + timeout
        left = list(self._folders)
        while True:
            left = [folder for folder in left if not _removed(folder)]
            if not left or time.monotonic() > give_up:
                return not left
            await asyncio.sleep(0.002)

    def _memory(self, names2: Sequence[str], name1: str) -> int:
        if (found := self._by_role.get(Role.MEMORY)) is None:
            return 0
        folder, version = found
        for name in names2 if version == 2 else (name1,):
            with suppress(FileNotFoundError):
                return int((folder / name).read_text())
        return 0


def sweep() -> None:
    """Remove empty groups that engines left which are gone (a power cut, a killed keeper). Never one with a process."""
    for tree in claim().trees:
        for folder in tree.root.iterdir():
            owner = folder.name.partition("-")[0]
            if not folder.is_dir() or not owner.isdecimal() or Path("/proc", owner).exists():
                continue
            with suppress(OSError):  # it has processes, or another engine was faster
                if time.time() - folder.stat().st_mtime > STALE_AFTER:
                    folder.rmdir()


# -- finding ---------------------------------------------------------------------------------------------------------


def own_paths(text: str) -> dict[str, str]:
    """The path of this process in each hierarchy, by controller; version 2's under the empty name."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    return paths


def mounts(mountinfo: str) -> list[tuple[int, Path, frozenset[str]]]:
    found = []
    for line in mountinfo.splitlines():
        fields, _, tail = line.partition(" - ")
        kind, _, options = tail.split(" ", 2)
        mount = Path(fields.split(" ")[4].encode().decode("unicode_escape"))  # a space is written \040
        if kind == "cgroup2":
            found.append((2, mount, frozenset[str]()))
        elif kind == "cgroup":
            found.append((1, mount, frozenset(options.split(","))))
    return found


def _tree1(mount: Path, controllers: frozenset[str], own: dict[str, str]) -> Tree | None:
    names = {"memory": Role.MEMORY, "pids": Role.PIDS, "freezer": Role.FREEZE, "cpuacct": Role.CPU, "cpu": Role.SHARE}
    roles = frozenset(role for name, role in names.items() if name in controllers)
    if not roles:
        return None
    inside = next((own[name] for name in names if name in controllers and name in own), "/")
    for parent in (mount, mount / inside.lstrip("/")):
        if os.access(parent, os.W_OK | os.X_OK):
            return Tree(parent / PARENT, 1, roles)
    return None


def _tree2(mount: Path, own: str) -> Tree | None:
    """The nearest place above our own group where we may make groups and move processes.

    Not in our own group: version 2 gives no controllers to the children of a group that has processes itself.
    """
    home = mount / own.lstrip("/")
    best: Tree | None = None
    for parent in [path for path in (home.parent, *home.parent.parents) if path.is_relative_to(mount)] or [mount]:
        if not (os.access(parent, os.W_OK | os.X_OK) and os.access(parent / "cgroup.procs", os.W_OK)):
            continue
        try:
            roles = {_LIMITS2[name] for name in _controllers2(parent) if name in _LIMITS2}
        except OSError:
            continue
        tree = Tree(parent / PARENT, 2, frozenset(roles | {Role.FREEZE, Role.CPU, Role.KILL}))
        if Role.MEMORY in roles:
            return tree
        best = best or tree
    return best


def _controllers2(parent: Path) -> list[str]:
    """What a group hands down, or can: one with processes hands down nothing new, but for the very root."""
    is_root = not (parent / "cgroup.type").exists()
    if is_root or not (parent / "cgroup.procs").read_text():
        return (parent / "cgroup.controllers").read_text().split()
    return (parent / "cgroup.subtree_control").read_text().split()


def _claim(tree: Tree) -> Tree | None:
    try:
        tree.root.mkdir(exist_ok=True)
    except OSError:
        return None
    roles = set(tree.roles)
    if tree.version == 2:
        for controller, role in _LIMITS2.items():
            if role in roles and not _delegate(tree.root, controller):
                roles.discard(role)
        for role, file in ((Role.FREEZE, "cgroup.freeze"), (Role.KILL, "cgroup.kill")):  # kernels 5.2 and 5.14
            if not (tree.root / file).exists():
                roles.discard(role)
    if Role.SHARE in roles:
        _weigh(tree)
    return replace(tree, roles=frozenset(roles)) if roles else None


def _weigh(tree: Tree) -> None:
    """Where single processes are the siblings of our parent group, let it count as one of them for each CPU.

    It would count as one: on a busy machine all environments together would get what one process gets. With more than
    that, environments that initialise keep the engine from its work.
    """
    with suppress(OSError):  # the share stays as it is; nothing else depends on it
        if (tree.root.parent / "cgroup.procs").read_text():
            _share_cpu(tree.root, tree.version, float(os.cpu_count() or 1))


def _delegate(root: Path, controller: str) -> bool:
    """Hand a controller down to the children of `root`."""
    try:
        for folder in (root.parent, root):
            switch = folder / "cgroup.subtree_control"
            if controller not in switch.read_text().split():
                _write(switch, f"+{controller}")
    except OSError:  # EBUSY in a container whose top group has processes; EACCES without delegation
        return False
    return True


# -- files -----------------------------------------------------------------------------------------------------------


def _share_cpu(folder: Path, version: int, vcpus: float) -> None:
    if version == 2:
        _write(folder / "cpu.weight", str(min(max(round(100 * vcpus), 1), 10_000)))
    else:
        _write(folder / "cpu.shares", str(max(round(1024 * vcpus), 2)))


def _limit_memory(folder: Path, version: int, limit: int) -> None:
    """Limit memory, and with it swap: a function that swaps is slow where AWS would have ended it."""
    if version == 2:
        _write(folder / "memory.max", str(limit))
        swap = folder / "memory.swap.max"
        if swap.exists():
            _write(swap, "0")
        return
    alone, both = folder / "memory.limit_in_bytes", folder / "memory.memsw.limit_in_bytes"
    files = [alone, both] if both.exists() else [alone]
    if limit > int(alone.read_text()):
        files.reverse()  # the limit of both together may at no moment be the smaller one
    for file in files:
        _write(file, str(limit))


def _keyed(path: Path, key: str) -> int:
    for line in path.read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # a process is still there
        return False
    return True


def _write(path: Path, value: str) -> None:
    # One write, no buffering: the kernel takes a whole value at once.
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _safe(name: str) -> str:
    return "".join(char if char.isalnum() or char in "-_." else "_" for char in name)[:100]
