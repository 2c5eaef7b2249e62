"""Makes the recording that the snapshots are taken of: a real engine runs the sample functions.

    python -m tests.tui.make_recording

needs bubblewrap, and takes ten seconds. What happens, and in which order, is the same each time; times, identifiers and
process numbers are those of the machine. Afterwards the snapshots are new too: pytest tests/tui/test_snapshots.py
--snapshot-update.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.client.project import Endpoint, find_project, read_endpoint
from workbench.client.recording import Tape, recorded
from workbench.client.remote import connect
from workbench.model.functions import UpdateStatus
from workbench.model.invocations import InvocationType, InvokeRequest
from workbench.model.names import FunctionRef

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_functions" / "workbench_samples"
FUNCTIONS = ("chatty", "counter", "crash", "hello", "init_error", "slow", "timeout")
RECORDING = Path(__file__).parent / "samples.ndjson"


async def play_out(endpoint: Endpoint, tape: Tape) -> None:
    port = connect(endpoint)
    #: Of whoever ran this, nothing is kept.
    status = replace(await port.status(), pid=4711, state_dir="/home/ada/samples/.workbench", urls={}, notes=())
    tape.begin(status)
    watched = recorded(port, tape)

    async def watch() -> None:
        since = 0
        while True:
            since = (await watched.changes(since)).seq
            await asyncio.sleep(0.05)

    async def fire(name: str, event: str = "{}", qualifier: str | None = None, **more: Any) -> None:
        await port.invoke(InvokeRequest(function=FunctionRef(name, qualifier), payload=event.encode(), **more))

    async def settled() -> None:
        for _ in range(500):
            if (await port.get_function(FunctionRef("hello"))).update_status is not UpdateStatus.IN_PROGRESS:
                return
            await asyncio.sleep(0.01)
        raise SystemExit("hello is still being updated")

    for version in await port.list_functions():
        if version.name not in FUNCTIONS:
            await port.delete_function(FunctionRef(version.name))
    watching = asyncio.get_running_loop().create_task(watch())
    await fire("hello", '{"name": "Ada"}')
    for version in ("1", "2"):
        await port.publish_version("hello", description=f"number {version}")
        configuration = (await port.get_function(FunctionRef("hello"))).configuration
        configuration = replace(configuration, memory_size=configuration.memory_size + 128)
        await port.update_function_configuration("hello", configuration)
        await settled()
    await port.create_alias("hello", "live", "1", weights={"2": 0.25})
    for name in ("Grace", "Edsger", "Barbara", "Donald"):
        await fire("hello", json.dumps({"name": name}), "live")
        await asyncio.sleep(0.2)
    await asyncio.gather(*(fire("counter") for _ in range(3)))
    await fire("chatty")
    await fire("crash")
    await fire("crash", '{"how": "exit"}')
    await fire("init_error")
    await fire("timeout")
    await fire("hello", '{"name": "async"}', type=InvocationType.EVENT)
    slow = asyncio.get_running_loop().create_task(fire("slow"))
    await asyncio.sleep(0.6)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    tape.close()
    await slow


def main() -> None:
    with tempfile.TemporaryDirectory() as state:
        os.environ |= {
            "WORKBENCH_PROJECT": str(SAMPLES),
            "WORKBENCH_STATE": state,
            "WORKBENCH_PARAMETERS": "PythonRuntime=python{}.{}".format(*sys.version_info),
        }
        command = [sys.executable, "-m", "workbench", "serve", "--json", "--port", "0", "--gateway-port", "0"]
        command += ["--backend", "bubblewrap", "--seed", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as engine:
            try:
                assert engine.stdout is not None
                assert engine.stdout.readline()
                # Not every machine has a Node.js; it is taken away below.
                subprocess.run([sys.executable, "-m", "workbench", "deploy"], check=False, cwd=ROOT)
                endpoint = read_endpoint(find_project())
                assert endpoint is not None
                RECORDING.unlink(missing_ok=True)
                asyncio.run(play_out(endpoint, Tape(RECORDING)))
            finally:
                engine.terminate()


if __name__ == "__main__":
    main()
