"""Every rule of docs/lifecycle.md and its like names tests that exist, and has an inversion that can be made."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.inversions import ROOT, Inversion, Rule, inversions, pages, rules
from tests.inversions.__main__ import chosen

PAGES = sorted({*pages(), "runtime-management"})
RULES = [pytest.param(rule, id=f"{page}: {rule.text[:60]}") for page in PAGES for rule in rules(page)]
INVERSIONS = [pytest.param(one, id=f"{page}: {one.rule.text[:60]}") for page in pages() for one in inversions(page)]


@cache
def defined_in(file: str) -> set[str]:
    return names(ast.parse((ROOT / file).read_text()).body)


def names(body: list[ast.stmt], before: str = "") -> set[str]:
    """Of the tests, and of the classes they are in: as pytest has them behind the file's."""
    found = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(f"{before}{node.name}")
        if isinstance(node, ast.ClassDef):
            found |= names(node.body, f"{before}{node.name}::")
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_rules_and_says_each_once(page: str) -> None:
    texts = [rule.text for rule in rules(page)]
    assert len(texts) == len(set(texts)) > 10


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_tests_that_exist(rule: Rule) -> None:
    assert rule.tests
    for test in rule.tests:
        file, _, name = test.partition("::")
        assert name in defined_in(file), test


@pytest.mark.parametrize("inversion", INVERSIONS)
def test_an_inversion_can_be_made(inversion: Inversion) -> None:
    broken = inversion.apply((ROOT / inversion.file).read_text())
    if inversion.file.endswith(".py"):
        ast.parse(broken)


@pytest.mark.parametrize("page", pages())
def test_every_rule_has_an_inversion(page: str) -> None:
    inverted = {inversion.rule for inversion in inversions(page)}
    assert [rule.text for rule in rules(page) if rule not in inverted] == []


def test_rules_are_chosen_by_page_and_words() -> None:
    assert chosen([]) == {page: rules(page) for page in pages()}
    (found,) = chosen(["lifecycle", "ten", "SECONDS on demand"])["lifecycle"]
    assert found.text.startswith("INIT has ten seconds on demand")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lifecycle", "no", "such", "Words"], "no rule of docs/lifecycle.md has 'no such words' in its text\n"),
        (["nosuch"], f"there is no page 'nosuch' with inversions; there are: {', '.join(pages())}\n"),
    ],
)
def test_where_there_is_no_such_rule_that_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        chosen(arguments)
    assert (ended.value.code, capsys.readouterr().err) == (2, said)
