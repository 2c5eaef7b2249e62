"""The line that says that the engine is gone."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from workbench.model.text import one_line
from workbench.tui.commands.main import StartEngine
from workbench.tui.link import Link, LinkState
from workbench.tui.shell import key_of


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
        &:hover { background: $error; }
    }
    """

    def sync(self, link: Link, *, starting: bool, startable: bool) -> None:
        """Come up when the engine is lost, with what can be done and the reason; go when it is back."""
        lost = link.state is LinkState.LOST
        self.set_class(lost, "-shown")
        self.screen.set_class(lost, "-lost")
        if starting:
            self.update(Content("… the engine is being started again"))
        elif lost:
            offer = f" · {key_of(self, StartEngine)} starts it again" if startable else ""
            reason = f"   {one_line(link.reason)}" if link.reason else ""
            self.update(Content.assemble(f"✗ engine does not answer; trying again{offer}", (reason, "not bold")))

    async def on_click(self) -> None:
        await self.run_action("app.start_engine")
