"""A plugin that misbehaves costs its own functions an error that names it, and no other function anything."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks import misbehaving
from tests.engine.world import archive, configured
from workbench.app.backends import choose_backend
from workbench.app.engine import Running, open_engine
from workbench.app.installed import health_report
from workbench.backends import registry
from workbench.backends.api import Health
from workbench.client.project import find_project
from workbench.engine import backend_host
from workbench.model.errors import BackendError, WorkbenchError
from workbench.model.functions import NewFunction
from workbench.model.invocations import InvocationResult, InvokeRequest
from workbench.model.names import FunctionRef

RUNTIME = "python{}.{}".format(*sys.version_info)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_installed", registry._installed)
    misbehaving.install()
    monkeypatch.setattr(backend_host, "LAUNCH_SECONDS", 1.0)


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.setenv("WORKBENCH_PROJECT", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_STATE", str(tmp_path / "state"))
    async with open_engine(find_project(), backend="subprocess") as running:
        code = archive({"app.py": "def handler(event, context):\n    return event\n"})
        await running.engine.create_function(
            NewFunction(name="f", configuration=configured(runtime=RUNTIME, timeout=30), code=code)
        )
        async with asyncio.timeout(30):
            while (await running.engine.get_function(FunctionRef("f"))).state != "Active":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        yield running


async def invoke(running: Running, backend: str | None = None) -> InvocationResult:
    async with asyncio.timeout(30):
        return await running.engine.invoke(
            InvokeRequest(function=FunctionRef("f"), payload=b'{"n":1}', backend=backend)
        )


@pytest.mark.parametrize("name", misbehaving.SAY)
async def test_its_functions_fail_and_others_run(name: str, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(misbehaving, "BLOCKED_SECONDS", 3.0)
    failing = asyncio.create_task(invoke(running, name))
    others = 0
    while not failing.done() or others < 20:
        result = await invoke(running)
        assert (result.status, result.payload) == ("success", b'{"n": 1}')
        others += 1
    with pytest.raises(BackendError, match=misbehaving.SAY[name]):
        await failing
    assert (await invoke(running)).status == "success"


async def test_what_it_launches_too_late_is_ended(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(misbehaving, "BLOCKED_SECONDS", 1.5)
    with pytest.raises(BackendError, match="did not launch an environment"):
        await invoke(running, "blocks")
    host = await running.engine.backend("blocks")
    backend = host._backend
    async with asyncio.timeout(30):
        while host._launches or backend._environments:  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(0.02)


# -- before it is opened -----------------------------------------------------------------------------------------------


class Hangs:
    """In its health."""

    api_version = registry.API_VERSION
    capabilities = misbehaving.Sleeps.capabilities

    async def health(self) -> Health:
        time.sleep(3)  # noqa: ASYNC251
        return Health(usable=True)


class Chats(Hangs):
    async def health(self) -> Health:
        return "fine"  # type: ignore[return-value]


@pytest.mark.parametrize(("kind", "says"), [(Hangs, "did not say its health within 0.5 s"), (Chats, "answered health")])
async def test_one_whose_health_is_not_said_is_passed_over(
    kind: type, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_host, "HEALTH_SECONDS", 0.5)
    real = registry.create
    monkeypatch.setattr(registry, "create", lambda name: kind() if name == "rubbish" else real(name))
    report = {name: health for name, health, _ in await health_report()}
    assert not report["rubbish"].usable
    assert re.search(says, report["rubbish"].why)
    assert report["subprocess"].usable


async def test_one_whose_module_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(backend_host, "LOAD_SECONDS", 0.2)

    def hang(name: str) -> None:
        release.wait(30)

    monkeypatch.setattr(registry, "create", hang)
    try:
        with pytest.raises(WorkbenchError, match=r"backend 'rubbish' did not load within 0\.2 s"):
            await choose_backend("rubbish")
    finally:
        release.set()
