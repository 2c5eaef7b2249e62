"""The `bubblewrap` backend: makes sandboxes."""

from __future__ import annotations

import asyncio
import itertools
import resource
import secrets
from dataclasses import replace

from workbench.backends import cgroups, file_systems
from workbench.backends.api import API_VERSION, Capabilities, EnvironmentSpec, Health, Host, Network
from workbench.backends.box import seccomp
from workbench.backends.cgroups import Role
from workbench.backends.proctable import MemoryWatch
from workbench.model.errors import BackendError, BackendUnavailable
from workbench.model.runtimes import RuntimeVersion
from workbench_bubblewrap import arguments, probe, uplink
from workbench_bubblewrap.box import Maker
from workbench_bubblewrap.environment import BubblewrapEnvironment

#: A root engine gives each environment a user of its own, far above the users that a system has.
FIRST_UID = 2_000_000
UID_RANGE = 1_000_000_000


#: Bytes of a core dump: with 0 the kernel would still start the helper that the host may name for them.
NO_CORE = 1


class BubblewrapBackend:
    """Runs functions in namespaces of their own, without capabilities, in a read-only view of the system."""

    api_version = API_VERSION
    capabilities = Capabilities(
        isolation=True,
        own_network=True,
        mounts=True,
        memory_limit=True,
        freeze=True,
        reset=True,
        networks=frozenset({Network.NONE, Network.HOST}),
        connect=True,
        services=True,
        file_systems=True,
        late_code=True,
        boost=True,
        processes=True,
    )

    def __init__(self) -> None:
        self._maker: Maker | None = None
        self._closed = False
        self._watch = MemoryWatch()
        self._environments: set[BubblewrapEnvironment] = set()
        self._uids = itertools.count(FIRST_UID + secrets.randbelow(UID_RANGE))

    async def open(self, host: Host) -> None:
        """Find bubblewrap, and a place for cgroups.

        Raises:
            BackendUnavailable: it does not work here.
        """
        found = await asyncio.to_thread(probe.look)
        if found.machine is None or not found.health.usable:
            raise BackendUnavailable(found.health.why, mend=found.health.mend)
        _forbid_core_dumps()
        helper, _ = uplink.find()
        if helper is not None:
            self.capabilities = replace(self.capabilities, networks=frozenset(Network))
        self._maker = Maker(found.bwrap, found.machine, host, helper)
        await asyncio.to_thread(cgroups.sweep)

    async def health(self) -> Health:
        """Usable when a trial sandbox runs; the notes say what this machine leaves open."""
        found = await asyncio.to_thread(probe.look)
        machine = found.machine
        if machine is None or not found.health.usable:
            return found.health
        notes = []
        if missing := uplink.find()[1]:
            notes.append(f"functions have no network beyond the Runtime API and the services: {missing}")
        if missing := cgroups.support().lacks(Role.MEMORY):
            notes.append(f"memory is measured every 100 ms, not limited by the kernel: {missing}")
        if not machine.sizes:
            notes.append("the size of /tmp is not limited: bubblewrap 0.7 is needed")
        if not seccomp.supported():
            notes.append("system calls are not filtered on this processor")
        return Health(usable=True, notes=tuple(notes))

    async def prepare(self, runtime: RuntimeVersion) -> None:
        """Look for the interpreter, if it has one, and at where it will be."""
        if runtime.interpreter is not None and not runtime.interpreter.exists():
            raise BackendError(f"{runtime.runtime}: there is no interpreter at {runtime.interpreter}")
        if self._maker is not None:
            arguments.place(runtime, self._maker.machine)

    async def launch(self, spec: EnvironmentSpec) -> BubblewrapEnvironment:
        """Make a sandbox with its init, ready to start processes."""
        if self._maker is None or self._closed:
            raise BackendError("the bubblewrap backend is not open")
        if spec.network not in self.capabilities.networks:
            raise BackendError(f"the bubblewrap backend has no network '{spec.network}'")
        uid = None
        if self._maker.machine.root:
            uid = file_systems.user_of(spec.file_systems.values()) or next(self._uids)
        environment = BubblewrapEnvironment(self._maker, spec, uid, self._watch)
        await environment.launch(self._environments.discard)
        if self._closed:
            await environment.stop(0)
            if environment.listener is not None:
                environment.listener.close()
            raise BackendError("the bubblewrap backend was closed meanwhile")
        self._environments.add(environment)
        return environment

    async def aclose(self) -> None:
        """End every sandbox."""
        self._closed = True
        await asyncio.gather(*(environment.stop(0) for environment in list(self._environments)))


def _forbid_core_dumps() -> None:
    """For this process, and by inheritance for all sandboxes, whose filter lets nobody change it, init neither.

    Later only who has the right to could set it from outside; earlier it would take one program more.
    """
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (min(NO_CORE, hard) if hard != resource.RLIM_INFINITY else NO_CORE, hard))
