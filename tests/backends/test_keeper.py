"""The keeper ends what is named when its pipe closes, however that comes about."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.backends import cgroups, keeper
from workbench.backends.cgroups import Cgroup, Role
from workbench.backends.keeper import Keeper

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SLEEPER = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEPER, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_close_ends_what_is_still_named(sleeper: subprocess.Popen[bytes]) -> None:
    one = Keeper()
    one.guard("pgid", str(sleeper.pid))
    one.close()
    assert sleeper.wait(1) == -signal.SIGKILL


def test_what_was_taken_back_lives(sleeper: subprocess.Popen[bytes]) -> None:
    one = Keeper()
    one.guard("pgid", str(sleeper.pid))
    one.unguard("pgid", str(sleeper.pid))
    one.unguard("pgid", "1")  # never given
    one.close()
    assert sleeper.poll() is None


def test_it_starts_with_the_first_guard_and_close_is_idempotent(sleeper: subprocess.Popen[bytes]) -> None:
    one = Keeper()
    assert one.pid is None
    one.guard("pgid", str(sleeper.pid))
    assert one.pid is not None
    one.close()
    one.close()
    with pytest.raises(RuntimeError):
        one.guard("pgid", "5")


def test_a_keeper_that_was_killed_is_replaced(sleeper: subprocess.Popen[bytes]) -> None:
    one = Keeper()
    one.guard("pgid", str(sleeper.pid))
    first = one.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    one.guard("pgid", "4194999")
    assert one.pid != first
    one.close()
    assert sleeper.wait(1) == -signal.SIGKILL


@linux
def test_it_outlives_the_signals_of_a_terminal(sleeper: subprocess.Popen[bytes]) -> None:
    one = Keeper()
    one.guard("pgid", str(sleeper.pid))
    assert one.pid is not None
    assert os.getsid(one.pid) == one.pid
    ignored = 0
    wanted = sum(1 << number - 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    deadline = time.monotonic() + 5
    while ignored & wanted != wanted and time.monotonic() < deadline:
        status = Path(f"/proc/{one.pid}/status").read_text()
        ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
    assert ignored & wanted == wanted
    one.close()


@pytest.mark.parametrize(
    ("kind", "value"), [("pid", "5"), ("pgid", "five"), ("pgid", "-1"), ("cgroup", "/a\n+pgid 1"), ("pgid", "")]
)
def test_nonsense_is_refused(kind: str, value: str) -> None:
    with pytest.raises(ValueError, match="cannot guard"):
        Keeper().guard(kind, value)


@linux
def test_kill_9_of_the_engine_leaves_nothing() -> None:
    """An engine that starts a process in a session of its own, names it and is killed."""
    engine = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, time\n"
            "from workbench.backends.keeper import Keeper\n"
            f"child = subprocess.Popen({SLEEPER!r}, start_new_session=True)\n"
            "keeper = Keeper(); keeper.guard('pgid', str(child.pid))\n"
            "print(child.pid, keeper.pid, flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
    )
    with engine:
        assert engine.stdout is not None
        pids = [int(word) for word in engine.stdout.readline().split()]
        fds = [os.pidfd_open(pid) for pid in pids]
        engine.kill()
        begun = time.monotonic()
        for fd in fds:
            wait_for_end(fd, begun + 1)


@pytest.mark.skipif(Role.MEMORY not in cgroups.support().roles, reason="no writable cgroup here")
@pytest.mark.parametrize("frozen", [False, True])
async def test_a_cgroup_is_emptied_and_removed(sleeper: subprocess.Popen[bytes], frozen: bool) -> None:
    group = Cgroup.create("kept", memory=64 << 20, pids=10)
    await asyncio.to_thread(group.attach, sleeper.pid)
    if frozen:
        await group.freeze()
    one = Keeper()
    for folder in group.folders:
        one.guard("cgroup", folder)
    # The keeper is not the parent: as with an engine that is gone, somebody else reaps.
    closing = asyncio.create_task(asyncio.to_thread(one.close))
    assert await asyncio.to_thread(sleeper.wait, 5) == -signal.SIGKILL
    await closing
    assert not any(map(os.path.exists, group.folders))


def test_the_program_imports_little() -> None:
    command = [sys.executable, "-I", "-S", "-X", "importtime", keeper.__file__]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "signal" in imported
    assert not {"subprocess", "threading", "typing", "asyncio", "workbench"} & imported


def wait_for_end(pidfd: int, deadline: float) -> None:
    import select

    readable, _, _ = select.select([pidfd], [], [], max(0, deadline - time.monotonic()))
    os.close(pidfd)
    assert readable, "a process outlived the engine by more than a second"
