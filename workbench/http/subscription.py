"""Reads the body of a subscription to the Telemetry API or the Logs API. Pure.

Source: Lambda Developer Guide, "Lambda Telemetry API reference" and "Using the Lambda Logs API", where problems are
joined as here; of their wording the guide shows two.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from workbench.engine.ports import Answer, Destination, TelemetryRequest

TELEMETRY, LOGS = "telemetry", "logs"
#: The versions of each API's events; the first of them is what a request without one gets, where it may be left out.
SCHEMAS = {TELEMETRY: ("2022-07-01", "2022-12-13", "2025-01-29"), LOGS: ("2020-08-15", "2021-03-18")}
TYPES = ("platform", "function", "extension")
#: Each setting of `buffering`: default, least, most.
BUFFERING = {
    "maxItems": (10_000, 1_000, 10_000),
    "maxBytes": (262_144, 262_144, 1_048_576),
    "timeoutMs": (1_000, 25, 30_000),
}
#: The Runtime API's own port.
RESERVED_PORT = 9001
HOSTS = ("sandbox.localdomain", "sandbox")
_ERROR_TYPES = {TELEMETRY: "ValidationError", LOGS: "Logs.ValidationError"}
_PATH = re.compile(r"[!-~]*")


def read_subscription(api: str, body: bytes) -> TelemetryRequest | Answer:
    """The request, or a 400 that names every problem."""
    problems: list[str] = []
    try:
        wanted = json.loads(body)
    except (ValueError, RecursionError):
        wanted = None
    if not isinstance(wanted, dict):
        return Answer(400, _ERROR_TYPES[api], "request body is not a JSON object")
    schema = _schema(api, wanted.get("schemaVersion"), problems)
    destination = _destination(api, wanted.get("destination"), problems)
    types = _types(wanted.get("types"), problems)
    buffering = _buffering(wanted.get("buffering"), problems)
    if problems or destination is None:
        return Answer(400, _ERROR_TYPES[api], "; ".join(problems))
    return TelemetryRequest(
        api,
        schema,
        types,
        destination,
        max_items=buffering["maxItems"],
        max_bytes=buffering["maxBytes"],
        timeout_ms=buffering["timeoutMs"],
    )


def _schema(api: str, given: Any, problems: list[str]) -> str:
    known = SCHEMAS[api]
    if given is None and api == LOGS:
        return known[0]
    if given not in known:
        what = "is not provided" if given is None else f"should be one of {', '.join(known)}"
        problems.append(f"schemaVersion {what}")
    return str(given)


def _types(given: Any, problems: list[str]) -> tuple[str, ...]:
    if not isinstance(given, list) or not given:
        problems.append("types should not be empty")
        return ()
    unknown = [each for each in given if each not in TYPES]
    if unknown:
        problems.append(f"types should be of {', '.join(TYPES)}")
    return tuple(each for each in TYPES if each in given)


def _buffering(given: Any, problems: list[str]) -> dict[str, int]:
    if given is not None and not isinstance(given, dict):
        problems.append("buffering should be an object")
        given = None
    settings = {}
    for name, (default, least, most) in BUFFERING.items():
        value = (given or {}).get(name)
        settings[name] = default if value is None else value
        if not isinstance(settings[name], int) or isinstance(value, bool) or not least <= settings[name] <= most:
            problems.append(f"{name} should be between {least} and {most}")
    return settings


def _destination(api: str, given: Any, problems: list[str]) -> Destination | None:
    if not isinstance(given, dict):
        problems.append("destination is not provided")
        return None
    match given.get("protocol"):
        case "HTTP":
            return _http(api, given, problems)
        case "TCP":
            port = given.get("port")
            if not isinstance(port, int) or isinstance(port, bool):
                problems.append("port is not provided")
                return None
            return Destination(port) if _port_allowed(port, problems) else None
        case _:
            problems.append("protocol should be HTTP or TCP")
            return None


def _http(api: str, given: dict[str, Any], problems: list[str]) -> Destination | None:
    uri = given.get("URI")
    if not isinstance(uri, str) or not uri:
        problems.append("URI is not provided")
        return None
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        problems.append("URI is malformed")
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    method = given.get("method") or "POST"
    found = len(problems)
    if parts.scheme != "http":
        problems.append("URI scheme should be http")
    if parts.hostname not in HOSTS:
        problems.append(f"URI host should be {HOSTS[0]}")
    if port is None:
        problems.append("URI port is not provided")
    elif not _port_allowed(port, problems):
        return None
    if not _PATH.fullmatch(path) or parts.username is not None:
        problems.append("URI is malformed")
    if method not in ("POST", "PUT") or (api == TELEMETRY and method != "POST"):
        problems.append("method should be POST" if api == TELEMETRY else "method should be POST or PUT")
    if len(problems) > found or port is None or parts.hostname is None:
        return None
    return Destination(port, parts.hostname, str(method), path)


def _port_allowed(port: int, problems: list[str]) -> bool:
    if port == RESERVED_PORT:
        problems.append(f"port {RESERVED_PORT} is reserved")
    elif not 0 < port < 65536:
        problems.append("port should be between 1 and 65535")
    else:
        return True
    return False
