"""Functions that keep their tenants apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine.world import World, world
from workbench.model.errors import InvalidParameterValue
from workbench.model.invocations import InvocationType, InvokeRequest
from workbench.model.names import FunctionRef
from workbench.testing.fakes import FakeRuntime


async def who(runtime: FakeRuntime) -> None:
    """Answers with the tenant of each invocation, after whoever was served before."""
    seen: list[str] = []
    while True:
        event = await runtime.next()
        seen.append(str(event.tenant_id))
        runtime.respond(event.request_id, ",".join(seen).encode())


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path / "state", who) as opened:
        await opened.create(settings={"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}})
        await opened.create("plain")
        yield opened


async def test_no_environment_serves_two_tenants(made: World) -> None:
    answers = [(await made.invoke(tenant_id=tenant)).payload for tenant in ("a", "b", "a", "b")]
    assert answers == [b"a", b"b", b"a,a", b"b,b"]


async def test_an_event_keeps_its_tenant(made: World) -> None:
    await made.engine.invoke(InvokeRequest(function=FunctionRef("f"), type=InvocationType.EVENT, tenant_id="a"))
    await made.clock.settle()
    assert (await made.invoke(tenant_id="a")).payload == b"a,a"


@pytest.mark.parametrize(("name", "tenant"), [("f", None), ("plain", "a")])
@pytest.mark.parametrize("kind", list(InvocationType))
async def test_a_tenant_is_needed_or_too_many(made: World, name: str, tenant: str | None, kind: InvocationType) -> None:
    with pytest.raises(InvalidParameterValue, match="tenancy configuration"):
        await made.engine.invoke(InvokeRequest(function=FunctionRef(name), type=kind, tenant_id=tenant))
