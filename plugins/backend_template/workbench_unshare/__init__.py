"""A Workbench backend whose environments are PID namespaces, made by util-linux's unshare. For trusted code only."""

from __future__ import annotations

from workbench.backends.api import BackendFactory
from workbench.backends.hookspecs import hookimpl


@hookimpl
def workbench_backend() -> BackendFactory:
    """The factory of the `unshare` backend."""
    from workbench_unshare.backend import UnshareBackend

    return BackendFactory(create=UnshareBackend, summary="PID namespaces by unshare, trusted code only")
