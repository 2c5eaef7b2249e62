"""Is this text an event? If not, where does it break? Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from workbench.model.text import sanitize

#: AWS's limit of a synchronous invocation's payload (Lambda quotas).
LIMIT = 6 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """`error` is None for good JSON. `line` and `column` count from 1."""

    size: int
    error: str | None = None
    line: int = 0
    column: int = 0

    @property
    def good(self) -> bool:
        return self.error is None

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.error}" if self.line else self.error or ""


def check(text: str) -> Verdict:
    """Judge an event as Lambda would: JSON as of RFC 8259, at most 6 MB, nothing at all counting as `{}`."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if not text.strip():
        return Verdict(size)
    if size > LIMIT:
        return Verdict(size, f"larger than the {LIMIT // (1024 * 1024)} MB that Lambda takes")
    try:
        json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        message = error.msg[:1].lower() + error.msg[1:]
        return Verdict(size, message, error.lineno, error.colno)
    except _Constant as error:
        at = text.find(error.name)
        line = text.count("\n", 0, at) + 1
        return Verdict(size, f"{error.name} is not JSON", line, at - text.rfind("\n", 0, at))
    except RecursionError:
        return Verdict(size, "nested too deeply")
    return Verdict(size)


def editable(text: str) -> str:
    """The text as an editor may draw it: JSON with its control characters escaped; other text loses them."""
    if sanitize(text) == text:
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=True)
    except (ValueError, RecursionError):
        return sanitize(text)


class _Constant(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _no_constant(name: str) -> None:
    raise _Constant(name)
