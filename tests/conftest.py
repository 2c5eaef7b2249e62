"""Applies to every test."""

import pytest

from tests.support import require_tool

MARKER_TOOLS = {"bubblewrap": "bwrap", "docker": "docker", "tmux": "tmux"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, tool in MARKER_TOOLS.items():
        if item.get_closest_marker(marker):
            require_tool(tool)
