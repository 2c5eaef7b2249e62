"""Backends as the tests of several plugins need them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from workbench.backends import cgroups
from workbench.backends.cgroups import Support

CGROUPS: dict[str, Callable[[], Support]] = {
    "as they are": cgroups.claim,
    "version 1 only": lambda: _version_1(),
    "none": lambda: Support((), "switched off for a test"),
}
#: Checks whose outcome depends on cgroups: what is worth running again without.
DEPENDING = (
    "exactly_one_exited_last",
    "stop_gives_grace_and_then_kills",
    "stop_ends_children_and_frozen_processes",
    "guards_are_taken_back",
    "freeze_takes_the_cpu_and_thaw_gives_it_back",
    "memory_beyond_the_limit_is_oom",
    "usage_is_measured",
    "processes_are_told",
)


def _version_1() -> Support:
    mounts = Path("/proc/self/mountinfo").read_text()
    text = "\n".join(line for line in mounts.splitlines() if " - cgroup2 " not in line)
    found = cgroups.look(text, Path("/proc/self/cgroup").read_text())
    return replace(found, trees=tuple(tree for tree in map(cgroups._claim, found.trees) if tree is not None))


def open_folder(parent: Path) -> Path:
    """A folder for code, which another user can read once it is mounted."""
    folder = parent / "task"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def start_engine(
    backend: str, count: int, folder: Path, *, with_cgroups: bool
) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A process that plays an engine with some busy environments, and all processes that came of it."""
    program = [sys.executable, str(Path(__file__).with_name("engine_to_kill.py")), backend, str(count), str(folder)]
    if not with_cgroups:
        program.append("without-cgroups")
    engine = subprocess.Popen(program, stdout=subprocess.PIPE)
    assert engine.stdout is not None
    words = engine.stdout.readline().split()
    engine.stdout.close()
    assert words, "the engine did not start"
    return engine, [int(word) for word in words]


async def kill_and_wait(engine: subprocess.Popen[bytes], family: list[int], within: float) -> list[int]:
    """SIGKILL the engine; which of its processes are left after so many seconds?"""
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    deadline = time.monotonic() + within
    left = family
    while left and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
        left = [pid for pid in left if alive(pid)]
    return left


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"  # a zombie only waits for whoever adopted it


def own_cgroup_folders() -> list[str]:
    """The groups that exist and are this process's."""
    return [
        str(folder)
        for tree in cgroups.claim().trees
        for folder in tree.root.iterdir()
        if folder.name.startswith(f"{os.getpid()}-")
    ]
