"""Environments as Docker containers: a boundary, on AWS's image of the runtime or on one of your own."""

from __future__ import annotations

from workbench.backends.api import BackendFactory
from workbench.backends.hookspecs import hookimpl


@hookimpl
def workbench_backend() -> BackendFactory:
    """The factory of the `docker` backend."""
    from workbench_docker.backend import DockerBackend

    return BackendFactory(create=DockerBackend, summary="containers made by a Docker daemon, a boundary")
