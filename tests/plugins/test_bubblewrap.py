"""The `bubblewrap` backend keeps the contract, as root and as an ordinary user, and holds what tries to get out."""

import asyncio
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import workbench_bubblewrap
from tests.plugins import escapes
from tests.plugins.backends import (
    CGROUPS,
    DEPENDING,
    alive,
    kill_and_wait,
    open_folder,
    own_cgroup_folders,
    start_engine,
)
from workbench.backends import cgroups, registry
from workbench.backends.api import Backend, EnvironmentSpec, Network, ProcessExited
from workbench.backends.cgroups import Support
from workbench.model.errors import BackendError, BackendUnavailable
from workbench.testing import conformance
from workbench.testing.kit import Subject
from workbench.testing.suite import BackendConformance
from workbench_bubblewrap import probe
from workbench_bubblewrap.box import Box

pytestmark = pytest.mark.bubblewrap

SYSTEM_PYTHON = "/usr/bin/python3"
NOBODY = 65534


@pytest.fixture(autouse=True)
def no_cgroup_is_left() -> Iterator[None]:
    yield
    assert own_cgroup_folders() == []


class TestBubblewrap(BackendConformance):
    def backend(self) -> Backend:
        return registry.create("bubblewrap")


@pytest.mark.parametrize("which", ["version 1 only", "none"])
@pytest.mark.parametrize("name", DEPENDING)
async def test_it_conforms_with_less(name: str, which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support = CGROUPS[which]()
    if which != "none" and not support.trees:
        pytest.skip(f"cgroups of {which}: there are none here")
    monkeypatch.setattr(cgroups, "claim", lambda: support)
    await conformance.run(conformance.CHECKS[name], registry.create("bubblewrap"), tmp_path)


# -- an ordinary user ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def ordinary() -> Iterator[list[str]]:
    """A command prefix: the system's Python as an ordinary user, with our packages where that user can read them."""
    if os.geteuid() != 0:
        pytest.skip("the tests already run as an ordinary user")
    setpriv = shutil.which("setpriv")
    version = [SYSTEM_PYTHON, "-c", "import sys; raise SystemExit(sys.version_info < (3, 11))"]
    if setpriv is None or not Path(SYSTEM_PYTHON).exists() or subprocess.run(version, check=False).returncode:
        pytest.skip(f"needs setpriv and a {SYSTEM_PYTHON} of 3.11 or newer")
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        pluggy = importlib.util.find_spec("pluggy")
        assert pluggy is not None
        assert pluggy.origin is not None
        ours = Path(registry.__file__).parents[1]
        for package in (ours, Path(workbench_bubblewrap.__file__).parent, Path(pluggy.origin).parent):
            shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(escapes.__file__, folder)
        subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
        drop = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
        variables = [f"PYTHONPATH={folder}", "PATH=/usr/bin:/bin", "HOME=/root", "PYTHONDONTWRITEBYTECODE=1"]
        yield [*drop, "/usr/bin/env", "-i", *variables, SYSTEM_PYTHON]
    finally:
        shutil.rmtree(folder)


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=100, check=False)


