"""Values to store."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from workbench.model.functions import Alias, Code, FunctionConfiguration, FunctionVersion
from workbench.model.invocations import QueuedEvent

CONFIGURATION = FunctionConfiguration(
    runtime="python3.12",
    handler="app.handler",
    role="arn:aws:iam::000000000000:role/test",
    environment={"ÄÖÜ": "\U0001f600\n\0"},
    layers=("a", "b"),
    settings={"TracingConfig": {"Mode": "Active"}},
)


def version(name: str = "f", number: str = "$LATEST", **changes: Any) -> FunctionVersion:
    made = FunctionVersion(
        name=name,
        version=number,
        configuration=CONFIGURATION,
        code=Code(sha256=hashlib.sha256(name.encode()).hexdigest(), size=1),
        revision_id="r",
        last_modified=1.5,
    )
    return replace(made, **changes)


def alias(name: str = "live", **changes: Any) -> Alias:
    return replace(Alias(function="f", name=name, version="1", weights={"2": 0.25}, revision_id="r"), **changes)


def event(request_id: str = "e", **changes: Any) -> QueuedEvent:
    made = QueuedEvent(
        request_id=request_id,
        function="f",
        qualifier=None,
        payload=bytes(range(256)),
        trace_id="Root=1",
        backend=None,
        accepted=1_700_000_000.25,
    )
    return replace(made, **changes)
