"""A cold start through the AWS endpoint: every invocation finds no environment, for the one before was ended."""

from __future__ import annotations

import asyncio
import time

from benchmarks.tools import Client, engine, plain_client, project, row, timed
from workbench.backends import registry
from workbench.client.project import Endpoint
from workbench.client.remote import connect

RUNS = 30


def run() -> None:
    with plain_client() as plain:
        baseline = row("python -m awslambdaric, to its first next", timed(plain.start, RUNS))
    for backend in ("subprocess", "bubblewrap"):
        if backend not in registry.names():
            continue
        with project() as env, engine(env, backend) as (host, port):
            row(f"cold invoke, {backend}, network none", cold(env["WORKBENCH_STATE"], host, port), baseline=baseline)


def cold(state: str, host: str, port: int) -> list[float]:
    import json
    from pathlib import Path

    facts = json.loads(Path(state, "endpoint.json").read_text())
    client = Client(host, port)
    taken = []

    async def main() -> None:
        remote = connect(Endpoint(url=facts["url"], key=facts["key"], pid=facts["pid"], state=facts["state"]))
        for _ in range(RUNS + 1):
            begun = time.perf_counter()
            await asyncio.to_thread(client.invoke, "hello", b"{}")
            taken.append(time.perf_counter() - begun)
            while True:
                alive = [e for e in (await remote.changes(0)).environments if not e.state.final]
                if not alive:
                    break
                for environment in alive:
                    if environment.state.placeable:
                        await remote.stop_environment(environment.id)
                await asyncio.sleep(0.01)

    asyncio.run(main())
    return taken[1:]
