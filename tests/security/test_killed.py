"""kill -9 of an engine with twenty environments: nothing of them is left a second later."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.endtoend.conftest import eventually
from tests.plugins.backends import alive
from tests.security.arena import Arena, arena
from workbench.backends import cgroups, proctable
from workbench_bubblewrap import uplink

pytestmark = pytest.mark.bubblewrap
ENVIRONMENTS = 20
#: A child that left its parent's session, a child that did not, and a parent that burns.
CROWD = """
import os, subprocess, sys
def handler(event, context):
    code = "import sys, time\\nwhile True: time.sleep(0.05)"
    for apart in (False, True):
        subprocess.Popen([sys.executable, "-c", code, event["mark"]], start_new_session=apart)
    while True: pass
"""


@pytest.mark.parametrize("user", ["root", pytest.param("ordinary", marks=pytest.mark.soak)])
def test_nothing_is_left_of_a_killed_engine(user: str) -> None:
    network = 'network = "internet"\n' if uplink.find()[0] is not None else 'network = "none"\n'
    with arena(user=user, settings=network) as host:
        host.create("crowd", "app.handler", {"app.py": CROWD}, MemorySize=128)
        callers = [threading.Thread(target=lambda: call(host), daemon=True) for _ in range(ENVIRONMENTS)]
        for caller in callers:
            caller.start()
        eventually(lambda: len(host.strays()) == 2 * ENVIRONMENTS, 60)
        family = [row.pid for row in proctable.family(proctable.table(), [host.pid])]
        assert len(family) > 4 * ENVIRONMENTS  # bubblewrap, init, the runtime, its children, helpers, the keeper
        groups = cgroups_of(host.pid)
        assert len(groups) >= ENVIRONMENTS if host.is_root else not groups
        os.kill(host.pid, signal.SIGKILL)
        died = time.monotonic()
        left = within(1, lambda: [pid for pid in family if alive(pid)] + host.strays())
        assert left == [], f"{len(left)} processes of {len(family)} live on after {time.monotonic() - died:.2f} s"
        assert within(1, lambda: cgroups_of(host.pid)) == []
        for caller in callers:
            caller.join(10)
            assert not caller.is_alive()
        assert str(host.folder) not in Path("/proc/self/mountinfo").read_text()


def call(host: Arena) -> None:
    with suppress(BotoCoreError, ClientError):  # its engine is killed
        host.client.invoke(FunctionName="crowd", Payload=f'{{"mark": "{host.stray_mark}"}}'.encode())


def within(seconds: float, left: Callable[[], list[object]]) -> list[object]:
    """What is left after so long; sooner if nothing is."""
    deadline = time.monotonic() + seconds
    while (found := left()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def cgroups_of(engine: int) -> list[object]:
    return [
        str(folder)
        for tree in cgroups.claim().trees
        for folder in tree.root.iterdir()
        if folder.name.startswith(f"{engine}-")
    ]
