"""Nothing outlives the engine, however it ends."""

from __future__ import annotations

import asyncio
import os
import pickle
import select
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from workbench.testing import victim
from workbench.testing.kit import PATIENCE, NotConforming, Subject, check, expect

#: How long what is left may take to end: the keeper needs milliseconds, a daemon may need more.
SECONDS = 5.0


@check
async def nothing_outlives_an_engine_that_is_killed(subject: Subject) -> None:
    """A second process plays an engine with the same backend, and gets SIGKILL."""
    word = f"workbench-{uuid.uuid4().hex}"
    (subject.folder / "victim").mkdir(mode=0o755)
    order = victim.Order(backend=subject.maker(), runtime=subject.runtime, folder=subject.folder / "victim", word=word)
    read, write = os.pipe()
    engine = _engine(order, write)
    os.close(write)
    try:
        said = await asyncio.to_thread(_read_until, read, b"ready")
        expect(said.endswith(b"ready"), f"a second process could not make the backend and an environment: {said!r}")
        seen = await asyncio.to_thread(running, word)
        engine.kill()
        engine.wait()
        left = await asyncio.to_thread(_left_after, word, SECONDS)
        expect(not left, f"{len(left)} of {len(seen)} processes are left {SECONDS:g} s after the engine was killed")
    finally:
        os.close(read)
        engine.kill()
        engine.wait()
        for pid in running(word):
            os.kill(pid, signal.SIGKILL)


def _engine(order: victim.Order, output: int) -> subprocess.Popen[bytes]:
    """A process that finds what this one finds when it imports."""
    path = os.pathsep.join(filter(None, sys.path))
    engine = subprocess.Popen(
        [sys.executable, "-m", victim.__name__],
        stdin=subprocess.PIPE,
        stdout=output,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert engine.stdin is not None
    pickle.dump(order, engine.stdin)
    engine.stdin.close()
    return engine


def running(word: str) -> list[int]:
    """The processes of this machine that have a word in their command line."""
    found = []
    if sys.platform == "linux":
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    line = (folder / "cmdline").read_bytes()
                except OSError:  # ended meanwhile
                    continue
                if word.encode() in line:
                    found.append(int(folder.name))
    else:
        listed = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
        found = [int(line.split()[0]) for line in listed.stdout.splitlines() if word in line]
    return found


def _left_after(word: str, seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := running(word)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _read_until(descriptor: int, end: bytes) -> bytes:
    """Read to a word, or to the end, or for as long as a check has patience."""
    said, deadline = b"", time.monotonic() + PATIENCE
    while not said.endswith(end):
        if not select.select([descriptor], [], [], max(0, deadline - time.monotonic()))[0]:
            raise NotConforming(f"a second process with the backend was not ready within {PATIENCE:g} s: {said!r}")
        chunk = os.read(descriptor, 65536)
        if not chunk:
            break
        said += chunk
    return said
