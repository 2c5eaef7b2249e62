"""Templates as text: CloudFormation's YAML, and nothing that runs, grows or recurs."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from workbench.model.errors import TemplateError
from workbench.templates import document
from workbench.templates.document import MAX_BYTES, MAX_DEPTH, Located, load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "template.yaml"


@pytest.fixture
def read(path: Path) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        path.write_text(text, encoding="utf-8")
        return load(path).root

    return read


@pytest.fixture
def refused(path: Path) -> Callable[[str], str]:
    """The error of a template that must not be read, without its path; found in good time."""

    def refused(text: str) -> str:
        path.write_text(text, encoding="utf-8")
        started = time.monotonic()
        with pytest.raises(TemplateError) as caught:
            load(path)
        assert time.monotonic() - started < 5
        assert caught.value.where in (str(path), *(f"{path}:{line + 1}" for line in range(text.count("\n") + 2)))
        return caught.value.message.removeprefix(str(path))

    return refused


# -- CloudFormation's YAML
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref Name", {"Ref": "Name"}),
        ("!Condition Name", {"Condition": "Name"}),
        ("!Sub 'a-${B}'", {"Fn::Sub": "a-${B}"}),
        ("!Sub ['${A}', {A: 1}]", {"Fn::Sub": ["${A}", {"A": 1}]}),
        ("!GetAtt A.Arn", {"Fn::GetAtt": "A.Arn"}),
        ("!GetAtt [A, Arn]", {"Fn::GetAtt": ["A", "Arn"]}),
        ("!Join ['-', [a, !Ref B]]", {"Fn::Join": ["-", ["a", {"Ref": "B"}]]}),
        ("!If [A, !Ref B, !Ref C]", {"Fn::If": ["A", {"Ref": "B"}, {"Ref": "C"}]}),
        (
            "!Transform {Name: AWS::Include, Parameters: {}}",
            {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {}}},
        ),
        ("!Base64 {Ref: A}", {"Fn::Base64": {"Ref": "A"}}),
    ],
)
def test_short_tags_become_the_long_form(read: Callable[[str], Any], text: str, value: object) -> None:
    assert read(f"a: {text}") == {"a": value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2012-10-17", "2012-10-17"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("yes", True),
        ("512", 512),
        ("1.5", 1.5),
        ("'512'", "512"),
        ("", None),
        ("!!str 5", "5"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_plain_values(read: Callable[[str], Any], text: str, value: object) -> None:
    assert read(f"a: {text}") == {"a": value}


def test_every_mapping_knows_its_line(read: Callable[[str], Any]) -> None:
    root = read("a:\n  b:\n    c: 1\n  d: !Sub x\ne: [{f: 1},\n {g: 2}]\n")
    assert (root.line, root["a"].line, root["a"]["b"].line, root["a"]["d"].line) == (1, 1, 2, 4)
    assert [item.line for item in root["e"]] == [5, 6]


def test_anchors_and_merges_are_read_as_sam_reads_them(read: Callable[[str], Any]) -> None:
    root = read(
        "base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\none: {<<: *base, b: 9}\ntwo: {<<: [*base, *other]}\n"
    )
    assert root["one"] == {"a": 1, "b": 9}
    assert root["two"] == {"a": 1, "b": 2, "c": 4}


# -- JSON
def test_json_templates_are_read_with_their_lines(read: Callable[[str], Any]) -> None:
    value = {
        "Resources": {
            "F": {"Type": "T", "Properties": {"D": 'ü"\\/\t\u2028\U0001f600\\ud83d', "N": [1, 2.5, None, True]}}
        }
    }
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False), json.dumps(value, indent="\t")):
        assert read(text) == value
    root = read(json.dumps(value, indent=2))
    assert root["Resources"]["F"].line == 3


def test_json_errors_have_lines_too(refused: Callable[[str], str]) -> None:
    assert refused('{\n "a": 1,\n "a": 2\n}') == ":3: the key 'a' appears twice"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=12),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_what_json_writes_is_what_is_read(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))
    assume('"<<"' not in path.read_text())  # YAML keeps it for itself
    assert load(path).root == value


# -- errors
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", ":3: the key 'a' appears twice"),
        ("a:\n  b: 1\n  'b': 2\n", ":3: the key 'b' appears twice"),
        ("a: 1\nb: [1\nc: 2\n", ":3: did not find expected ',' or ']'"),
        ("a: 1\n\tb: 2\n", ":2: found "),
        ("a: 'open\n", ":2: found unexpected end of stream"),
        ("a: *nobody\n", ":1: found undefined alias"),
        ("a: 1\n---\nb: 2\n", ":2: but found another document"),
        ("a: 1\n? [x, y]\n: 2\n", ":2: a key must be plain"),
        ("a: 1\n? {x: y}\n: 2\n", ":2: a key must be plain"),
        ("? ~\n: 2\n", ":1: a key must be plain"),
        ("a: 1\nb: !!int x\n", ": invalid literal"),
        ("a: 1\nb: !!binary aGk=\n", ":2: !!binary is not supported"),
        ("a: 1\nb: !!set {x, y}\n", ":2: !!set is not supported"),
        ("b: !!omap [x: 1]\n", ":1: !!omap is not supported"),
        ("b: !!pairs [x: 1]\n", ":1: !!pairs is not supported"),
        ("a: \x01\n", ": "),
        ("a: {<<: 1}\n", ":1: expected a mapping or list of mappings for merging"),
    ],
)
def test_errors_say_where_and_what(refused: Callable[[str], str], text: str, message: str) -> None:
    assert refused(text).startswith(message)


def test_a_missing_template_is_told_by_its_path(path: Path) -> None:
    with pytest.raises(TemplateError, match="cannot be read: No such file"):
        load(path)


def test_a_folder_is_no_template(path: Path) -> None:
    path.mkdir()
    with pytest.raises(TemplateError, match="cannot be read: Is a directory"):
        load(path)


def test_what_is_not_utf8_is_told(path: Path) -> None:
    path.write_bytes(b"a: \xff")
    with pytest.raises(TemplateError, match="it is not UTF-8"):
        load(path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert load(path).root == {"a": 1}


# -- hostile
@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['touch {canary}']",
        "a: !!python/object/new:os.system ['touch {canary}']",
        "a: !!python/object/apply:subprocess.check_output [['touch', '{canary}']]",
        "a: !!python/object:os.system {{}}",
        "a: !!python/name:os.system",
        "a: !!python/module:os",
        "a: !!python/tuple [1]",
        "!!python/object/apply:os.system ['touch {canary}']",
        "? !!python/object/apply:os.system ['touch {canary}']\n: 1",
        "a: !<tag:yaml.org,2002:python/object/apply:os.system> ['touch {canary}']",
        "%TAG ! tag:yaml.org,2002:python/object/apply:\n---\na: !os.system ['touch {canary}']",
        "a: !!js/function 'x'",
        "a: !!x y",
    ],
)
def test_python_tags_are_not_run(refused: Callable[[str], str], tmp_path: Path, text: str) -> None:
    canary = tmp_path / "canary"
    assert "could not determine a constructor for the tag" in refused(text.format(canary=canary))
    assert not canary.exists()


def laughs(levels: int, width: int, how: str) -> str:
    lines = [{"list": "l0: &l0 [ha]", "map": "l0: &l0 {x: ha}", "merge": "l0: &l0 {x: ha}"}[how]]
    for level in range(1, levels + 1):
        below = [f"*l{level - 1}"] * width
        lines.append(
            {
                "list": f"l{level}: &l{level} [{', '.join(below)}]",
                "map": f"l{level}: &l{level} {{{', '.join(f'k{n}: {alias}' for n, alias in enumerate(below))}}}",
                "merge": f"l{level}: &l{level} {{<<: [{', '.join(below)}]}}",
            }[how]
        )
    return "\n".join(lines)


@pytest.mark.parametrize("how", ["list", "map", "merge"])
@pytest.mark.parametrize(("levels", "width"), [(9, 9), (19, 10), (60, 3), (100, 2)])
def test_a_billion_laughs_is_refused_without_the_memory(
    refused: Callable[[str], str], how: str, levels: int, width: int
) -> None:
    tracemalloc.start()
    try:
        assert "its aliases expand to more than" in refused(laughs(levels, width, how))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_many_aliases_are_refused(refused: Callable[[str], str]) -> None:
    assert refused("a: &a 1\nb: [" + "*a, " * 201 + "]") == ":2: more than 200 aliases"
    assert "more than 200 aliases" in refused("a: &a 1\nb: [" + "*a, " * 250_000 + "]")


def test_a_large_text_behind_aliases_is_refused(refused: Callable[[str], str]) -> None:
    assert "expand to more than" in refused(f"a: &a '{'x' * 500_000}'\nb: [" + "*a, " * 100 + "]")


@pytest.mark.parametrize(
    "text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a {b: [{c: *a}]}", "&a [1, *a]", "a: &a {<<: *a}"]
)
def test_an_alias_to_itself_is_refused(refused: Callable[[str], str], text: str) -> None:
    assert "is within what it names" in refused(text)


@pytest.mark.parametrize("depth", [MAX_DEPTH, 500, 5_000, 100_000, 1_000_000])
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "{? "])
def test_deep_nesting_is_refused_before_the_parser_is_in_trouble(
    refused: Callable[[str], str], opening: str, depth: int
) -> None:
    """libyaml's composer would end the process: it recurs in C."""
    message = refused("a:\n " + (opening * depth)[: MAX_BYTES - 10])
    # Newer versions of PyYAML have a limit of their own, which a flow of brackets meets first.
    assert f"nested deeper than {MAX_DEPTH}" in message or "expected" in message or "nesting depth" in message


