"""Applies to every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import require_docker, require_tool

MARKER_TOOLS = {"bubblewrap": "bwrap", "tmux": "tmux"}
#: Folders whose files take longest: workers begin with them, so that none is left with a long one at the end.
LONG = ("testing", "endtoend", "conformance", "plugins")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # of pytest-xdist
        tests = Path(__file__).parent
        items.sort(key=lambda item: item.path.relative_to(tests).parts[0] not in LONG)


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
