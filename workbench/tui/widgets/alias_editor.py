"""The alias editor: two versions, their weights, AWS's rules while one types."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, Select, Static
from textual.widgets.input import Selection

from workbench.model.functions import FunctionVersion
from workbench.model.text import one_line
from workbench.tui.alias_draft import Draft, Verdict, check
from workbench.tui.commands import function as commands
from workbench.tui.commands.base import Command
from workbench.tui.edits import routing
from workbench.tui.format import number
from workbench.tui.observed import Split
from workbench.tui.shell import key_of
from workbench.tui.widgets.aliases import observed_text
from workbench.tui.widgets.choice import Choice
from workbench.tui.widgets.field import Field
from workbench.tui.widgets.weights import Moved, Presets, WeightBars

_NONE = ""
_COLOURS = {Verdict.BROKEN: "$text-error", Verdict.DOUBTFUL: "bold $text-warning", Verdict.KEPT: "$text-success"}
_ORDER = tuple(_COLOURS)


class AliasEditor(Vertical):
    """Holds a draft. What it began from is `base`; while the two are equal it follows the engine."""

    DEFAULT_CSS = """
    AliasEditor {
        height: auto;
        .row { height: 1; padding: 0 1; }
        .row Label { width: 9; color: $foreground 55%; }
        .row .second { width: auto; margin: 0 1 0 2; }
        .row Input {
            width: 1fr; border: none; height: 1; padding: 0 1; background: $surface;
            &:focus { background: $primary 25%; }
        }
        .row #weight { width: 10; margin: 0 1 0 0; }
        .row Select { width: 12; }
        .row Select:focus > SelectCurrent { background: $primary 35%; }
        Select > SelectOverlay { border: round $foreground 25%; }
        #new-name { display: none; }
        &.-new #new-name { display: block; }
        #ramp { display: none; }
        &.-ramp #ramp { display: block; }
        #observed, #checks, #ramp { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        .buttons { height: 1; padding: 0 1; align-horizontal: right; }
        .buttons Button { margin-left: 2; min-width: 12; }
        &.-empty > * { display: none; }
        &.-empty > #hint { display: block; }
        #hint { display: none; padding: 0 1; color: $foreground 60%; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="-empty")
        self.base: Draft | None = None
        self._draft: Draft | None = None
        self._versions: Mapping[str, FunctionVersion] = {}
        self._aliases: Collection[str] = ()
        self._observed = Split()
        #: The alias as another person or program has changed it since the draft was begun.
        self._newer: Draft | None = None
        self._hint = ""
        self._ramp = ("", False)
        self._offered: dict[str, list[str]] = {}

    def compose(self) -> ComposeResult:
        yield Static(id="hint")
        with Horizontal(classes="row", id="new-name"):
            yield Label("name")
            yield Input(id="name", compact=True, placeholder="letters, digits, - and _")
        with Horizontal(classes="row"):
            yield Label("version")
            yield Choice([("$LATEST", "$LATEST")], id="version")
            yield Label("second", classes="second")
            yield Choice([("none", _NONE)], id="second")
        with Horizontal(classes="row", id="weights"):
            yield Label("weight")
            yield Input(id="weight", compact=True, select_on_focus=True, max_length=8)
            yield Presets()
        yield WeightBars(self._take, self._type_weight)
        with Horizontal(classes="row"):
            yield Label("about")
            yield Field(id="description", placeholder="description")
        yield Static(id="observed")
        yield Static(id="ramp")
        yield Static(id="checks")
        with Horizontal(classes="buttons"):
            yield Button(self._named(commands.Ramp, "Ramp…"), id="ramp-it", compact=True, action="screen.ramp")
            yield Button(
                self._named(commands.Save, "Save"),
                id="save",
                variant="primary",
                compact=True,
                action="screen.save",
            )
            yield Button(
                self._named(commands.Back, "Discard"),
                id="discard",
                compact=True,
                action="screen.discard",
            )

    # -- state
    @property
    def draft(self) -> Draft | None:
        """What stands in the fields now, even if their messages are still on their way."""
        draft = self._draft
        if draft is None:
            return None
        second = self.query_one("#second", Select).value
        return replace(
            draft,
            name=self.query_one("#name", Input).value,
            version=str(self.query_one("#version", Select).value),
            second=str(second) or None,
            weight=self.query_one("#weight", Input).value,
            description=self.query_one("#description", Field).text,
        )

    def rebase(self, base: Draft) -> None:
        """The draft was saved as `base`, and changed since."""
        self.base = base
        if self._draft is not None:
            self._draft = replace(self._draft, revision=base.revision)
        self._show()

    @property
    def edited(self) -> bool:
        """Is there something to save?"""
        draft = self.draft
        return draft is not None and (draft != self.base or draft.new)

    @property
    def problems(self) -> list[str]:
        """What AWS would refuse."""
        draft = self.draft
        if draft is None:
            return []
        return [found.text for found in check(draft, self._versions, self._aliases) if found.bad]

    def know(self, versions: Mapping[str, FunctionVersion], aliases: Collection[str]) -> None:
        """What there is to choose from and to collide with."""
        if versions == self._versions and set(aliases) == set(self._aliases):
            return
        self._versions, self._aliases = dict(versions), tuple(aliases)
        self._fill()
        self._show()

    def observe(self, split: Split) -> None:
        """How the alias' invocations were split."""
        if split != self._observed:
            self._observed = split
            self._show_observed()

    def _named(self, command: type[Command], word: str) -> Content:
        """What a button says: the key that does the same, and a word."""
        return Content.assemble((key_of(self, command), "bold underline"), f" {word}")

    def ramp(self, text: str, running: bool) -> None:
        """Where the alias' ramp stands; empty without one."""
        if (text, running) != self._ramp:
            self._ramp = (text, running)
            self.set_class(bool(text), "-ramp")
            more = (f"{key_of(self, commands.StopRamp)} ends it  ", "$text-accent") if running else ("", "")
            line = Content.assemble(("ramp  ", "$foreground 55%"), more, (one_line(text), "bold $text-warning"))
            self.query_one("#ramp", Static).update(line)

    def hint(self, text: str) -> None:
        """What to say while there is no alias to edit."""
        if text != self._hint:
            self._hint = text
            self.query_one("#hint", Static).update(Content(text))

    def begin(self, draft: Draft | None) -> None:
        """Edit this draft from now on; None: nothing."""
        self.base = self._draft = draft
        self._newer = None
        self._observed = Split()
        self._fill()
        self._show()

    def follow(self, draft: Draft | None) -> None:
        """The engine has this now; an edited draft is kept, and told that it is no longer the newest."""
        if not self.edited:
            if draft != self.base:
                self.begin(draft)
        elif draft is not None and self.base is not None and not self.base.new and draft.name == self.base.name:
            newer = draft if draft != self.base else None
            if newer != self._newer:
                self._newer = newer
                self._show()

    def discard(self) -> None:
        """Back to what the engine has."""
        base = self._newer or self.base
        self.begin(base if base is not None and not base.new else None)

    def aim(self) -> None:
        """Put the focus where an edit most likely begins."""
        draft = self.draft
        if draft is None:
            return
        target = "#name" if draft.new else "#second" if draft.second is None else WeightBars
        self.screen.set_focus(self.query_one(target))

    # -- drawing
    def _fill(self) -> None:
        """Bring the fields to the draft, without their telling of it."""
        draft = self._draft
        self.set_class(draft is None, "-empty")
        if draft is None:
            return
        self.set_class(draft.new, "-new")
        published = sorted((name for name in self._versions if name.isdigit()), key=int, reverse=True)
        with self.prevent(Input.Changed, Select.Changed):
            first = [*published, "$LATEST"]
            self._choose("#version", first if draft.version in first else [draft.version, *first], draft.version)
            second = [_NONE, *(name for name in published if name != draft.version)]
            wanted = draft.second or _NONE
            self._choose("#second", second if wanted in second else [*second, wanted], wanted)
            self.query_one("#description", Field).take(draft.description)
            for id, value in (("#name", draft.name), ("#weight", draft.weight)):
                field = self.query_one(id, Input)
                if field.value != value:
                    field.value = value
        self.query_one("#weight", Input).disabled = draft.second is None

    def _choose(self, id: str, names: list[str], value: str) -> None:
        select: Select[str] = self.query_one(id, Select)
        if names != self._offered.get(id):
            self._offered[id] = names
            select.set_options((Content(one_line(name) or "none"), name) for name in names)
        if select.value != value:
            select.value = value

    def _show(self) -> None:
        draft = self._draft
        if draft is None:
            self.border_title, self.border_subtitle = Content("Alias"), Content("")
            return
        self.query_one(WeightBars).show(draft)
        self.query_one(Presets).show(draft)
        title = "New alias" if draft.new else f"Alias {one_line(draft.name)}"
        mark = ("  ● edited", "$text-warning") if self.edited and not draft.new else ("", "")
        self.border_title = Content.assemble((title, "bold"), mark)
        save, back = key_of(self, commands.Save), key_of(self, commands.Back)
        self.border_subtitle = Content(f"{save} saves · {back} discards" if self.edited else "")
        self._show_observed()
        checks = check(draft, self._versions, self._aliases)
        parts = [
            (f"{found.verdict.value} {one_line(found.text)}  ", _COLOURS[found.verdict])
            for found in sorted(checks, key=lambda found: _ORDER.index(found.verdict))
        ]
        if self._newer is not None:
            text = f"▲ meanwhile another made it {routing(self._newer.targets)}: {back} takes that over  "
            parts.insert(0, (one_line(text), "bold $text-warning"))
        self.query_one("#checks", Static).update(Content.assemble(*parts))
        self.query_one("#save", Button).disabled = not self.edited or bool(self.problems)
        self.screen.refresh_bindings()
        self.query_one("#discard", Button).disabled = not self.edited

    def _show_observed(self) -> None:
        if self._draft is None:
            return
        split = self._observed
        window = f"observed {split.seconds:.0f} s"
        if split.total:
            # Beside what was saved, not beside what is being typed.
            targets = self.base.targets if self.base is not None else {}
            text = f" of {number(split.total)}:  {observed_text(split, targets)}"
        else:
            text = "  nothing was invoked through it" if not self._draft.new else ""
        if self._draft.new:
            window = ""
        line = Content.assemble((window, "$foreground 55%"), one_line(text))
        self.query_one("#observed", Static).update(line)

    # -- what the person does
    def _take(self, draft: Draft) -> None:
        if draft == self._draft:
            return
        self._draft = draft
        self._fill()
        self._show()

    def _type_weight(self, first: str) -> None:
        """A figure was typed at the bars: it begins the number beside them."""
        field = self.query_one("#weight", Input)
        field.value = first
        self.screen.set_focus(field)
        field.selection = Selection.cursor(len(first))

    @on(Moved)
    def _moved(self, event: Moved) -> None:
        event.stop()
        self._take(event.draft)

    @on(Input.Changed)
    @on(Select.Changed)
    def _typed(self, event: Input.Changed | Select.Changed) -> None:
        event.stop()
        if (draft := self.draft) is not None:
            self._take(draft)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        """Enter goes on to the next field."""
        event.stop()
        self.screen.focus_next()
