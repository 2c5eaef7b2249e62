"""What the kit adds to pytest wherever Workbench is installed: one option. It imports nothing of the kit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

OPTION = "--workbench-backend"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that `workbench.testing.suite` reads."""
    group = parser.getgroup("workbench")
    group.addoption(OPTION, metavar="NAME", help="the backend that workbench.testing.suite checks")
