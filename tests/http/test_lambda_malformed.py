"""Malformed requests against a whole engine: nothing is a failure of ours, hangs, or leaves the state folder.

WORKBENCH_SOAK names how many; `WORKBENCH_SOAK=10000 pytest tests/http/test_lambda_malformed.py` is the long run.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.engine.world import World, archive, world
from tests.http.malformed import Malformed
from workbench.http.lambda_api.api import LambdaApi
from workbench.http.lambda_api.service import load
from workbench.http.messages import Request, StreamedResponse

REQUESTS = int(os.environ.get("WORKBENCH_SOAK", "500"))
#: No answer takes so long on any machine; one that does hangs.
HANGS = 30.0


@pytest.mark.parametrize("seed", [1])
async def test_no_malformed_request_is_a_failure_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    zipped = archive({"a.py": "def b(event, context): return event"})
    async with world(tmp_path / "state") as made:
        api = LambdaApi(made.engine, await made.engine.account())
        for number, request in enumerate(Malformed(load(), seed, zipped).requests(REQUESTS)):
            if number % 50 == 0:
                await _make(made)
            status = await asyncio.wait_for(_status(api, request), HANGS)
            assert 200 <= status < 500, (seed, number, request)
            await made.clock.settle()
    assert sorted(os.listdir(tmp_path)) == ["here", "state"]
    assert not os.listdir(here)


async def _make(made: World) -> None:
    """A function with a version and an alias to ask for, again whenever some request has deleted it."""
    if not any(version.name == "fn" for version in await made.engine.list_functions()):
        await made.create("fn")
        await made.engine.create_alias("fn", "live", (await made.engine.publish_version("fn")).version)


async def _status(api: LambdaApi, request: Request) -> int:
    answer = await api.handle(request)
    if isinstance(answer, StreamedResponse):
        async for _ in answer.body:
            pass
    return answer.status
