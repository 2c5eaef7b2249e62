"""How soon after its timeout a handler is gone that ignores SIGTERM and has 20 children who do, too.

The answer to the caller comes when nothing of it runs any more; what the time is counted from is the call of a warm
environment, so the way there and back is in the figure.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.tools import Client, deploy, engine, project, row
from workbench.backends import registry

RUNS = 10
TIMEOUT = 1
BOUND_MS = 250
HANDLER = """
import os, signal, time
def handler(event, context):
    if not event: return "well"
    open("/proc/self/comm", "w").write(event)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(20):
        if os.fork() == 0: break
    while True: time.sleep(60)
"""


def run() -> None:
    for backend in ("subprocess", "bubblewrap"):
        if backend not in registry.names():
            continue
        with project() as env, engine(env, backend) as (host, port):
            deploy(env, HANDLER, TIMEOUT, "null")
            client = Client(host, port)
            over = [late(client) for _ in range(RUNS)]
        row(f"from the timeout to the answer, {backend}", over)
        row(f"the slowest of them, {backend}", [max(over)], bound=BOUND_MS)


def late(client: Client) -> float:
    """Seconds from the timeout to the answer of one invocation."""
    if (answer := client.invoke("f", b"null")) != b'"well"':
        sys.exit(f"the invocation after a timeout answered {answer!r}")
    time.sleep(0.1)  # it is warm, and at rest
    name = f"deaf-{time.monotonic_ns() % 10**9}"
    begun = time.perf_counter()
    answer = client.invoke("f", f'"{name}"'.encode())
    took = time.perf_counter() - begun
    if b"Sandbox.Timedout" not in answer:
        sys.exit(f"it did not time out: {answer!r}")
    if left := named(name):
        sys.exit(f"{left} processes are left")
    return took - TIMEOUT


def named(name: str) -> int:
    """How many processes of this name live. What is dead is there until the machine's process 1 has asked for it."""
    found = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # gone meanwhile
                line = (folder / "stat").read_text()
                found += f"({name})" in line and line.rpartition(")")[2].split()[0] not in "ZX"
    return found