def test_it_conforms_as_an_ordinary_user(ordinary: list[str]) -> None:
    done = run([*ordinary, "-m", "workbench.testing.conformance", "workbench_bubblewrap"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": ok") == len(conformance.CHECKS)


# -- escapes ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def results() -> dict[str, str]:
    return asyncio.run(escapes.run_all("bubblewrap"))


@pytest.fixture(scope="session")
def results_as_ordinary(ordinary: list[str]) -> dict[str, str]:
    done = run([*ordinary, "-m", "escapes", "workbench_bubblewrap"])
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", escapes.ATTEMPTS)
def test_it_holds(name: str, results: dict[str, str]) -> None:
    assert results[name] == "held"


@pytest.mark.parametrize("name", escapes.ATTEMPTS)
def test_it_holds_as_an_ordinary_user(name: str, results_as_ordinary: dict[str, str]) -> None:
    assert results_as_ordinary[name] == "held"


def test_the_attempts_bite(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same programs without a boundary get out: they would notice."""
    tame = (
        "see_other_processes",
        "reach_the_host_s_loopback",
        "reach_the_host_s_abstract_sockets",
        "have_capabilities",
    )
    monkeypatch.setattr(escapes, "ATTEMPTS", {name: escapes.ATTEMPTS[name] for name in tame})
    results = asyncio.run(escapes.run_all("subprocess"))
    assert "held" not in results.values()


# -- its own ---------------------------------------------------------------------------------------------------------


async def test_its_user_is_a_stranger_to_the_host(tmp_path: Path) -> None:
    """A root engine gives each environment a user of its own; an ordinary one, its own."""

    async def look(subject: Subject) -> None:
        users = set()
        async with subject.environment() as first, subject.environment() as second:
            for running in (first, second):
                assert running.environment.pid is not None
                program = await running.start("import time; print('up', flush=True); time.sleep(60)")
                await program.output.line()
                for pid in children(running.environment.pid):
                    users.add(os.stat(f"/proc/{pid}").st_uid)
        if os.geteuid() == 0:
            assert len(users) == 2
            assert min(users) >= 2_000_000
        else:
            assert users == {os.geteuid()}

    await conformance.run(look, registry.create("bubblewrap"), tmp_path)


async def test_ps_shows_no_variable_and_no_path(tmp_path: Path) -> None:
    async def look(subject: Subject) -> None:
        async with subject.environment() as running:
            init = running.environment.pid
            assert init is not None
            program = await running.start(
                "print('up', flush=True); import time; time.sleep(60)", env={"SECRET": "s3cr3t"}
            )
            await program.output.line()
            bwrap = parent(init)
            for pid in (init, bwrap):
                assert str(tmp_path) not in proc(pid, "cmdline")
            if os.geteuid() == 0:
                assert proc(bwrap, "environ") == ""
                names = {entry.partition("=")[0] for entry in proc(init, "environ").split("\0")}
                assert names <= {"LD_LIBRARY_PATH", "PWD", ""}

    await conformance.run(look, registry.create("bubblewrap"), tmp_path)


async def test_a_box_that_dies_by_itself_is_told(tmp_path: Path) -> None:
    async def look(subject: Subject) -> None:
        async with subject.environment() as running:
            assert running.environment.pid is not None
            program = await running.start("print('up', flush=True); import time; time.sleep(60)")
            await program.output.line()
            os.kill(running.environment.pid, 9)
            await running.close()
            kinds = [type(event).__name__ for event in running.events]
            assert kinds == ["ProcessExited", "Exited"]
            assert getattr(running.events[-1], "reason", None) == "failed"

    await conformance.run(look, registry.create("bubblewrap"), tmp_path)


async def test_killing_bubblewrap_s_own_process_ends_the_box(tmp_path: Path) -> None:
    async def look(subject: Subject) -> None:
        async with subject.environment() as running:
            assert running.environment.pid is not None
            os.kill(parent(running.environment.pid), 9)
            await running.close()
            assert not alive(running.environment.pid)

    await conformance.run(look, registry.create("bubblewrap"), tmp_path)


async def test_a_failed_launch_has_bubblewrap_s_words_and_leaves_nothing(tmp_path: Path) -> None:
    async def look(subject: Subject) -> None:
        spec = EnvironmentSpec(
            id="broken",
            function="f",
            version="1",
            runtime=subject.runtime,
            task=tmp_path / "nowhere",
            opt=None,
            memory_size=128,
        )
        async with subject.environment():
            pass  # what is made once, such as the keeper, is made
        descriptors = open_descriptors()
        with pytest.raises(BackendError, match=r"bwrap: .*nowhere.*No such file"):
            await subject.backend.launch(spec)
        assert subject.guarded == set()
        assert left_open(descriptors) == []

    await conformance.run(look, registry.create("bubblewrap"), tmp_path)


async def test_a_cancelled_launch_leaves_nothing(tmp_path: Path) -> None:
    async def look(subject: Subject) -> None:
        spec = EnvironmentSpec(
            id="cancelled",
            function="f",
            version="1",
            runtime=subject.runtime,
            task=open_folder(tmp_path),
            opt=None,
            memory_size=128,
        )
        async with subject.environment():
            pass
        descriptors = open_descriptors()
        for delay in (0, 0.003, 0.006, 0.01, 0.015):
            task = asyncio.create_task(subject.backend.launch(spec))
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert subject.guarded == set()
            assert left_open(descriptors) == []

    await conformance.run(look, registry.create("bubblewrap"), tmp_path)


async def test_opening_and_closing_many_leaks_nothing(tmp_path: Path) -> None:
    async def look(subject: Subject) -> None:
        counts = []
        for _ in range(4):
            async with subject.environment() as running:
                program = await running.start("print('x')")
                await program.output.all()
            counts.append(open_descriptors())
        assert left_open(counts[1]) == []

    await conformance.run(look, registry.create("bubblewrap"), tmp_path)


async def test_on_the_host_network_it_has_no_listener_and_reaches_the_host(tmp_path: Path) -> None:
    async def look(subject: Subject) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            async with subject.environment(network=Network.HOST) as running:
                assert running.environment.listener is None
                code = f"import _socket; _socket.socket().connect(('127.0.0.1', {port})); print('connected')"
                program = await running.start(code)
                assert await program.output.line() == "connected"

    await conformance.run(look, registry.create("bubblewrap"), tmp_path)


async def test_usage_is_known_after_the_end(tmp_path: Path) -> None:
    async def look(subject: Subject) -> None:
        async with subject.environment(memory_size=64) as running:
            program = await running.start("held = []\nwhile True: held.append(b'x' * (1 << 20))")
            assert (await running.exit_of(program)).oom
            await running.close()
            usage = await running.environment.usage()
            assert usage.peak_memory == 64 << 20
            assert usage.cpu_seconds > 0

    await conformance.run(look, registry.create("bubblewrap"), tmp_path)


async def test_a_start_that_was_cancelled_leaves_no_process(tmp_path: Path) -> None:
    async def look(subject: Subject) -> None:
        async with subject.environment() as running:
            task = asyncio.create_task(running.start("import time; time.sleep(60)"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            program = await running.start("print('next')")
            assert await program.output.line() == "next"
            assert [event.signal for event in running.events if isinstance(event, ProcessExited)][:1] in ([], [9])

    await conformance.run(look, registry.create("bubblewrap"), tmp_path)


async def test_without_bubblewrap_it_names_the_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    probe.look.cache_clear()
    try:
        health = await registry.create("bubblewrap").health()
        assert (health.usable, health.why) == (False, "bwrap is not installed")
        assert "bubblewrap" in health.mend
        with pytest.raises(BackendUnavailable, match="bwrap is not installed"):
            await registry.create("bubblewrap").open(None)  # type: ignore[arg-type]
    finally:
        probe.look.cache_clear()


async def test_it_says_what_is_missing_without_cgroups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "support", lambda: Support((), "because of a test"))
    notes = (await registry.create("bubblewrap").health()).notes
    assert any("measured every 100 ms" in note and "because of a test" in note for note in notes)


@pytest.mark.parametrize("with_cgroups", [True, False])
async def test_kill_9_of_the_engine_leaves_no_process(with_cgroups: bool, tmp_path: Path) -> None:
    engine, family = start_engine("bubblewrap", 4, open_folder(tmp_path), with_cgroups=with_cgroups)
    assert len(family) >= 17  # 4 environments of bwrap, init and 2 processes, and the keeper
    assert await kill_and_wait(engine, family, within=1) == []


def open_descriptors() -> list[str]:
    """What this process has open, by kind."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the one that lists
            found.append(os.readlink(f"/proc/self/fd/{fd}").partition(":")[0])
    return sorted(found)


def left_open(before: list[str]) -> list[str]:
    """What is open beyond that. Less is no fault: an event loop of an earlier test may be closed by now."""
    return sorted((Counter(open_descriptors()) - Counter(before)).elements())


def proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def children(pid: int) -> list[int]:
    return [int(word) for word in proc(pid, f"task/{pid}/children").split()]


def parent(pid: int) -> int:
    return int(proc(pid, "stat").rpartition(")")[2].split()[1])


async def test_a_launch_that_is_given_up_while_init_says_that_it_is_ready_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes: list[Box] = []
    cleared: list[Box] = []
    make, clear = Box.__init__, Box.clear

    def noted(box: Box, *args: Any) -> None:
        boxes.append(box)
        make(box, *args)

    async def clear_noted(box: Box) -> bool:
        cleared.append(box)
        return await clear(box)

    monkeypatch.setattr(Box, "__init__", noted)
    monkeypatch.setattr(Box, "clear", clear_noted)

    def waits_for_init(box: Box) -> bool:
        attached = box.group is None or (box._attaching is not None and box._attaching.done())
        return box._info.done() and attached

    async def given_up(subject: Subject) -> None:
        before = set(subject.guarded)
        for _ in range(20):
            launching = asyncio.ensure_future(subject.backend.launch(subject.spec()))
            count = len(boxes)
            while len(boxes) == count or not waits_for_init(boxes[-1]):  # noqa: ASYNC110  nothing tells of it
                await asyncio.sleep(0)
            for _ in range(5):
                await asyncio.sleep(0)
            if not boxes[-1]._ready.done():
                break
            environment = await launching  # init was quicker
            await environment.stop(0)
            assert environment.listener is not None
            environment.listener.close()
        time.sleep(0.5)  # noqa: ASYNC251  the loop hears nothing of init, which is ready by then
        launching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await launching
        await asyncio.sleep(0.1)
        assert subject.guarded == before
        assert cleared == boxes  # each once: a second time would close descriptors that are somebody else's by then

    await conformance.run(given_up, registry.create("bubblewrap"), tmp_path)
