"""Dataclasses to JSON and back: everything that the port, the store and the live stream carry."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.client.calls import methods
from workbench.live.view import Delta
from workbench.model.codec import decode, decode_json, encode, encode_json
from workbench.model.functions import Code, FunctionConfiguration, FunctionState, FunctionVersion
from workbench.model.invocations import InvokeRequest, QueuedEvent
from workbench.model.names import FunctionRef
from workbench.model.runtimes import RuntimeVersion

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),  # JSON has neither
    bool: st.booleans(),
    bytes: st.binary(max_size=12),
    Path: st.lists(st.text("abcü .", min_size=1, max_size=5), min_size=1, max_size=3).map(lambda parts: Path(*parts)),
    type(None): st.none(),
    Any: JSON,
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type, from its hints."""
    if kind in PLAIN:
        return PLAIN[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of(*(values(arg) for arg in args))
    if origin is tuple and args[-1] is not Ellipsis:
        return st.tuples(*(values(arg) for arg in args))
    if origin in (tuple, list):
        return st.lists(values(args[0]), max_size=2).map(origin)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(st.text(max_size=6), values(args[1]), max_size=2)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: values(hints[field.name]) for field in fields(kind)})


def dataclasses_in(kind: Any) -> set[type]:
    if isinstance(kind, type) and is_dataclass(kind):
        return {kind}.union(*(dataclasses_in(hint) for hint in get_type_hints(kind).values()))
    return set().union(*(dataclasses_in(arg) for arg in get_args(kind)))


#: Every dataclass that a method of the port takes or answers, and those that only the store and the engine keep.
TRAVELLING = sorted(
    {QueuedEvent, RuntimeVersion}.union(
        *(
            dataclasses_in(kind)
            for method in methods().values()
            for kind in (*method.parameters.values(), method.answer)
        )
    ),
    key=lambda kind: kind.__name__,
)
FIELDS = [(kind, field.name) for kind in TRAVELLING for field in fields(kind)]


def test_the_port_carries_what_it_should() -> None:
    names = {kind.__name__ for kind in TRAVELLING}
    assert {"Account", "Alias", "Delta", "EngineStatus", "FunctionVersion", "InvocationResult", "LogView"} <= names


@pytest.mark.parametrize("kind", TRAVELLING, ids=lambda kind: kind.__name__)
def test_every_dataclass_comes_back_as_it_was(kind: type) -> None:
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(value=values(kind))
    def check(value: Any) -> None:
        assert decode(kind, json.loads(json.dumps(encode(value)))) == value
        quick = encode_json(value)
        assert json.loads(quick) == encode(value)
        assert decode_json(kind, quick) == value

    check()


def test_every_argument_and_answer_of_the_port_can_travel() -> None:
    for method in methods().values():
        for kind in (*method.parameters.values(), method.answer):
            value = example(kind)
            assert decode(kind, json.loads(json.dumps(encode(value)))) == value
            assert decode_json(kind, encode_json(value)) == value


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb", "\U0001f40d\u2028\0"])
def test_half_a_surrogate_pair_travels_too(text: str) -> None:
    sent = FunctionRef(text)
    assert decode_json(FunctionRef, encode_json(sent)) == sent


def test_the_quick_road_names_what_does_not_fit_as_the_other_does() -> None:
    with pytest.raises(ValueError, match=r"^FunctionRef\.name: expected str, got int$"):
        decode_json(FunctionRef, b'{"name":1}')
    with pytest.raises(ValueError, match="Expecting value"):
        decode_json(FunctionRef, b"rubbish")


def example(kind: Any) -> Any:
    """The plainest value of a type."""
    if kind in (str, int, float, bool, bytes):
        return kind()
    if kind is Path:
        return Path("p")
    if kind is Any or kind is type(None):
        return None
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return example(args[0])
    if origin is tuple and args[-1] is not Ellipsis:
        return tuple(example(arg) for arg in args)
    if origin in (tuple, list):
        return origin([example(args[0])])
    if origin is not None and issubclass(origin, Mapping):
        return {"key": example(args[1])}
    if issubclass(kind, Enum):
        return next(iter(kind))
    hints = get_type_hints(kind)
    return kind(**{field.name: example(hints[field.name]) for field in fields(kind)})


# -- a newer or a broken writer
@pytest.mark.parametrize("kind", TRAVELLING, ids=lambda kind: kind.__name__)
def test_unknown_keys_are_ignored_at_every_depth(kind: type) -> None:
    value = example(kind)

    def more(data: Any) -> Any:
        if isinstance(data, dict) and "key" not in data:
            return {name: more(item) for name, item in data.items()} | {"added_later": [1, {"x": None}]}
        return data

    assert decode(kind, more(encode(value))) == value


