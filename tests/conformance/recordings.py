"""The recorded scenarios: where they are, and what they hold.

They are data beside the checkout, not part of it: `WORKBENCH_CONFORMANCE` names the folder, else `shared/conformance`
is looked for beside the checkout and in the folder above. Without them there is nothing to replay.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

VARIABLE = "WORKBENCH_CONFORMANCE"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Calls in their order. `steps` stay as the data spells them."""

    id: str
    variables: Mapping[str, str]
    unordered: frozenset[str]
    steps: Sequence[Mapping[str, Any]]

    @property
    def group(self) -> str:
        return self.id.partition("::")[0]

    @property
    def recorded(self) -> list[str]:
        """The keys of the steps with an answer of AWS."""
        return [step["key"] for step in self.steps if step.get("recorded")]


def folder() -> Path | None:
    """The folder of the recordings, or None."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    for parent in ROOT.parents[:3]:
        found = parent / "shared" / "conformance"
        if found.is_dir():
            return found
    return None


@cache
def scenarios() -> tuple[Scenario, ...]:
    """Every scenario of the control API; none where the recordings are absent."""
    found = folder()
    if found is None:
        return ()
    return tuple(
        Scenario(
            id=item["id"],
            variables=item.get("vars") or {},
            unordered=frozenset(item.get("unordered") or ()),
            steps=item["steps"],
        )
        for file in sorted((found / "lambda_api").glob("*.json"))
        for item in json.loads(file.read_text(encoding="utf-8"))
    )
