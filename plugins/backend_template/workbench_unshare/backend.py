"""The `unshare` backend: finds out whether namespaces can be made here, and makes environments of them."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from dataclasses import dataclass

from workbench.backends.api import API_VERSION, Capabilities, EnvironmentSpec, Health, Host, Network
from workbench.model.errors import BackendError, BackendUnavailable
from workbench.model.runtimes import RuntimeVersion
from workbench_unshare.environment import Tools, UnshareEnvironment

NAMESPACES = ("--mount", "--pid", "--ipc", "--uts")
#: Who is not root may make the others only inside a user namespace.
BY_USER = ((), ("--user", "--map-current-user"))


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at this machine found: the tools, or why they cannot be used and what mends that."""

    tools: Tools | None
    why: str = ""
    mend: str = ""


class UnshareBackend:
    """Runs functions as processes of the user who runs the engine, each environment in a PID namespace of its own."""

    api_version = API_VERSION
    capabilities = Capabilities(
        isolation=False,
        own_network=False,
        mounts=False,
        memory_limit=False,
        freeze=True,
        reset=True,
        networks=frozenset({Network.HOST}),
        connect=True,
    )

    def __init__(self) -> None:
        self._host: Host | None = None
        self._tools: Tools | None = None
        self._environments: set[UnshareEnvironment] = set()

    async def health(self) -> Health:
        """Usable where a trial namespace can be made."""
        found = await asyncio.to_thread(look)
        if found.tools is None:
            return Health(usable=False, why=found.why, mend=found.mend)
        notes = (
            "functions run as you, with your files and your network: trusted code only",
            "memory is measured, not limited",
        )
        return Health(usable=True, notes=notes)

    async def open(self, host: Host) -> None:
        """Find the tools.

        Raises:
            BackendUnavailable: it does not work here.
        """
        found = await asyncio.to_thread(look)
        if found.tools is None:
            raise BackendUnavailable(found.why, mend=found.mend)
        self._host, self._tools = host, found.tools

    async def prepare(self, runtime: RuntimeVersion) -> None:
        """Look for the interpreter, if it has one."""
        if runtime.interpreter is not None and not runtime.interpreter.exists():
            raise BackendError(f"{runtime.runtime}: there is no interpreter at {runtime.interpreter}")

    async def launch(self, spec: EnvironmentSpec) -> UnshareEnvironment:
        """Make the namespaces, with a process 1 that keeps them."""
        if self._host is None or self._tools is None:
            raise BackendError("the unshare backend is not open")
        environment = UnshareEnvironment(spec, self._host, self._tools, self._environments.discard)
        self._environments.add(environment)
        try:
            await environment.launch()
        except BaseException:  # a cancellation, too: nothing may be left behind
            await asyncio.shield(environment.stop(0))
            raise
        return environment

    async def aclose(self) -> None:
        """End every environment."""
        self._host = None
        await asyncio.gather(*(environment.stop(0) for environment in list(self._environments)))


def look() -> Found:
    """Find the tools, and try them."""
    if sys.platform != "linux":
        return Found(None, "only Linux has namespaces", "use another backend")
    paths = [shutil.which(name) for name in ("unshare", "nsenter")]
    unshare, nsenter = paths
    if unshare is None or nsenter is None:
        return Found(None, "unshare and nsenter are not installed", "sudo apt-get install util-linux")
    said = ""
    for by_user in BY_USER:
        tools = Tools(
            make=(unshare, *by_user, *NAMESPACES, "--mount-proc", "--fork", "--kill-child"),
            enter=(nsenter, *(("--user", "--preserve-credentials") if by_user else ()), *NAMESPACES),
        )
        trial = subprocess.run([*tools.make, "true"], capture_output=True, text=True, timeout=10, check=False)
        if trial.returncode == 0:
            return Found(tools)
        said = trial.stderr.strip()
    return Found(None, f"namespaces cannot be made: {said}", "sudo sysctl -w kernel.unprivileged_userns_clone=1")
