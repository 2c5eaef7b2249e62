from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine.world import ROLE, Gate, World, configured, world


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path / "state") as made:
        yield made


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def made(tmp_path: Path, gate: Gate) -> AsyncIterator[World]:
    async with world(tmp_path / "state", runtimes=gate) as opened:
        yield opened


@pytest.fixture
async def aliased(made: World) -> World:
    """A function with versions 1 to 3; 3 has another role, 4 another dead-letter queue."""
    await made.create()
    await made.engine.publish_version("f")
    for changes in ({"timeout": 9}, {"role": ROLE + "2"}, {"settings": {"DeadLetterConfig": {"TargetArn": "q"}}}):
        await made.engine.update_function_configuration("f", configured(**changes))
        await made.clock.settle()
        await made.engine.publish_version("f")
    return made