@pytest.mark.parametrize("kind", TRAVELLING, ids=lambda kind: kind.__name__)
def test_a_missing_key_takes_the_default_or_is_named(kind: type) -> None:
    whole = encode(example(kind))
    for name in whole:
        data = {key: item for key, item in whole.items() if key != name}
        try:
            decode(kind, data)
        except ValueError as error:
            message = str(error)
        else:
            continue
        assert message.startswith(kind.__name__)
        assert f"'{name}'" in message


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=[f"{kind.__name__}.{name}" for kind, name in FIELDS])
def test_a_wrong_type_is_refused_by_the_name_of_its_field(kind: type, name: str) -> None:
    hint = get_type_hints(kind)[name]
    mapping = "Mapping" in str(hint) or "dict" in str(hint) or dataclasses_in(hint)
    sequence = "list[" in str(hint) or "tuple[" in str(hint)
    for wrong in (5 if mapping or sequence else {"never": "right"}, "\ud800" if mapping or sequence else [["never"]]):
        with pytest.raises(ValueError, match=rf"^{kind.__name__}\.{name}: "):
            decode(kind, {**encode(example(kind)), name: wrong})


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (int, True, "expected int, got bool"),
        (int, 1.0, "expected int, got float"),
        (int, "1", "expected int, got str"),
        (float, True, "expected float, got bool"),
        (float, "1", "expected float, got str"),
        (float, 10**400, "a number too large for a float"),
        (bool, 1, "expected bool, got int"),
        (str, None, "expected str, got NoneType"),
        (str, b"", "expected str, got bytes"),
        (bytes, 5, "expected str, got int"),
        (bytes, "ü", "ASCII"),
        (bytes, "a", "base64"),
        (bytes, "YQ", "padding"),
        (bytes, "Y Q==", "base64"),
        (Path, 5, "expected str, got int"),
        (type(None), 0, "expected NoneType, got int"),
        (FunctionState, "Alive", "'Alive' is not a valid FunctionState"),
        (FunctionState, ["Active"], "is not a valid FunctionState"),
        (FunctionRef, [], "expected dict, got list"),
        (FunctionRef, {}, "FunctionRef: .*missing 1 required"),
        (FunctionRef, {"name": 5}, r"FunctionRef\.name: expected str, got int"),
        (tuple[str, ...], ("a",), "expected list, got tuple"),
        (tuple[int, str], [1], "shorter"),
        (tuple[int, str], [1, "a", 2], "longer"),
        (tuple[int, str], [1, 2], "expected str, got int"),
        (dict[str, int], {"a": "b"}, "expected int, got str"),
        (
            InvokeRequest,
            {"function": {"name": 1}},
            r"InvokeRequest\.function: FunctionRef\.name: expected str, got int",
        ),
        (Delta, {"seq": 1, "t_mono_ns": 1, "wall": 1, "logs": [{"n": "x"}]}, r"Delta\.logs: LogView\.n: expected int"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_a_value_error(kind: Any, data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(kind, data)


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (float, 1, 1.0),
        (str | None, None, None),
        (str | None, "a", "a"),
        (Any, {"a": [1]}, {"a": [1]}),
        (tuple[str, ...], [], ()),
        (tuple[int, str], [1, "a"], (1, "a")),
        (list[FunctionState], ["Active"], [FunctionState.ACTIVE]),
        (Mapping[str, float], {"1": 1}, {"1": 1.0}),
        (bytes, "", b""),
    ],
    ids=str,
)
def test_what_fits_is_rebuilt(kind: Any, data: Any, value: Any) -> None:
    decoded = decode(kind, data)
    assert decoded == value
    assert type(decoded) is type(value)


# -- what it looks like
def test_the_form_is_plain_json() -> None:
    @dataclass
    class Everything:
        state: FunctionState
        path: Path
        content: bytes
        pairs: tuple[tuple[int, str], ...]
        weights: Mapping[FunctionState, float]
        nothing: None

    value = Everything(FunctionState.ACTIVE, Path("/a/b"), b"\0\xff", ((1, "a"),), {FunctionState.FAILED: 0.5}, None)
    assert encode(value) == {
        "state": "Active",
        "path": "/a/b",
        "content": "AP8=",
        "pairs": [[1, "a"]],
        "weights": {"Failed": 0.5},
        "nothing": None,
    }


@pytest.mark.parametrize("value", [{1, 2}, object(), 1j, bytearray(b"x"), FunctionRef], ids=type)
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="does not travel as JSON"):
        encode(value)
    with pytest.raises(TypeError, match="does not travel as JSON"):
        encode({"deep": [value]})


@pytest.mark.parametrize("kind", [set[int], object, complex, int | str, "text"], ids=str)
def test_types_without_a_form_are_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match="does not travel as JSON"):
        decode(kind, None)


def test_a_stored_document_of_today_can_be_read_for_ever() -> None:
    """The form on disk; a change that breaks this breaks every state folder there is."""
    document = (
        '{"name":"f","version":"1","configuration":{"runtime":"python3.12","handler":"a.b","role":"r","description":"d",'
        '"timeout":3,"memory_size":128,"ephemeral_storage":512,"architecture":"x86_64","environment":{"A":"b"},'
        '"layers":["l"],"settings":{"TracingConfig":{"Mode":"Active"}}},"code":{"sha256":"00","size":1},'
        '"revision_id":"x","last_modified":1.5,"state":"Active","state_reason":null,"state_reason_code":null,'
        '"update_status":"Successful","update_reason":null,"update_reason_code":null,"tags":{"t":"u"}}'
    )
    assert decode(FunctionVersion, json.loads(document)) == FunctionVersion(
        name="f",
        version="1",
        configuration=FunctionConfiguration(
            runtime="python3.12",
            handler="a.b",
            role="r",
            description="d",
            environment={"A": "b"},
            layers=("l",),
            settings={"TracingConfig": {"Mode": "Active"}},
        ),
        code=Code(sha256="00", size=1),
        revision_id="x",
        last_modified=1.5,
    )
