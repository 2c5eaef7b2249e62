"""Requests that botocore's model could never have made: seeded, so that a failure can be seen again."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from workbench.http.lambda_api.service import Operation, Service
from workbench.http.messages import Request

_NAMES = ("fn", "fn:1", "fn:live", "fn:$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:fn", "nobody")
_HOSTILE = (
    "",
    "../../etc/passwd",
    "..\\..\\x",
    "a/b",
    "-rf",
    "\0",
    "\ud800",
    "ü" * 70,
    "x" * 141,
    "x" * 20_000,
    "%2e%2e%2f",
    "$LATEST",
    "'; DROP TABLE versions; --",
    "1e999",
    "arn:aws:lambda:eu-west-9:000000000000:function:fn",
    "arn:aws:iam::000000000000:role/r",
    "{{7*7}}",
    "\r\nX-Injected: 1",
)
_WRONG: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**63, 2**80, 1.5, float("inf")),
    *("", "text", [], [None], {}, {"": None}, [[]]),
)


class Malformed:
    """Makes one request after another; `archive` is a zip that would be taken."""

    def __init__(self, service: Service, seed: int, archive: bytes) -> None:
        self._service = service
        self._random = random.Random(seed)
        self._archive = base64.b64encode(archive).decode()

    def requests(self, count: int) -> Iterator[Request]:
        operations = sorted(self._service.operations.values(), key=lambda operation: operation.name)
        for number in range(count):
            yield self._request(operations[number % len(operations)])

    def _request(self, operation: Operation) -> Request:
        chance = self._random
        path, _, literals = operation.uri.partition("?")
        query, headers = [literals] if literals else [], {"host": "localhost", "content-type": "application/json"}
        body: dict[str, Any] = {}
        raw: bytes | None = None
        shape = self._service.shapes[operation.input] if operation.input else {}
        for name, member in shape.get("members", {}).items():
            where, wire = member.get("location"), member.get("locationName", name)
            if where != "uri" and name not in shape.get("required", ()) and chance.random() < 0.5:
                continue
            value = self._value(member["shape"], name, 0)
            if where == "uri":
                text = quote(self._text(value, name), safe=chance.choice(("", "/")), errors="replace")
                for label in ("{" + wire + "+}", "{" + wire + "}"):
                    path = path.replace(label, text)
            elif where == "querystring":
                query.append(f"{quote(wire)}={quote(str(value), errors='replace')}")
            elif where == "header":
                headers[wire.lower()] = str(value).encode("latin-1", "replace").decode("latin-1")
            elif name == shape.get("payload"):
                raw = chance.choice((b"", b"{", b"null", b"\xff\xfe", json.dumps(value, default=str).encode()))
            else:
                body[wire] = value
        if raw is None:
            raw = self._spoil(json.dumps(body).encode())
        method = operation.method if chance.random() < 0.95 else chance.choice(("PATCH", "HEAD"))
        return Request(method, path, "&".join(query), headers, raw)

    def _spoil(self, body: bytes) -> bytes:
        chance = self._random
        roll = chance.random()
        if roll < 0.05:
            return body[: len(body) // 2]
        if roll < 0.08:
            return b"[" * 50_000
        if roll < 0.10:
            return bytes(chance.randrange(256) for _ in range(64))
        return body

    def _text(self, value: Any, name: str) -> str:
        if name.endswith("Name") and self._random.random() < 0.6:
            return self._random.choice(_NAMES)
        return str(value) or "x"

    def _value(self, shape_name: str, name: str, depth: int) -> Any:
        """Something for a member: of the right form, hostile, or of the wrong type."""
        chance = self._random
        shape: Mapping[str, Any] = self._service.shapes[shape_name]
        if chance.random() < 0.12 or depth > 4:
            return chance.choice(_WRONG)
        kind = shape["type"]
        if kind == "structure":
            return {
                member.get("locationName", inner): self._value(member["shape"], inner, depth + 1)
                for inner, member in shape["members"].items()
                if inner in shape.get("required", ()) or chance.random() < 0.5
            }
        if kind == "list":
            return [self._value(shape["member"]["shape"], name, depth + 1) for _ in range(chance.randrange(4))]
        if kind == "map":
            return {
                chance.choice(("KEY", "1", "AWS_REGION", *_HOSTILE)): self._value(
                    shape["value"]["shape"], name, depth + 1
                )
                for _ in range(chance.randrange(4))
            }
        if kind == "blob":
            return chance.choice((self._archive, "bm8gemlw", "%%%", ""))
        if kind in ("integer", "long", "double", "float"):
            edges = (shape.get("min", 0), shape.get("max", 1), shape.get("min", 0) - 1, shape.get("max", 1) + 1, 3)
            return chance.choice(edges)
        if kind == "boolean":
            return chance.random() < 0.5
        if kind == "timestamp":
            return chance.choice((0, 1e20, "2020-01-01T00:00:00Z", "soon"))
        if "enum" in shape and chance.random() < 0.7:
            return chance.choice(shape["enum"])
        if name == "FunctionName" and chance.random() < 0.7:
            return chance.choice(_NAMES)
        likely = {"Role": "arn:aws:iam::000000000000:role/r", "Handler": "a.b", "Name": "live", "FunctionVersion": "1"}
        if name in likely and chance.random() < 0.7:
            return likely[name]
        return chance.choice(_HOSTILE)
