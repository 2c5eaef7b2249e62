"""What plugins that misbehave cost the functions of others: nothing. One engine, warm invocations beside each."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from benchmarks import misbehaving
from benchmarks.tools import row
from workbench.app.engine import Running, open_engine
from workbench.client.project import find_project
from workbench.engine import backend_host
from workbench.model.errors import WorkbenchError
from workbench.model.functions import FunctionConfiguration, NewFunction
from workbench.model.invocations import InvokeRequest
from workbench.model.names import FunctionRef

#: How long the others are watched beside each plugin.
SECONDS = 12.0
#: After a failure its function is invoked again: not at once, as each is a cold start, which costs CPU on any backend.
PAUSE = 1.0


def run() -> None:
    asyncio.run(_run())


async def _run() -> None:
    misbehaving.install()
    backend_host.LAUNCH_SECONDS = 5.0  # so that a run sees the end of one that would be waited for a minute
    with tempfile.TemporaryDirectory(prefix="workbench-benchmark-") as folder:
        os.environ |= {"WORKBENCH_PROJECT": folder, "WORKBENCH_STATE": f"{folder}/state"}
        async with open_engine(find_project(Path(folder)), backend="subprocess") as running:
            await _create(running)
            await _others(running, 1.0)
            # Before and after each: what else the machine does meanwhile is then in both figures.
            before = await _others(running, SECONDS / 2)
            for name in misbehaving.SAY:
                said: list[str] = []
                failing = asyncio.create_task(_fail(running, name, said))
                beside = await _others(running, SECONDS)
                failing.cancel()
                await asyncio.gather(failing, return_exceptions=True)
                after = await _others(running, SECONDS / 2)
                middle = row(f"warm invoke, just before and after '{name}'", before + after, unit="µs")
                row(f"warm invoke beside '{name}'", beside, unit="µs", baseline=middle)
                print(f"    its own, {len(said)} times: {said[-1]}")
                before = after


async def _create(running: Running) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
    configuration = FunctionConfiguration(
        runtime="python{}.{}".format(*sys.version_info),
        handler="app.handler",
        role="arn:aws:iam::000000000000:role/benchmark",
    )
    await running.engine.create_function(NewFunction(name="f", configuration=configuration, code=content.getvalue()))
    while (await running.engine.get_function(FunctionRef("f"))).state != "Active":  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def _others(running: Running, seconds: float) -> list[float]:
    """Seconds of each warm invocation, one after another for so long."""
    taken, end = [], time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        await running.engine.invoke(InvokeRequest(function=FunctionRef("f"), payload=b"{}"))
        taken.append(time.perf_counter() - begun)
    return taken


async def _fail(running: Running, backend: str, said: list[str]) -> None:
    """Invoke on the plugin again and again, and note what the caller is told."""
    while True:
        try:
            await running.engine.invoke(InvokeRequest(function=FunctionRef("f"), payload=b"{}", backend=backend))
        except WorkbenchError as error:
            said.append(str(error))
        await asyncio.sleep(PAUSE)
