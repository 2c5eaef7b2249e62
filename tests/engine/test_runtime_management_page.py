"""docs/runtime-management.md names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "runtime-management.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def test_every_rule_names_a_test() -> None:
    rules = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| rule")]
    assert len(rules) > 20
    assert all(re.search(r"`tests/\S+::\w+` \|$", rule) for rule in rules)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
