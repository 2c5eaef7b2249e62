"""What tests of several rooms share."""

import os
import shutil

import pytest

#: boto3's waiters look once in a second: `client.get_waiter(...).wait(..., WaiterConfig=OFTEN)`.
OFTEN = {"Delay": 0.02, "MaxAttempts": 3000}

# The command that brings each tool. scripts/check runs it where it may.
INSTALL = {
    "bwrap": "apt-get install bubblewrap",
    "cc": "apt-get install gcc libc6-dev",
    "curl": "apt-get install curl",
    "dockerd": "apt-get install docker.io",
    "docker": "apt-get install docker.io, and start it; or see https://docs.docker.com/engine/install/",
    "node": "apt-get install nodejs, or brew install node",
    "slirp4netns": "apt-get install slirp4netns",
    "tmux": "apt-get install tmux, or brew install tmux",
}

# What scripts/check can bring must be there in CI: a skip would hide that nothing was tested.
REQUIRED_IN_CI = {"bwrap", "curl", "docker", "node", "slirp4netns", "tmux"}


def require_tool(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails when WORKBENCH_CI is set."""
    path = shutil.which(name)
    if path is None:
        _missing(name, f"{name} is not installed: {INSTALL[name]}")
    assert path is not None
    return path


def require_docker() -> None:
    """A Docker daemon that the backend can use, by DOCKER_HOST or at its usual place; else as `require_tool`."""
    from workbench_docker import daemon

    health = daemon.look().health
    if not health.usable:
        _missing("docker", f"{health.why}: {health.mend}")


def _missing(name: str, reason: str) -> None:
    if os.environ.get("WORKBENCH_CI") and name in REQUIRED_IN_CI:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
