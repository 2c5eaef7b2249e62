"""The conformance checks for pytest.

Inherit, and say what your backend is:

    class TestMine(BackendConformance):
        def backend(self) -> Backend:
            return MyBackend()

or run them against an installed one: `pytest --pyargs workbench.testing.suite --workbench-backend=NAME`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from workbench.backends.api import Backend
from workbench.model.runtimes import RuntimeVersion
from workbench.testing import conformance
from workbench.testing.pytest_plugin import OPTION


class BackendConformance:
    """One test for each check. Override `backend`, and `runtime` to run on another interpreter."""

    def backend(self) -> Backend:
        """A new backend, not yet open. Its class can be imported, and called without arguments."""
        raise NotImplementedError

    def runtime(self) -> RuntimeVersion | None:
        """The runtime that programs run on; by default the interpreter of the tests."""
        return None

    @pytest.mark.parametrize("name", conformance.CHECKS)
    def test_conforms(self, name: str, tmp_path: Path) -> None:
        asyncio.run(conformance.run(conformance.CHECKS[name], self.backend(), tmp_path, self.runtime()))


class TestInstalledBackend(BackendConformance):
    """The backend that the command line names."""

    name = ""

    @pytest.fixture(autouse=True)
    def _named(self, request: pytest.FixtureRequest) -> None:
        self.name = request.config.getoption(OPTION) or ""
        if not self.name:
            pytest.fail(f"say which backend: {OPTION}=NAME", pytrace=False)

    def backend(self) -> Backend:
        return conformance.find(self.name)
