"""One invocation: where its time went, what it logged, event, response, context, and the environment that it got."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from textual import work
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from workbench.live.view import EnvironmentView, InvocationView, LogView
from workbench.model.errors import WorkbenchError
from workbench.model.history import InvocationRecord
from workbench.model.names import Account
from workbench.model.text import one_line
from workbench.tui import as_code, aws_cli, exported
from workbench.tui.commands import invocation as commands
from workbench.tui.commands import moves
from workbench.tui.commands.base import Command, bindings
from workbench.tui.compared import compared, last_alike
from workbench.tui.format import milliseconds, request_id, size, version
from workbench.tui.mirror import Changed
from workbench.tui.order import Order
from workbench.tui.screens.live import LiveScreen
from workbench.tui.widgets.banner import Banner
from workbench.tui.widgets.crumb import Crumb
from workbench.tui.widgets.facts import Fact
from workbench.tui.widgets.header import Header
from workbench.tui.widgets.invocation_facts import context, environment_story
from workbench.tui.widgets.invocations import STATUSES, TYPES, address, elapsed_ms
from workbench.tui.widgets.json_text import payload
from workbench.tui.widgets.keys import KeyLine
from workbench.tui.widgets.panel import Panel
from workbench.tui.widgets.request_log import RequestLog
from workbench.tui.widgets.tabs import PaneTabs
from workbench.tui.widgets.waterfall import Waterfall

NAMES = ("Timing", "Logs", "Response", "Event", "Context", "Environment")
#: The panes that take turns in a wide terminal, by their place among NAMES.
_TURNS = range(2, 6)
_COLOURS = {"good": "$text-success", "bad": "bold $text-error", "warn": "$text-warning", "run": "bold $text-success"}
#: Characters of a payload that are drawn; the export has all of it.
_SHOWN = 100_000


class InvocationScreen(LiveScreen):
    """Stays true while the invocation runs, and keeps what it knows when the engine forgets it."""

    WIDE, TALL = 100, 26
    OFFERS = commands.SCREEN
    BINDINGS = bindings(*OFFERS)
    AUTO_FOCUS = "Waterfall"
    DEFAULT_CSS = """
    InvocationScreen {
        #panes { height: 1fr; layout: grid; grid-size: 2 2; grid-columns: 1fr 1fr; grid-rows: auto 1fr; }
        &.-single #panes { grid-size: 1 1; grid-columns: 1fr; grid-rows: 1fr; }
        Waterfall { column-span: 2; }
        &.-single Waterfall { column-span: 1; height: 1fr; }
        .turn { display: none; }
        .turn.-shown { display: block; }
    }
    """

    def __init__(self, view: InvocationView) -> None:
        super().__init__()
        self._view = view
        self._environment: EnvironmentView | None = None
        self._record: InvocationRecord | None = None
        self._asked = False
        self._drawn: tuple[object, ...] = ()
        self._account = Account()

    def compose(self) -> ComposeResult:
        yield Header()
        yield Banner()
        yield Crumb("Invocations", request_id(self._view.request_id))
        yield PaneTabs(NAMES)
        with Container(id="panes"):
            waterfall = Waterfall(id="timing")
            waterfall.border_title = Content.assemble(("1 ", "$foreground 50%"), ("Timing", "bold"))
            waterfall.border_subtitle = Content.styled(one_line(self._view.request_id), "$foreground 50%")
            yield waterfall.add_class("pane", "-active")
            yield RequestLog(self._view.request_id).add_class("pane")
            for index in _TURNS:
                panel = Panel("", id=NAMES[index].lower())
                panel.border_title = _turns_title(index)
                yield panel.add_class("pane", "turn", *(["-shown"] if index == _TURNS[0] else []))
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(RequestLog).retitle()
        self.sync(Changed.everything())
        self._ask_account()

    def targets(self) -> Sequence[Widget]:
        return list(self.query(".pane"))

    def show_pane(self, index: int) -> None:
        super().show_pane(index)
        if index in _TURNS:
            for at in _TURNS:
                self.targets()[at].set_class(at == index, "-shown")

    # -- state down
    def sync(self, changed: Changed) -> None:
        super().sync(changed)
        mirror = self.workbench.mirror
        view = mirror.invocations.get(self._view.request_id, self._view)
        environment = mirror.environments.get(view.environment or "", self._environment)
        self.query_one(RequestLog).sync(mirror, changed)
        if view is self._view and view.status.ended and not (changed.environments or changed.link):
            return
        self._view, self._environment = view, environment
        self._draw()
        if view.status.ended and not self._asked:
            self._asked = True
            self._ask()

    def _draw(self) -> None:
        if self.was_left:
            return
        mirror, view = self.workbench.mirror, self._view
        self.query_one(Crumb).show(_facts(view, mirror.now))
        self.query_one(Waterfall).show(view, self._environment, mirror.now)
        record = self._record
        if (shape := (view.status, view.finished, record is not None)) != self._drawn:
            self._drawn = shape
            self._draw_bodies()
        function = mirror.functions.get(view.function)
        self.query_one("#context", Panel).draw(partial(context, view, function, self._account, record))
        others = [other for other in mirror.invocations.values() if other.environment == view.environment]
        key = self.workbench.key(commands.GoEnvironment)
        self.query_one("#environment", Panel).write(environment_story(view, self._environment, others, mirror, key))

    @property
    def _bodies(self) -> tuple[str, str]:
        """Event and response; whole where the history has them."""
        view, record = self._view, self._record
        if record is None:
            return view.event, view.response
        return _text(record.event) or view.event, _text(record.response) or view.response

    def _draw_bodies(self) -> None:
        """Event and response; they are large, and change once."""
        view = self._view
        event, response = self._bodies
        self.query_one("#event", Panel).write(payload(event[:_SHOWN], view.event_size), size(view.event_size))
        waiting = Content.styled("not yet", "$foreground 50%")
        answer = payload(response[:_SHOWN], view.response_size) if view.status.ended else waiting
        self.query_one("#response", Panel).write(answer, size(view.response_size))

    # -- asking the engine
    @work(group="record", exclusive=True)
    async def _ask(self) -> None:
        """The whole of it, from the history; without one the live view's beginning must do."""
        try:
            self._record = await self.workbench.link.port.get_invocation(self._view.request_id)
        except (WorkbenchError, OSError):
            return
        self._draw()

    @work(group="account")
    async def _ask_account(self) -> None:
        try:
            self._account = await self.workbench.link.port.account()
        except (WorkbenchError, OSError):
            return
        self._draw()

    async def _event(self) -> str | None:
        """The whole event; None, and a notice, where it is nowhere to be had."""
        view = self._view
        whole = view.event.encode("utf-8", "replace")
        if len(whole) == view.event_size:
            return view.event
        why = "and the history does not have it yet"
        try:
            record = self._record or await self.workbench.link.port.get_invocation(view.request_id)
            return record.event.decode("utf-8")
        except UnicodeDecodeError:
            why = "and it is no text"
        except (WorkbenchError, OSError) as error:
            why = f"and the history does not have it: {error}"
        self.workbench.say(
            f"The live view keeps the first kilobytes of an event of {size(view.event_size)}, {why}.",
            title="Not replayed",
            bad=True,
        )
        return None

    # -- commands
    def pane_commands(self) -> Sequence[tuple[Widget, str, Sequence[type[Command]]]]:
        return [(self.query_one(RequestLog), "Logs", [*RequestLog.OFFERS, *moves.ROWS, *moves.SIDEWAYS])]

    def available(self, action: str) -> bool:
        return action != "environment" or self._view.environment is not None

    def action_back(self) -> None:
        self.dismiss()

    def action_open(self) -> None:
        if isinstance(line := self.query_one(RequestLog).selected, LogView):
            self.workbench.open_line(line)

    @work(group="replay")
    async def action_replay(self) -> None:
        if (event := await self._event()) is not None:
            self.workbench.fire(Order(self._view.function, self._view.qualifier, event, self._view.type))

    @work(group="replay")
    async def action_edit_replay(self) -> None:
        if (event := await self._event()) is not None:
            order = Order(self._view.function, self._view.qualifier, event, self._view.type)
            self.workbench.open_fire_with(order.function, order, label="this event")

    def action_copy_id(self) -> None:
        self.app.copy_to_clipboard(self._view.request_id)
        self.workbench.say(self._view.request_id, title="✓ Copied", timeout=2)

    @work(group="replay")
    async def action_show_cli(self) -> None:
        if (event := await self._event()) is None:
            return
        endpoint = self.workbench.endpoint
        view = self._view
        text = aws_cli.invoke(view.function, view.qualifier, view.type.value, _compact(event), endpoint=endpoint)
        self._offer("This invocation with the aws CLI 2", text)

    @work(group="replay")
    async def action_show_curl(self) -> None:
        if (event := await self._event()) is not None:
            text = as_code.curl(self._view, _compact(event), self.workbench.endpoint, self._account)
            self._offer("This invocation with curl", text)

    @work(group="replay")
    async def action_show_pytest(self) -> None:
        if not self._view.status.ended:
            self.workbench.say("It has not been answered yet.", title="No pytest case", bad=True)
            return
        if (event := await self._event()) is None:
            return
        _, response = self._bodies
        whole = len(response.encode("utf-8", "replace")) == self._view.response_size
        text = as_code.pytest_case(
            self._view, _compact(event), response if whole else None, self.workbench.endpoint, self._account
        )
        self._offer("This invocation as a pytest case", text)

    def action_compare(self) -> None:
        view = self._view
        last = last_alike(view, self.workbench.mirror.invocations.values())
        if last is None or not view.status.ended:
            why = "No earlier invocation had the same event: r repeats this one." if last is None else "It still runs."
            self.workbench.say(why, title="Nothing to compare", bad=True)
            return
        self._offer("This invocation and the last of the same event", compared(view, last))

    def _offer(self, title: str, text: str) -> None:
        from workbench.tui.screens.snippet import Snippet

        self.workbench.push_screen(Snippet(title, text))

    def document(self) -> dict[str, Any]:
        """Everything that is known of it; event and response as JSON where they are JSON."""
        event, response = self._bodies
        return {
            "Invocation": exported.record(self._view)
            | {"Event": exported.body(event), "Response": exported.body(response)},
            "Logs": self.query_one(RequestLog).kept,
            "Environment": self._environment,
        }

    def action_environment(self) -> None:
        if self._view.environment in self.workbench.mirror.environments:
            self.workbench.open_environment(self._view.environment or "")
        else:
            self.workbench.say("The engine no longer keeps that environment.", title="Environment", bad=True)

    def action_function(self) -> None:
        self.workbench.open_function(self._view.function)


