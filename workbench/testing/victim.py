"""Plays an engine that will be killed: one environment with programs that would run on, given the chance.

`python -m workbench.testing.victim` reads a pickled `Order` from stdin, and says `ready` when all runs.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import pickle
import sys
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from workbench.backends.api import Backend, Host
from workbench.backends.keeper import Keeper
from workbench.model.runtimes import RuntimeVersion
from workbench.testing.kit import Subject

#: Three processes: one that ignores SIGTERM and SIGHUP, its child, and its grandchild in another process group.
_CODE = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN)
if os.fork() == 0 and os.fork() == 0 and ESCAPES: os.setpgid(0, 0)
os.write(1, b'up\\n')
time.sleep(60)  # WORD
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to play: a backend as `module:class`, to be called without arguments; `word` marks the processes."""

    backend: str
    runtime: RuntimeVersion
    folder: Path
    word: str


async def play(order: Order) -> None:
    """Run until killed."""
    module, _, name = order.backend.partition(":")
    backend: Backend = attrgetter(name)(importlib.import_module(module))()
    keeper = Keeper()
    await backend.open(Host(run_dir=order.folder, guard=keeper.guard, unguard=keeper.unguard))
    await backend.prepare(order.runtime)
    subject = Subject(backend, order.runtime, order.folder)
    code = _CODE.replace("WORD", order.word).replace("ESCAPES", str(backend.capabilities.isolation))
    async with subject.environment() as running:
        program = await running.start(code)
        for _ in range(3):
            await program.output.line()
        if backend.capabilities.freeze:
            await running.environment.freeze()
        os.write(1, b"ready")
        await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(play(pickle.load(sys.stdin.buffer)))
