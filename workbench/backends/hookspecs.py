"""The hook that a backend's module implements. This is the documentation: one hook."""

from __future__ import annotations

import pluggy

from workbench.backends.api import BackendFactory

hookspec = pluggy.HookspecMarker("workbench")
hookimpl = pluggy.HookimplMarker("workbench")


@hookspec(firstresult=True)
def workbench_backend() -> BackendFactory:  # type: ignore[empty-body]
    """Return the factory of this backend.

    The module that implements the hook is named by an entry point in the group `workbench.backends`; the entry
    point's name is the backend's name.
    """
