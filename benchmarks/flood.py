"""A flood of log in one invocation, 1 GB in lines and 100 MB without a line's end: time, and the engine's memory."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

from benchmarks.tools import Client, deploy, engine, project

BOUND_MB = 50
FLOODS = {"1 GB in lines of 100 bytes": (10**9, "x" * 99 + "\n"), "100 MB without a newline": (10**8, "x" * 100)}
HANDLER = """
import os
def handler(event, context):
    piece = (event["piece"] * 6000).encode()
    for _ in range(event["size"] // len(piece)):
        rest = memoryview(piece)
        while rest: rest = rest[os.write(1, rest):]
    return "done"
"""


def run() -> None:
    with project() as env, engine(env, "subprocess") as (host, port):
        state = deploy(env, HANDLER, 900, json.dumps({"piece": "x", "size": 0}))
        process = int(json.loads((state / "endpoint.json").read_text())["pid"])
        client = Client(host, port)
        for name, (size, piece) in FLOODS.items():
            report(name, client, process, json.dumps({"piece": piece, "size": size}).encode())


def report(name: str, client: Client, process: int, event: bytes) -> None:
    before = peak = resident(process)
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            peak = max(peak, resident(process))

    watching = threading.Thread(target=watch)
    watching.start()
    begun = time.perf_counter()
    client.invoke("f", event)
    took = time.perf_counter() - begun
    over.set()
    watching.join()
    grown = peak - before
    held = "held" if grown < BOUND_MB else "MISSED"
    print(f"  {name:<52} {took:9.1f} s    engine grew by {grown:.0f} MB   bound {BOUND_MB} MB: {held}", flush=True)


def resident(process: int) -> float:
    """Memory of a process in MB."""
    return int(Path("/proc", str(process), "statm").read_text().split()[1]) * 4096 / 1e6
