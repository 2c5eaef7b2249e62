"""Functions, versions and aliases against a model of them, over a seeded walk in which the engine is opened anew.

WORKBENCH_SOAK names how many steps; `WORKBENCH_SOAK=5000 pytest tests/engine/test_model.py` is the long walk.
"""

from __future__ import annotations

import os
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.engine.world import World, archive, configured, world
from workbench.model.errors import ResourceConflict, ResourceNotFound
from workbench.model.functions import NewFunction
from workbench.model.names import LATEST, FunctionRef

STEPS = int(os.environ.get("WORKBENCH_SOAK", "400"))
NAMES, ALIASES = ("f", "g", "h"), ("live", "next")


@dataclass(slots=True)
class Model:
    """A function: the code of `$LATEST` and of each version, and where its aliases lead."""

    code: str
    versions: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


class Walk:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.functions: dict[str, Model] = {}
        self.numbers = dict.fromkeys(NAMES, 0)

    async def step(self, made: World) -> None:
        name = self.chance.choice(NAMES)
        known = self.functions.get(name)
        if known is None:
            await self.create(made, name)
            return
        acts = (self.update, self.publish, self.publish, self.alias, self.alias, self.unalias, self.drop, self.again)
        await self.chance.choice(acts)(made, name, known)
        if self.chance.random() < 0.02:
            await made.engine.delete_function(FunctionRef(name))
            del self.functions[name]

    async def create(self, made: World, name: str) -> None:
        with pytest.raises(ResourceNotFound):
            await made.engine.publish_version(name)
        await made.create(name, "1")
        self.functions[name] = Model("1")

    async def again(self, made: World, name: str, known: Model) -> None:
        with pytest.raises(ResourceConflict):
            await made.engine.create_function(
                NewFunction(name=name, configuration=configured(), code=archive({"app.py": "1"}))
            )

    async def update(self, made: World, name: str, known: Model) -> None:
        known.code = str(self.chance.randrange(4))
        await made.change(name, known.code)

    async def publish(self, made: World, name: str, known: Model) -> None:
        newest = max(known.versions, key=int, default=None)
        if newest is None or known.versions[newest] != known.code:
            self.numbers[name] += 1
            newest = str(self.numbers[name])
            known.versions[newest] = known.code
        assert (await made.engine.publish_version(name)).version == newest
        await made.clock.settle()

    async def alias(self, made: World, name: str, known: Model) -> None:
        alias, version = self.chance.choice(ALIASES), str(self.chance.randint(1, self.numbers[name] + 1))
        act = made.engine.update_alias if alias in known.aliases else made.engine.create_alias
        if version not in known.versions:
            with pytest.raises(ResourceNotFound):
                await act(name, alias, version=version)
            return
        await act(name, alias, version=version)
        known.aliases[alias] = version

    async def unalias(self, made: World, name: str, known: Model) -> None:
        alias = self.chance.choice(ALIASES)
        known.aliases.pop(alias, None)
        await made.engine.delete_alias(name, alias)

    async def drop(self, made: World, name: str, known: Model) -> None:
        version = str(self.chance.randint(1, self.numbers[name] + 1))
        if version in known.aliases.values():
            with pytest.raises(ResourceConflict):
                await made.engine.delete_function(FunctionRef(name, version))
            return
        await made.engine.delete_function(FunctionRef(name, version))
        known.versions.pop(version, None)

    async def check(self, made: World) -> None:
        assert [version.name for version in await made.engine.list_functions()] == sorted(self.functions)
        sizes = {code: archive({"app.py": code}) for code in "0123"}
        for name, known in self.functions.items():
            codes = {
                version.version: await made.engine.code(version.code.sha256)
                for version in await made.engine.list_versions(name)
            }
            wanted = {LATEST: known.code, **known.versions}
            assert codes == {version: sizes[code] for version, code in wanted.items()}
            assert {alias.name: alias.version for alias in await made.engine.list_aliases(name)} == known.aliases


async def test_the_engine_agrees_with_the_model(tmp_path: Path) -> None:
    walk = Walk(11)
    left = STEPS
    while left > 0:
        async with AsyncExitStack() as stack:
            made = await stack.enter_async_context(world(tmp_path / "state"))
            await walk.check(made)
            for _ in range(min(left, walk.chance.randint(5, 60))):
                await walk.step(made)
                await walk.check(made)
                left -= 1
