"""What this machine offers for sandboxes, and the command that mends each gap."""

from __future__ import annotations

import functools
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.backends.api import Health, Network
from workbench_bubblewrap import arguments
from workbench_bubblewrap.arguments import Machine

#: `--perms`, without which /tmp cannot have its mode.
OLDEST = (0, 5, 0)
_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = (
    "alternatives",
    "ca-certificates",
    "ld.so.cache",
    "localtime",
    "mime.types",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
)
#: The kernel shows these by user, and not by namespace: an ordinary user's functions would see the names of his keys,
#: where a root engine's have a user of their own.
_MASKED = ("/proc/keys", "/proc/key-users")
_INSTALL = {
    "debian": "sudo apt-get install bubblewrap",
    "ubuntu": "sudo apt-get install bubblewrap",
    "fedora": "sudo dnf install bubblewrap",
    "rhel": "sudo dnf install bubblewrap",
    "arch": "sudo pacman -S bubblewrap",
    "suse": "sudo zypper install bubblewrap",
    "opensuse": "sudo zypper install bubblewrap",
    "alpine": "sudo apk add bubblewrap",
}
#: Switches of the kernel that forbid user namespaces, what they then hold, and the mend.
_SWITCHES = (
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor forbids it user namespaces",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "the kernel forbids ordinary users user namespaces",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "the kernel forbids user namespaces",
        "sudo sysctl -w user.max_user_namespaces=15000",
    ),
)
#: Ubuntu ships a profile that lets bubblewrap alone have user namespaces: milder than the switch.
_PROFILE = Path("/usr/share/apparmor/extra-profiles/bwrap-userns-restrict")
_LOAD_PROFILE = (
    f"sudo install -m 644 {_PROFILE} /etc/apparmor.d/ && sudo apparmor_parser -r /etc/apparmor.d/{_PROFILE.name}"
)


_NEW_ENOUGH = "the one of Debian 12, Ubuntu 22.04 or Fedora 36 will do"
_UID_MAP = Path("/proc/self/uid_map")


@dataclass(frozen=True, slots=True)
class Found:
    """bubblewrap, or why there is none: `health` is usable only if a trial sandbox ran."""

    bwrap: str
    machine: Machine | None
    health: Health


@functools.cache
def look() -> Found:
    """Look, and try, once. About 10 ms."""
    if sys.platform != "linux":
        return _unusable("bubblewrap exists on Linux only", "use the docker backend")
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return _unusable("bwrap is not installed", install_command())
    said = _run([bwrap, "--version"])
    numbers = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said.stdout)
    if said.returncode != 0 or numbers is None:
        return _unusable(f"{bwrap} --version fails: {said.stderr.strip() or said.stdout.strip()}", install_command())
    version = tuple(int(number or 0) for number in numbers.groups())
    if version < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return _unusable(f"bwrap {numbers[0]} is too old, {wanted} is needed", f"{install_command()} ({_NEW_ENOUGH})")
    machine = _machine(bwrap, version)
    trial = _run(
        [bwrap, *arguments.namespaces(machine, Network.NONE), *arguments.system(machine), "--", "/usr/bin/env", "true"]
    )
    if trial.returncode != 0:
        why, mend = explain(trial.stderr.strip(), root=machine.root)
        return Found(bwrap, machine, Health(usable=False, why=why, mend=mend))
    return Found(bwrap, machine, Health(usable=True))


def explain(stderr: str, *, root: bool) -> tuple[str, str]:
    """Why a sandbox cannot be made, and the mend, from bubblewrap's words and the kernel's switches."""
    said = stderr or "bwrap ends without a word"
    if root:
        return f"this root may not make namespaces ({said})", "run as an ordinary user, or in a privileged container"
    for path, value, why, mend in _SWITCHES:
        try:
            holds = Path(path).read_text(encoding="ascii").strip()
        except OSError:  # this kernel has no such switch
            continue
        if holds == value:
            if "apparmor" in path and _PROFILE.exists():
                mend = _LOAD_PROFILE
            return f"{why} ({said})", mend
    return f"a trial sandbox fails ({said})", "in a container: allow it user namespaces and to mount /proc"


def install_command(os_release: Path = Path("/etc/os-release")) -> str:
    """The command that installs bubblewrap on this distribution."""
    try:
        text = os_release.read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = re.findall(r"^ID(?:_LIKE)?=(.*)$", text, re.MULTILINE)
    for name in " ".join(names).replace('"', "").split():
        if command := _INSTALL.get(name):
            return command
    return "install the package bubblewrap"


def _machine(bwrap: str, version: tuple[int, ...]) -> Machine:
    tops = [Path("/", name) for name in _TOP]
    root = os.geteuid() == 0 and every_user(_UID_MAP.read_text(encoding="ascii"))
    return Machine(
        root=root,
        version=version,
        python=Path(sys.base_prefix, "bin", "python{}.{}".format(*sys.version_info)),
        python_prefix=Path(sys.base_prefix),
        setuid=bool(Path(bwrap).stat().st_mode & stat.S_ISUID) and os.geteuid() != 0,
        links={str(path): os.readlink(path) for path in tops if path.is_symlink()},
        folders=tuple(str(path) for path in tops if path.is_dir() and not path.is_symlink()),
        etc=tuple(f"/etc/{name}" for name in _ETC if Path("/etc", name).exists()),
        masked=() if root else tuple(path for path in _MASKED if Path(path).exists()),
        private=_private(os.environ),
    )


def _private(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Where a user's own files are: the home, and in it what may share a folder with programs, as in ~/.local."""
    home = Path(environment.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir)
    given = (environment.get("XDG_CONFIG_HOME"), environment.get("XDG_DATA_HOME"))
    return (home, home / ".config", home / ".local/share", *(Path(path) for path in given if path))


def every_user(uid_map: str) -> bool:
    """Are there all users here? Root of a container without root has few, and gives its functions none of their own."""
    return any(int(line.split()[2]) >= 0xFFFFFFFF for line in uid_map.splitlines())


def _unusable(why: str, mend: str) -> Found:
    return Found("", None, Health(usable=False, why=why, mend=mend))


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 125, "", str(error))
