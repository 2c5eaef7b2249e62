"""One execution environment: what it is, its states so far, what runs in it, its log; and what can be done to it."""

from __future__ import annotations

from itertools import islice
from typing import Any

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from workbench.live.view import EnvironmentView, LogView
from workbench.model.environments import EnvironmentState as State
from workbench.model.environments import Process
from workbench.model.errors import ResourceNotFound
from workbench.model.text import one_line
from workbench.tui.commands import environments, main
from workbench.tui.commands.base import bindings
from workbench.tui.format import age, clock_ms, milliseconds, plural, version
from workbench.tui.history import history
from workbench.tui.mirror import Changed
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.facts import Fact, Facts
from workbench.tui.widgets.panel import Panel
from workbench.tui.widgets.processes import process_table, together

#: Lines of its log that are shown.
_LINES = 200
#: How old what is shown of its processes may become, in nanoseconds.
_FRESH = 1_000_000_000
_COMMANDS = (main.Kill, main.Freeze, main.Fault, environments.GoFunction, main.Export)
_COLOURS = {
    State.CREATING: "$text-accent",
    State.INIT: "$text-accent",
    State.IDLE: "$text-primary",
    State.BUSY: "$text-success",
    State.FROZEN: "$foreground 60%",
    State.STOPPING: "$text-warning",
    State.STOPPED: "$foreground 60%",
    State.FAILED: "bold $text-error",
}


class EnvironmentDetail(Dialog[None]):
    """Stays true while the environment lives, and keeps what it knows when the engine forgets it."""

    DEFAULT_CSS = """
    EnvironmentDetail {
        & > .box { width: 110; height: 92%; padding: 0; background: $background; }
        #history { height: auto; max-height: 9; }
        #processes { height: auto; max-height: 9; }
        #log { height: 1fr; }
        &.-short #history, &.-short #processes { max-height: 6; }
    }
    """
    BINDINGS = bindings(*_COMMANDS)
    AUTO_FOCUS = "#log"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]

    def __init__(self, view: EnvironmentView) -> None:
        super().__init__()
        self._view = view
        #: Lines came that the panel does not show.
        self._stale = True
        self._processes: tuple[Process, ...] = ()
        #: When they were asked for last, on the engine's clock; and whether the answer is still to come.
        self._asked = -_FRESH
        self._asking = False

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        box.border_title = Content(f"Environment {one_line(self._view.id)}")
        words = ("kill", "freeze or thaw", "fault", "function", "export")
        offered = zip(_COMMANDS, words, strict=True)
        hints = [f"{self.workbench.key(command)} {word}" for command, word in offered]
        box.border_subtitle = Content(" · ".join([*hints, "esc back"]))
        with box:
            yield Facts()
            yield Panel("History", id="history")
            yield Panel("Processes", id="processes")
            yield Panel("Log", id="log")

    def on_mount(self) -> None:
        self.sync(Changed.everything())

    def sync(self, changed: Changed) -> None:
        self._stale = self._stale or changed.logs
        if self._stale and changed.tick:
            self._stale = False
            self._draw_log()
        if not (changed.environments or changed.tick or changed.link):
            return
        mirror = self.workbench.mirror
        self._view = view = mirror.environments.get(self._view.id, self._view)
        self.query_one(Facts).show(_facts(view, mirror.now))
        lines = history(view, mirror, _COLOURS)
        if view.invocations:
            text = f"idle, busy and frozen take turns after that: {plural(view.invocations, 'invocation')} so far"
            lines.append(Content.styled(text, "$foreground 50%"))
        self.query_one("#history", Panel).write(Content("\n").join(lines))
        if view.state.final:
            self._say_of_processes("It has ended: nothing of it runs.")
        elif not self._asking and mirror.now - self._asked >= _FRESH:
            self._asking, self._asked = True, mirror.now
            self._ask()

    @work(group="processes")
    async def _ask(self) -> None:
        """Have the engine tell what runs in it, and show that."""
        try:
            self._processes = await self.workbench.link.port.list_processes(self._view.id)
        except ResourceNotFound:
            self._say_of_processes("The engine has it no longer.")
        except Exception as error:
            self._say_of_processes(str(error))
        else:
            self._draw_processes()
        finally:
            self._asking = False

    def _draw_processes(self) -> None:
        if not self.is_mounted or self._view.state.final:
            return
        processes = self._processes
        if not processes:
            self._say_of_processes("Nothing runs in it.")
            return
        panel = self.query_one("#processes", Panel)
        panel.draw(lambda width: process_table(processes, width), together(processes))

    def _say_of_processes(self, words: str) -> None:
        self._processes = ()
        if self.is_mounted:
            self.query_one("#processes", Panel).write(Content.styled(one_line(words), "$foreground 50%"))

    def _log(self) -> list[LogView]:
        """Its lines that are kept, the oldest first."""
        lines = (line for line in self.workbench.mirror.logs if isinstance(line, LogView))
        return [line for line in lines if line.environment == self._view.id]

    def _draw_log(self) -> None:
        """The newest lines that are kept of it, the newest last; the end is in view unless a person scrolled."""
        panel = self.query_one("#log", Panel)
        kept = list(islice(reversed(self._log()), _LINES))[::-1]
        if not kept:
            panel.write(Content.styled("No line of it is kept.", "$foreground 50%"))
            return
        at_end = panel.scroll_y >= panel.max_scroll_y
        panel.write(
            Content("\n").join(
                Content.assemble((f"{clock_ms(line.wall)}  ", "$foreground 55%"), one_line(line.text)) for line in kept
            )
        )
        if at_end:
            self.call_after_refresh(panel.scroll_end, animate=False)

    def document(self) -> dict[str, Any]:
        return {"Environment": self._view, "Processes": self._processes, "Logs": self._log()}

    # -- commands
    def action_kill(self) -> None:
        self.workbench.ask_kill(self._view.id)

    def action_freeze(self) -> None:
        self.workbench.freeze_or_thaw(self._view.id)

    def action_fault(self) -> None:
        self.workbench.ask_fault(self._view.id)

    def action_function(self) -> None:
        self.dismiss(None)
        self.workbench.open_function(self._view.function)


def _facts(view: EnvironmentView, now: int) -> list[Fact]:
    lived = (view.since if view.state.final else now) - view.created
    return [
        ("", f"{view.state.glyph} {view.state.value}", _COLOURS[view.state]),
        ("for", age((now - view.since) / 1e9), ""),
        ("", f"{view.function} → {version(view.version)}", "bold"),
        ("backend", view.backend, ""),
        ("made", "of a spare" if view.road == "spare" else view.road, ""),
        ("pid", str(view.pid) if view.pid is not None else "", ""),
        ("invocations", str(view.invocations), "bold"),
        ("init", milliseconds(view.init_ms) if view.init_ms is not None else "", "$text-accent"),
        ("memory", f"{view.max_memory_mb} of {view.memory_size} MB", ""),
        ("lived" if view.state.final else "age", age(lived / 1e9), ""),
        ("reason", view.reason, ""),
    ]
