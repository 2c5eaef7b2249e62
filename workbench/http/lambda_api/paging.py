"""Pages of a list: `Marker`, `MaxItems`, `NextMarker`.

A marker holds the key of the last item that was answered, not its place, so that what is created or deleted between two
pages neither repeats nor hides another item.
Source: Lambda API reference, ListFunctions ("returns a maximum of 50 items in each response").
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from workbench.model.errors import InvalidParameterValue

Item = TypeVar("Item")
#: Keys are compared within one listing only, so their parts have the same types throughout.
Key = tuple[str | int, ...]

PAGE = 50


def page(
    items: Sequence[Item], key: Callable[[Item], Key], params: Mapping[str, Any], *, cap: int = PAGE
) -> tuple[Sequence[Item], str | None]:
    """The page that `Marker` and `MaxItems` ask for, and the marker of the next one. `items` are sorted by `key`."""
    marker = params.get("Marker")
    if marker and items:
        after = _decode(marker)
        if [type(part) for part in after] != [type(part) for part in key(items[0])]:
            raise _invalid(marker)
        items = [item for item in items if key(item) > after]
    size = min(params.get("MaxItems") or cap, cap)
    return items[:size], _encode(key(items[size - 1])) if len(items) > size else None


def _encode(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode("ascii")


def _decode(marker: str) -> Key:
    try:
        parts = json.loads(base64.b64decode(marker, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise _invalid(marker) from None
    if not isinstance(parts, list):
        raise _invalid(marker)
    return tuple(parts)


def _invalid(marker: str) -> InvalidParameterValue:
    return InvalidParameterValue(f"Invalid Marker: {marker[:64]}")
