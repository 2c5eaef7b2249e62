"""The complaints about payloads that are no JSON: Jackson's words, and never one about what is JSON."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.http.lambda_api.jackson import complaint

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"


@pytest.mark.parametrize(
    ("body", "message", "line", "column"),
    [
        (b"abc", f"Unrecognized token 'abc': was expecting {VALUES}", 1, 4),
        (b"not-json", f"Unrecognized token 'not': was expecting {VALUES}", 1, 5),
        (b"tru", f"Unrecognized token 'tru': was expecting {VALUES}", 1, 4),
        (b"truex", f"Unrecognized token 'truex': was expecting {VALUES}", 1, 6),
        (b"n\x87", "Invalid UTF-8 start byte 0x87", 1, 3),
        (b'"\xc3("', "Invalid UTF-8 middle byte 0x28", 1, 4),
        (b"\x99", f"Unexpected character ((CTRL-CHAR, code 153)): expected a valid value {VALUES}", 1, 2),
        (b"{'a':1}", "Unexpected character (''' (code 39)): was expecting double-quote to start field name", 1, 3),
        (b'{"a":1,}', "Unexpected character ('}' (code 125)): was expecting double-quote to start field name", 1, 9),
        (
            b'{"a" 1}',
            "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
            1,
            7,
        ),
        (b"[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries", 1, 5),
        (b"[1,\n2\n :]", "Unexpected character (':' (code 58)): was expecting comma to separate Array entries", 3, 3),
        (b"01", "Invalid numeric value: Leading zeroes not allowed", 1, 3),
        (b'"\\x"', "Unrecognized character escape 'x' (code 120)", 1, 4),
        (b'"abc', "Unexpected end-of-input in VALUE_STRING: was expecting closing quote for a string value", 1, 5),
        (b"[1]x", f"Unrecognized token 'x': was expecting {VALUES}", 1, 5),
        (b"1.x", "Unexpected character ('x' (code 120)): Decimal point not followed by a digit", 1, 4),
        (b"]", "Unexpected character (']' (code 93)): expected a value", 1, 2),
    ],
)  # fmt: skip
def test_complaints(body: bytes, message: str, line: int, column: int) -> None:
    found = complaint(body)
    assert found is not None
    said, _, where = found.partition("\n at ")
    assert said == message
    assert where.startswith('[Source: (byte[])"')
    assert where.endswith(f"; line: {line}, column: {column}]")


def test_an_unfinished_container_names_its_start() -> None:
    assert complaint(b'{"a":[1,') == (
        'Unexpected end-of-input: expected close marker for Array (start marker at [Source: (byte[])"{"a":[1,"; '
        'line: 1, column: 6])\n at [Source: (byte[])"{"a":[1,"; line: 1, column: 9]'
    )


def test_the_source_is_shown_in_part_and_without_control_characters() -> None:
    found = complaint(b'"\x1b[2J' + b"x" * 1_000) or ""
    assert '"\\u001B[2Jx' in found
    assert "[truncated 505 bytes]" in found
    assert "\x1b" not in found


def test_depth_costs_no_stack() -> None:
    assert (complaint(b"[" * 100_000) or "").startswith("Document nesting depth (1001) exceeds")


@given(JSON, st.booleans())
@settings(max_examples=200, deadline=None)
def test_json_is_not_complained_of(value: object, pretty: bool) -> None:
    text = json.dumps(value, ensure_ascii=not pretty, indent=2 if pretty else None)
    assert complaint(text.encode("utf-8", "replace")) is None


@given(st.binary(max_size=40) | st.text('[]{}",:0123456789-+.eEtrufalsn\\ x\n').map(str.encode))
@settings(max_examples=500, deadline=None)
def test_what_python_refuses_is_complained_of(body: bytes) -> None:
    def refuse(text: str) -> None:
        raise ValueError(text)

    try:
        json.loads(body.decode("utf-8"), parse_constant=refuse)
    except ValueError:
        assert complaint(body)
    else:
        assert complaint(body) is None
