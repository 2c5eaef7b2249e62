"""The conformance checks for pytest.

Inherit, and say what your backend is:

    class TestMine(BackendConformance):
        def backend(self) -> Backend:
            return MyBackend()

or run them against an installed one: `WORKBENCH_BACKEND=NAME pytest --pyargs workbench.testing.suite`.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from workbench.backends.api import Backend
from workbench.model.runtimes import RuntimeVersion
from workbench.testing import conformance


class BackendConformance:
    """One test for each check. Override `backend`, and `runtime` to run on another interpreter."""

    def backend(self) -> Backend:
        """A new backend, not yet open."""
        raise NotImplementedError

    def runtime(self) -> RuntimeVersion | None:
        """The runtime that programs run on; by default the interpreter of the tests."""
        return None

    @pytest.mark.parametrize("name", conformance.CHECKS)
    def test_conforms(self, name: str, tmp_path: Path) -> None:
        asyncio.run(conformance.run(conformance.CHECKS[name], self.backend(), tmp_path, self.runtime()))


if "WORKBENCH_BACKEND" in os.environ:

    class TestInstalledBackend(BackendConformance):
        """The backend that the environment variable names."""

        def backend(self) -> Backend:
            return conformance.find(os.environ["WORKBENCH_BACKEND"])
