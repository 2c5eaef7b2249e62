"""Text of a function, made harmless: nothing of it can move the cursor, set a title, write a clipboard or turn round.

Everything that a function, a caller or an engine wrote passes through here before it is drawn, and is drawn as plain
segments, never as markup. Source of the sequences: ECMA-48 (C0, C1, CSI, OSC and the other strings).
"""

from __future__ import annotations

import re

#: Whole control sequences, so that `\x1b[31m` leaves nothing behind rather than `[31m`. A string sequence (OSC, DCS …)
#: counts only when it ends on its own line: what never ends must not swallow the rest of the text.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
#: ESC, C0 but tab and newline, DEL, C1, and what turns the direction of writing.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: Halves of a pair that stand alone; they cannot be written to a terminal at all.
_SURROGATE = re.compile("[\ud800-\udfff]")
_SUSPECT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def sanitize(text: str) -> str:
    """The text without control sequences, control characters and bidirectional controls. Tabs and newlines stay."""
    if _SUSPECT.search(text) is None:
        return text
    # A carriage return moves the cursor; where a line ends with one, as in the official clients' records, it is an end.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _CONTROL.sub("", _SEQUENCE.sub("", text))
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    return _SURROGATE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """The sanitised text on one line: tabs become two spaces and a newline a visible mark."""
    text = sanitize(text)
    if "\n" in text or "\t" in text:
        text = text.rstrip("\n").replace("\n", " ⏎ ").replace("\t", "  ")
    return text


def shortened(text: str, characters: int) -> str:
    """The text, or its beginning and how much of it is missing."""
    if len(text) <= characters:
        return text
    return f"{text[:characters]} … {len(text) - characters} characters more"
