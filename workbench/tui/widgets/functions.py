"""The functions: what each alias points to, what runs now, what went wrong."""

from __future__ import annotations

from collections.abc import Hashable

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.widget import Widget
from textual.widgets import Input

from workbench.live.view import FunctionView
from workbench.model.functions import FunctionState
from workbench.tui.commands import main as commands
from workbench.tui.commands.base import bindings
from workbench.tui.format import milliseconds, share, short, version
from workbench.tui.mirror import Changed, Mirror
from workbench.tui.shell import key_of
from workbench.tui.widgets.columns import Column
from workbench.tui.widgets.drawn_rows import Piece
from workbench.tui.widgets.rows import Edge, RowList


class FunctionList(RowList[FunctionView]):
    """One function a row, by name. The selected one is what fire fires."""

    NAME = "Functions"
    NUMBER = 1
    EDGE = Edge.NONE
    COLUMNS = (
        Column("name", "NAME", 12, flex=2, most=40),
        Column("points", "ALIAS→VER", 13, keep=70, flex=3, most=44),
        Column("runtime", "RUNTIME", 11, keep=15),
        Column("memory", "MEM", 5, keep=10, right=True),
        Column("running", "RUN", 3, keep=90, right=True),
        Column("invocations", "INV", 4, keep=55, right=True),
        Column("errors", "ERR", 4, keep=60, right=True),
        Column("cold", "COLD", 4, keep=30, right=True),
        Column("mean", "MEAN", 7, keep=40, right=True),
    )
    OFFERS = (commands.Open,)
    BINDINGS = bindings(*OFFERS)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.query_text = ""
        self.deployable = False
        self._all: list[FunctionView] = []

    def sync(self, mirror: Mirror, changed: Changed) -> None:
        """Take the functions over when one of them changed."""
        if changed.functions:
            self._all = [mirror.functions[name] for name in sorted(mirror.functions)]
            self._strips.clear()
            self.show(self._matching())

    def narrow(self, query: str) -> None:
        """Show only the functions whose name matches."""
        self.query_text = query.strip()
        self.show(self._matching())
        if self.query_text:
            self.select(0)

    def _matching(self) -> list[FunctionView]:
        if not self.query_text:
            return self._all
        search = FuzzySearch()
        scored = [(search.match(self.query_text, view.name)[0], view) for view in self._all]
        scored.sort(key=lambda found: -found[0])
        return [view for score, view in scored if score > 0]

    def key(self, item: FunctionView) -> Hashable:
        return item.name

    def stamp(self, item: FunctionView) -> Hashable:
        return item.name  # until the next ones come in

    def piece(self, item: FunctionView, column: str, width: int) -> Piece | list[Piece]:
        match column:
            case "name":
                return (item.name, "strong")
            case "points":
                return _points(item, width)
            case "runtime":
                return (item.runtime, "dim")
            case "memory":
                return (f"{item.memory_size}M", "dim")
            case "running":
                return (str(item.running), "run") if item.running else ("0", "faint")
            case "invocations":
                return (short(item.invocations), "" if item.invocations else "faint")
            case "errors":
                return (share(item.errors, item.invocations), "bad" if item.errors else "faint")
            case "cold":
                return (share(item.cold_starts, item.invocations), "cold" if item.cold_starts else "faint")
            case _:
                ended = item.invocations - item.running
                return (milliseconds(item.duration_ms / ended if ended > 0 else None), "" if ended > 0 else "faint")

    def title(self) -> Content:
        shown, there = len(self._matching()), len(self._all)
        count = f"{shown}/{there}" if self.query_text else str(there)
        found = f"  / {self.query_text}" if self.query_text else ""
        return Content.assemble(self.name_of_list(), (f"  {count}", "$foreground 60%"), (found, "$text-primary"))

    @property
    def framed(self) -> Widget:
        return self.parent if isinstance(self.parent, FunctionsPane) else self

    def empty(self) -> str:
        if self._all:
            return f"No function matches “{self.query_text}”.\n\n{key_of(self, commands.Back)} clears the filter."
        key = key_of(self, commands.Deploy)
        if self.deployable:
            return f"No functions yet.\n\nPress {key} to deploy the template of this project."
        return "No functions yet.\n\nRun `workbench deploy` in a project with a template.yaml."


def _points(view: FunctionView, width: int) -> Piece:
    """The first alias with its versions and weights; without one, the newest published version."""
    if view.state is not FunctionState.ACTIVE:
        return (view.state.value, "bad" if view.state is FunctionState.FAILED else "warn")
    if not view.aliases:
        return (f"version {view.versions[-1]}" if view.versions else "$LATEST", "dim")
    name, targets = next(iter(sorted(view.aliases.items())))
    more = f" +{len(view.aliases) - 1}" if len(view.aliases) > 1 else ""
    primary, *others = targets.items()
    if not others:
        return (f"{name}→{version(primary[0])}{more}", "")
    text = f"{name}→" + " ".join(f"{version(number)} {weight * 100:.3g}%" for number, weight in targets.items()) + more
    if len(text) > width:  # the additional version and its weight say it all
        text = f"{name}→{version(primary[0])} +{version(others[0][0])} {others[0][1] * 100:.3g}%{more}"
    return (text, "")


class Filter(Input):
    """Where the filter is typed. The screen's `back` clears it."""

    BINDINGS = [
        Binding("escape", "screen.back", "clear", key_display="esc"),
        Binding("enter", "submit", "keep", key_display="⏎"),
    ]

    async def action_submit(self) -> None:
        """At once, and not by a message: the next key belongs to the list already."""
        if isinstance(self.parent, FunctionsPane):
            self.parent.keep_filter()


class FunctionsPane(Vertical):
    """The list, and under it the line in which its filter is typed."""

    DEFAULT_CSS = """
    FunctionsPane {
        & > FunctionList { height: 1fr; }
        & > #filter { display: none; height: 1; border: none; padding: 0 1; background: $surface; }
    }
    """

    def compose(self) -> ComposeResult:
        yield FunctionList(id="functions-list")
        yield Filter(placeholder="filter by name", id="filter", compact=True, select_on_focus=False)

    @property
    def list(self) -> FunctionList:
        return self.query_one(FunctionList)

    def open_filter(self) -> None:
        box = self.query_one(Input)
        # Shown and focused now, not a turn later: what is typed in one go after the slash belongs to the filter.
        box.display = True
        self.screen.set_focus(box)

    def clear_filter(self) -> bool:
        """Drop the filter; False if there was none."""
        box = self.query_one(Input)
        was = bool(box.value) or box.has_focus
        box.value = ""
        if box.has_focus:
            self.list.focus()
        box.display = False
        return was

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        self.list.narrow(event.value)

    def keep_filter(self) -> None:
        """Leave the filter as it is and go back to the list, at once."""
        box = self.query_one(Input)
        self.screen.set_focus(self.list)
        box.display = bool(box.value)
