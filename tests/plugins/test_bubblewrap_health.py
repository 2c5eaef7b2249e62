"""What keeps bubblewrap from working is named, with the command that mends it; asked for by name, it fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.endtoend.conftest import WORKBENCH, Shell, shell
from tests.support import require_tool
from workbench.backends import registry
from workbench.model.errors import BackendUnavailable
from workbench_bubblewrap import probe

__all__ = ["shell"]
LOOK = """
import json
from workbench_bubblewrap import probe
found = probe.look()
root = found.machine.root if found.machine else None
print(json.dumps([found.health.usable, found.health.why, found.health.mend, root]))
"""


@pytest.fixture(autouse=True)
def looked_anew() -> Iterator[None]:
    probe.look.cache_clear()
    yield
    probe.look.cache_clear()


@pytest.fixture
def bwrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a bwrap of one's own on PATH: its version, and what it says when it is to make a sandbox."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(version: str, words: str) -> Path:
        (folder / "bwrap").write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && echo "bubblewrap {version}" && exit\necho "{words}" >&2; exit 1\n'
        )
        (folder / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return folder

    return put


async def test_too_old(bwrap: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    bwrap("0.4.1", "")
    monkeypatch.setattr(probe, "install_command", lambda: "sudo apt-get install bubblewrap")
    health = await registry.create("bubblewrap").health()
    assert (health.usable, health.why) == (False, "bwrap 0.4.1 is too old, 0.5.0 is needed")
    assert health.mend.startswith("sudo apt-get install bubblewrap (the one of Debian 12, Ubuntu 22.04 or")
    with pytest.raises(BackendUnavailable, match="too old"):
        await registry.create("bubblewrap").open(None)  # type: ignore[arg-type]


async def test_a_bwrap_that_is_none(bwrap: Callable[[str, str], Path]) -> None:
    folder = bwrap("of no version", "")
    health = await registry.create("bubblewrap").health()
    assert (health.usable, health.why) == (False, f"{folder / 'bwrap'} --version fails: bubblewrap of no version")


@pytest.mark.parametrize(
    ("switch", "value", "why", "mend"),
    [
        (
            "apparmor_restrict_unprivileged_userns",
            "1",
            "AppArmor forbids it user namespaces",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            "unprivileged_userns_clone",
            "0",
            "the kernel forbids ordinary users user namespaces",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            "max_user_namespaces",
            "0",
            "the kernel forbids user namespaces",
            "sudo sysctl -w user.max_user_namespaces=15000",
        ),
        ("none", "", "a trial sandbox fails", "in a container: allow it user namespaces and to mount /proc"),
    ],
)
async def test_user_namespaces_are_forbidden(
    switch: str,
    value: str,
    why: str,
    mend: str,
    bwrap: Callable[[str, str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = "bwrap: setting up uid map: Permission denied"
    bwrap("0.9.0", said)
    (tmp_path / switch).write_text(f"{value}\n")
    switches = [(str(tmp_path / Path(path).name), *rest) for path, *rest in probe._SWITCHES]
    monkeypatch.setattr(probe, "_SWITCHES", switches)
    monkeypatch.setattr(probe, "_PROFILE", tmp_path / "no profile")
    monkeypatch.setattr(os, "geteuid", lambda: 1500)
    health = await registry.create("bubblewrap").health()
    assert (health.usable, health.why, health.mend) == (False, f"{why} ({said})", mend)


async def test_a_root_who_may_not_make_namespaces(
    bwrap: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bwrap("0.9.0", "bwrap: Creating new namespace failed: Operation not permitted")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    health = await registry.create("bubblewrap").health()
    assert not health.usable
    assert health.why.startswith("this root may not make namespaces (bwrap: Creating new namespace failed")
    assert health.mend == "run as an ordinary user, or in a privileged container"


@pytest.mark.bubblewrap
@pytest.mark.parametrize(
    ("before", "usable", "why", "mend"),
    [
        (
            "echo 0 > /proc/sys/user/max_user_namespaces",
            False,
            "the kernel forbids user namespaces (bwrap: ",
            "sudo sysctl -w user.max_user_namespaces=15000",
        ),
        ("true", True, "", ""),
    ],
    ids=["forbidden", "allowed"],
)
def test_root_of_a_container_without_root(before: str, usable: bool, why: str, mend: str) -> None:
    """He has no users to give away: functions get a user namespace, where there may be one."""
    require_tool("unshare")
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", f'{before} && exec "$@"', "sh"]
    done = subprocess.run([*command, sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=60)
    if "unshare failed" in done.stderr:
        pytest.skip(f"this user may not make a user namespace: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    assert found[0] == usable
    assert found[1].startswith(why)
    assert found[2:] == [mend, False]


@pytest.mark.parametrize(
    ("uid_map", "every"),
    [
        ("         0          0 4294967295\n", True),
        ("         0       1000          1\n", False),
        ("         0       1000          1\n         1     100000      65536\n", False),
    ],
)
def test_a_root_with_all_users(uid_map: str, every: bool) -> None:
    assert probe.every_user(uid_map) == every


def test_asked_for_by_name_it_fails_and_nothing_else_is_taken(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shell.env["PATH"] = str(tmp_path / "empty")
    done = subprocess.run(
        [WORKBENCH, "fire", "hello", "--event", "{}", "--backend", "bubblewrap"],
        env=shell.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 4
    assert done.stdout == ""
    assert "backend 'bubblewrap' does not work here: bwrap is not installed" in done.stderr
    assert "bubblewrap" in done.stderr.rpartition("not installed")[2]  # the command that installs it
    assert shutil.which("bwrap", path=shell.env["PATH"]) is None
