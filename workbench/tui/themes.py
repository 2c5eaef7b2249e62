"""The two themes that ^t switches between; the palette has Textual's others too."""

from __future__ import annotations

from textual.theme import Theme

DARK = "textual-dark"
#: Textual's light theme has a grey ground, on which the dimmed half of what is told here was hard to read.
LIGHT = Theme(
    name="workbench-light",
    dark=False,
    primary="#004578",
    secondary="#0178D4",
    accent="#ffa62b",
    warning="#ffa62b",
    error="#ba3c5b",
    success="#2f8f55",
    foreground="#000000",
    background="#FFFFFF",
    surface="#F2F2F2",
    panel="#E6E6E6",
    variables={"footer-key-foreground": "#0178D4"},
)
