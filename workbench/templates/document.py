"""A YAML (or JSON) template with CloudFormation's short tags, bounded, and with the line of every mapping.

Nothing of it is executed: the loader knows plain YAML types and `!Ref`-like tags only. Aliases are counted, depth and
what the aliases expand to are capped before anything is built, so that a small file cannot become a large one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from workbench.model.errors import TemplateError

MAX_BYTES = 1_048_576
MAX_ALIASES = 200
MAX_DEPTH = 64
#: Characters and nodes of the template once every alias stands for what it names.
MAX_EXPANDED = 4 * MAX_BYTES
#: Characters of a number.
MAX_NUMBER = 64
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

    def mapping(self, value: Any, what: str, near: object = None) -> dict[Any, Any]:
        """The value, which must be a mapping; `near` is one around it, for the line of the error."""
        if not isinstance(value, dict):
            raise self.error(f"{what} must be a mapping, not {type(value).__name__}", near)
        return value

    def error(self, message: str, near: object) -> TemplateError:
        """An error at the line of `near`, a mapping of this document."""
        line = getattr(near, "line", None)
        return TemplateError(message, where=f"{self.path}:{line}" if line else str(self.path))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe, with CloudFormation's tags, duplicate keys refused."""


def _bound(text: str) -> None:
    """Refuse what nests too far or would grow, from the events alone: nothing is built, nothing recurs."""
    aliases = 0
    total = 0
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=_Loader):
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
            if aliases > MAX_ALIASES:
                raise _refusal(f"more than {MAX_ALIASES} aliases", event)
            if any(anchor == around for around, _ in open_):
                raise _refusal(f"the alias '{anchor}' is within what it names", event)
            total += sizes.get(anchor or "", 0)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1 + len(event.value)
            if anchor is not None:
                sizes[anchor] = 1 + len(event.value)
        elif isinstance(event, yaml.CollectionStartEvent):
            total += 1
            open_.append((anchor, total - 1))
            if len(open_) > MAX_DEPTH:
                raise _refusal(f"nested deeper than {MAX_DEPTH}", event)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        if total > MAX_EXPANDED:
            raise _refusal(f"its aliases expand to more than {MAX_EXPANDED} characters", event)


def _refusal(problem: str, near: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, near.start_mark)


def _mapping(loader: Any, node: yaml.MappingNode) -> Located:
    own = {id(key_node) for key_node, _ in node.value if key_node.tag != "tag:yaml.org,2002:merge"}
    loader.flatten_mapping(node)  # what is merged comes first, so that the mapping's own keys win
    values: dict[Any, Any] = {}
    seen = set()
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, (str, int, float, bool)):
            raise _refusal("a key must be plain", key_node)
        if id(key_node) in own:
            if key in seen:
                raise _refusal(f"the key '{key}' appears twice", key_node)
            seen.add(key)
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


def _number(loader: Any, node: Any) -> int | float:
    """A long one takes long to read (base 60) and cannot be shown; no setting is that large."""
    if len(loader.construct_scalar(node)) > MAX_NUMBER:
        raise _refusal(f"a number of more than {MAX_NUMBER} characters", node)
    kind = "int" if node.tag == "tag:yaml.org,2002:int" else "float"
    value: int | float = getattr(loader, f"construct_yaml_{kind}")(node)
    return value


def _unsupported(loader: Any, node: Any) -> None:
    """CloudFormation User Guide, "Template formats"."""
    raise _refusal(f"!!{node.tag.rpartition(':')[2]} is not supported", node)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)
for _name in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_name}", _number)
for _name in ("binary", "omap", "pairs", "set"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_name}", _unsupported)
_Loader.add_multi_constructor("!", _tag)

#: JSON writes a character beyond the first 65,536 as two escapes, which YAML does not know.
_PAIR = re.compile(r"\\\\|\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


def _join_pairs(match: re.Match[str]) -> str:
    high, low = match.groups()
    if high is None:
        return match[0]
    return bytes.fromhex(high + low).decode("utf-16-be")


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
    if text.lstrip().startswith("{"):
        text = _PAIR.sub(_join_pairs, text)
    try:
        _bound(text)
        return Document(path, yaml.load(text, Loader=_Loader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise TemplateError(problem, where=f"{path}:{mark.line + 1}" if mark else str(path)) from error
