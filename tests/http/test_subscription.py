"""What a subscription to the Telemetry API or the Logs API may say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workbench.engine.ports import Answer, Destination, TelemetryRequest
from workbench.http.subscription import LOGS, TELEMETRY, read_subscription

HTTP = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/path?q=1"}
VALID: dict[str, Any] = {"schemaVersion": "2022-07-01", "types": ["platform"], "destination": HTTP}


def read(api: str, *without: str, **changes: Any) -> TelemetryRequest | Answer:
    body = {key: value for key, value in {**VALID, **changes}.items() if key not in without}
    return read_subscription(api, json.dumps(body).encode())


def test_defaults() -> None:
    assert read(TELEMETRY) == TelemetryRequest(
        "telemetry",
        "2022-07-01",
        ("platform",),
        Destination(8080, "sandbox.localdomain", "POST", "/path?q=1"),
        max_items=10_000,
        max_bytes=262_144,
        timeout_ms=1_000,
    )


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ({"protocol": "TCP", "port": 4000}, Destination(4000)),
        ({"protocol": "HTTP", "URI": "http://sandbox:80"}, Destination(80, "sandbox", "POST", "/")),
    ],
)
def test_destinations(destination: dict[str, Any], expected: Destination) -> None:
    request = read(TELEMETRY, destination=destination)
    assert isinstance(request, TelemetryRequest)
    assert request.destination == expected


def test_the_logs_api_has_its_own_versions_and_may_ask_for_put() -> None:
    request = read(LOGS, "schemaVersion", destination={**HTTP, "method": "PUT"})
    assert isinstance(request, TelemetryRequest)
    assert (request.schema, request.destination.method) == ("2020-08-15", "PUT")
    assert isinstance(read(LOGS, schemaVersion="2021-03-18"), TelemetryRequest)


@pytest.mark.parametrize("schema", ["2022-07-01", "2022-12-13", "2025-01-29"])
def test_versions_of_the_telemetry_api(schema: str) -> None:
    assert isinstance(read(TELEMETRY, schemaVersion=schema), TelemetryRequest)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("maxItems", 1_000, 10_000), ("maxBytes", 262_144, 1_048_576), ("timeoutMs", 25, 30_000)],
)
def test_limits_of_buffering(name: str, least: int, most: int) -> None:
    for value in (least, most):
        assert isinstance(read(TELEMETRY, buffering={name: value}), TelemetryRequest)
    for bad in (least - 1, most + 1, "1000", True, 2_000.5):
        problem = f"{name} should be between {least} and {most}"
        assert read(TELEMETRY, buffering={name: bad}) == Answer(400, "ValidationError", problem)


@pytest.mark.parametrize(
    ("without", "changes", "message"),
    [
        ("schemaVersion", {}, "schemaVersion is not provided"),
        ("", {"schemaVersion": "2020-08-15"}, "schemaVersion should be one of 2022-07-01, 2022-12-13, 2025-01-29"),
        ("types", {}, "types should not be empty"),
        ("", {"types": []}, "types should not be empty"),
        ("", {"types": ["platform", "other"]}, "types should be of platform, function, extension"),
        ("", {"buffering": 3}, "buffering should be an object"),
        ("destination", {}, "destination is not provided"),
        ("", {"destination": {"protocol": "UDP"}}, "protocol should be HTTP or TCP"),
        ("", {"destination": {"protocol": "HTTP"}}, "URI is not provided"),
        ("", {"destination": {"protocol": "TCP"}}, "port is not provided"),
        ("", {"destination": {"protocol": "TCP", "port": 9001}}, "port 9001 is reserved"),
        ("", {"destination": {"protocol": "TCP", "port": 0}}, "port should be between 1 and 65535"),
        ("", {"destination": {**HTTP, "URI": "http://sandbox.localdomain:9001"}}, "port 9001 is reserved"),
        ("", {"destination": {**HTTP, "URI": "https://sandbox.localdomain:1/"}}, "URI scheme should be http"),
        ("", {"destination": {**HTTP, "URI": "http://example.com:1/"}}, "URI host should be sandbox.localdomain"),
        ("", {"destination": {**HTTP, "URI": "http://127.0.0.1:1/"}}, "URI host should be sandbox.localdomain"),
        ("", {"destination": {**HTTP, "URI": "http://sandbox:port/"}}, "URI is malformed"),
        ("", {"destination": {**HTTP, "URI": "http://sandbox:1/a b"}}, "URI is malformed"),
        ("", {"destination": {**HTTP, "URI": "http://me@sandbox:1/"}}, "URI is malformed"),
        ("", {"destination": {**HTTP, "method": "PUT"}}, "method should be POST"),
        (
            "types",
            {"destination": {**HTTP, "URI": "http://sandbox.localdomain"}},
            "URI port is not provided; types should not be empty",
        ),
    ],
)
def test_what_is_wrong_is_named(without: str, changes: dict[str, Any], message: str) -> None:
    assert read(TELEMETRY, without, **changes) == Answer(400, "ValidationError", message)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', pytest.param(b"[" * 100_000, id="deep")])
def test_what_is_no_object(body: bytes) -> None:
    problem = Answer(400, "Logs.ValidationError", "request body is not a JSON object")
    assert read_subscription(LOGS, body) == problem


def test_no_line_ends_reach_the_request() -> None:
    """`urlsplit` removes them; what it leaves is what is sent."""
    request = read(TELEMETRY, destination={**HTTP, "URI": "http://sandbox:1/a\r\nX: y"})
    assert isinstance(request, Answer)
