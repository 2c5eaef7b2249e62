"""`python -m tests.conformance.report [TEXT...]`: how many recorded steps match, class by class.

TEXT: only scenarios whose id has one of these; their misses are then shown in full.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.conformance import recordings
from tests.conformance.differences import known
from tests.conformance.replay import replay
from tests.conformance.target import open_target


def main(wanted: list[str]) -> int:
    """Print the report; 1 when something missed that is not on the list of known differences."""
    chosen = [one for one in recordings.scenarios() if not wanted or any(text in one.id for text in wanted)]
    if not chosen:
        print(f"nothing to replay: {recordings.folder() or 'no recordings'}", file=sys.stderr)
        return 2
    steps: Counter[str] = Counter()
    matched: Counter[str] = Counter()
    surprises = 0
    with tempfile.TemporaryDirectory() as folder, open_target(Path(folder)) as target:
        for scenario in chosen:
            outcome = replay(scenario, target)
            steps[scenario.group] += len(outcome.steps)
            matched[scenario.group] += len(outcome.steps) - len(outcome.missed)
            surprises += len(outcome.missed ^ known().get(scenario.id, {}).keys())
            if wanted:
                _show(scenario.id, outcome.steps, outcome.context)
    for group in steps:
        print(f"{group:32} {matched[group]:4} / {steps[group]:4}")
    print(f"{'all':32} {matched.total():4} / {steps.total():4}   not as listed: {surprises}")
    return 1 if surprises else 0


def _show(name: str, steps: dict[str, list[str]], context: list[str]) -> None:
    for line in context:
        print(f"{name}: {line}")
    for key, differences in steps.items():
        for difference in differences:
            print(f"{name} [{key}]{difference}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
