"""Where the Docker daemon is, and whether it can do what is needed. Asked without the `docker` package: quick."""

from __future__ import annotations

import http.client
import json
import os
import platform
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.backends.api import Health

#: Seconds for each question. A daemon that is started by its first client takes longest.
PATIENCE = 3.0
_SCHEME = "unix://"


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon on this machine. `remapped`: its containers' users are mapped to a small range of the host's."""

    path: str
    api: str
    remapped: bool

    @property
    def url(self) -> str:
        return f"http+unix://{self.path}"


@dataclass(frozen=True, slots=True)
class Found:
    """A daemon, or why there is none."""

    daemon: Daemon | None
    health: Health


_found: dict[str, Found] = {}


def look() -> Found:
    """Find the daemon and ask it; what was found once stays found. About 10 ms."""
    if sys.platform != "linux":
        why = "Docker runs in a virtual machine here, and its containers cannot hand over their listeners"
        return _unusable(why, "use the subprocess backend")
    address = os.environ.get("DOCKER_HOST", "")
    if address in _found:
        return _found[address]
    if address and not address.startswith(_SCHEME):
        return _unusable(f"DOCKER_HOST is {address}, and containers must run on this machine", "unset DOCKER_HOST")
    paths = [address.removeprefix(_SCHEME)] if address else candidates()
    whys: list[tuple[str, Exception]] = []
    for path in paths:
        try:
            found = _ask(path)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            whys.append((path, error))
            continue
        if found.daemon is not None:
            _found[address] = found
        return found
    return _explain(whys)


def tags(daemon: Daemon) -> list[str]:
    """The names of the images that it has; none when it does not answer any more."""
    try:
        return [tag for image in _get(daemon.path, "/images/json") for tag in image.get("RepoTags") or ()]
    except (OSError, http.client.HTTPException, ValueError):
        return []


def candidates() -> list[str]:
    """The sockets that a daemon listens on by default: the system's, a user's own."""
    runtime_dir = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    return ["/var/run/docker.sock", f"{runtime_dir}/docker.sock"]


def start_command() -> str:
    """How a daemon is brought about on this machine."""
    installed = any(Path(folder, "dockerd").exists() for folder in ("/usr/bin", "/usr/sbin", "/usr/local/bin"))
    if not installed:
        return "install Docker: https://docs.docker.com/engine/install/"
    if Path("/run/systemd/system").exists():
        return "sudo systemctl start docker"
    return "start the daemon: sudo dockerd"


def restart_command() -> str:
    """How a daemon that hangs is brought back to life on this machine."""
    if Path("/run/systemd/system").exists():
        return "sudo systemctl restart docker"
    return "end the daemon, dockerd, and start it again"


def _ask(path: str) -> Found:
    version = _get(path, "/version")
    if version["KernelVersion"] != platform.release():
        why = f"the daemon at {path} runs in a virtual machine, and its containers cannot hand over their listeners"
        return _unusable(why, "use a daemon of this machine: docker context use default")
    options = " ".join(_get(path, "/info").get("SecurityOptions") or ())
    remapped = "name=rootless" in options or "name=userns" in options
    notes = ("functions have no network beyond the Runtime API",)
    return Found(Daemon(path, version["ApiVersion"], remapped), Health(usable=True, notes=notes))


def _explain(whys: list[tuple[str, Exception]]) -> Found:
    for path, error in whys:
        if isinstance(error, PermissionError):
            return _unusable(f"this user may not use {path}", "sudo usermod -aG docker $USER, then log in again")
    for path, error in whys:
        if isinstance(error, TimeoutError):
            return _unusable(f"the Docker daemon at {path} hangs: no answer in {PATIENCE:g} s", restart_command())
        if not isinstance(error, FileNotFoundError):
            said = getattr(error, "strerror", None) or error
            return _unusable(f"no Docker daemon answers at {path} ({said})", start_command())
    return _unusable(f"no Docker daemon listens at {' or '.join(path for path, _ in whys)}", start_command())


def _unusable(why: str, mend: str) -> Found:
    return Found(None, Health(usable=False, why=why, mend=mend))


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


def _get(path: str, resource: str) -> Any:
    connection = _Connection(path)
    try:
        connection.request("GET", resource)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise ValueError(answer.get("message", f"HTTP status {response.status}"))
        return answer
    finally:
        connection.close()
