"""Applies to every test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import require_docker, require_tool

MARKER_TOOLS = {"bubblewrap": "bwrap", "tmux": "tmux"}
#: Folders whose files take longest.
LONG = ("testing", "endtoend", "conformance", "plugins")


def pytest_sessionstart(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):  # pytest-xdist names a size there, and terminal UIs would believe it
        for name in ("COLUMNS", "LINES"):
            os.environ.pop(name, None)


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.get_closest_marker("docker"):  # one daemon, one image: one worker
        item.add_marker(pytest.mark.xdist_group("docker"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers begin with what takes longest, so that at the end none is left with it."""
    if hasattr(config, "workerinput"):  # of pytest-xdist
        tests = Path(__file__).parent
        items.sort(
            key=lambda item: (
                item.get_closest_marker("docker") is None,
                item.path.relative_to(tests).parts[0] not in LONG,
            )
        )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """What has no group goes by its file: its tests share what is made once for a module, and its names."""
    from xdist.scheduler import LoadGroupScheduling

    class Scheduling(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            scope: str = super()._split_scope(nodeid)
            return nodeid.partition("::")[0] if scope == nodeid else scope

    return Scheduling(config, log)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A value of megabytes is no name for a test."""
    if isinstance(val, str | bytes) and len(val) > 200:
        return f"{argname} of {len(val)}"
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, tool in MARKER_TOOLS.items():
        if item.get_closest_marker(marker):
            require_tool(tool)
    if item.get_closest_marker("docker"):
        require_docker()


@pytest.fixture(autouse=True)
def image_of_this_machine(request: pytest.FixtureRequest) -> None:
    """Where Docker is needed, functions run in an image of this machine's programs: no registry is asked."""
    if request.node.get_closest_marker("docker"):
        request.getfixturevalue("docker_image")


@pytest.fixture(scope="session")
def docker_image() -> Iterator[str]:
    """The name of that image, which is what the backend uses meanwhile."""
    from docker import APIClient

    from tests import images
    from workbench_docker import daemon
    from workbench_docker import images as backend_images

    found = daemon.look().daemon
    assert found is not None
    client = APIClient(base_url=found.url, version=found.api, timeout=300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(backend_images.VARIABLE, images.NAME)
        try:
            images.build(client)
            yield images.NAME
            client.remove_image(images.NAME, force=True)
        finally:
            client.close()
