"""What a screen shows as data, whatever the screen."""

from __future__ import annotations

from typing import Any

from textual.widget import Widget
from textual.widgets import TextArea

from workbench.tui.exported import body
from workbench.tui.widgets.panel import Panel
from workbench.tui.widgets.rows import RowList


def contents(screen: Widget) -> dict[str, Any]:
    """The rows of every list by its name, the lines of every panel, and the text of every editor."""
    found: dict[str, Any] = {rows.NAME: list(rows.items) for rows in screen.query(RowList)}
    found |= {(panel.id or "text").capitalize(): panel.text.splitlines() for panel in screen.query(Panel)}
    return found | {(area.id or "text").capitalize(): body(area.text) for area in screen.query(TextArea)}
