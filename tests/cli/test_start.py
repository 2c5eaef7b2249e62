"""How the terminal UI starts an engine: its deadline, its failure, and two UIs at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from workbench.cli import tui
from workbench.client.project import Project
from workbench.model.errors import EngineGone
from workbench.store.folder import StateFolder

Start = Callable[[str], list[subprocess.Popen[bytes]]]


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Start:
    """Have this program run instead of an engine."""
    real = subprocess.Popen

    def use(code: str) -> list[subprocess.Popen[bytes]]:
        started: list[subprocess.Popen[bytes]] = []

        def popen(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
            assert command[:4] == [sys.executable, "-m", "workbench", "serve"]
            started.append(real([sys.executable, "-c", code], **options))
            return started[-1]

        monkeypatch.setattr(subprocess, "Popen", popen)
        return started

    return use


def test_an_engine_that_answers_is_enough(project: Project, starts: Start) -> None:
    (process,) = _run(starts("print('{}')"), project)
    assert process.wait(5) == 0


def test_an_engine_that_dies_is_quoted(project: Project, starts: Start) -> None:
    started = starts("import sys; sys.exit('workbench: no backend works here')")
    with pytest.raises(EngineGone, match="the engine did not start: no backend works here"):
        tui.ensure_engine(project)
    started[0].wait(5)


def test_an_engine_that_says_nothing_is_ended(project: Project, starts: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tui, "_BOOT_SECONDS", 0.2)
    started = starts("import time; time.sleep(60)")
    with pytest.raises(EngineGone, match=r"within 0\.2 s"):
        tui.ensure_engine(project)
    assert started[0].wait(5) == -15


def test_of_two_uis_that_start_together_one_attaches_to_the_others_engine(project: Project, starts: Start) -> None:
    holder = StateFolder(project.state)
    text = json.dumps({"url": "http://127.0.0.1:1", "key": "k", "pid": 7, "state": "s"})
    started = starts("import sys; sys.exit('workbench: another engine uses this (workbench stop ends it)')")
    offer = threading.Timer(0.4, project.endpoint_file.write_text, [text])
    offer.start()
    _run(started, project)
    offer.join()
    holder.close()


def _run(started: list[subprocess.Popen[bytes]], project: Project) -> list[subprocess.Popen[bytes]]:
    tui.ensure_engine(project)
    for process in started:
        process.wait(5)
    return started
