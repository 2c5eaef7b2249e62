"""What is installed: backends and runtimes, as `workbench doctor` and `workbench plugins` tell of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from workbench.app.backends import choose_backend, probe
from workbench.backends import registry
from workbench.backends.api import Health
from workbench.client.project import Project, cache_folder
from workbench.engine.backend_host import loaded
from workbench.engine.catalogue import Catalogue
from workbench.model.errors import UsageError, WorkbenchError


async def health_report() -> list[tuple[str, Health, bool]]:
    """Every installed backend, whether it works here, and whether it is a boundary."""
    found = []
    for name in registry.names():
        try:
            health, isolated = await probe(name)
        except WorkbenchError as error:
            health, isolated = Health(usable=False, why=str(error)), False
        found.append((name, health, isolated))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendPlugin:
    """A backend as people are shown it. `contract` is the version that it was written for; both are empty when it
    cannot be loaded, which `health` then explains."""

    name: str
    distribution: str
    version: str
    summary: str = ""
    contract: str = ""
    capabilities: Mapping[str, object]
    health: Health


async def backend_plugins() -> list[BackendPlugin]:
    """Every installed backend, loaded and asked for its health."""
    found = []
    for name in registry.names():
        distribution, version = registry.distribution(name)
        summary, contract, capabilities = "", "", {}
        try:
            backend = await loaded(name, registry.create)
            summary = registry.factory(name).summary
            contract = "{}.{}".format(*backend.api_version)
            capabilities = asdict(backend.capabilities)
            health, _ = await probe(name)
        except WorkbenchError as error:
            health = Health(usable=False, why=error.message, mend=error.mend or "")
        found.append(
            BackendPlugin(
                name=name,
                distribution=distribution,
                version=version,
                summary=summary,
                contract=contract,
                capabilities=capabilities,
                health=health,
            )
        )
    return found


async def runtime_report(project: Project) -> list[tuple[str, str, str]]:
    """The runtimes that Workbench can run: identifier, what realises it here, and the mend if nothing does."""
    catalogue = Catalogue(project.region, cache_folder(), project.runtimes)
    looks = [(runtime, await asyncio.to_thread(catalogue.look, runtime)) for runtime in catalogue.known()]
    return [(runtime, *look) for runtime, look in looks if look is not None]


def runtime_plugins(project: Project) -> tuple[tuple[str, str, str, tuple[str, ...]], ...]:
    """Who brings runtimes: as `Catalogue.brought`."""
    return Catalogue(project.region, cache_folder(), project.runtimes).brought()


def check_plugin(name: str, checks: Sequence[str], tell: Callable[[str, bool, str, float], None]) -> int:
    """Run the conformance kit, or some of its checks, against a backend; how many failed.

    `tell` hears of each: what it holds, whether that is promised at all, what is wrong (empty if nothing is), and the
    seconds that it took.

    Raises:
        UsageError: there is no such backend or check.
        BackendError: it cannot be loaded.
        BackendUnavailable: it does not work here, so there is nothing to check.
    """
    from workbench.testing import conformance

    if unknown := [check for check in checks if check not in conformance.CHECKS]:
        raise UsageError(f"there is no check '{unknown[0]}'; there are: {', '.join(conformance.CHECKS)}")
    asyncio.run(choose_backend(name))
    failed = 0
    for check in checks or conformance.CHECKS:
        begun = time.monotonic()
        promised, problem = conformance.verdict(check, name)
        failed += bool(problem)
        tell(check.replace("_", " "), promised, problem, time.monotonic() - begun)
    return failed
