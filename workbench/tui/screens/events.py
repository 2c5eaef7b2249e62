"""Events: choose one, edit it, fire it once or many times, and see what comes back while it comes."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from textual import on, work
from textual.app import ComposeResult, SuspendNotSupported
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Static, TextArea

from workbench.client import placeholders
from workbench.model.environments import Fault
from workbench.model.errors import WorkbenchError
from workbench.model.invocations import InvocationType
from workbench.model.text import one_line
from workbench.tui import aws_cli, event_json
from workbench.tui.commands import events as commands
from workbench.tui.commands import moves
from workbench.tui.commands.base import Command, bindings
from workbench.tui.format import size
from workbench.tui.load import MOST, MOST_AT_ONCE, Plan
from workbench.tui.mirror import Changed
from workbench.tui.order import Order, fault_options
from workbench.tui.saved import SavedEvent, problem_of_name
from workbench.tui.screens.live import LiveScreen
from workbench.tui.widgets.banner import Banner
from workbench.tui.widgets.choice import Choice
from workbench.tui.widgets.crumb import Crumb
from workbench.tui.widgets.event_list import EventList, EventRow, event_rows
from workbench.tui.widgets.header import Header
from workbench.tui.widgets.json_area import JsonArea
from workbench.tui.widgets.json_text import pretty
from workbench.tui.widgets.keys import KeyLine
from workbench.tui.widgets.load_facts import load_facts, nothing_yet
from workbench.tui.widgets.panel import Panel
from workbench.tui.widgets.rows import RowList
from workbench.tui.widgets.tabs import PaneTabs

NAMES = ("Events", "Editor", "Fire", "Result")


class EventsScreen(LiveScreen):
    """What is fired here goes on when the screen is left: the app holds it."""

    OFFERS = commands.SCREEN
    BINDINGS = bindings(*OFFERS)
    WHILE_TYPING = frozenset({"back", "fire", "stop", "save", "tidy", "editor"})
    AUTO_FOCUS = "EventList"
    DEFAULT_CSS = """
    EventsScreen {
        #panes { height: 1fr; layout: grid; grid-size: 3 2; grid-columns: 34 1fr 46; grid-rows: 9 1fr; }
        #events, #editor { row-span: 2; }
        &.-single #panes { grid-size: 1 1; grid-columns: 1fr; grid-rows: 1fr; }
        #editor TextArea { height: 1fr; border: none; padding: 0; background: $background; }
        #verdict, #words { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #words { color: $foreground 50%; }
        #fire .row { height: 1; padding: 0 1; }
        #fire Label { width: 13; color: $foreground 55%; }
        #fire .unit { width: auto; padding: 0 1; }
        #fire Input { width: 1fr; border: none; height: 1; padding: 0 1; background: $surface; }
        #fire Input:focus { background: $primary 25%; }
        #fire .buttons { height: 1; padding: 0 1; align-horizontal: right; }
        #fire Button { margin-left: 2; min-width: 10; }
    }
    """

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        #: What the editor's text came from, and that text.
        self._from = ""
        self._taken = ""
        #: Invocations came that the list of events does not know.
        self._stale = True

    def compose(self) -> ComposeResult:
        yield Header()
        yield Banner()
        yield Crumb("Events")
        yield PaneTabs(NAMES)
        with Container(id="panes"):
            yield EventList(id="events").add_class("pane", "-active")
            with Vertical(id="editor", classes="pane"):
                yield JsonArea("{}", id="event")
                yield Static(placeholders.OFFERED, id="words", markup=False)
                yield Static(id="verdict")
            with Vertical(id="fire", classes="pane"):
                with Horizontal(classes="row"):
                    yield Label("target")
                    yield Input(self._target, id="target", compact=True, placeholder="FUNCTION[:QUALIFIER]")
                with Horizontal(classes="row"):
                    yield Label("type")
                    yield Choice([(kind.value, kind) for kind in InvocationType], id="type")
                with Horizontal(classes="row"):
                    yield Label("fault")
                    yield Choice(fault_options(), id="fault")
                for id, value in (("count", "1"), ("concurrency", "1"), ("rate", "0")):
                    with Horizontal(classes="row"):
                        yield Label("rate/s" if id == "rate" else id)
                        yield Input(value, id=id, compact=True, select_on_focus=True, max_length=8)
                        if id == "rate":
                            yield Label("0 = at once", classes="unit")
                with Horizontal(classes="buttons"):
                    yield Button(
                        Content.assemble((self.workbench.key(commands.Fire), "bold underline"), " Fire"),
                        id="go",
                        variant="primary",
                        compact=True,
                        action="screen.fire",
                    )
                    yield Button("Stop", id="stop", compact=True, action="screen.stop")
            yield Panel("4 Result", id="result").add_class("pane")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one("#editor").border_title = Content.styled("2 Event", "bold")
        self.query_one("#fire").border_title = Content.styled("3 Fire", "bold")
        self.rows.retitle()
        self.sync(Changed.everything())
        own = (row for row in self.rows.items if row.whole and (row.kind == "history" or row.style == "strong"))
        if (row := next(own, None)) is not None:
            self._put(row)
        self._judge()

    # -- parts
    @property
    def rows(self) -> EventList:
        return self.query_one(EventList)

    @property
    def area(self) -> JsonArea:
        return self.query_one(JsonArea)

    def _field(self, id: str) -> str:
        return self.query_one(f"#{id}", Input).value.strip()

    @property
    def _function(self) -> str:
        return self._field("target").partition(":")[0]

    def targets(self) -> Sequence[Widget]:
        return (self.rows, self.area, self.query_one("#target"), self.query_one("#result"))

    # -- state down
    def sync(self, changed: Changed) -> None:
        super().sync(changed)
        if changed.functions or changed.link:
            mirror = self.workbench.mirror
            names = list(mirror.functions)
            for view in mirror.functions.values():
                names += [f"{view.name}:{qualifier}" for qualifier in (*view.aliases, *view.versions)]
            self.query_one("#target", Input).suggester = SuggestFromList([one_line(name) for name in names])
        self._stale = self._stale or changed.invocations or changed.link
        if self._stale and (changed.tick or changed.link):  # four times a second are enough to look through thousands
            self._stale = False
            self._list()
        load = self.workbench.load
        if load is None or load.running or changed.tick or changed.link:
            self._draw()

    def _list(self) -> None:
        mirror = self.workbench.mirror
        self.rows.sync_rows(event_rows(self.workbench.saved, self._function, reversed(mirror.invocations.values())))

    def document(self) -> dict[str, Any]:
        load = self.workbench.load
        return super().document() | {"Load": load.figures() if load is not None else None}

    def _draw(self) -> None:
        load = self.workbench.load
        panel = self.query_one("#result", Panel)
        modified = self._from and self.area.text != self._taken
        facts = [("", self._from, ""), ("", "● modified" if modified else "", "$text-warning")]
        if load is None:
            panel.write(nothing_yet(self.workbench.key(commands.Fire)))
        else:
            order = load.plan.order
            address = f"{order.function}:{order.qualifier}" if order.qualifier else order.function
            panel.draw(partial(load_facts, load), one_line(address))
            facts.append(("", "● firing" if load.running else "", "$text-success"))
        self.query_one(Crumb).show(facts)
        self.query_one("#stop", Button).disabled = load is None or not load.running

    @on(TextArea.Changed)
    def _judge(self) -> None:
        verdict = self._verdict()
        if verdict.good:
            content = Content.assemble(("✓ JSON", "$text-success"), (f"   {size(verdict.size)}", "$foreground 60%"))
        else:
            content = Content.styled(f"✗ {one_line(str(verdict))}", "bold $text-error")
        self.query_one("#verdict", Static).update(content)
        self._draw()

    def _verdict(self) -> event_json.Verdict:
        """Of the text as the first invocation gets it."""
        return event_json.check(placeholders.fill(self.area.text, 0, 0, self.workbench.random))

    # -- messages up
    @on(Input.Changed, "#target")
    def _retarget(self) -> None:
        self._list()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_fire()

    @on(RowList.Opened)
    def _opened(self) -> None:
        self.action_take()

    # -- commands
    def pane_commands(self) -> Sequence[tuple[Widget, str, Sequence[type[Command]]]]:
        return [(self.rows, "Events", [*commands.LIST, *moves.ROWS])]

    def available(self, action: str) -> bool:
        return action != "stop" or (self.workbench.load is not None and self.workbench.load.running)

    def action_back(self) -> None:
        if self.focused is None or self.focused is self.rows:
            self.dismiss()
        else:
            self.action_pane(0)

    @work(group="take", exclusive=True)
    async def action_take(self) -> None:
        row = self.rows.selected
        if row is None:
            return
        if not row.whole:
            try:
                record = await self.workbench.link.port.get_invocation(row.request_id)
                row = EventRow(row.kind, row.name, record.event.decode("utf-8"), row.request_id)
            except (WorkbenchError, OSError, UnicodeDecodeError) as error:
                self.workbench.say(f"The whole event is not to be had: {error}", title="Event", bad=True)
                return
        self._put(row)
        self.action_pane(1)

    def _put(self, row: EventRow) -> None:
        """The event's text into the editor, as an edit that can be undone there."""
        self._from = {"saved": f"{row.name}.json", "sample": f"sample {row.name}"}.get(row.kind, "fired before")
        self._taken = event_json.editable(row.text)
        area = self.area
        area.replace(self._taken, (0, 0), area.document.end)
        area.move_cursor((0, 0))

    def action_tidy(self) -> None:
        area = self.area
        if self._verdict().good and (text := pretty(area.text)) != area.text:
            area.replace(text, (0, 0), area.document.end)

    def action_save(self) -> None:
        from workbench.tui.screens.ask import Ask

        if not self._verdict().good:
            self.workbench.say("It is no JSON yet.", title="Not saved", bad=True)
            return
        text = f"events/NAME.json of the project. Names that begin with {self._function or 'a function'} belong to it."
        name = self._from.removesuffix(".json") if self._from.endswith(".json") else self._function
        self.app.push_screen(Ask("Save the event as", text, name, problem_of_name), self._save_as)

    def _save_as(self, name: str | None) -> None:
        if name is None:
            return
        event = SavedEvent(name, self.area.text)
        try:
            self.workbench.save_event(event)
        except (WorkbenchError, OSError) as error:
            self.workbench.say_error(error)
            return
        self._from, self._taken = f"{name}.json", event.text
        self._list()
        self._draw()
        self.workbench.say(f"events/{name}.json", title="✓ Saved")

    def action_editor(self) -> None:
        """The person's own editor; the screen waits for it."""
        command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
        if not command:
            self.workbench.say("Neither VISUAL nor EDITOR is set; EDITOR=vi would do.", title="$EDITOR", bad=True)
            return
        area = self.area
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "event.json"
            path.write_text(area.text, "utf-8")
            try:
                with self.app.suspend():
                    subprocess.run([*shlex.split(command), str(path)], check=True)
                text = event_json.editable(path.read_text("utf-8"))
            except SuspendNotSupported:
                self.workbench.say("This terminal cannot be lent to another program.", title="$EDITOR", bad=True)
                return
            except (OSError, ValueError, subprocess.CalledProcessError) as error:
                self.workbench.say_error(error)
                return
        if text != area.text:
            area.replace(text, (0, 0), area.document.end)
        self.app.refresh(layout=True)

    def action_fire(self) -> None:
        """Fire, or go to what is wrong."""
        verdict = self._verdict()
        if not verdict.good:
            self.action_pane(1)
            if verdict.line and not placeholders.has_any(self.area.text):
                self.area.move_cursor((verdict.line - 1, verdict.column - 1))
            self.app.bell()
            return
        plan = self._plan()
        if isinstance(plan, str):
            self.workbench.say(plan, title="Not fired", bad=True)
        elif self.workbench.load is not None and self.workbench.load.running:
            stop = self.workbench.key(commands.Stop)
            self.workbench.say(f"The last ones are under way: {stop} stops them.", title="Not fired", bad=True)
        else:
            self.workbench.fire_load(plan)
            if self.has_class("-single"):
                self.action_pane(3)
            self.refresh_bindings()
            self._draw()

    def _plan(self) -> Plan | str:
        """What the fields ask for, or what is wrong with one."""
        function, _, qualifier = self._field("target").partition(":")
        if function not in self.workbench.mirror.functions:
            return f"There is no function {function}." if function else "Name a function in the field “target”."
        figures = []
        for id, least, most in (("count", 1, MOST), ("concurrency", 1, MOST_AT_ONCE), ("rate", 0, 1_000_000)):
            try:
                figure = float(self._field(id)) if id == "rate" else int(self._field(id))
            except ValueError:
                figure = -1
            if not least <= figure <= most:
                return f"{id} is a number from {least} to {most}, not “{self._field(id)}”."
            figures.append(figure)
        kind = self.query_one("#type", Choice).value
        fault = str(self.query_one("#fault", Choice).value)
        kind = InvocationType(str(kind))
        order = Order(function, qualifier or None, self.area.text, kind, Fault(fault) if fault else None)
        if order.problem:
            return order.problem
        return Plan(order, int(figures[0]), int(figures[1]), figures[2])

    def action_stop(self) -> None:
        if self.workbench.load is not None:
            self.workbench.load.stop()

    def action_show_cli(self) -> None:
        from workbench.tui.screens.snippet import Snippet

        plan = self._plan()
        if isinstance(plan, str):
            self.workbench.say(plan, title="aws CLI", bad=True)
            return
        order = plan.order
        event = order.text(0, self.workbench.mirror.wall, self.workbench.random)
        text = aws_cli.invoke(
            order.function, order.qualifier, order.type.value, event, endpoint=self.workbench.endpoint
        )
        if order.fault is not None:
            text += f"\n# the fault is Workbench's own: workbench fire {order.function} --fault {order.fault.value}"
        self.app.push_screen(Snippet("This invocation with the aws CLI 2", text))
