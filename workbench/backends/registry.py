"""Backends by name, from entry points. Listing reads metadata only; a module is loaded when its backend is chosen."""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import pluggy

from workbench.backends import hookspecs
from workbench.backends.api import API_VERSION, Backend, BackendFactory, Capabilities
from workbench.model.errors import BackendError, UsageError

GROUP = "workbench.backends"
#: `auto` takes the first of these that works: the strongest boundary first.
AUTO_ORDER = ("bubblewrap", "docker", "subprocess")


def names() -> tuple[str, ...]:
    """The names of the installed backends, our own in the order of `auto`, then others by name."""
    found = _entry_points()
    ours = [name for name in AUTO_ORDER if name in found]
    return (*ours, *sorted(set(found) - set(ours)))


def distribution(name: str) -> tuple[str, str]:
    """The distribution that brings a backend, and its version; empty where the metadata do not say."""
    entry = _entry_points().get(name)
    return (entry.dist.name, entry.dist.version) if entry is not None and entry.dist is not None else ("", "")


def factory(name: str) -> BackendFactory:
    """Load the module of one backend and ask its hook.

    Raises:
        UsageError: no backend has this name.
        BackendError: its module cannot be loaded, or implements another contract.
    """
    entry = _entry_points().get(name)
    if entry is None:
        raise UsageError(f"there is no backend named '{name}'; installed: {', '.join(names())}")
    manager = pluggy.PluginManager("workbench")
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(entry.load())
        made = manager.hook.workbench_backend()
    except Exception as error:
        raise BackendError(f"backend '{name}' ({entry.value}) cannot be loaded: {error}") from error
    if not isinstance(made, BackendFactory):
        raise BackendError(f"backend '{name}' ({entry.value}) has no workbench_backend hook that returns a factory")
    return made


def create(name: str) -> Backend:
    """Make the backend of this name; it is not yet open.

    Raises:
        UsageError, BackendError: as `factory`; also when it was written for another major version of the contract.
    """
    made = factory(name)
    try:
        backend = made.create()
        major, minor = map(int, backend.api_version)
    except Exception as error:
        raise BackendError(f"backend '{name}' cannot be made: {type(error).__name__}: {error}") from error
    if major != API_VERSION[0]:
        raise BackendError(
            f"backend '{name}' implements contract {major}.{minor}, this is {API_VERSION[0]}.{API_VERSION[1]}"
        )
    capabilities = getattr(backend, "capabilities", None)
    if not isinstance(capabilities, Capabilities) or not capabilities.networks:
        raise BackendError(f"backend '{name}' does not say its capabilities, or has no network mode among them")
    return backend


def _entry_points() -> dict[str, EntryPoint]:
    found = dict(_installed())
    allowed = os.environ.get("WORKBENCH_BACKENDS")
    if allowed is not None:
        keep = set(allowed.split(","))
        found = {name: entry for name, entry in found.items() if name in keep}
    return found


@cache
def _installed() -> dict[str, EntryPoint]:
    """Read once: it looks into every installed distribution, and a command asks several times."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}
