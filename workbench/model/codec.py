"""Dataclasses to JSON and back, driven by their type hints.

One road for the store, the remote client and the live stream. `bytes` travel as base64, enums as their value, tuples as
lists, paths as text. Unknown keys are ignored, so that an older reader survives a newer writer's additions.
"""

from __future__ import annotations

import base64
import json
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

Decoder = Callable[[Any], Any]


def encode(value: Any) -> Any:
    """Turn a value of the model into what `json.dumps` takes."""
    if value is None or value.__class__ in (str, int, float, bool):
        return value
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {name: encode(getattr(value, name)) for name in _field_names(value.__class__)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not travel as JSON")


def decode(kind: Any, data: Any) -> Any:
    """Rebuild a value of type `kind` from parsed JSON.

    Raises:
        ValueError: the data does not fit the type; the message names the field.
    """
    return _decoder(kind)(data)


def encode_json(value: Any) -> bytes:
    """`encode`, and compact JSON of it: the quick road for what is large or comes often, in C."""
    try:
        text: bytes = _fast_encoder().encode(value)
        return text
    except (TypeError, ValueError, OverflowError):  # half a surrogate pair, an integer beyond 64 bits
        return json.dumps(encode(value), separators=(",", ":")).encode()


def decode_json(kind: Any, data: bytes) -> Any:
    """`decode` of JSON text, on the quick road.

    Raises:
        ValueError: it is no JSON, or does not fit the type; the message names the field.
    """
    try:
        return _fast_decoder(kind).decode(data)
    except (TypeError, ValueError):  # it takes less than `decode`, and says less of what it does not take
        return decode(kind, json.loads(data))


@cache
def _fast_encoder() -> Any:
    import msgspec  # 24 ms, which a command that only fires has no use for

    return msgspec.json.Encoder(enc_hook=encode)


@cache
def _fast_decoder(kind: Any) -> Any:
    import msgspec

    return msgspec.json.Decoder(kind)


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _decoder(kind: Any) -> Decoder:
    if kind is Any:
        return lambda data: data
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _optional_decoder(args)
    if origin in (tuple, list):
        return _sequence_decoder(origin, args)
    if origin is not None and issubclass(origin, Mapping):
        value = _decoder(args[1])
        return lambda data: {key: value(item) for key, item in _expect(dict, data).items()}
    if isinstance(kind, type):
        if is_dataclass(kind):
            return _dataclass_decoder(kind)
        if issubclass(kind, Enum):
            return kind
        if kind is Path:
            return lambda data: Path(_expect(str, data))
        if kind is bytes:
            return lambda data: base64.b64decode(_expect(str, data), validate=True)
        if kind is float:
            return _float
        if kind in (str, int, bool):
            return lambda data: _expect(kind, data)
        if kind is type(None):
            return lambda data: _expect(kind, data)
    raise TypeError(f"{kind!r} does not travel as JSON")


def _expect(kind: Any, data: Any) -> Any:
    if not isinstance(data, kind) or (data.__class__ is bool and kind is not bool):
        raise ValueError(f"expected {getattr(kind, '__name__', kind)}, got {type(data).__name__}")
    return data


def _float(data: Any) -> float:
    if data.__class__ not in (int, float):
        raise ValueError(f"expected float, got {type(data).__name__}")
    try:
        return float(data)
    except OverflowError as error:
        raise ValueError("a number too large for a float") from error


def _optional_decoder(args: tuple[Any, ...]) -> Decoder:
    rest = [arg for arg in args if arg is not type(None)]
    if len(rest) != 1 or len(rest) == len(args):
        raise TypeError(f"a union of {args} does not travel as JSON")
    inner = _decoder(rest[0])
    return lambda data: None if data is None else inner(data)


def _sequence_decoder(origin: Any, args: tuple[Any, ...]) -> Decoder:
    if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        items = [_decoder(arg) for arg in args]
        return lambda data: tuple(item(value) for item, value in zip(items, _expect(list, data), strict=True))
    inner = _decoder(args[0])
    return lambda data: origin(inner(item) for item in _expect(list, data))


def _dataclass_decoder(kind: type) -> Decoder:
    hints = get_type_hints(kind)
    decoders: dict[str, Decoder] = {}

    def build(data: Any) -> Any:
        if not decoders:
            decoders.update({field.name: _decoder(hints[field.name]) for field in fields(kind) if field.init})
        values = {}
        for name, item in _expect(dict, data).items():
            decoder = decoders.get(name)
            if decoder is None:
                continue
            try:
                values[name] = decoder(item)
            except (ValueError, TypeError) as error:
                raise ValueError(f"{kind.__name__}.{name}: {error}") from error
        try:
            return kind(**values)
        except TypeError as error:
            raise ValueError(f"{kind.__name__}: {error}") from error

    return build
