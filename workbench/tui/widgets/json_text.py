"""An event or a response as a person likes to read it: indented and lightly coloured, if it is JSON."""

from __future__ import annotations

import json
import re

from textual.content import Content, Span

from workbench.model.text import sanitize
from workbench.tui.format import size

TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|(?P<word>\b(?:true|false|null)\b)"
)
STYLES = {"key": "$text-primary", "string": "$text-success", "number": "$text-accent", "word": "$text-accent"}


def payload(text: str, full_size: int) -> Content:
    """An excerpt of a payload, made harmless. What is cut off says so."""
    if not text:
        return Content.styled("nothing", "$foreground 50%")
    shown = len(text.encode("utf-8", "replace"))
    if full_size > shown:
        note = f"\n… the first {size(shown)} of {size(full_size)}"
        return Content.assemble(sanitize(text), (note, "$text-warning"))
    return coloured(pretty(text))


def pretty(text: str) -> str:
    """JSON with two spaces of indent; other text as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return json.dumps(value, indent=2, ensure_ascii=False)


def coloured(text: str) -> Content:
    """Sanitised text with the tokens of JSON coloured."""
    text = sanitize(text)
    # All at once: adding one style after the other copies them all each time.
    return Content(text, [Span(*match.span(), STYLES[match.lastgroup or "word"]) for match in TOKEN.finditer(text)])
