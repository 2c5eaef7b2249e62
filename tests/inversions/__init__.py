"""Pages of rules (docs/*.md) and, for each rule, a way to break it that one of the rule's tests must notice.

A page's tables have a row a rule, `| rule | tests |`. Its inversions stand beside this file, in a TOML file of the
page's name: each names a rule by the beginning of its text, and a replacement in our code that breaks the rule.

    [[inversion]]
    rule = "INIT has ten seconds on demand"
    file = "workbench/engine/init.py"
    old = "ON_DEMAND_SECONDS = 10.0"
    new = "ON_DEMAND_SECONDS = 11.0"
    tests = [...]    # only where not all tests of the row are meant, or one parameter of a test is enough

`python -m tests.inversions` applies them one by one and runs the tests; `test_pages` checks that the tables are whole.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Rule:
    text: str
    #: Node ids as pytest takes them, `tests/….py::name`.
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inversion:
    rule: Rule
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, text: str) -> str:
        """The file's text with the rule broken.

        Raises:
            ValueError: `old` does not stand in it once.
        """
        if (count := text.count(self.old)) != 1:
            raise ValueError(
                f"{self.rule.text!r}: {self.old!r} stands {count} times in {self.file}; say in tests/inversions/*.toml "
                "what breaks the rule now"
            )
        return text.replace(self.old, self.new)


def pages() -> list[str]:
    """Names of the pages that have inversions."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def rules(page: str) -> list[Rule]:
    """The rules of docs/`page`.md, in order."""
    found = []
    for line in (ROOT / "docs" / f"{page}.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("| ") and cells[0] != "rule":
            found.append(Rule(cells[0], tuple(re.findall(r"`(tests/[\w/]+\.py::[\w:]+)`", cells[-1]))))
    return found


def inversions(page: str) -> list[Inversion]:
    """The inversions of a page.

    Raises:
        ValueError: one names no rule of the page, more than one, or a test that the rule does not name.
    """
    known = rules(page)
    found = []
    for entry in tomllib.loads((FOLDER / f"{page}.toml").read_text())["inversion"]:
        named = [rule for rule in known if rule.text.startswith(entry["rule"])]
        if len(named) != 1:
            raise ValueError(f"{page}.toml: {len(named)} rules of docs/{page}.md begin with {entry['rule']!r}")
        (rule,) = named
        tests = tuple(entry.get("tests", rule.tests))
        if strange := [test for test in tests if not test.startswith(rule.tests)]:
            raise ValueError(f"{page}.toml: {rule.text!r} does not name {strange[0]}")
        found.append(Inversion(rule, entry["file"], entry["old"], entry["new"], tests))
    return found
