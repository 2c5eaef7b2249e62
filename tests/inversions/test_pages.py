"""Every rule of docs/lifecycle.md and its like names tests that exist, and has an inversion that can be made."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.inversions import ROOT, Inversion, Rule, inversions, pages, rules

PAGES = sorted({*pages(), "runtime-management"})
RULES = [pytest.param(rule, id=f"{page}: {rule.text[:60]}") for page in PAGES for rule in rules(page)]
INVERSIONS = [pytest.param(one, id=f"{page}: {one.rule.text[:60]}") for page in pages() for one in inversions(page)]


def names(file: Path) -> set[str]:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, definitions)}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_rules_and_says_each_once(page: str) -> None:
    texts = [rule.text for rule in rules(page)]
    assert len(texts) == len(set(texts)) > 10


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_tests_that_exist(rule: Rule) -> None:
    assert rule.tests
    for test in rule.tests:
        file, *path = test.split("::")
        assert names(ROOT / file) >= set(path), test


@pytest.mark.parametrize("inversion", INVERSIONS)
def test_an_inversion_can_be_made(inversion: Inversion) -> None:
    broken = inversion.apply((ROOT / inversion.file).read_text())
    if inversion.file.endswith(".py"):
        ast.parse(broken)
