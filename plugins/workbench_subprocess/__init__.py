"""Environments as plain processes of this machine: quick to debug, and no boundary. For trusted code only."""

from __future__ import annotations

from workbench.backends.api import BackendFactory
from workbench.backends.hookspecs import hookimpl


@hookimpl
def workbench_backend() -> BackendFactory:
    """The factory of the `subprocess` backend."""
    from workbench_subprocess.backend import SubprocessBackend

    return BackendFactory(create=SubprocessBackend, summary="processes on this machine, trusted code only")
