"""Screens of one page of text: the settings, and what `workbench doctor` tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import work
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from workbench.model.account import AccountSettings
from workbench.model.errors import UsageError
from workbench.model.text import one_line, sanitize
from workbench.tui.commands import lists as commands
from workbench.tui.commands import main
from workbench.tui.commands.base import bindings
from workbench.tui.format import age, number, size
from workbench.tui.mirror import Changed
from workbench.tui.screens.live import LiveScreen
from workbench.tui.widgets.banner import Banner
from workbench.tui.widgets.crumb import Crumb
from workbench.tui.widgets.function_facts import Row, table
from workbench.tui.widgets.header import Header
from workbench.tui.widgets.keys import KeyLine
from workbench.tui.widgets.panel import Panel
from workbench.tui.widgets.tabs import PaneTabs

_DIM = "$foreground 55%"


class Page(LiveScreen):
    """One panel. A subclass says what it is called and fills it."""

    NAME = ""
    WIDE, TALL = 1, 1
    OFFERS = commands.PAGE
    BINDINGS = bindings(*OFFERS)
    AUTO_FOCUS = "Panel"
    DEFAULT_CSS = """
    Page #panes { height: 1fr; }
    Page #page { height: 1fr; }
    """

    def compose(self) -> ComposeResult:
        yield Header()
        yield Banner()
        yield Crumb(self.NAME)
        yield PaneTabs((self.NAME,))
        with Container(id="panes"):
            yield Panel(self.NAME, id="page").add_class("pane", "-active")
        yield KeyLine()

    def on_mount(self) -> None:
        self.sync(Changed.everything())
        self.action_reload()

    @property
    def page(self) -> Panel:
        return self.query_one("#page", Panel)

    def targets(self) -> Sequence[Widget]:
        return (self.page,)

    def action_back(self) -> None:
        self.dismiss()

    def action_reload(self) -> object:
        """Fill the panel anew."""
        raise NotImplementedError


class DoctorScreen(Page):
    """What this machine offers and how to mend each gap, in the words of the command line."""

    NAME = "Doctor"

    def action_reload(self) -> object:
        return self._try()

    @work(group="doctor", exclusive=True)
    async def _try(self) -> None:
        if self.workbench.doctor is None:
            self.page.write(Content.styled("A recording says nothing of this machine: run workbench doctor.", _DIM))
            return
        self.page.write(Content.styled("Trying what works here …", _DIM))
        try:
            said = await self.workbench.doctor()
        except Exception as error:
            self.workbench.say_error(error)
            again = self.workbench.key(commands.Reload)
            self.page.write(Content.styled(f"It could not be told. {again} tries again.", _DIM))
            return
        self.page.write(Content("\n").join(_coloured(line) for line in sanitize(said).splitlines()))


def _coloured(line: str) -> Content:
    """A line of doctor's, with its marks in colour."""
    style = {"✓": "$text-success", "✗": "$text-error", "m": "bold $text-warning"}.get(line.strip()[:1], "")
    if line.strip().startswith("mend:"):
        return Content.styled(line, style)
    if style and line.strip()[:1] in "✓✗":
        mark = line.index(line.strip()[:1])
        return Content.assemble(line[:mark], (line[mark], style), line[mark + 1 :])
    return Content.styled(line, "bold") if line and not line.startswith(" ") and "  " not in line else Content(line)


class SettingsScreen(Page):
    """What this engine was started with, what the account may use, and what this face does with keys and colours."""

    NAME = "Settings"
    _account: AccountSettings | None = None

    def on_mount(self) -> None:
        super().on_mount()
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._draw())

    def sync(self, changed: Changed) -> None:
        super().sync(changed)
        if changed.link or changed.tick:
            self._draw()

    def action_reload(self) -> object:
        return self._ask()

    @work(group="settings", exclusive=True)
    async def _ask(self) -> None:
        try:
            self._account = await self.workbench.link.port.account_settings()
        except UsageError:  # a recording, which has no engine to ask
            self._account = None
        except Exception as error:
            self.workbench.say_error(error)
            return
        self._draw()

    def document(self) -> dict[str, Any]:
        return super().document() | {"Engine": self.workbench.link.status, "Account": self._account}

    def _draw(self) -> None:
        if self.was_left:
            return
        self.page.draw(self._written)

    def _written(self, width: int) -> Content:
        status, account = self.workbench.link.status, self._account
        parts: list[tuple[str, list[Row]]] = []
        if status is not None:
            rows: list[Row] = [
                ("version", status.version),
                ("process", f"pid {status.pid}, up {age(max(0.0, self.workbench.mirror.wall - status.started))}"),
                ("project", status.project),
                ("state", status.state_dir),
                ("backend", status.backend),
                ("", status.backend_why),
                ("boundary", "isolated" if status.isolated else "none: trusted code only"),
                *((name, url) for name, url in sorted(status.urls.items())),
                *(("note", note) for note in status.notes),
            ]
            parts.append(("Engine", rows))
        if account is not None:
            rows = [
                ("concurrency", number(account.concurrent_executions)),
                ("unreserved", number(account.unreserved_concurrent_executions)),
                ("code", size(account.total_code_size)),
                ("functions", number(account.function_count)),
            ]
            parts.append(("Account", rows))
        theme = self.app.theme + ("   NO_COLOR is set" if self.app.no_color else "")
        switch = self.workbench.key(main.SwitchTheme)
        parts.append(
            ("This screen", [("theme", theme), ("", f"{switch} switches dark and light; the palette has more")])
        )
        file = (
            "workbench.toml in the project: backend, account, region, concurrency, idle_stop, history, runtimes, keys"
        )
        parts.append(("To change them", [("", file), ("", "it is read when an engine starts")]))
        lines: list[Content] = []
        for title, rows in parts:
            lines += [Content.styled(one_line(title), "bold $text-primary"), table(rows, width), Content("")]
        return Content("\n").join(lines)
