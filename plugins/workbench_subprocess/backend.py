"""The `subprocess` backend: makes environments that are nothing but a set of processes."""

from __future__ import annotations

import asyncio

from workbench.backends import cgroups
from workbench.backends.api import API_VERSION, Capabilities, EnvironmentSpec, Health, Host, Network
from workbench.backends.cgroups import Cgroup, Role
from workbench.backends.proctable import MemoryWatch
from workbench.model.errors import BackendError
from workbench.model.runtimes import RuntimeVersion
from workbench_subprocess.environment import SubprocessEnvironment

#: The same as on AWS.
MAX_PROCESSES = 1024
MB = 1 << 20


class SubprocessBackend:
    """Runs functions as processes of the user who runs the engine, without a boundary."""

    api_version = API_VERSION
    capabilities = Capabilities(
        isolation=False,
        own_network=False,
        mounts=False,
        memory_limit=True,
        freeze=True,
        reset=True,
        networks=frozenset({Network.HOST}),
        connect=True,
        late_code=True,
        boost=True,
        processes=True,
    )

    def __init__(self) -> None:
        self._host: Host | None = None
        self._closed = False
        self._watch = MemoryWatch()
        self._environments: set[SubprocessEnvironment] = set()

    async def open(self, host: Host) -> None:
        """Claim a place for cgroups, where there is one."""
        self._host = host
        await asyncio.to_thread(cgroups.sweep)

    async def health(self) -> Health:
        """Always usable; says what is missing without cgroups."""
        roles = cgroups.support().roles
        notes = ["functions run as you, with your files and your network: trusted code only"]
        notes.append("layers are not at /opt but in a folder that WORKBENCH_OPT names: nothing is mounted")
        if missing := cgroups.support().lacks(Role.MEMORY):
            notes.append(f"memory is measured every 100 ms, not limited by the kernel: {missing}")
        if not roles:
            notes.append("a process that leaves its session outlives its function: no cgroup holds it")
        return Health(usable=True, notes=tuple(notes))

    async def prepare(self, runtime: RuntimeVersion) -> None:
        """Look for the interpreter, if it has one."""
        if runtime.interpreter is not None and not runtime.interpreter.exists():
            raise BackendError(f"{runtime.runtime}: there is no interpreter at {runtime.interpreter}")

    async def launch(self, spec: EnvironmentSpec) -> SubprocessEnvironment:
        """Make an environment; it has no process until `start`."""
        if self._host is None or self._closed:
            raise BackendError("the subprocess backend is not open")
        group: Cgroup | None = None
        if cgroups.claim().trees:
            group = Cgroup.create(spec.id, memory=spec.memory_size * MB, pids=MAX_PROCESSES, vcpus=spec.boosted)
            for folder in group.folders:
                self._host.guard("cgroup", folder)
        environment = SubprocessEnvironment(spec, self._host, group, self._watch, self._environments.discard)
        self._environments.add(environment)
        return environment

    async def aclose(self) -> None:
        """End every environment."""
        self._closed = True
        await asyncio.gather(*(environment.stop(0) for environment in list(self._environments)))
