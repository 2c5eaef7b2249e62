"""Which network a function gets: the one that was named, or the widest that is safe; never another than was named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.world import world
from workbench.backends.api import Network
from workbench.engine.backend_host import BackendHost
from workbench.model.errors import BackendError
from workbench.testing.fakes import FakeBackend, FakeListeners, echo


@pytest.mark.parametrize(
    ("has", "widest"),
    [
        ({Network.INTERNET, Network.NONE, Network.HOST}, Network.INTERNET),
        ({Network.NONE, Network.HOST}, Network.NONE),
        ({Network.HOST}, Network.HOST),
    ],
)
async def test_the_widest_that_is_safe(has: set[Network], widest: Network) -> None:
    backend = FakeBackend(FakeListeners(), echo)
    backend.capabilities = replace(backend.capabilities, networks=frozenset(has))
    assert BackendHost("fake", backend).network("f") is widest


async def test_the_one_that_was_named() -> None:
    host = BackendHost("fake", FakeBackend(FakeListeners(), echo), {"": Network.NONE, "roamer": Network.HOST})
    assert (host.network("f"), host.network("roamer")) == (Network.NONE, Network.HOST)


async def test_one_that_the_backend_does_not_have_is_an_error(tmp_path: Path) -> None:
    networks = {"roamer": Network.INTERNET}
    async with world(tmp_path / "state", networks=networks) as made:
        await made.create("f")
        assert (await made.invoke("f")).function_error is None
        await made.create("roamer")
        with pytest.raises(
            BackendError, match="backend 'fake' has no network 'internet' here, which is what roamer is"
        ):
            await made.invoke("roamer")
