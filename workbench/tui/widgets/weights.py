"""The weights of an alias as two bars that keys and the mouse move."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from workbench.tui.alias_draft import PRESETS, Draft
from workbench.tui.commands import function as commands
from workbench.tui.commands.base import bindings
from workbench.tui.format import fit, version

#: Cells of a version's number and of its percentage.
NAME, FIGURE = 8, 8


class Moved(Message):
    """The weight was moved to another place: `draft` has it."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft


def _figure(character: str | None) -> bool:
    return character is not None and character in "0123456789."


class WeightBars(Widget, can_focus=True):
    """One bar a version. Without a second version there is nothing to move."""

    DEFAULT_CSS = """
    WeightBars {
        height: 2;
        padding: 0 1;
        &:focus { background: $primary 20%; }
    }
    """
    ALLOW_SELECT = False
    OFFERS = commands.WEIGHTS
    BINDINGS = bindings(*OFFERS)

    def __init__(self, moved: Callable[[Draft], None], typed: Callable[[str], None]) -> None:
        super().__init__()
        self._moved = moved
        self._typed = typed
        self._draft: Draft | None = None
        self._dragging = False

    def show(self, draft: Draft) -> None:
        """Draw this draft's weights."""
        if draft != self._draft:
            self._draft = draft
            self.refresh()

    @property
    def _room(self) -> int:
        return max(4, self.size.width - NAME - FIGURE)

    def render(self) -> Content:
        draft = self._draft
        if draft is None:
            return Content("")
        targets = list(draft.targets.items()) if draft.share is not None else [(draft.version, 1.0)]
        if draft.second is None:
            targets.append(("", 0.0))
        lines = []
        for index, (name, weight) in enumerate(targets):
            if not name:
                lines.append(Content.styled(fit("", NAME) + "no second version", "$foreground 45%"))
                continue
            filled = round(self._room * min(1.0, max(0.0, weight)))
            lines.append(
                Content.assemble(
                    (fit(version(name), NAME), "bold"),
                    ("█" * filled, "$primary" if index == 0 else "$accent"),
                    ("░" * (self._room - filled), "$foreground 25%"),
                    (fit(f"{100 * weight:.5g} %", FIGURE, right=True), "bold"),
                )
            )
        return Content("\n").join(lines)

    # -- keys
    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Figures are the number that is wanted, and no panes of the screen."""
        return self._draft is not None and self._draft.second is not None and _figure(character)

    def on_key(self, event: events.Key) -> None:
        if self.check_consume_key(event.key, event.character):
            event.stop()
            self._typed(event.character or "")

    @property
    def _movable(self) -> Draft | None:
        if self._draft is None or self._draft.second is None:
            self.app.bell()
            return None
        return self._draft

    def action_shift(self, percent: int) -> None:
        if draft := self._movable:
            self._move(draft.shifted(percent))

    def action_preset(self, step: int) -> None:
        if draft := self._movable:
            self._move(draft.next_preset(step))

    def _move(self, draft: Draft) -> None:
        """At once, and not by a message: the next key, be it the one that saves, counts on it."""
        self._moved(draft)

    # -- the mouse
    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._dragging = True
        self.capture_mouse()
        self._drag(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._drag(event)

    def on_mouse_up(self) -> None:
        self._dragging = False
        self.release_mouse()

    def _drag(self, event: events.MouseEvent) -> None:
        """The upper bar is dragged by its own end, the lower one by the second version's."""
        draft = self._draft
        if draft is None or draft.second is None:
            return
        share = (event.x - self.gutter.left - NAME) / self._room
        if event.y - self.gutter.top < 1:
            share = 1.0 - share
        self._move(draft.with_share(round(share, 2)))


class Presets(Widget):
    """Weights in percent to click on; the present one is marked."""

    DEFAULT_CSS = """
    Presets { height: 1; width: 1fr; }
    """
    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self._draft: Draft | None = None

    def show(self, draft: Draft) -> None:
        if draft != self._draft:
            self._draft = draft
            self.refresh()

    def render(self) -> Content:
        share = self._draft.share if self._draft and self._draft.second is not None else None
        parts: list[tuple[str, str]] = []
        for preset in PRESETS:
            here = share is not None and abs(100 * share - preset) < 1e-6
            parts.append((f" {preset} ", "bold reverse" if here else "$foreground 70%"))
        return Content.assemble(*parts, ("%", "$foreground 50%"))

    def on_click(self, event: events.Click) -> None:
        draft = self._draft
        if draft is None or draft.second is None:
            return
        x = 0
        for preset in PRESETS:
            x += len(str(preset)) + 2
            if event.x < x:
                self.post_message(Moved(draft.with_share(preset / 100)))
                return
