"""Placeholders of the recordings: filling them into a request, and finding their values in an answer.

`<name>` or `<name:N>`, also within strings and keys; one placeholder is one value in its scenario.
"""

from __future__ import annotations

import base64
import io
import json
import re
import secrets
import zipfile
from collections.abc import Collection, Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"<[A-Za-z][A-Za-z0-9_-]*(?::[0-9]+)?>")
#: They stand for any value, and for another one each time.
_ANYTHING = frozenset({"<date>", "<code-size>", "<location>", "<layer-location>", "<function-url>", "<any>"})


class Unbound(Exception):
    """A request needs a value that no answer has given: an earlier step went wrong."""


class Bindings:
    """The values of one scenario's placeholders."""

    def __init__(self, given: Mapping[str, Any], variables: Mapping[str, str], unordered: Collection[str]) -> None:
        self._values: dict[str, Any] = dict(given)
        self._variables = variables
        self._unordered = unordered

    def bind(self, name: str, value: Any) -> None:
        self._values[name] = value

    # -- requests
    def fill(self, value: Any) -> Any:
        """A request's parameters with the placeholders' values and the special values made real.

        Raises:
            Unbound: a placeholder has no value yet.
        """
        if isinstance(value, str):
            if _PLACEHOLDER.fullmatch(value):
                return self._value(value)
            return _PLACEHOLDER.sub(lambda match: str(self._value(match[0])), value)
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$zip" in value:
            return _zip(self.fill(value["$zip"]), stored=value.get("$stored", False))
        if "$text" in value:
            text = str(self.fill(value["$text"]))
            return text.ljust(value["$pad_to"], value["$with"]) if "$pad_to" in value else text
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        if "$add" in value:
            augend, addend = self.fill(value["$add"])
            return int(augend) + int(addend)
        return {self.fill(key): self.fill(item) for key, item in value.items()}

    def _value(self, name: str) -> Any:
        if name not in self._values:
            made = self._variables.get(name)
            if made is None:
                raise Unbound(f"{name} has no value: an earlier answer should have brought it")
            self._values[name] = self.fill(made.replace("{uid}", secrets.token_hex(4)))
        return self._values[name]

    # -- answers
    def compare(self, recorded: Any, answered: Any, path: str = "") -> list[str]:
        """Where an answer differs from the recorded one, a line each; what can be bound is bound all the same."""
        if isinstance(recorded, dict):
            return self._compare_maps(recorded, _parsed(answered, dict), path)
        if isinstance(recorded, list):
            return self._compare_lists(recorded, _parsed(answered, list), path)
        if isinstance(recorded, str) and _PLACEHOLDER.search(recorded):
            return [] if self._matches(recorded, answered) else [_differs(path, self._shown(recorded), answered)]
        same = type(recorded) is type(answered) and recorded == answered
        return [] if same else [_differs(path, recorded, answered)]

    def _compare_maps(self, recorded: dict[str, Any], answered: Any, path: str) -> list[str]:
        if not isinstance(answered, dict):
            return [_differs(path, recorded, answered)]
        differences = []
        left = dict(answered)
        # Keys without placeholders first: what is left is for those whose value is still to be found.
        for key in sorted(recorded, key=lambda key: len(_PLACEHOLDER.findall(key))):
            found = next((name for name in left if key == name or self._matches(key, name)), None)
            if found is None:
                differences.append(f"{path}.{self._shown(key)} is missing; AWS: {self._shown(recorded[key])!r}")
            else:
                differences += self.compare(recorded[key], left.pop(found), f"{path}.{found}")
        return differences + [f"{path}.{key} is too much: {_short(item)}" for key, item in left.items()]

    def _compare_lists(self, recorded: list[Any], answered: Any, path: str) -> list[str]:
        if not isinstance(answered, list):
            return [_differs(path, recorded, answered)]
        differences = []
        if len(recorded) != len(answered):
            differences.append(f"{path} has {len(answered)} items; AWS: {len(recorded)}")
        left = list(answered)
        for number, item in enumerate(recorded[: len(answered)]):
            at = self._partner(item, left) if path.rpartition(".")[2] in self._unordered else 0
            differences += self.compare(item, left.pop(at), f"{path}[{number}]")
        return differences

    def _partner(self, item: Any, left: list[Any]) -> int:
        """The place of the first candidate that matches in everything, else the first."""
        for number, candidate in enumerate(left):
            trial = Bindings(self._values, self._variables, self._unordered)
            if not trial.compare(item, candidate):
                return number
        return 0

    def _matches(self, recorded: str, answered: Any) -> bool:
        """Does a recorded string stand for this value? Placeholders without a value get theirs."""
        if recorded in _ANYTHING:
            return answered is not None
        if _PLACEHOLDER.fullmatch(recorded) and not isinstance(answered, str):
            return bool(self._values.setdefault(recorded, answered) == answered)
        if not isinstance(answered, str):
            return False
        pattern, groups = "", []
        at = 0
        for match in _PLACEHOLDER.finditer(recorded):
            pattern += re.escape(recorded[at : match.start()])
            name, at = match[0], match.end()
            if name in self._values or name in self._variables:
                pattern += re.escape(str(self._value(name)))
            elif name in groups:
                pattern += f"(?P=g{groups.index(name)})"
            elif name in _ANYTHING:
                pattern += ".+"
            else:
                pattern += f"(?P<g{len(groups)}>.+?)"
                groups.append(name)
        found = re.fullmatch(pattern + re.escape(recorded[at:]), answered, re.DOTALL)
        if found is None:
            return False
        for number, name in enumerate(groups):
            self._values[name] = found[f"g{number}"]
        return True

    def _shown(self, recorded: Any) -> Any:
        """A recorded value with the values that are known, for a person to read."""
        if not isinstance(recorded, str):
            return recorded
        return _PLACEHOLDER.sub(lambda match: str(self._values.get(match[0], match[0])), recorded)


def _parsed(answered: Any, kind: type) -> Any:
    """Where AWS answered with JSON in a string, the recording has the value."""
    if isinstance(answered, str):
        try:
            value = json.loads(answered)
        except ValueError:
            return answered
        return value if isinstance(value, kind) else answered
    return answered


def _differs(path: str, recorded: Any, answered: Any) -> str:
    return f"{path} is {_short(answered)}; AWS: {_short(recorded)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 600 else f"{text[:600]}..."


def _zip(files: Mapping[str, str], *, stored: bool) -> bytes:
    """Equal files make equal bytes: hashes are compared."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = archive.compression
            info.external_attr = 0o644 << 16
            archive.writestr(info, text)
    return packed.getvalue()
