"""`python -m tests.inversions [PAGE [WORDS]]`: break each rule of a page and see that its tests fail.

Without PAGE, all pages; with WORDS, only the rules whose text has them, and exit code 2 if there is none. Works on a
copy of the tree, so that nothing here changes. Fails when a test that a rule names failed under none of the rule's
inversions.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from tests.inversions import ROOT, Inversion, Rule, inversions, pages, rules

#: A test that has not ended by then is one that a broken rule makes wait for ever: of real environments, of others.
SECONDS, QUICK = 180, 60
#: Exit codes of pytest.
GREEN, RED = 0, 1
SLOW = ("tests/endtoend/", "tests/plugins/")
PATHS = ("", "plugins", "runtimes", "sample_functions")


class Copy:
    """A copy of the tree, in which tests run against the copy's code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        self._env = {**os.environ, "PYTHONPATH": os.pathsep.join(str(folder / path) for path in PATHS)}
        self._age = time.time()
        used = self._run("-c", "import workbench; print(workbench.__file__)").stdout.strip()
        if not Path(used).is_relative_to(folder):
            sys.exit(f"the tests of the copy would run the code of {used}")

    def test(self, *tests: str) -> subprocess.CompletedProcess[str]:
        options = ("-q", "-p", "no:cacheprovider", "--tb=short", "--no-header", "-rfE")
        seconds = sum(SECONDS if test.startswith(SLOW) else QUICK for test in tests)
        return self._run("-m", "pytest", *options, *tests, seconds=seconds)

    def failing(self, *tests: str) -> set[str]:
        """Those that fail as the code is: nothing can be learned from them."""
        lines = self.test(*tests).stdout.splitlines() if tests else []  # without any, pytest would run all
        found = [line.split(" ", 1)[1].split(" - ")[0] for line in lines if line.startswith(("FAILED ", "ERROR "))]
        return {test for test in tests if any(one.startswith(test) for one in found)}

    def write(self, file: str, text: str) -> None:
        """Each text gets a time of its own: cached bytecode is told from the text's by time and size."""
        self._age += 2
        (self.folder / file).write_text(text)
        os.utime(self.folder / file, (self._age, self._age))

    def _run(self, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self._env,
            timeout=seconds,
            capture_output=True,
            text=True,
        )


def broken(copy: Copy, inversion: Inversion, sick: set[str]) -> set[str]:
    """Those of an inversion's tests that fail under it, and not without it."""
    red = set()
    text = (copy.folder / inversion.file).read_text()
    copy.write(inversion.file, inversion.apply(text))
    try:
        for test in inversion.tests:
            if test in sick:
                print(f"  FAILS WITHOUT IT  {test}", flush=True)
                continue
            begun = time.monotonic()
            try:
                code = copy.test(test).returncode
            except subprocess.TimeoutExpired:
                code = RED
            if code not in (GREEN, RED):
                sys.exit(f"{inversion.rule.text!r}: pytest cannot run {test} with {inversion.new!r}")
            if code == RED:
                red.add(test)
            print(f"  {'red' if code == RED else 'GREEN'}  {test}  {time.monotonic() - begun:.0f} s", flush=True)
    finally:
        copy.write(inversion.file, text)
    return red


def chosen(arguments: list[str]) -> dict[str, list[Rule]]:
    """The rules that are meant, by their page; without any it says so and ends with 2."""
    page, words = arguments[:1], " ".join(arguments[1:]).lower()
    if strange := set(page) - set(pages()):
        leave(f"there is no page {strange.pop()!r} with inversions; there are: {', '.join(pages())}")
    meant = {name: [rule for rule in rules(name) if words in rule.text.lower()] for name in page or pages()}
    if not any(meant.values()):
        leave(f"no rule of docs/{page[0]}.md has {words!r} in its text")
    return meant


def leave(why: str) -> NoReturn:
    print(why, file=sys.stderr)
    raise SystemExit(2)


def main() -> None:
    missed = []
    meant_by_page = chosen(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="inversions-") as folder:
        copy = Copy(Path(folder))
        for name, meant in meant_by_page.items():
            table = [inversion for inversion in inversions(name) if inversion.rule in meant]
            sick = copy.failing(*dict.fromkeys(test for inversion in table for test in inversion.tests))
            red: set[str] = set()
            for inversion in table:
                print(f"{inversion.rule.text}\n  {inversion.file}: {inversion.new.strip()!r}", flush=True)
                red |= {f"{inversion.rule.text}{test}" for test in broken(copy, inversion, sick)}
            for rule in meant:
                missed += [
                    f"{name}: {rule.text}: nothing breaks {test}"
                    for test in rule.tests
                    if not any(one.startswith(f"{rule.text}{test}") for one in red)
                ]
            print(f"{name}: {len(meant)} rules, {len(table)} inversions")
    if missed:
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
