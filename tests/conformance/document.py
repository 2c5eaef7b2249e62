"""docs/api.md: every operation of botocore's Lambda model, how far it goes here, and where it differs from AWS.

`python -m tests.conformance.document` writes it; a test holds it to what the code says.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.conformance.differences import known
from workbench.http.lambda_api import api
from workbench.http.lambda_api.operations import OPERATIONS
from workbench.http.lambda_api.service import load

PATH = Path(__file__).parents[2] / "docs" / "api.md"
TEXTS = json.loads((Path(__file__).parent / "operations.json").read_text(encoding="utf-8"))

_HEAD = """# The Lambda API

Every operation of AWS Lambda's API, as the installed botocore describes them, and how far Workbench goes:

- **full**: it does what AWS does.
- **stored**: validated, kept and returned as on AWS; nothing comes of it when a function runs.
- **refused**: answered with an `InvalidParameterValueException` that names the operation.

Parameters are checked, and answers shaped, by botocore's model. Answers that were recorded from AWS are replayed by
`pytest tests/conformance` where the recordings are beside the checkout.
This page is written by `python -m tests.conformance.document`.

| operation | level | known differences |
|---|---|---|
"""


def text() -> str:
    """The page."""
    assert api.LambdaApi  # importing it registers the operations
    lines = []
    for name in sorted(load().operations):
        level = "refused"
        if name in OPERATIONS:
            level = "stored" if name in TEXTS["stored"] else "full"
        lines.append(f"| {name} | {level} | {TEXTS['differences'].get(name, '')} |\n")
    return _HEAD + "".join(lines) + _everywhere() + _recorded()


def _everywhere() -> str:
    return "\n## Everywhere\n\n" + "".join(f"- {line}\n" for line in TEXTS["everywhere"])


def _recorded() -> str:
    """The recorded answers that are known not to match."""
    lines = [f"- `{scenario}`, `{key}`: {why}\n" for scenario, keys in known().items() for key, why in keys.items()]
    return "\n## Recorded answers that differ\n\n" + ("".join(lines) or "None.\n")


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