def _facts(view: InvocationView, now: int) -> list[Fact]:
    word, style = STATUSES[view.status]
    return [
        ("", word, _COLOURS.get(style, "")),
        ("", f"{address(view)} → {version(view.version)}" if view.version else address(view), "bold"),
        ("", "cold start" if view.cold else "", "$text-accent"),
        ("ran", milliseconds(elapsed_ms(view, now)), "bold"),
        ("init", milliseconds(view.init_ms) if view.init_ms is not None else "", "$text-accent"),
        ("billed", f"{view.billed_ms} ms" if view.billed_ms else "", ""),
        ("mem", f"{view.max_memory_mb}/{view.memory_size} MB" if view.max_memory_mb else "", ""),
        ("", view.error_type or "", "bold $text-error"),
        ("", TYPES[view.type], ""),
    ]


def _turns_title(index: int) -> Content:
    """The four panes that take turns, the present one bold."""
    parts: list[tuple[str, str]] = []
    for at in _TURNS:
        if parts:
            parts.append((" │ ", "$foreground 30%"))
        parts.append((f"{at + 1} {NAMES[at]}", "bold" if at == index else "$foreground 50%"))
    return Content.assemble(*parts)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _compact(event: str) -> str:
    """JSON on one line, in ASCII; other text as it is."""
    try:
        return json.dumps(json.loads(event), separators=(",", ":"))
    except (ValueError, RecursionError):
        return event
