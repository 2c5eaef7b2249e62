"""Where the Docker daemon is, and whether it can do what is needed. Asked without the `docker` package: quick."""

from __future__ import annotations

import http.client
import json
import os
import platform
import socket
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from workbench.backends.api import Health

#: Seconds for each question. A daemon that is started by its first client takes longest.
PATIENCE = 3.0
_SCHEME = "unix://"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that answers at `path`, of a socket or `tcp://HOST:PORT`.

    remapped: its containers' users are mapped to a small range of the host's. remote: its containers run on another
    kernel, so that nothing can be mounted into them or handed over from them.
    """

    path: str
    api: str
    remapped: bool
    remote: bool = False

    @property
    def url(self) -> str:
        """As the `docker` package takes it."""
        return self.path if "://" in self.path else f"http+unix://{self.path}"

    @property
    def start_command(self) -> str:
        """What brings it back."""
        return _THERE if "://" in self.path else start_command()

    @property
    def restart_command(self) -> str:
        """What brings it back when it hangs."""
        return _THERE if "://" in self.path else restart_command()


@dataclass(frozen=True, slots=True)
class Found:
    """A daemon, or why there is none."""

    daemon: Daemon | None
    health: Health


_THERE = "start it on that machine, or unset DOCKER_HOST"
_found: dict[str, Found] = {}


def look() -> Found:
    """Find the daemon and ask it; what was found once stays found. About 10 ms."""
    if sys.platform != "linux":
        why = "Docker runs in a virtual machine here, and its containers cannot hand over their listeners"
        return _unusable(why, "use the subprocess backend")
    address = os.environ.get("DOCKER_HOST", "")
    if address in _found:
        return _found[address]
    scheme, _, place = address.partition("://")
    if scheme == "ssh":
        return _unusable(
            f"DOCKER_HOST is {address}, and Workbench does not speak ssh",
            f"ssh -NL 2375:/var/run/docker.sock {place.partition('/')[0]}, and DOCKER_HOST=tcp://127.0.0.1:2375",
        )
    if address and scheme not in ("unix", "tcp"):
        return _unusable(f"DOCKER_HOST is {address}, which is no address of a daemon", "unset DOCKER_HOST")
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
    remote = "://" in path or version["KernelVersion"] != platform.release()
    ours, theirs = _ARCHITECTURES.get(platform.machine(), platform.machine()), version["Arch"]
    if (version["Os"], theirs) != ("linux", ours):
        why = f"the daemon at {path} runs containers for {version['Os']}/{theirs}, and Workbench's init is linux/{ours}"
        return _unusable(why, "use a daemon of this machine: unset DOCKER_HOST")
    options = " ".join(_get(path, "/info").get("SecurityOptions") or ())
    remapped = "name=rootless" in options or "name=userns" in options
    notes = ["functions have no network beyond the Runtime API"]
    if remote:
        notes.append(f"the daemon at {path} is on another machine: code is copied there, file systems are not mounted")
    return Found(Daemon(path, version["ApiVersion"], remapped, remote), Health(usable=True, notes=tuple(notes)))


def _explain(whys: list[tuple[str, Exception]]) -> Found:
    for path, error in whys:
        if isinstance(error, PermissionError):
            return _unusable(f"this user may not use {path}", "sudo usermod -aG docker $USER, then log in again")
    for path, error in whys:
        if isinstance(error, TimeoutError):
            mend = Daemon(path, "", remapped=False).restart_command
            return _unusable(f"the Docker daemon at {path} hangs: no answer in {PATIENCE:g} s", mend)
        if not isinstance(error, FileNotFoundError):
            said = getattr(error, "strerror", None) or error
            mend = Daemon(path, "", remapped=False).start_command
            return _unusable(f"no Docker daemon answers at {path} ({said})", mend)
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


def tls() -> ssl.SSLContext | None:
    """What DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say, as the `docker` command reads them; None for a plain connection.

    Raises:
        ValueError: the certificates cannot be read.
    """
    if not os.environ.get("DOCKER_TLS_VERIFY"):
        return None
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except OSError as error:
        raise ValueError(f"the certificates in {folder} cannot be read: {error.strerror}") from error
    return context


def place(path: str) -> tuple[str, int]:
    """Host and port of `tcp://HOST:PORT`.

    Raises:
        ValueError: it has another form.
    """
    found = urlsplit(path)
    if not found.hostname or found.port is None:
        raise ValueError(f"{path} is not tcp://HOST:PORT")
    return found.hostname, found.port


def _connection(path: str) -> http.client.HTTPConnection:
    if "://" not in path:
        return _Connection(path)
    host, port = place(path)
    if (context := tls()) is not None:
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=context)
    return http.client.HTTPConnection(host, port, timeout=PATIENCE)


def _get(path: str, resource: str) -> Any:
    connection = _connection(path)
    try:
        connection.request("GET", resource)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise ValueError(answer.get("message", f"HTTP status {response.status}"))
        return answer
    finally:
        connection.close()
