"""The engine as a process: attach, status, stop, and what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from tests.endtoend.conftest import WORKBENCH, Served, Shell, eventually

BACKENDS = ["subprocess", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)]


def test_serve_says_in_one_json_line_where_it_is(serve: Callable[..., Served], shell: Shell) -> None:
    served = serve()
    assert set(served.facts) == {"lambda", "gateway", "pid", "state"}
    assert served.facts["pid"] == served.process.pid
    status = json.loads(shell.run("status", "--json").stdout)
    assert (status["pid"], status["urls"]) == (
        served.process.pid,
        {"lambda": served.url, "gateway": served.facts["gateway"]},
    )


def test_fire_attaches_to_the_running_engine_and_reuses_its_environment(
    serve: Callable[..., Served], shell: Shell
) -> None:
    serve()
    counts = [json.loads(shell.fire("counter")[1])["in_memory"] for _ in range(3)]
    assert counts == [1, 2, 3]


def test_stop_ends_everything(serve: Callable[..., Served], shell: Shell) -> None:
    served = serve()
    shell.fire("hello")
    assert served.environment_pids()
    done = shell.run("stop")
    assert (done.returncode, done.stdout) == (0, b"")
    assert served.process.wait(10) == 0
    assert served.environment_pids() == []
    assert not (shell.state / "endpoint.json").exists()
    assert shell.run("stop").returncode == 0
    assert shell.run("status").returncode == 4


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_killed_engine_leaves_no_environment(serve: Callable[..., Served], shell: Shell, backend: str) -> None:
    served = serve(backend=backend)
    assert shell.fire("hello")[0] == 0
    eventually(lambda: b"1 of 1 waiting" in shell.run("status").stdout)  # a spare goes, too
    slow = subprocess.Popen(
        [WORKBENCH, "fire", "slow", "--event", '{"seconds": 20}'],
        env=shell.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    before = _descendants(served.process.pid)
    eventually(lambda: len(_descendants(served.process.pid)) > len(before))
    everything = _descendants(served.process.pid)
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    eventually(lambda: not [pid for pid in everything if _alive(pid)], seconds=1.0)
    assert slow.wait(10) == 4
    code, out, _ = shell.fire("hello", "--backend", backend)
    assert (code, json.loads(out)) == (0, {"message": "Hello, world!"})
    assert not list((shell.state / "spares").iterdir())


def test_sigterm_shuts_down_in_order(serve: Callable[..., Served], shell: Shell) -> None:
    served = serve()
    shell.fire("hello")
    served.process.terminate()
    assert served.process.wait(10) == 0
    assert served.environment_pids() == []


def test_sigterm_during_the_boot_ends_it(shell: Shell) -> None:
    command = [WORKBENCH, "serve", "--json", "--port", "0", "--gateway-port", "0", "--backend", "subprocess"]
    process = subprocess.Popen(command, env=shell.env, stdout=subprocess.PIPE)
    eventually((shell.state / "lock").exists)
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert not (shell.state / "endpoint.json").exists()


def test_a_second_engine_on_the_same_state_is_refused(serve: Callable[..., Served], shell: Shell) -> None:
    serve()
    done = shell.run("serve", "--port", "0", "--backend", "subprocess")
    assert done.returncode == 4
    assert b"another engine uses" in done.stderr


def test_a_taken_port_is_named_with_the_mend(serve: Callable[..., Served], shell: Shell) -> None:
    port = serve().url.rsplit(":", 1)[1]
    shell.env["WORKBENCH_STATE"] += "-other"
    done = shell.run("serve", "--port", port, "--backend", "subprocess")
    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 cannot be used".encode() in done.stderr


def test_accepted_events_survive_a_kill(serve: Callable[..., Served], shell: Shell) -> None:
    served = serve()
    for _ in range(3):
        assert shell.fire("slow", "--type", "Event", "--event", '{"seconds": 1.5}')[0] == 0
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    left = _queued(shell)
    assert left >= 1
    serve()
    eventually(lambda: _queued(shell) == 0)
    assert json.loads(shell.run("status", "--json").stdout)["totals"]["invocations"] == left


def _queued(shell: Shell) -> int:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(shell.state / "state.db")) as database:
        return int(database.execute("SELECT count(*) FROM events").fetchone()[0])


def test_the_state_folder_is_private(serve: Callable[..., Served], shell: Shell) -> None:
    serve()
    shell.fire("hello")
    assert shell.state.stat().st_mode & 0o777 == 0o700
    for name in ("endpoint.json", "state.db", "lock"):
        assert (shell.state / name).stat().st_mode & 0o077 == 0


def _descendants(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _alive(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
