"""How a command comes to an engine when another process is at the state folder, and what opening one leaves."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from workbench.app.engine import OPEN_FILES, open_engine
from workbench.app.serving import _unless, serve
from workbench.app.state import engine_log
from workbench.backends import registry
from workbench.cli import engines
from workbench.client.project import Project, engine_holds, read_endpoint, runtime_folder
from workbench.engine.engine import Engine
from workbench.model.errors import BackendError, StateError, StateLocked
from workbench.store.folder import StateFolder

ENDPOINT = {"url": "http://127.0.0.1:1", "key": "k", "pid": 7, "state": "s"}


async def test_a_one_shot_waits_for_another_to_end(project: Project) -> None:
    other = StateFolder(project.state)
    asyncio.get_running_loop().call_later(0.2, other.close)
    async with engines.attach(project) as attached:
        assert attached.own
        assert await attached.port.list_functions() == ()
    assert not engine_holds(project)


async def test_a_one_shot_attaches_when_the_holder_offers_an_endpoint(project: Project) -> None:
    holder = StateFolder(project.state)
    text = json.dumps(ENDPOINT)
    asyncio.get_running_loop().call_later(0.2, project.endpoint_file.write_text, text)
    async with engines.attach(project) as attached:
        assert not attached.own
    holder.close()


async def test_a_one_shot_gives_up_in_the_end(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_ATTACH_SECONDS", 0.2)
    holder = StateFolder(project.state)
    with pytest.raises(StateLocked, match="another engine uses"):
        async with engines.attach(project):
            pass
    holder.close()


def test_the_endpoint_of_a_killed_engine_ends_with_the_next_lock(project: Project) -> None:
    StateFolder(project.state).close()
    project.endpoint_file.write_text(json.dumps(ENDPOINT))
    holder = StateFolder(project.state)
    assert engine_holds(project)
    assert read_endpoint(project) is None
    assert not project.endpoint_file.exists()
    holder.close()


@pytest.mark.parametrize("own", [True, False])
async def test_only_an_engine_that_lives_on_delivers_what_was_queued(
    project: Project, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    said: list[bool] = []
    real = Engine.open

    async def note(self: Engine, *, deliver: bool = True) -> None:
        said.append(deliver)
        await real(self, deliver=deliver)

    monkeypatch.setattr(Engine, "open", note)
    async with engines.attach(project) if own else open_engine(project):
        pass
    assert said == [not own]


# -- opening
async def test_the_limit_of_open_files_is_raised(project: Project) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        async with open_engine(project):
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == (OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_runtime_folder_that_is_missing_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert runtime_folder() == tmp_path
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    assert runtime_folder() == Path(tempfile.gettempdir())


async def test_no_scratch_folder_is_a_state_error_that_lets_go_of_the_lock(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("workbench.app.engine.runtime_folder", lambda: tmp_path / "missing")
    with pytest.raises(StateError, match=r"scratch folder in .*missing: No such file"):
        async with open_engine(project):
            pass
    assert not engine_holds(project)


async def test_a_backend_that_does_not_open_is_closed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    create = registry.create

    def broken(name: str) -> Any:
        backend = create(name)

        async def fail(host: object) -> None:
            raise BackendError("no room")

        async def close() -> None:
            closed.append(name)

        monkeypatch.setattr(backend, "open", fail, raising=False)
        monkeypatch.setattr(backend, "aclose", close, raising=False)
        return backend

    monkeypatch.setattr(registry, "create", broken)
    async with open_engine(project) as running:
        with pytest.raises(BackendError, match="no room"):
            await running.engine.backend()
        assert closed == ["subprocess"]


async def test_a_boot_is_given_up_when_told_to_stop() -> None:
    stopping, ended = asyncio.Event(), asyncio.Event()

    async def boot() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    asyncio.get_running_loop().call_later(0.05, stopping.set)
    assert not await _unless(stopping, boot())
    assert ended.is_set()
    assert await _unless(asyncio.Event(), asyncio.sleep(0))


async def test_a_signal_while_the_backend_opens_ends_the_engine_without_ready(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[object] = []
    opening = asyncio.Event()

    async def hang(self: Engine, name: str | None = None) -> None:
        opening.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(Engine, "backend", hang)
    serving = asyncio.ensure_future(
        serve(project, backend=None, port=0, gateway_port=0, seed=None, ready=lambda *facts: said.append(facts))
    )
    await opening.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 5)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)
    assert said == []
    assert not engine_holds(project)


# -- the log of an engine in the background
def test_the_engine_log_is_private_and_never_a_link(project: Project, tmp_path: Path) -> None:
    descriptor = engine_log(project)
    os.close(descriptor)
    log = project.state / "engine.log"
    assert (project.state.stat().st_mode & 0o777, log.stat().st_mode & 0o777) == (0o700, 0o600)
    log.unlink()
    log.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match=r"engine\.log"):
        engine_log(project)
    assert not (tmp_path / "elsewhere").exists()


def test_the_engine_log_is_not_made_in_a_linked_folder(project: Project, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    project.state.symlink_to(tmp_path / "theirs")
    with pytest.raises(StateError, match="is a link"):
        engine_log(project)
    assert list((tmp_path / "theirs").iterdir()) == []
