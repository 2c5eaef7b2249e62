"""The reading of recordings: a mistake here would make misses look like matches."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from tests.conformance.placeholders import Bindings, Unbound


def bindings(**more: Any) -> Bindings:
    return Bindings({"<region>": "us-east-1", "<partition>": "aws"}, more, ("Aliases",))


def test_a_value_is_bound_once_and_compared_ever_after() -> None:
    known = bindings()
    assert not known.compare({"Arn": "arn:<partition>:x:<region>:<uuid:1>"}, {"Arn": "arn:aws:x:us-east-1:abc"})
    assert not known.compare({"Id": "<uuid:1>"}, {"Id": "abc"})
    assert known.compare({"Id": "<uuid:1>"}, {"Id": "other"})
    assert known.fill("get <uuid:1>") == "get abc"


@pytest.mark.parametrize(
    ("recorded", "answered"),
    [
        ({"A": 1}, {}),
        ({}, {"A": 1}),
        ({"A": 1}, {"A": 2}),
        ({"A": 1}, {"A": True}),
        ({"A": [1, 2]}, {"A": [2, 1]}),
        ({"A": [1]}, {"A": [1, 2]}),
        ({"A": "<date>"}, {"A": None}),
        ({"A": {"B": "x"}}, {"A": "x"}),
        ({"A": "<region>!"}, {"A": "eu-west-1!"}),
    ],
)
def test_differences(recorded: Any, answered: Any) -> None:
    assert bindings().compare(recorded, answered)


def test_wildcards_are_never_bound() -> None:
    known = bindings()
    assert not known.compare(["<code-size>", "<code-size>"], [1, 2])


def test_unordered_lists_are_matched_item_by_item() -> None:
    recorded = {"Aliases": [{"Name": "a", "Id": "<uuid:1>"}, {"Name": "b", "Id": "<uuid:2>"}]}
    answered = {"Aliases": [{"Name": "b", "Id": "2"}, {"Name": "a", "Id": "1"}]}
    known = bindings()
    assert not known.compare(recorded, answered)
    assert known.fill("<uuid:1>") == "1"


def test_json_in_a_string_is_compared_as_what_it_says() -> None:
    assert not bindings().compare({"Policy": {"Id": "default"}}, {"Policy": '{"Id":"default"}'})


def test_keys_may_be_placeholders() -> None:
    known = bindings()
    assert not known.compare({"<resource:1>": 1, "plain": 2}, {"plain": 2, "found": 1})
    assert known.fill("<resource:1>") == "found"


def test_variables_are_made_up_once() -> None:
    known = bindings(**{"<name:1>": "fn-{uid}-<region>"})
    name = known.fill("<name:1>")
    assert name.startswith("fn-")
    assert name.endswith("-us-east-1")
    assert known.fill({"<name:1>": ["<name:1>"]}) == {name: [name]}


def test_a_value_that_nobody_gave_is_told() -> None:
    with pytest.raises(Unbound, match="<uuid:1>"):
        bindings().fill("<uuid:1>")


def test_special_values() -> None:
    known = bindings()
    known.bind("<x-size>", 5)
    assert known.fill({"$add": ["<x-size>", 2]}) == 7
    assert known.fill({"$bytes": "AAE="}) == b"\x00\x01"
    packed = known.fill({"$zip": {"a.txt": {"$text": "x", "$pad_to": 4, "$with": "#"}}, "$stored": True})
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.read("a.txt") == b"x###"
