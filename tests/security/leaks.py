"""`python -m tests.security.leaks COUNT`: so many cold starts, after which an engine is as it was before.

Counts what could pile up: open files, threads and children of the engine, cgroups, files of its scratch folder and of
its state; and prints the figures before and after, one JSON line each.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from tests.security.arena import Arena, arena
from tests.security.test_killed import cgroups_of
from workbench.backends import proctable
from workbench.client.project import Endpoint
from workbench.client.remote import connect

FUNCTIONS = 4
WARM_UP = 40
#: Thread pools grow to their size when they are needed; memory is what the rings of the live view hold.
FREE = {"threads": 16, "resident MB": 100}
CODE = "def handler(event, context):\n    return 'cold'\n"


def figures(host: Arena) -> dict[str, int]:
    """What there is of everything that could be left behind."""
    folder = Path(f"/proc/{host.pid}")
    status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
    family = [row.pid for row in proctable.family(proctable.table(), [host.pid])]
    states = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in family]
    return {
        "descriptors": len(list((folder / "fd").iterdir())),
        "threads": int(status["Threads"]),
        "processes": len(family),
        "zombies": states.count("Z"),
        "cgroups": len(cgroups_of(host.pid)),
        "scratch files": len(list((host.folder / "run").rglob("*"))),
        "state files": len([path for path in host.state.rglob("*") if not path.name.endswith(("-wal", "-shm"))]),
        "resident MB": int(status["VmRSS"].split()[0]) >> 10,
    }


async def cold_starts(host: Arena, count: int) -> None:
    """Invoke `count` times, each time in an environment that was made for it."""
    facts = json.loads((host.state / "endpoint.json").read_text())
    remote = connect(Endpoint(url=facts["url"], key=facts["key"], pid=facts["pid"], state=facts["state"]))
    left = iter(range(count))

    async def one_by_one(name: str) -> None:
        for _ in left:
            assert await asyncio.to_thread(host.invoke, name) == "cold"
            while mine := [
                one for one in (await remote.changes(0)).environments if one.function == name and not one.state.final
            ]:
                for environment in mine:
                    if environment.state.placeable:
                        await remote.stop_environment(environment.id)
                await asyncio.sleep(0.005)

    await asyncio.gather(*(one_by_one(f"cold-{number}") for number in range(FUNCTIONS)))


def main(count: int) -> int:
    with arena() as host:
        for number in range(FUNCTIONS):
            host.create(f"cold-{number}", "app.handler", {"app.py": CODE}, MemorySize=128)
        asyncio.run(cold_starts(host, WARM_UP))
        before = settled(host)
        print(json.dumps({"after": WARM_UP, **before}), flush=True)
        begun = time.monotonic()
        asyncio.run(cold_starts(host, count))
        seconds = time.monotonic() - begun
        now = settled(host)
        print(json.dumps({"after": WARM_UP + count, **now, "seconds": round(seconds, 1)}), flush=True)
    more = {name: now[name] - before[name] for name in now if now[name] > before[name] + FREE.get(name, 0)}
    print(json.dumps({"left behind": more}))
    return 1 if more else 0


def settled(host: Arena) -> dict[str, int]:
    """The figures once they have stood still for a second: spares are refilled, the last environment is cleared."""
    last, since = figures(host), time.monotonic()
    while time.monotonic() - since < 1:
        time.sleep(0.1)
        if (now := figures(host)) != last:
            last, since = now, time.monotonic()
    return last


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
