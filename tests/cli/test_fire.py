"""What `fire` makes of results that are hardly JSON."""

from __future__ import annotations

import pytest

from workbench.cli.fire import as_json
from workbench.model.invocations import InvocationResult, InvocationStatus


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        pytest.param(b'{"a":[1]}', {"a": [1]}, id="json"),
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"\xff", "\ufffd", id="no text"),
        pytest.param(b"[" * 50_000, "[" * 50_000, id="deep"),
    ],
)
def test_a_payload_is_json_where_it_can_be(payload: bytes, shown: object) -> None:
    result = InvocationResult(request_id="r", status=InvocationStatus.SUCCESS, payload=payload)
    assert as_json(result)["payload"] == shown
