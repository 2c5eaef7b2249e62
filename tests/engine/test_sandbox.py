"""A sandbox that is ended while it is made keeps nothing open."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import configured
from workbench.engine.backend_host import BackendHost
from workbench.engine.sandbox import Contents, Sandbox
from workbench.model.errors import BackendError
from workbench.model.functions import Code, FunctionVersion
from workbench.services.relay import Relay, RelayListener
from workbench.testing.clock import VirtualClock
from workbench.testing.fakes import FakeBackend, FakeEnvironment, FakeListeners, FakeRuntimes


class Slowly(Relay):
    """A relay that is opened only when the test says so."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def open(self, listener: socket.socket) -> RelayListener:
        self.asked.set()
        await self.go_on.wait()
        return await super().open(listener)


async def test_services_that_are_opened_too_late_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = FakeBackend(FakeListeners())
    backend.capabilities = replace(backend.capabilities, services=True)
    inside = socket.create_server(("127.0.0.1", 0))

    async def take_services(_: FakeEnvironment) -> socket.socket:
        return inside

    monkeypatch.setattr(FakeEnvironment, "take_services", take_services)
    relay = Slowly()
    version = FunctionVersion(
        name="f", configuration=configured(), code=Code(sha256="0", size=1), revision_id="r", last_modified=0.0
    )
    sandbox = Sandbox(BackendHost("fake", backend), VirtualClock(), "one", version, relay)
    runtime = await FakeRuntimes().resolve("python3.12")
    contents = Contents(runtime=runtime, task=tmp_path, opt=None, file_systems={})
    link: Any = object()  # nobody asks it anything
    launching = asyncio.ensure_future(sandbox.launch(contents, backend.listeners, link, lambda _: None))
    await relay.asked.wait()
    await sandbox.close()
    relay.go_on.set()
    with pytest.raises(BackendError, match="was ended while it was made"):
        await launching
    assert inside.fileno() == -1
    assert all(listener.closed for listener in backend.listeners.opened)
