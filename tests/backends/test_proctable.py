"""What is read from the table of processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from workbench.backends import proctable
from workbench.backends.proctable import Watched

#: Its first thread ends; another one has 64 MB.
LEADERLESS = """
import ctypes, sys, threading
def go_on():
    held = b"x" * (64 << 20)
    first.join(0.05)
    while open(f"/proc/self/task/{first.native_id}/stat").read().rpartition(")")[2].split()[0] != "Z": pass
    print(len(held), flush=True)
    sys.stdin.read()
first = threading.main_thread()
threading.Thread(target=go_on).start()
ctypes.CDLL(None).syscall(ctypes.c_long({"x86_64": 60, "aarch64": 93}[__import__("platform").machine()]), 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_a_process_whose_first_thread_has_ended_has_its_memory_still() -> None:
    process = subprocess.Popen([sys.executable, "-c", LEADERLESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline()
        (row,) = [row for row in proctable.table() if row.pid == process.pid]
        assert row.rss > 64 << 20
        assert row.thread != process.pid
        assert row.awake
        assert proctable.shared_fairly([row]) > 64 << 20
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def test_who_looks_is_shown_the_processes_although_something_else_measures() -> None:
    seen: list[int] = []
    watched = Watched(lambda: [os.getpid()], 1 << 40, lambda: None, measure=lambda: 5)
    watched.look = lambda rows: seen.extend(row.pid for row in rows)
    assert watched.needs_table
    assert watched.used(proctable.table()) == 5
    assert os.getpid() in seen
