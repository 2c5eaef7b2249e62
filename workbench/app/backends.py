"""Which backends there are, which one is taken, and whether one of them works here."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from workbench.backends import registry
from workbench.backends.api import Health
from workbench.engine.backend_host import BackendHost, loaded
from workbench.model.errors import BackendUnavailable, WorkbenchError

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Choice:
    """The default backend, and in a sentence why it is that one."""

    name: str
    why: str
    isolated: bool
    notes: tuple[str, ...]


async def choose_backend(name: str) -> Choice:
    """Take the backend that was named, or with `auto` the strongest boundary that works here.

    Raises:
        BackendUnavailable: the named one does not work here (it is never replaced by another), or none does.
    """
    if name != AUTO:
        health, isolated = await probe(name)
        if not health.usable:
            raise BackendUnavailable(f"backend '{name}' does not work here: {health.why}", mend=health.mend or None)
        return Choice(name, "named by you", isolated, health.notes)
    refused = []
    for candidate in registry.names():
        try:
            health, isolated = await probe(candidate)
        except WorkbenchError as error:
            refused.append(str(error))
            continue
        if health.usable:
            why = "the strongest boundary that works here"
            if refused:
                why = "; ".join(refused)
            return Choice(candidate, why, isolated, health.notes)
        refused.append(f"{candidate}: {health.why}" + (f" ({health.mend})" if health.mend else ""))
    raise BackendUnavailable(f"no backend works here: {'; '.join(refused)}", mend="workbench doctor says more")


@cache
def image_backend(named: str) -> str | None:
    """Who runs container images where this backend was named; whether it works is found out when it has to."""
    for name in registry.names() if named == AUTO else (named,):
        with suppress(WorkbenchError):  # one that cannot be loaded runs none
            if registry.create(name).capabilities.images:
                return name
    return None


async def probe(name: str) -> tuple[Health, bool]:
    backend = await loaded(name, registry.create)
    host = BackendHost(name, backend)
    host.start()
    try:
        return await host.health(), backend.capabilities.isolation
    finally:
        host.leave()
