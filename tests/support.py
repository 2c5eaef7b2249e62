"""What tests of several rooms share."""

import os
import shutil

import pytest

# The command that brings each tool. scripts/check runs it where it may.
INSTALL = {
    "bwrap": "apt-get install bubblewrap",
    "docker": "see https://docs.docker.com/engine/install/",
    "tmux": "apt-get install tmux, or brew install tmux",
}

# What scripts/check can bring must be there in CI: a skip would hide that nothing was tested.
REQUIRED_IN_CI = {"bwrap", "tmux"}


def require_tool(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails when WORKBENCH_CI is set."""
    path = shutil.which(name)
    if path is not None:
        return path
    reason = f"{name} is not installed: {INSTALL[name]}"
    if os.environ.get("WORKBENCH_CI") and name in REQUIRED_IN_CI:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
