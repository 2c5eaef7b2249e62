"""The recorded steps that Workbench is known not to match, each with its reason.

`differences/<Class>.toml`: a table for each reason, its `scenario` and the `keys` of the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import tomli

FOLDER = Path(__file__).parent / "differences"


@cache
def known() -> Mapping[str, Mapping[str, str]]:
    """By scenario: the keys of its steps that do not match, and why."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted(FOLDER.glob("*.toml")):
        for item in tomli.loads(file.read_text(encoding="utf-8"))["difference"]:
            keys = found.setdefault(item["scenario"], {})
            keys.update(dict.fromkeys(item["keys"], item["reason"]))
    return found
