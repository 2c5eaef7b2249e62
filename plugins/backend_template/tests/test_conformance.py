"""The `unshare` backend keeps Workbench's contract: the kit of the wheel, inherited."""

from workbench.backends.api import Backend
from workbench.testing.suite import BackendConformance
from workbench_unshare.backend import UnshareBackend


class TestUnshare(BackendConformance):
    def backend(self) -> Backend:
        return UnshareBackend()
