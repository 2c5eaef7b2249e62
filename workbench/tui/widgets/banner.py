"""The line that says that the engine is gone."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from workbench.model.text import one_line
from workbench.tui.link import Link, LinkState


class Banner(Static):
    """Seen only while there is no engine; the screen below keeps what it last knew."""

    DEFAULT_CSS = """
    Banner {
        display: none;
        height: 1;
        padding: 0 1;
        background: $error 70%;
        color: $text;
        text-style: bold;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &.-shown { display: block; }
    }
    """

    def sync(self, link: Link) -> None:
        """Come up when the engine is lost, with the reason; go when it is back."""
        self.set_class(link.state is LinkState.LOST, "-shown")
        if link.state is LinkState.LOST:
            reason = f"   {one_line(link.reason)}" if link.reason else ""
            self.update(Content.assemble("✗ engine does not answer; trying again", (reason, "not bold")))
