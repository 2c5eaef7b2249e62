"""The ways out of a sandbox's network: each helper, as root and as an ordinary user; and what is said without one."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.backends import alive
from tests.plugins.test_bubblewrap import left_open, open_descriptors
from workbench.backends import registry
from workbench.backends.api import Network
from workbench.model.errors import BackendError
from workbench.testing import conformance
from workbench.testing.kit import Subject
from workbench_bubblewrap import uplink
from workbench_bubblewrap.uplink import Helper

pytestmark = pytest.mark.bubblewrap
HELPERS = sorted(uplink.INSTALL)
#: Tries this machine's loopback by all the names that it may have inside, and then an address of the machine itself.
TRY = """
import socket
def attempt(host, port):
    try: socket.create_connection((host, port), 1).close()
    except OSError as error: return error.strerror or str(error)
    return "connected"
for host in ("127.0.0.1", "10.0.2.2", "10.0.2.100", "10.0.2.3", "169.254.1.1", "169.254.169.254", GATEWAY, "localhost"):
    print(host, attempt(host, PORT), flush=True)
print("names", [name for _, name in socket.if_nameindex()], open("/etc/resolv.conf").read().strip(), flush=True)
"""


async def look(subject: Subject) -> None:
    """Connect; not to the host's loopback; and leave nothing."""
    async with subject.environment():
        pass
    before = open_descriptors()
    with socket.create_server(("127.0.0.1", 0)) as server:
        facts = f"PORT = {server.getsockname()[1]}\nGATEWAY = {gateway()!r}\n"
        async with subject.environment(network=Network.INTERNET) as running:
            assert running.environment.pid is not None
            helpers = [pid for pid in children(os.getpid()) if uplink_of(pid)]
            assert len(helpers) == 1
            *tries, names = (await (await running.start(facts + TRY)).output.all()).splitlines()
            assert len(tries) == 8
            assert "169.254.169.254 No route to host" in tries
            assert not [line for line in tries if line.endswith("connected")]
            assert names == f"names ['lo', 'eth0'] nameserver {uplink.RESOLVER}"
        assert not alive(helpers[0])
        assert subject.guarded == set()
    assert left_open(before) == []


def gateway() -> str:
    with open("/proc/net/route") as file:
        for line in file:
            fields = line.split()
            if fields[1] == "00000000":
                return socket.inet_ntoa(bytes.fromhex(fields[2])[::-1])
    return "192.0.2.1"


def children(pid: int) -> list[int]:
    return [int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()]


def uplink_of(pid: int) -> bool:
    return any(commanded(pid, name) for name in HELPERS)


@pytest.mark.parametrize("name", HELPERS)
async def test_the_internet_and_not_the_host_s_loopback(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}")
    monkeypatch.setattr(uplink, "find", lambda: (Helper(name, path), ""))
    await conformance.run(look, registry.create("bubblewrap"), tmp_path)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Path]:
    """Something mounted below a shared mount, as a Docker daemon has its containers' files where `/` is not shared."""
    shared = tmp_path / "daemon"
    inside = shared / "container"
    shared.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "--make-shared", "none", shared], check=True)
    try:
        inside.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", inside], check=True)
        yield inside
    finally:
        subprocess.run(["umount", "--recursive", shared], check=True)


def mounted(path: Path) -> bool:
    return path.is_mount()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts, and has helpers that could unmount")
@pytest.mark.parametrize("name", HELPERS)
async def test_what_this_machine_has_mounted_stays(
    name: str, tmp_path: Path, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}")
    monkeypatch.setattr(uplink, "find", lambda: (Helper(name, path), ""))

    async def connect(subject: Subject) -> None:
        async with subject.environment(network=Network.INTERNET):
            assert mounted(container)

    await conformance.run(connect, registry.create("bubblewrap"), tmp_path)
    assert mounted(container)


