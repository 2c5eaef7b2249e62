"""docs/api.md says what is so."""

from __future__ import annotations

from tests.conformance.document import PATH, TEXTS, text
from workbench.http.lambda_api.service import load


def test_the_page_is_up_to_date() -> None:
    says, is_so = (lines.splitlines() for lines in (PATH.read_text(encoding="utf-8"), text()))
    # A newer botocore may know operations that nobody has looked at yet.
    unsaid = [line for line in is_so if line not in says and "| refused |" not in line]
    untrue = [line for line in says if line not in is_so]
    assert not unsaid + untrue, "python -m tests.conformance.document writes it anew"


def test_what_is_said_of_operations_names_operations() -> None:
    assert {*TEXTS["stored"], *TEXTS["differences"]} <= load().operations.keys()
