"""Words in an event that are other at each invocation: `{{seq}}`, `{{uuid}}`, `{{now_ms}}`, `{{rand 1 6}}`. Pure."""

from __future__ import annotations

import re
import uuid
from random import Random

#: What the screen says there is.
OFFERED = "{{seq}} {{uuid}} {{now_ms}} {{rand 1 6}}"
_WORD = re.compile(r"\{\{\s*(?:(seq|uuid|now_ms)|rand\s+(-?\d{1,18})\s+(-?\d{1,18}))\s*\}\}")


def has_any(text: str) -> bool:
    """Would `fill` change this text?"""
    return _WORD.search(text) is not None


def fill(text: str, seq: int, now_ms: int, random: Random) -> str:
    """The text with each of these words replaced; any other in double braces stays as it is.

    `seq` counts the invocations from 0, `now_ms` is the time in epoch milliseconds, `{{rand A B}}` an integer from A
    to B, both included.
    """

    def replaced(match: re.Match[str]) -> str:
        word, low, high = match.groups()
        if word == "seq":
            return str(seq)
        if word == "now_ms":
            return str(now_ms)
        if word == "uuid":
            return str(uuid.UUID(int=random.getrandbits(128), version=4))
        return str(random.randint(*sorted((int(low), int(high)))))

    return _WORD.sub(replaced, text)
