"""botocore's service model for Lambda, and the router that its operations make.

Only the data file is read, without importing botocore: the import costs about 100 ms, the file about 10. Shapes stay
the plain dictionaries of the file; nothing is compiled before it is needed.
Source: botocore `data/lambda/<version>/service-2.json`; the `rest-json` protocol, "HTTP bindings" of Smithy.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from workbench.model.errors import WorkbenchError

Shape = Mapping[str, Any]

#: AWS answers 204 to DeleteFunction, whatever the model declares.
_STATUS = {"DeleteFunction": 204}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the model: what it is called, where it lives, and the names of its shapes."""

    name: str
    method: str
    uri: str
    status: int
    input: str | None
    output: str | None


@dataclass(slots=True)
class _Node:
    """One segment of the router. `greedy` takes everything that is left; `leaves` are told apart by query literals."""

    literals: dict[str, _Node] = field(default_factory=dict)
    label: _Node | None = None
    greedy: _Node | None = None
    leaves: list[tuple[tuple[tuple[str, str], ...], Operation]] = field(default_factory=list)


class Service:
    """The model's shapes and operations, and which request means which operation."""

    def __init__(self, model: Mapping[str, Any]) -> None:
        self.shapes: Mapping[str, Shape] = model["shapes"]
        self.operations = {name: _operation(name, described) for name, described in model["operations"].items()}
        self._roots: dict[str, _Node] = {}
        for operation in self.operations.values():
            self._add(operation)

    def members(self, shape: str | None) -> Mapping[str, Shape]:
        """The members of a structure; none for no shape at all."""
        if shape is None:
            return {}
        members: Mapping[str, Shape] = self.shapes[shape].get("members", {})
        return members

    def enum(self, shape: str) -> tuple[str, ...]:
        """The values that a string shape allows."""
        return tuple(self.shapes[shape]["enum"])

    def route(self, method: str, path: str, query: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation of a request and its percent-decoded labels, or None.

        The path is matched as sent, so an encoded slash belongs to its label. One trailing slash is forgiven: older
        clients send it.

        Raises:
            UnicodeDecodeError: a label is not UTF-8.
        """
        root = self._roots.get(method)
        if root is None:
            return None
        segments = path.split("/")[1:]
        if len(segments) > 1 and not segments[-1]:
            segments.pop()
        found = _find(root, segments, 0)
        if found is None:
            return None
        node, values = found
        given = parse_qsl(query, keep_blank_values=True) if any(literals for literals, _ in node.leaves) else []
        for literals, operation in node.leaves:
            if all(literal in given for literal in literals):
                return operation, dict(zip(_labels(operation.uri), values, strict=True))
        return None

    def _add(self, operation: Operation) -> None:
        path, _, query = operation.uri.partition("?")
        node = self._roots.setdefault(operation.method, _Node())
        for segment in path.split("/")[1:]:
            if not segment.startswith("{"):
                node = node.literals.setdefault(segment, _Node())
            elif segment.endswith("+}"):
                node.greedy = node = node.greedy or _Node()
            else:
                node.label = node = node.label or _Node()
        node.leaves.append((tuple(parse_qsl(query, keep_blank_values=True)), operation))
        node.leaves.sort(key=lambda leaf: -len(leaf[0]))


def load() -> Service:
    """Read the newest Lambda model that the installed botocore carries."""
    spec = importlib.util.find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise WorkbenchError("botocore is not installed, and its service model is what this endpoint answers by")
    versions = Path(spec.submodule_search_locations[0], "data", "lambda")
    packed = max(versions.glob("*/service-2.json*"))
    raw = packed.read_bytes()
    return Service(json.loads(gzip.decompress(raw) if packed.suffix == ".gz" else raw))


def _operation(name: str, described: Mapping[str, Any]) -> Operation:
    http = described["http"]
    return Operation(
        name=name,
        method=http["method"],
        uri=http["requestUri"],
        status=_STATUS.get(name, http.get("responseCode", 200)),
        input=described.get("input", {}).get("shape"),
        output=described.get("output", {}).get("shape"),
    )


def _labels(uri: str) -> list[str]:
    path = uri.partition("?")[0]
    return [segment[1:-1].rstrip("+") for segment in path.split("/") if segment.startswith("{")]


def _find(node: _Node, segments: list[str], at: int) -> tuple[_Node, list[str]] | None:
    """The leaf that the segments lead to, literals first, and the labels' values on the way."""
    if at == len(segments):
        return (node, []) if node.leaves else None
    segment = segments[at]
    literal = node.literals.get(segment)
    if literal is not None:
        found = _find(literal, segments, at + 1)
        if found is not None:
            return found
    if node.label is not None and segment:
        found = _find(node.label, segments, at + 1)
        if found is not None:
            return found[0], [unquote(segment, errors="strict"), *found[1]]
    if node.greedy is not None:
        return node.greedy, [unquote("/".join(segments[at:]), errors="strict")]
    return None
