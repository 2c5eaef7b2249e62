"""Cold starts in one interleaved run: fresh ones and spares beside a plain official client; 100 at once; memory.

The times of an environment are the engine's own records: from the moment at which it is to be made, or is assigned, to
the runtime's first `next`.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.tools import Client, engine, plain_client, project, row
from workbench.backends import registry
from workbench.client.port import EnginePort
from workbench.client.project import Endpoint
from workbench.client.remote import connect
from workbench.live.view import EnvironmentView

RUNS = 50
AT_ONCE = 100
#: The bounds that are held: fresh bubblewrap to a plain client, a spare in ms, a plain client to a spare.
FRESH, SPARE_MS, SPARE = 1.3, 4.0, 8.0


@dataclass
class Engine:
    """A running engine: its endpoint, its own view, its process."""

    name: str
    spares: int
    host: str
    port: int
    remote: EnginePort
    pid: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    whole: dict[str, list[float]] = field(default_factory=dict)
    peaks: list[int] = field(default_factory=list)

    async def cold(self, client: Client) -> None:
        """One invocation that finds no environment, which is ended then."""
        begun = time.perf_counter()
        await asyncio.to_thread(client.invoke, "hello", b"{}")
        taken = time.perf_counter() - begun
        (made,) = await self.alive()
        road = made.road.partition(":")[0]
        self.seconds.setdefault(road, []).append(to_next(made))
        self.whole.setdefault(road, []).append(taken)
        await self.end_all()
        (made,) = [one for one in (await self.remote.changes(0)).environments if one.id == made.id]
        self.peaks.append(made.max_memory_mb)

    async def alive(self) -> list[EnvironmentView]:
        return [one for one in (await self.remote.changes(0)).environments if not one.state.final]

    async def end_all(self) -> None:
        while alive := await self.alive():
            for one in alive:
                if one.state.placeable:
                    await self.remote.stop_environment(one.id)
            await asyncio.sleep(0.01)

    async def wait_for_spares(self, count: int) -> None:
        """Wait until so many wait."""
        await until(lambda: self._waiting(count), f"{count} spares")

    async def _waiting(self, count: int) -> bool:
        lines = (await self.remote.status()).spares
        return any(f": {count} of " in line for line in lines)


def run() -> None:
    asyncio.run(measure())


async def measure() -> None:
    backends = [name for name in ("subprocess", "bubblewrap") if name in registry.names()]
    with ExitStack() as stack:
        plain = stack.enter_context(plain_client())
        engines = [start(stack, name, spares) for name in backends for spares in (0, 1)]
        if "bubblewrap" in backends:
            try:
                engines += [start(stack, "bubblewrap", spares, network="internet") for spares in (0, 1)]
            except SystemExit as error:
                print(f"  without network internet: {error}")
        clients = {id(each): Client(each.host, each.port) for each in engines}
        plains: list[float] = []
        for each in engines:
            await each.cold(clients[id(each)])
            each.seconds.clear(), each.whole.clear(), each.peaks.clear()
        for _ in range(RUNS):
            begun = time.perf_counter()
            await asyncio.to_thread(plain.start)
            plains.append(time.perf_counter() - begun)
            for each in engines:
                if each.spares == 0:
                    await each.cold(clients[id(each)])
                else:
                    await each.wait_for_spares(1)
                    await each.cold(clients[id(each)])
                    await each.cold(clients[id(each)])  # at once again: a miss
                    await each.wait_for_spares(1)
        load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
        print(f"  {RUNS} rounds, one after another in each; network none but where said; load {load}")
        baseline = row("python -m awslambdaric, started -> first next", plains)
        for each in engines:
            report(each, baseline)
        for name in backends:
            with ExitStack() as inner:
                await many(start(inner, name, AT_ONCE, "slow"))


def start(stack: ExitStack, backend: str, spares: int, function: str = "hello", network: str | None = None) -> Engine:
    env = stack.enter_context(project())
    env["WORKBENCH_NETWORK"] = network or ("host" if backend == "subprocess" else "none")
    host, port = stack.enter_context(engine(env, backend, function, "--spares", str(spares)))
    facts = json.loads(Path(env["WORKBENCH_STATE"], "endpoint.json").read_text())
    remote = connect(Endpoint(url=facts["url"], key=facts["key"], pid=facts["pid"], state=facts["state"]))
    name = backend if network is None else f"{backend}, {network}"
    return Engine(name, spares, host, port, remote, facts["pid"])


def report(each: Engine, baseline: float) -> None:
    backend = each.name
    words = {"fresh": "made" if each.spares == 0 else "a miss, made", "spare": "spare, assigned"}
    for road, seconds in sorted(each.seconds.items()):
        median = row(f"{backend}: {words[road]} -> first next", seconds, baseline=baseline)
        if road == "spare" and backend == "bubblewrap":
            held(f"at most {SPARE_MS:g} ms", median * 1e3 <= SPARE_MS)
            held(f"{SPARE:g} times as fast as the plain client ({baseline / median:.1f})", median * SPARE <= baseline)
        elif each.spares == 0 and backend.startswith("bubblewrap"):
            held(f"at most {FRESH:g} times the plain client", median <= FRESH * baseline)
        row(f"{backend}: {words[road].partition(',')[0]}, whole invocation by HTTP", each.whole[road])
    if each.spares == 0:
        print(f"  {backend + ': memory of an environment of hello, as REPORT has it':<62} {max(each.peaks)} MB")


def held(bound: str, is_held: bool) -> None:
    print(f"      {bound}: {'held' if is_held else 'MISSED'}")


async def many(each: Engine) -> None:
    """From nothing to 100 environments, without spares and with as many."""
    await each.end_all()
    before = memory(each.pid)
    await burst(each)
    await each.end_all()
    await each.wait_for_spares(AT_ONCE)
    backend = each.name
    per_spare = (memory(each.pid) - before) / AT_ONCE
    print(f"  {backend + ': memory of a spare that waits (PSS of all its processes)':<62} {per_spare / 1e6:.1f} MB")
    await burst(each)


async def burst(each: Engine) -> None:
    before = {view.request_id for view in (await each.remote.changes(0)).invocations}
    clients = [Client(each.host, each.port) for _ in range(AT_ONCE)]
    gate = threading.Barrier(AT_ONCE)

    def one(client: Client) -> None:
        gate.wait()
        client.invoke("slow", b'{"seconds": 3}')

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, one, client) for client in clients))
    delta = await each.remote.changes(0)
    ran = [view for view in delta.invocations if view.request_id not in before]
    first = min(view.accepted for view in ran)
    starts = sorted((view.started - first) / 1e6 for view in ran if view.started is not None)
    hits = sum(view.why.endswith("; spare") for view in ran)
    cold = sum(view.cold for view in ran)
    name = f"{each.name}: 0 -> {cold} environments at once, {hits} of them spares"
    print(f"  {name:<62} half running after {statistics.median(starts):.0f} ms, all after {starts[-1]:.0f} ms")


def memory(pid: int) -> int:
    """Bytes of everything that a process has started, shared pages by their share."""
    total, waiting = 0, [pid]
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(folder.name))
    while waiting:
        for child in children.get(waiting.pop(), []):
            waiting.append(child)
            try:
                text = Path(f"/proc/{child}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("Pss:"))
    return total


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.02)


def to_next(made: EnvironmentView) -> float:
    """Seconds from the first step of its making to the end of its INIT."""
    phases = {phase.name: phase for phase in made.phases}
    return (phases["init"].ended - phases["create"].began) / 1e9
