"""One invocation: its times, its event and response, and what it logged."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content

from workbench.live.view import InvocationView
from workbench.model.text import one_line
from workbench.tui.format import clock_ms, milliseconds, size, version
from workbench.tui.mirror import Changed
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.facts import Fact, Facts
from workbench.tui.widgets.invocations import STATUSES, TYPES, address, elapsed_ms
from workbench.tui.widgets.json_text import payload
from workbench.tui.widgets.panel import Panel
from workbench.tui.widgets.request_log import RequestLog
from workbench.tui.widgets.waterfall import Waterfall


class InvocationDetail(Dialog[None]):
    """Stays true while the invocation runs, and keeps what it knows when the engine forgets it."""

    DEFAULT_CSS = """
    InvocationDetail {
        & > .box { width: 100%; height: 100%; max-width: 140; max-height: 44; padding: 0; background: $background; }
        Facts { margin: 0; }
        .panels { layout: grid; grid-size: 2 2; grid-columns: 1fr 1fr; grid-rows: 1fr 1fr; height: 1fr; }
        RequestLog { row-span: 2; padding: 0; }
        &.-narrow .panels { grid-size: 1 3; grid-columns: 1fr; grid-rows: 1fr 1fr 1fr; }
        &.-narrow RequestLog { row-span: 1; }
        &.-low Waterfall { display: none; }
    }
    """
    AUTO_FOCUS = "RequestLog"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]

    def __init__(self, view: InvocationView) -> None:
        super().__init__()
        self._view = view

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        box.border_title = Content(f"Invocation {one_line(self._view.request_id)}")
        box.border_subtitle = Content("tab next panel · esc back")
        with box:
            yield Facts()
            yield Waterfall()
            with Container(classes="panels"):
                yield RequestLog(self._view.request_id).add_class("panel")
                yield Panel("Event", id="event")
                yield Panel("Response", id="response")

    def on_mount(self) -> None:
        self.sync(Changed.everything())

    def sync(self, changed: Changed) -> None:
        mirror = self.workbench.mirror
        view = mirror.invocations.get(self._view.request_id, self._view)
        self.query_one(RequestLog).sync(mirror, changed)
        if not changed.invocations and view.status.ended and not changed.link:
            return
        self._view = view
        self.query_one(Facts).show(_facts(view, mirror.now))
        self.query_one(Waterfall).show(view, mirror.now)
        self.query_one("#event", Panel).write(payload(view.event, view.event_size), size(view.event_size))
        waiting = Content.styled("not yet", "$foreground 50%")
        response = payload(view.response, view.response_size) if view.status.ended else waiting
        self.query_one("#response", Panel).write(response, size(view.response_size))


def _facts(view: InvocationView, now: int) -> list[Fact]:
    word, style = STATUSES[view.status]
    colours = {"good": "$text-success", "bad": "bold $text-error", "warn": "$text-warning", "run": "bold $text-success"}
    return [
        ("", word, colours.get(style, "")),
        ("", f"{address(view)} → {version(view.version)}" if view.version else address(view), "bold"),
        ("", TYPES[view.type], ""),
        ("environment", view.environment or "", ""),
        ("", "cold start" if view.cold else "", "$text-accent"),
        ("accepted", clock_ms(view.wall), ""),
        ("ran", milliseconds(elapsed_ms(view, now)), "bold"),
        ("init", milliseconds(view.init_ms) if view.init_ms is not None else "", "$text-accent"),
        ("billed", f"{view.billed_ms} ms" if view.billed_ms else "", ""),
        ("memory", f"{view.max_memory_mb} of {view.memory_size} MB" if view.max_memory_mb else "", ""),
        ("error", view.error_type or "", "bold $text-error"),
        ("why", view.why, ""),
    ]