def test_depth_up_to_the_limit_is_read(read: Callable[[str], Any]) -> None:
    depth = MAX_DEPTH - 1
    assert "a" in read("a: " + "[" * depth + "]" * depth)


@pytest.mark.parametrize(
    "number",
    ["1" + ":1" * 200_000, "1" + ":1" * 200_000 + ".5", "0x" + "f" * 500_000, "9" * 5_000],
    ids=["base 60", "base 60 fraction", "hexadecimal", "decimal"],
)
def test_a_number_that_takes_long_to_read_is_refused(refused: Callable[[str], str], number: str) -> None:
    assert refused(f"a: {number}") == ":1: a number of more than 64 characters"


def test_a_megabyte_is_the_limit(path: Path) -> None:
    head = b"a: |\n  "
    path.write_bytes(head + b"x" * (MAX_BYTES - len(head)))
    assert len(load(path).root["a"]) == MAX_BYTES - len(head)
    path.write_bytes(head + b"x" * (MAX_BYTES - len(head) + 1))
    with pytest.raises(TemplateError, match=f"larger than {MAX_BYTES} bytes"):
        load(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.lists(
        st.sampled_from([*"ab0:-?!&*|>'\"%@`#,[]{}<=~.\n\n   \t\\", "!!", "&a ", "*a ", "<<: ", "- ", ": ", "\u2028"]),
        max_size=30,
    ).map("".join)
)
def test_any_text_is_read_or_refused_in_our_words(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    with suppress(TemplateError):
        load(path)


@pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="there is only one loader here")
def test_the_loader_without_libyaml_reads_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &a {b: [1, !Ref c]}\nd: {<<: *a, e: 2012-10-17}\n"
    path.write_text(text)
    fast = load(path).root
    plain = type("Plain", (yaml.SafeLoader,), {})
    for kind in ("yaml_constructors", "yaml_multi_constructors"):
        setattr(plain, kind, getattr(document._Loader, kind))
    monkeypatch.setattr(document, "_Loader", plain)
    slow = load(path).root
    assert fast == slow == {"a": {"b": [1, {"Ref": "c"}]}, "d": {"b": [1, {"Ref": "c"}], "e": "2012-10-17"}}
    assert isinstance(slow, Located)
    for hostile in ("a: " + "[" * 10_000, laughs(9, 9, "merge"), "a: \x01"):
        path.write_text(hostile)
        with pytest.raises(TemplateError):
            load(path)
