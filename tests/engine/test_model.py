"""Functions, versions, aliases, policies and reserved concurrency through the API, against a model of them.

A state machine whose rules are calls, and the death of the engine: its state folder is copied as it lies, with nothing
closed, and an engine opens the copy. WORKBENCH_SOAK names how many steps; `WORKBENCH_SOAK=5000 pytest
tests/engine/test_model.py` is the long walk.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.engine.world import ROLE, archive, world
from workbench.http.lambda_api.api import LambdaApi
from workbench.http.messages import Request, Response

STEPS = int(os.environ.get("WORKBENCH_SOAK", "400"))
#: Steps of one walk: hypothesis shortens a walk that fails, so it is better many than long.
WALK = 50
CODES = {code: archive({"app.py": code}) for code in "0123"}
FUNCTIONS = "/2015-03-31/functions"

names = st.sampled_from(["f", "g"])
aliases = st.sampled_from(["live", "next"])
codes = st.sampled_from(sorted(CODES))
numbers = st.sampled_from("1121323")
sids = st.sampled_from(["one", "two"])


@dataclass(slots=True)
class Model:
    """A function: the code of `$LATEST` and of each version, where its aliases lead, and what is attached."""

    code: str
    versions: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    statements: set[str] = field(default_factory=set)
    reserved: int | None = None


class Machine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="workbench-model-"))
        self.lives = 0
        self.functions: dict[str, Model] = {}
        self.numbers: dict[str, int] = {}
        self.engines = AsyncExitStack()
        self._open()
        for name in ("f", "g"):  # a walk that begins with nothing meets little but absence
            self.create(name=name, code="0")
            self.publish(name=name)

    def teardown(self) -> None:
        self.loop.run_until_complete(self.engines.aclose())
        self.loop.close()
        shutil.rmtree(self.folder)

    def _open(self) -> None:
        async def opened() -> None:
            self.made = await self.engines.enter_async_context(world(self._state))
            self.api = LambdaApi(self.made.engine, await self.made.engine.account())

        self.loop.run_until_complete(opened())

    @property
    def _state(self) -> Path:
        return self.folder / str(self.lives)

    def call(self, method: str, path: str, body: Any = None, *, settle: bool = True) -> tuple[int, Any]:
        """Status and body of an answer, once what it began in the background is done."""
        path, _, query = path.partition("?")
        sent = b"" if body is None else json.dumps(body).encode()

        async def answered() -> tuple[int, Any]:
            answer = await self.api.handle(Request(method, path, query, {"host": "localhost"}, sent))
            assert isinstance(answer, Response)
            if settle:
                await self.made.clock.settle()
            return answer.status, json.loads(answer.body or b"null")

        return self.loop.run_until_complete(answered())

    # -- functions and versions
    @rule(name=names, code=codes)
    def create(self, name: str, code: str) -> None:
        zipped = base64.b64encode(CODES[code]).decode()
        given = {"FunctionName": name, "Runtime": "python3.12", "Handler": "app.handler", "Role": ROLE}
        status, _ = self.call("POST", FUNCTIONS, {**given, "Code": {"ZipFile": zipped}})
        assert status == (409 if name in self.functions else 201)
        self.functions.setdefault(name, Model(code))

    @rule(name=names, code=codes)
    def update(self, name: str, code: str) -> None:
        zipped = base64.b64encode(CODES[code]).decode()
        status, _ = self.call("PUT", f"{FUNCTIONS}/{name}/code", {"ZipFile": zipped})
        assert status == (200 if name in self.functions else 404)
        if name in self.functions:
            self.functions[name].code = code

    @rule(name=names)
    def publish(self, name: str) -> None:
        status, answer = self.call("POST", f"{FUNCTIONS}/{name}/versions", {})
        known = self.functions.get(name)
        if known is None:
            assert status == 404
            return
        newest = max(known.versions, key=int, default=None)
        if newest is None or known.versions[newest] != known.code:
            newest = str(self.numbers.get(name, 0) + 1)
            self.numbers[name] = int(newest)
            known.versions[newest] = known.code
        assert (status, answer["Version"]) == (201, newest)

    @rule(name=names, number=numbers)
    def delete_version(self, name: str, number: str) -> None:
        status, _ = self.call("DELETE", f"{FUNCTIONS}/{name}?Qualifier={number}")
        known = self.functions.get(name)
        if known is None:
            assert status == 404
        elif number in known.aliases.values():
            assert status == 409
        else:
            assert status == 204
            known.versions.pop(number, None)

    @precondition(lambda self: len(self.functions) > 1)
    @rule(name=names)
    def delete(self, name: str) -> None:
        status, _ = self.call("DELETE", f"{FUNCTIONS}/{name}")
        assert status == (204 if self.functions.pop(name, None) else 404)

    # -- aliases
    @rule(name=names, alias=aliases, number=numbers)
    def alias(self, name: str, alias: str, number: str) -> None:
        known = self.functions.get(name)
        there = known is not None and alias in known.aliases
        place = f"{FUNCTIONS}/{name}/aliases"
        if there:
            status, _ = self.call("PUT", f"{place}/{alias}", {"FunctionVersion": number})
        else:
            status, _ = self.call("POST", place, {"Name": alias, "FunctionVersion": number})
        if known is None or number not in known.versions:
            assert status == 404
        else:
            assert status == (200 if there else 201)
            known.aliases[alias] = number

    @rule(name=names, alias=aliases)
    def delete_alias(self, name: str, alias: str) -> None:
        status, _ = self.call("DELETE", f"{FUNCTIONS}/{name}/aliases/{alias}")
        known = self.functions.get(name)
        assert status == (404 if known is None else 204)
        if known is not None:
            known.aliases.pop(alias, None)

    # -- what is attached
    @rule(name=names, sid=sids)
    def permit(self, name: str, sid: str) -> None:
        given = {"StatementId": sid, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
        status, _ = self.call("POST", f"{FUNCTIONS}/{name}/policy", given)
        known = self.functions.get(name)
        assert status == (404 if known is None else 409 if sid in known.statements else 201)
        if known is not None:
            known.statements.add(sid)

    @rule(name=names, sid=sids)
    def forbid(self, name: str, sid: str) -> None:
        status, _ = self.call("DELETE", f"{FUNCTIONS}/{name}/policy/{sid}")
        known = self.functions.get(name)
        assert status == (204 if known is not None and sid in known.statements else 404)
        if known is not None:
            known.statements.discard(sid)

    @rule(name=names, reserved=st.sampled_from([0, 1, 400, 600]))
    def reserve(self, name: str, reserved: int) -> None:
        status, _ = self.call(
            "PUT", f"/2017-10-31/functions/{name}/concurrency", {"ReservedConcurrentExecutions": reserved}
        )
        known = self.functions.get(name)
        others = sum(other.reserved or 0 for each, other in self.functions.items() if each != name)
        if known is None:
            assert status == 404
        elif reserved and 1000 - others - reserved < 100:
            assert status == 400
        else:
            assert status == 200
            known.reserved = reserved

    @rule(name=names)
    def unreserve(self, name: str) -> None:
        status, _ = self.call("DELETE", f"/2017-10-31/functions/{name}/concurrency")
        known = self.functions.get(name)
        assert status == (404 if known is None else 204)
        if known is not None:
            known.reserved = None

    # -- the end of an engine
    @rule()
    def crash(self) -> None:
        """What was answered is on the disk: nothing is closed before the copy, and what the old engine does after it
        is not in it."""
        before = self._state
        self.lives += 1
        shutil.copytree(before, self._state, symlinks=True)
        abandoned, self.engines = self.engines, AsyncExitStack()
        self._open()
        self.loop.run_until_complete(abandoned.aclose())
        shutil.rmtree(before)

    @rule(name=names, code=codes)
    def crash_in_update(self, name: str, code: str) -> None:
        """The update was answered and is still in progress: the next engine ends it."""
        zipped = base64.b64encode(CODES[code]).decode()
        status, _ = self.call("PUT", f"{FUNCTIONS}/{name}/code", {"ZipFile": zipped}, settle=False)
        assert status == (200 if name in self.functions else 404)
        if name in self.functions:
            self.functions[name].code = code
        self.crash()
        self.loop.run_until_complete(self.made.clock.settle())

    @invariant()
    def agrees(self) -> None:
        listed = self.call("GET", f"{FUNCTIONS}/")[1]["Functions"]
        assert [found["FunctionName"] for found in listed] == sorted(self.functions)
        for name, known in self.functions.items():
            place = f"{FUNCTIONS}/{name}"
            versions = self.call("GET", f"{place}/versions")[1]["Versions"]
            wanted = {"$LATEST": known.code, **known.versions}
            assert {each["Version"]: each["CodeSha256"] for each in versions} == {
                number: _sha256(code) for number, code in wanted.items()
            }
            led = self.call("GET", f"{place}/aliases")[1]["Aliases"]
            assert {each["Name"]: each["FunctionVersion"] for each in led} == known.aliases
            status, policy = self.call("GET", f"{place}/policy")
            sids = {each["Sid"] for each in json.loads(policy["Policy"])["Statement"]} if status == 200 else set()
            assert sids == known.statements
            whole = self.call("GET", place)[1]
            settled = whole["Configuration"]
            assert (settled["State"], settled["LastUpdateStatus"]) == ("Active", "Successful")
            assert whole.get("Concurrency", {}).get("ReservedConcurrentExecutions") == known.reserved


def _sha256(code: str) -> str:
    return base64.b64encode(hashlib.sha256(CODES[code]).digest()).decode()


TestModel = Machine.TestCase
TestModel.settings = settings(
    max_examples=max(STEPS // WALK, 1),
    stateful_step_count=WALK,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
