"""Fire a function: the event, the qualifier, the invocation type."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Label, Select, Static, TextArea

from workbench.client.placeholders import fill
from workbench.live.view import FunctionView
from workbench.model.environments import Fault
from workbench.model.invocations import InvocationType
from workbench.model.names import LATEST
from workbench.model.text import one_line
from workbench.tui import event_json
from workbench.tui.format import size
from workbench.tui.order import Order, fault_options
from workbench.tui.saved import SavedEvent
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.json_area import JsonArea


class FireDialog(Dialog[Order]):
    """Returns the order, or None for esc. The event is judged while it is typed."""

    DEFAULT_CSS = """
    FireDialog {
        & > .box { width: 100; height: 90%; max-height: 36; background: $surface; padding: 0 1; }
        .row { height: 1; margin: 1 0 0 0; }
        .row Label { color: $foreground 60%; margin: 0 1 0 1; }
        .row Input { width: 1fr; border: none; height: 1; padding: 0 1; background: $background; }
        .row Select { width: 24; }
        .row #type { width: 18; }
        .row #fault { width: 12; }
        .row #saved { width: 1fr; }
        TextArea { height: 1fr; min-height: 3; margin: 1 0 0 0; border: round $foreground 25%; }
        TextArea:focus { border: heavy $primary; }
        #verdict { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        .buttons { margin-top: 0; }
    }
    """
    # Without priority: what was typed just before it reaches the text first.
    BINDINGS = [Binding("ctrl+j,f5", "fire", "Fire", key_display="^j")]
    AUTO_FOCUS = "TextArea"

    def __init__(
        self,
        function: FunctionView,
        events: Sequence[SavedEvent],
        *,
        last: Order | None = None,
        label: str = "last fired",
        qualifier: str | None = None,
    ) -> None:
        super().__init__()
        self._function = function
        self._events = [SavedEvent(label, last.event), *events] if last else list(events)
        self._last = last
        self._qualifier = (last.qualifier if last else None) or qualifier or ""
        self._chosen = 0

    def compose(self) -> ComposeResult:
        qualifiers = [*sorted(self._function.aliases), *reversed(self._function.versions), LATEST]
        box = Vertical(classes="box")
        box.border_title = Content(f"Fire {one_line(self._function.name)}")
        box.border_subtitle = Content("^j or F5 fires · tab next field · esc back")
        text = event_json.editable(self._events[0].text) if self._events else "{}"
        with box:
            with Horizontal(classes="row"):
                yield Label("qualifier")
                yield Input(
                    self._qualifier,
                    id="qualifier",
                    compact=True,
                    placeholder=f"{LATEST}, a version or an alias",
                    suggester=SuggestFromList([one_line(name) for name in qualifiers]),
                )
                yield Label("type")
                yield Select(
                    [(kind.value, kind) for kind in InvocationType],
                    value=self._last.type if self._last else InvocationType.REQUEST_RESPONSE,
                    allow_blank=False,
                    compact=True,
                    id="type",
                )
                yield Label("fault")
                yield Select(fault_options(), value="", allow_blank=False, compact=True, id="fault")
            if len(self._events) > 1:
                with Horizontal(classes="row"):
                    yield Label("event")
                    yield Select(
                        [(Content(one_line(event.name)), index) for index, event in enumerate(self._events)],
                        value=0,
                        allow_blank=False,
                        compact=True,
                        id="saved",
                    )
            yield JsonArea(text, id="event")
            yield Static(id="verdict")
            with Horizontal(classes="buttons"):
                yield Button(
                    Content.assemble(("^j", "bold underline"), " Fire"), id="fire", variant="primary", compact=True
                )
                yield Button(Content.assemble(("esc", "bold underline"), " Cancel"), id="cancel", compact=True)

    def on_mount(self) -> None:
        self._judge()

    @property
    def verdict(self) -> event_json.Verdict:
        """Of the text as it is sent."""
        return event_json.check(fill(self.query_one(TextArea).text, 0, 0, self.workbench.random))

    @on(TextArea.Changed)
    def _judge(self) -> None:
        verdict = self.verdict
        if verdict.good:
            content = Content.assemble(("✓ JSON", "$text-success"), (f"   {size(verdict.size)}", "$foreground 60%"))
        else:
            content = Content.styled(f"✗ {one_line(str(verdict))}", "bold $text-error")
        self.query_one("#verdict", Static).update(content)

    @on(Select.Changed, "#saved")
    def _take_saved(self, event: Select.Changed) -> None:
        if isinstance(event.value, int) and event.value != self._chosen:
            self._chosen = event.value
            self.query_one(TextArea).load_text(event_json.editable(self._events[event.value].text))

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#fire")
    @on(Input.Submitted)
    def action_fire(self) -> None:
        """Fire, or go to where the JSON breaks."""
        verdict = self.verdict
        area = self.query_one(TextArea)
        if not verdict.good:
            area.focus()
            if verdict.line:
                area.move_cursor((verdict.line - 1, verdict.column - 1))
            self.app.bell()
            return
        kind, fault = self.query_one("#type", Select).value, str(self.query_one("#fault", Select).value)
        order = Order(
            self._function.name,
            self.query_one("#qualifier", Input).value.strip() or None,
            area.text,
            kind if isinstance(kind, InvocationType) else InvocationType.REQUEST_RESPONSE,
            Fault(fault) if fault else None,
        )
        if order.problem:
            self.workbench.say(order.problem, title="Not fired", bad=True)
        else:
            self.dismiss(order)
