"""What if, held to the same traffic on a real engine: predicted from a run without, then run with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.conftest import Shell
from tests.endtoend.test_lifecycle import Stage
from workbench.app.engine import open_engine
from workbench.client.project import Project
from workbench.model.attached import ProvisionedStatus
from workbench.model.forecast import Outcome, WhatIf
from workbench.model.invocations import InvokeRequest
from workbench.model.names import FunctionRef

SLEEPER = "import time\ndef handler(event, context): time.sleep(event)"
LIVE = FunctionRef("f", "live")
#: How many come at once, and for how many seconds the handler sleeps in each.
WAVES = ((5, 1.0), (6, 0.5), (3, 0.5))
PROVISIONED = 4
#: Seconds between the end of a wave and the next one, so that a slow moment of the machine changes nothing.
PAUSE = 1.5


async def play(state: Path, starts: Sequence[float] | None, provisioned: int) -> tuple[list[float], float, Outcome]:
    """The waves on a real engine, at these seconds, or each when the one before is over; when each came, how many
    seconds of INIT they had, and what the history says of them."""
    project = Project(root=state.parent, state=state, backend="subprocess", parameters={})
    loop = asyncio.get_running_loop()
    came: list[float] = []
    inits = 0.0
    async with open_engine(project) as running:
        stage = Stage(running)
        await stage.create(SLEEPER, name="first")
        await stage.invoke(0, name="first")  # the first interpreter of all is slower to start than the others
        await stage.create(SLEEPER)
        await stage.port.publish_version("f")
        await stage.port.create_alias("f", "live", "1")
        if provisioned:
            await stage.port.put_provisioned_concurrency(LIVE, provisioned)
            for _ in range(1000):
                if (await stage.port.get_provisioned_concurrency(LIVE)).status is ProvisionedStatus.READY:
                    break
                await asyncio.sleep(0.05)
        begun = loop.time()
        for number, (count, seconds) in enumerate(WAVES):
            if starts is not None:
                early = begun + starts[number] - loop.time()
                assert early > 0 or not number, "the wave before took much longer than in the first run"
                await asyncio.sleep(early)
            elif number:
                await asyncio.sleep(PAUSE)
            came.append(loop.time() - begun)
            request = InvokeRequest(function=LIVE, payload=json.dumps(seconds).encode(), logs=True)
            results = await asyncio.gather(*(stage.port.invoke(request) for _ in range(count)))
            assert {result.function_error for result in results} == {None}
            inits += sum(result.init_ms or 0.0 for result in results) / 1000
        same = await stage.port.what_if(WhatIf(reserved=900), function=FunctionRef("f"))
    return came, inits, same.functions[0].actual


async def test_what_if_agrees_with_a_real_run_of_the_same_traffic(tmp_path: Path, shell: Shell) -> None:
    starts, foretold_inits, _ = await play(tmp_path / "without" / "state", None, 0)
    _, inits, really = await play(tmp_path / "with" / "state", starts, PROVISIONED)

    shell.env |= {"WORKBENCH_PROJECT": str(tmp_path), "WORKBENCH_STATE": str(tmp_path / "without" / "state")}
    arguments = ("history", "--what-if", f"provisioned={PROVISIONED}", "--function", "f:live")
    answer = await asyncio.to_thread(shell.run, *arguments, "--output", "json")
    assert answer.returncode == 0, answer.stderr
    forecast: dict[str, Any] = json.loads(answer.stdout)
    (found,) = forecast["functions"]
    foretold = found["what_if"]
    assert forecast["notes"] == []
    assert (found["actual"]["cold_starts"], foretold["cold_starts"], really.cold_starts) == (6, 2, 2)
    assert foretold["invocations"] == really.invocations == sum(count for count, _ in WAVES)
    assert foretold["throttles"] == really.throttles == 0
    assert foretold["bill"]["total"] == pytest.approx(really.bill.total, rel=0.01)
    assert foretold["bill"]["provisioned"] == really.bill.provisioned > 0
    # Without what is provisioned, that is dearer by far. INIT is billed, and takes longer in one of the runs than in
    # the other; the handlers sleep a little longer than they are told.
    second = forecast["prices"]["rates"]["x86_64"]["duration"][0]["price"] * 128 / 1024
    either_way = (foretold_inits + inits) * second + 0.1 * really.bill.duration
    assert foretold["bill"]["duration"] == pytest.approx(really.bill.duration, abs=either_way)

    told = (await asyncio.to_thread(shell.run, *arguments)).stdout.decode()
    assert [line.split()[-2:] for line in told.splitlines() if line.startswith("cold starts")] == [["6", "2"]]
    refused = await asyncio.to_thread(shell.run, "history", "--what-if", "provisioned=901")
    assert (refused.returncode, b"that would take 1802 of the account's 1000" in refused.stderr) == (2, True)
