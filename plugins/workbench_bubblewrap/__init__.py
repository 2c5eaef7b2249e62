"""Environments as bubblewrap sandboxes: a boundary, as root and as an ordinary user, without a daemon."""

from __future__ import annotations

from workbench.backends.api import BackendFactory
from workbench.backends.hookspecs import hookimpl


@hookimpl
def workbench_backend() -> BackendFactory:
    """The factory of the `bubblewrap` backend."""
    from workbench_bubblewrap.backend import BubblewrapBackend

    return BackendFactory(create=BubblewrapBackend, summary="sandboxes made by bubblewrap, no daemon, a boundary")
