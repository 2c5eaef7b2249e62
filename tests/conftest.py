"""Applies to every test."""

from collections.abc import Iterator

import pytest

from tests.support import require_docker, require_tool

MARKER_TOOLS = {"bubblewrap": "bwrap", "tmux": "tmux"}


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
