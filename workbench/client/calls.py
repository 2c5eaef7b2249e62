"""The port's methods as remote calls, read from the port itself: adding a method there is all it takes."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from workbench.client.port import EnginePort
from workbench.model.codec import decode, encode

#: Calls that only read, besides those named `get_` and `list_`.
_READING = frozenset({"account", "changes", "code", "costs", "metrics", "past", "status", "what_if"})


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the port: its parameters in order with their types, and the type of its answer."""

    name: str
    parameters: dict[str, Any]
    defaults: dict[str, Any]
    answer: Any

    @property
    def repeatable(self) -> bool:
        """May it be called again when nobody knows whether it was carried out?"""
        return self.name in _READING or self.name.startswith(("get_", "list_"))

    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments as JSON, by name; those left at their default are not sent."""
        given = dict(zip(self.parameters, args, strict=False)) | kwargs
        return {name: encode(value) for name, value in given.items()}

    def unpack(self, data: dict[str, Any]) -> dict[str, Any]:
        """Arguments from JSON.

        Raises:
            ValueError: an argument is unknown, missing or of the wrong type.
        """
        if not isinstance(data, dict):
            raise ValueError(f"{self.name} takes its arguments by name, not as {type(data).__name__}")
        if unknown := sorted(set(data) - set(self.parameters)):
            raise ValueError(f"{self.name} has no argument '{unknown[0]}'")
        if missing := sorted(set(self.parameters) - set(self.defaults) - set(data)):
            raise ValueError(f"{self.name} needs the argument '{missing[0]}'")
        return {name: decode(self.parameters[name], value) for name, value in data.items()}


@cache
def methods() -> dict[str, Method]:
    """Every method of the port, by name."""
    found = {}
    for name, function in inspect.getmembers(EnginePort, inspect.isfunction):
        if name.startswith("_"):
            continue
        hints = get_type_hints(function)
        answer = hints.pop("return")
        if get_origin(answer) is not None and get_origin(answer).__name__ == "Awaitable":
            answer = get_args(answer)[0]
        defaults = {
            parameter.name: parameter.default
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is not parameter.empty
        }
        found[name] = Method(name, hints, defaults, answer)
    return found
