"""A YAML (or JSON) template with CloudFormation's short tags, bounded, and with the line of every mapping.

Nothing of it is executed: the loader knows plain YAML types and `!Ref`-like tags only. Aliases are counted and depth is
capped, so that a small file cannot become a large one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from workbench.model.errors import TemplateError

MAX_BYTES = 1_048_576
MAX_ALIASES = 200
MAX_DEPTH = 64
_SHORT = {"Ref": "Ref", "Condition": "Condition"}


class Located(dict[Any, Any]):
    """A mapping that knows its line."""

    def __init__(self, values: Mapping[Any, Any], line: int) -> None:
        super().__init__(values)
        self.line = line


class Document:
    """A template as read."""

    def __init__(self, path: Path, root: Any) -> None:
        self.path = path
        self.root = root

    def mapping(self, value: Any, what: str) -> dict[Any, Any]:
        """The value, which must be a mapping."""
        if not isinstance(value, dict):
            raise self.error(f"{what} must be a mapping, not {type(value).__name__}", value)
        return value

    def error(self, message: str, near: object) -> TemplateError:
        """An error at the line of `near`, a mapping of this document."""
        line = getattr(near, "line", None)
        return TemplateError(message, where=f"{self.path}:{line}" if line else str(self.path))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe, with CloudFormation's tags, duplicate keys refused."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.aliases = 0
        self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MAX_ALIASES:
                raise yaml.YAMLError(f"more than {MAX_ALIASES} aliases")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested deeper than {MAX_DEPTH}")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _mapping(loader: Any, node: yaml.MappingNode) -> Located:
    loader.flatten_mapping(node)
    values: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, (str, int, float, bool)):
            raise yaml.constructor.ConstructorError(None, None, "a key must be plain", key_node.start_mark)
        if key in values:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' appears twice", key_node.start_mark)
        values[key] = loader.construct_object(value_node, deep=True)
        if isinstance(values[key], Located):
            values[key].line = line
    return Located(values, node.start_mark.line + 1)


def _tag(loader: Any, suffix: str, node: Any) -> Located:
    name = _SHORT.get(suffix, f"Fn::{suffix}")
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = _mapping(loader, node)
    return Located({name: value}, node.start_mark.line + 1)


def _text(loader: Any, node: Any) -> str:
    """Dates stay text, as CloudFormation reads them."""
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_Loader.add_multi_constructor("!", _tag)


def load(path: Path) -> Document:
    """Read a template.

    Raises:
        TemplateError: it is missing, too large, or no YAML; with the line where the parser stopped.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise TemplateError(f"the template is larger than {MAX_BYTES} bytes", where=str(path))
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise TemplateError(f"the template cannot be read: {reason}", where=str(path)) from error
    loader = _Loader(text)
    try:
        return Document(path, loader.get_single_data())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise TemplateError(problem, where=f"{path}:{mark.line + 1}" if mark else str(path)) from error
    finally:
        loader.dispose()
