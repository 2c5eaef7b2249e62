"""The last line: the keys of what has the focus, as many as there is room for, and always the one that tells all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rich.cells import cell_len
from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

#: Actions that stand at the right, in this order; the first stays however narrow it is.
LAST = ("app.help", "app.quit", "command_palette")
#: What there is only while it matters most.
FIRST = "app.start_engine"
_MORE = "…"


@dataclass(frozen=True, slots=True)
class Shown:
    """A key as the line shows it."""

    key: str
    display: str
    text: str
    enabled: bool

    @property
    def width(self) -> int:
        """Cells, with a blank before and after."""
        return 1 + cell_len(self.display) + bool(self.display) + cell_len(self.text) + 1


def fitting(keys: Sequence[Shown], last: Sequence[Shown], width: int) -> tuple[list[Shown], list[Shown], bool]:
    """What is shown at the left and at the right of a line, and whether anything is left out. Pure."""
    right = list(last)
    need = sum(shown.width for shown in keys)
    while len(right) > 1 and need + sum(shown.width for shown in right) > width:
        right.pop()
    room = width - sum(shown.width for shown in right)
    if need <= room:
        return list(keys), right, len(right) < len(last)
    left: list[Shown] = []
    room -= Shown("", "", _MORE, False).width
    for shown in keys:
        if shown.width > room:
            break
        left.append(shown)
        room -= shown.width
    return left, right, True


@cache
def _declared(kind: type[DOMNode]) -> dict[str | None, int]:
    """The place of each command among those that a widget declares, before a person gave it another key."""
    declared = [one for base in reversed(kind.__mro__) for one in Binding.make_bindings(vars(base).get("BINDINGS", ()))]
    return {binding.id: place for place, binding in enumerate(declared)}


class KeyLine(Widget):
    """Follows the focus. A click on a key presses it."""

    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; background: $surface; text-wrap: nowrap; }
    """
    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self._known: tuple[list[Shown], list[Shown]] = ([], [])

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def on_unmount(self) -> None:
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _changed(self, screen: Screen[object]) -> None:
        # Below a dialog, the line stays as it was.
        if screen is self.screen is self.app.screen:
            known = self._keys()
            if known != self._known:
                self._known = known
                self.refresh()

    def _keys(self) -> tuple[list[Shown], list[Shown]]:
        mine: dict[str, Shown] = {}
        nodes: dict[DOMNode, int] = {}
        places: dict[str, tuple[bool, int, int]] = {}
        for node, binding, enabled, _ in self.screen.active_bindings.values():
            if (binding.show or binding.action in LAST) and binding.action not in mine:
                mine[binding.action] = self._shown(binding, enabled)
                # A key of a person's own comes last of its widget's, but stands where the command's key would.
                place = nodes.setdefault(node, len(nodes)), _declared(type(node)).get(binding.id, len(mine))
                places[binding.action] = (binding.action != FIRST, *place)
        last = [mine.pop(action) for action in LAST if action in mine]
        return [mine[action] for action in sorted(mine, key=places.__getitem__)], last

    def _shown(self, binding: Binding, enabled: bool) -> Shown:
        return Shown(binding.key, self.app.get_key_display(binding), binding.description, enabled)

    def _places(self) -> list[tuple[int, Shown]]:
        """Where each key begins."""
        left, right, more = fitting(*self._known, self.size.width)
        if more:
            left.append(Shown("", "", _MORE, False))
        places = []
        x = 0
        for shown in left:
            places.append((x, shown))
            x += shown.width
        x = self.size.width - sum(shown.width for shown in right)
        for shown in right:
            places.append((x, shown))
            x += shown.width
        return places

    def render(self) -> Content:
        parts: list[Content | tuple[str, str] | str] = []
        at = 0
        for x, shown in self._places():
            key, text = ("bold $text-accent", "$foreground 80%") if shown.enabled else ("", "$foreground 40%")
            gap = " " if shown.display else ""
            parts += [" " * (x - at + 1), (shown.display, key), gap, (shown.text, text)]
            at = x + 1 + cell_len(shown.display + gap + shown.text)
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        for x, shown in self._places():
            if x <= event.x < x + shown.width and shown.key:
                if shown.enabled:
                    self.app.simulate_key(shown.key)
                else:
                    self.app.bell()
                return
