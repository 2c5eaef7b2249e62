"""The constraints of the model, and AWS's words for breaking them.

A scalar is reported once for each constraint that it breaks; a list or map of scalars once, with all the constraints of
what it holds. Sensitive values are not repeated.
Source: the answers of AWS's services, such as `Value 'x' at 'handler' failed to satisfy constraint: Member must ...`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from workbench.http.lambda_api.service import Service, Shape

#: A constraint: AWS's words for it, and the test.
Constraint = tuple[str, Callable[[Any], bool]]

_NOT_NULL = "Member must not be null"
#: How much of a value an answer repeats.
_ECHO = 16_384
_SCALARS = frozenset({"string", "integer", "long", "double", "float", "boolean", "blob", "timestamp"})
_UNICODE_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}


class Validator:
    """Checks parameters against shapes. Constraints are compiled when first met, and kept."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._constraints: dict[str, tuple[Constraint, ...]] = {}

    def problems(self, shape: str | None, params: Mapping[str, Any], *, unchecked: Collection[str] = ()) -> list[str]:
        """What AWS would say of these parameters; `unchecked` names top-level members to pass over."""
        if shape is None:
            return []
        return list(self._structure(shape, params, "", unchecked))

    def _structure(
        self, name: str, value: Mapping[str, Any], path: str, unchecked: Collection[str] = ()
    ) -> Iterator[str]:
        shape = self._service.shapes[name]
        required = shape.get("required", ())
        for member, described in shape["members"].items():
            if member in unchecked:
                continue
            where = f"{path}.{_camel(member)}" if path else _camel(member)
            item = value.get(member)
            if item is not None:
                yield from self._value(described["shape"], item, where)
            elif member in required:
                yield f"Value null at '{where}' failed to satisfy constraint: {_NOT_NULL}"

    def _value(self, name: str, value: Any, path: str) -> Iterator[str]:
        shape = self._service.shapes[name]
        kind = shape["type"]
        if kind == "structure":
            yield from self._structure(name, value, path)
            return
        for words, holds in self._of(name):
            if not holds(value):
                yield f"{_at(shape, value, path)} failed to satisfy constraint: {words}"
        if kind == "list":
            yield from self._list(shape, value, path)
        elif kind == "map":
            yield from self._map(shape, value, path)

    def _list(self, shape: Shape, value: list[Any], path: str) -> Iterator[str]:
        inner = shape["member"]["shape"]
        if self._scalar(inner) or None in value:
            if not all(self._holds(inner, item) for item in value):
                yield (
                    f"{_at(shape, value, path)} failed to satisfy constraint: "
                    f"Member must satisfy constraint: {self._words(inner, _NOT_NULL)}"
                )
        else:
            for number, item in enumerate(value, 1):
                yield from self._value(inner, item, f"{path}.{number}.member")

    def _map(self, shape: Shape, value: Mapping[str, Any], path: str) -> Iterator[str]:
        keys, values = shape["key"]["shape"], shape["value"]["shape"]
        if not all(self._holds(keys, key) for key in value):
            yield (
                f"{_at(shape, value, path)} failed to satisfy constraint: "
                f"Map keys must satisfy constraint: {self._words(keys)}"
            )
        if self._scalar(values) or None in value.values():
            if not all(self._holds(values, item) for item in value.values()):
                yield (
                    f"{_at(shape, value, path)} failed to satisfy constraint: "
                    f"Map value must satisfy constraint: {self._words(values, _NOT_NULL)}"
                )
        else:
            for key, item in value.items():
                yield from self._value(values, item, f"{path}.{key}.member")

    def _scalar(self, name: str) -> bool:
        return self._service.shapes[name]["type"] in _SCALARS

    def _holds(self, name: str, value: Any) -> bool:
        return value is not None and (not self._scalar(name) or all(holds(value) for _, holds in self._of(name)))

    def _words(self, name: str, *more: str) -> str:
        return f"[{', '.join([*(words for words, _ in self._of(name)), *more])}]"

    def _of(self, name: str) -> tuple[Constraint, ...]:
        known = self._constraints.get(name)
        if known is None:
            known = self._constraints[name] = tuple(_constraints(self._service.shapes[name]))
        return known


def _constraints(shape: Shape) -> Iterator[Constraint]:
    """The constraints of one shape, in the order in which AWS lists them."""
    highest, lowest = shape.get("max"), shape.get("min")
    if shape["type"] in ("integer", "long", "double", "float"):
        if highest is not None:
            yield f"Member must have value less than or equal to {highest}", lambda value: value <= highest
        if lowest is not None:
            yield f"Member must have value greater than or equal to {lowest}", lambda value: value >= lowest
        return
    if highest is not None:
        yield f"Member must have length less than or equal to {highest}", lambda value: len(value) <= highest
    if lowest is not None:
        yield f"Member must have length greater than or equal to {lowest}", lambda value: len(value) >= lowest
    pattern = shape.get("pattern")
    if pattern is not None:
        compiled = compile_pattern(pattern)
        if compiled is not None:
            # A value that is too long by far is reported for that; no pattern is worth being tried on it.
            tried = max(highest, _ECHO) if highest is not None else None
            yield (
                f"Member must satisfy regular expression pattern: {pattern}",
                lambda value: (tried is not None and len(value) > tried) or compiled.fullmatch(value) is not None,
            )
    enum = shape.get("enum")
    if enum is not None:
        yield f"Member must satisfy enum value set: [{', '.join(enum)}]", frozenset(enum).__contains__


def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """A Java pattern as a Python one; None for one that Python cannot read, which then constrains nothing."""
    flags = re.ASCII
    for java, python in _UNICODE_CLASSES.items():
        if java in pattern:
            pattern = pattern.replace(java, python)
            flags = re.UNICODE
    try:
        return re.compile(pattern, flags)
    except re.error:
        return None


def _camel(member: str) -> str:
    return member[:1].lower() + member[1:]


def _at(shape: Shape, value: Any, path: str) -> str:
    if shape.get("sensitive"):
        return f"Value at '{path}'"
    text = _java(value)
    return f"Value '{text if len(text) <= _ECHO else text[:_ECHO] + '...'}' at '{path}'"


def _java(value: Any) -> str:
    """A value as Java prints it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_java, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_java(key)}={_java(item)}' for key, item in value.items())}}}"
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    return str(value)