async def test_a_helper_that_fails_is_told_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "slirp4netns"
    broken.write_text("#!/bin/sh\necho no such luck >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(uplink, "find", lambda: (Helper("slirp4netns", str(broken)), ""))

    async def fail(subject: Subject) -> None:
        async with subject.environment():
            pass
        before = open_descriptors()
        with pytest.raises(BackendError, match="slirp4netns does not connect the sandbox: no such luck"):
            async with subject.environment(network=Network.INTERNET):
                pass
        assert subject.guarded == set()
        assert left_open(before) == []

    await conformance.run(fail, registry.create("bubblewrap"), tmp_path)


@pytest.mark.parametrize("given_up", [False, True])
async def test_a_launch_that_ends_meanwhile_leaves_no_helper(
    given_up: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The box is killed, or the launch given up; the helper works on, and nobody has a network for it any more."""
    idle = tmp_path / "slirp4netns"
    idle.write_text("#!/bin/sh\nexec sleep 60\n")
    idle.chmod(0o755)
    monkeypatch.setattr(uplink, "find", lambda: (Helper("slirp4netns", str(idle)), ""))
    monkeypatch.setattr(uplink, "PATIENCE", 60)

    async def end(subject: Subject) -> None:
        async with subject.environment():
            pass
        before = open_descriptors()
        entering = asyncio.ensure_future(subject.environment(network=Network.INTERNET).__aenter__())
        for _ in range(1000):
            if helpers := [pid for pid in children(os.getpid()) if uplink_of(pid) or commanded(pid, "sleep")]:
                break
            await asyncio.sleep(0.01)
        assert helpers
        if given_up:
            entering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await entering
        else:
            for pid in (pid for pid in children(os.getpid()) if commanded(pid, "bwrap")):
                os.kill(pid, 9)
            with pytest.raises(BackendError, match="bubblewrap failed: exit code -9"):
                await asyncio.wait_for(entering, 10)
        assert not [pid for pid in helpers if alive(pid)]
        assert subject.guarded == set()
        assert left_open(before) == []

    await conformance.run(end, registry.create("bubblewrap"), tmp_path)


def commanded(pid: int, name: str) -> bool:
    return Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0].rpartition("/")[2] == name


class TestFind:
    def test_nothing_is_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
        helper, why = uplink.find()
        assert helper is None
        assert why == "neither slirp4netns nor pasta is installed (sudo apt-get install slirp4netns)"

    def test_no_tun(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/usr/bin/{name}")
        monkeypatch.setattr(uplink, "TUN", tmp_path / "tun")
        assert uplink.find() == (None, f"there is no {tmp_path / 'tun'} (sudo modprobe tun)")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root opens everything")
    def test_tun_is_root_s(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "tun").touch(0)
        monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/usr/bin/{name}")
        monkeypatch.setattr(uplink, "TUN", tmp_path / "tun")
        assert "sudo chmod 666" in uplink.find()[1]

    def test_pasta_where_there_is_no_slirp4netns(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "tun").touch()
        installed = {"pasta", "nsenter", "unshare", "ip"}
        monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/usr/bin/{name}" if name in installed else None)
        monkeypatch.setattr(uplink, "TUN", tmp_path / "tun")
        tools = (f"/usr/bin/{name}" for name in ("nsenter", "unshare", "ip"))
        assert uplink.find() == (Helper("pasta", "/usr/bin/pasta", *tools), "")

    def test_nothing_to_set_routes_with(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = {name: f"/usr/bin/{name}" for name in ("slirp4netns", "nsenter", "unshare")}
        monkeypatch.setattr(shutil, "which", lambda name, path=None: found.get(name))
        helper, why = uplink.find()
        assert helper is None
        assert "iproute2" in why


async def test_without_a_helper_there_is_no_network_and_that_is_said_with_the_mend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(uplink, "find", lambda: (None, "because of a test (sudo mend)"))
    backend = registry.create("bubblewrap")
    notes = (await backend.health()).notes
    assert "functions have no network beyond the Runtime API and the services: because of a test (sudo mend)" in notes

    async def look(subject: Subject) -> None:
        assert subject.backend.capabilities.networks == {Network.NONE, Network.HOST}
        with pytest.raises(BackendError, match="no network 'internet'"):
            async with subject.environment(network=Network.INTERNET):
                pass

    await conformance.run(look, backend, tmp_path)


if __name__ == "__main__":  # as an ordinary user, by the test of the same name in tests/security
    name, folder = sys.argv[1:]
    where = shutil.which(name)
    assert where is not None
    found = Helper(name, where)
    uplink.find = lambda: (found, "")
    asyncio.run(conformance.run(look, registry.create("bubblewrap"), Path(folder)))
    print("held")
