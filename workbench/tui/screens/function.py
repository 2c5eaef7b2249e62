"""One function: its versions, its aliases and their editor, its configuration, and what runs of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widget import Widget

from workbench.live.view import FunctionView
from workbench.model.errors import UsageError, WorkbenchError
from workbench.model.functions import Alias, FunctionVersion
from workbench.model.names import LATEST
from workbench.model.text import one_line
from workbench.tui import aws_cli
from workbench.tui.alias_draft import Draft
from workbench.tui.commands import function as commands
from workbench.tui.commands import moves
from workbench.tui.commands.base import Command, bindings
from workbench.tui.mirror import Changed
from workbench.tui.observed import Split, splits
from workbench.tui.ramps import routed
from workbench.tui.screens.live import LiveScreen
from workbench.tui.widgets.alias_editor import AliasEditor
from workbench.tui.widgets.aliases import AliasList, AliasRow
from workbench.tui.widgets.banner import Banner
from workbench.tui.widgets.crumb import Crumb
from workbench.tui.widgets.function_facts import activity, configuration
from workbench.tui.widgets.header import Header
from workbench.tui.widgets.keys import KeyLine
from workbench.tui.widgets.panel import Panel
from workbench.tui.widgets.rows import RowList
from workbench.tui.widgets.tabs import PaneTabs
from workbench.tui.widgets.versions import VersionList
from workbench.tui.widgets.weights import WeightBars

NAMES = ("Versions", "Aliases", "Configuration", "Activity")
#: Nanoseconds of the engine's clock between two questions about details while the function is busy.
_PERIOD = 1_000_000_000


class FunctionScreen(LiveScreen):
    """Live from the mirror; versions and aliases in full, which it does not hold, are asked for when they change."""

    TALL = 32
    OFFERS = commands.SCREEN
    BINDINGS = bindings(*OFFERS)
    WHILE_TYPING = frozenset({"back", "save"})
    AUTO_FOCUS = "VersionList"
    DEFAULT_CSS = """
    FunctionScreen {
        #panes { height: 1fr; layout: grid; grid-size: 2 2; grid-columns: 1fr 1fr; grid-rows: 3fr 2fr; }
        &.-single #panes { grid-size: 1 1; grid-columns: 1fr; grid-rows: 1fr; }
        #aliases { border: none; }
        #aliases AliasList { height: 1fr; min-height: 4; }
        Panel { padding: 0 1; }
    }
    """

    def __init__(self, view: FunctionView) -> None:
        super().__init__()
        self._view = view
        self._versions: dict[str, FunctionVersion] = {}
        self._aliases: dict[str, Alias] = {}
        self._known = False
        self._refused = ""
        self._asked_for: tuple[object, ...] = ()
        self._asked_at = 0
        self._seen: FunctionView | None = None
        #: When the routing of each alias was last seen to change, in nanoseconds of the engine's clock.
        self._routed: dict[str, int] = {}
        self._routing: dict[str, Mapping[str, float]] = {}
        self._splits: dict[str, Split] = {}
        self._ramping = False

    def compose(self) -> ComposeResult:
        yield Header()
        yield Banner()
        yield Crumb("Functions", self._view.name)
        yield PaneTabs(NAMES)
        with Container(id="panes"):
            yield VersionList(id="versions").add_class("pane", "-active")
            with Vertical(id="aliases", classes="pane"):
                yield AliasList(id="alias-list").add_class("framed")
                yield AliasEditor(id="editor").add_class("framed")
            yield Panel("3 Configuration", id="configuration").add_class("pane")
            yield Panel("4 Activity", id="activity").add_class("pane")
        yield KeyLine()

    def on_mount(self) -> None:
        self.sync(Changed.everything())

    # -- parts
    @property
    def versions(self) -> VersionList:
        return self.query_one(VersionList)

    @property
    def aliases(self) -> AliasList:
        return self.query_one(AliasList)

    @property
    def editor(self) -> AliasEditor:
        return self.query_one(AliasEditor)

    def targets(self) -> Sequence[Widget]:
        return (
            self.versions,
            self.aliases,
            self.query_one("#configuration", Panel),
            self.query_one("#activity", Panel),
        )

    # -- state down
    def sync(self, changed: Changed) -> None:
        super().sync(changed)
        if not (changed.functions or changed.environments or changed.tick or changed.link):
            return
        mirror = self.workbench.mirror
        self._view = view = mirror.functions.get(self._view.name, self._view)
        rerouted = [name for name, targets in view.aliases.items() if self._routing.get(name, targets) != targets]
        self._routed.update((name, mirror.now) for name in rerouted)
        self._routing = dict(view.aliases)
        if changed.tick or changed.link or rerouted:  # four times a second are enough to count thousands
            self._splits = splits(mirror.invocations.values(), view.name, mirror.now, self._routed)
        self._ask_if_stale(view, mirror.now)
        self._draw()

    def _draw(self) -> None:
        if self.was_left:
            return
        mirror, view = self.workbench.mirror, self._view
        there = view.name in mirror.functions
        self.query_one(Crumb).show(
            [
                ("", view.state.value if there else "deleted", "" if there else "bold $text-error"),
                ("", view.runtime, ""),
                ("", f"{view.memory_size} MB", ""),
                ("timeout", f"{view.timeout} s", ""),
                ("warm", str(mirror.warm(view.name)), "$text-success"),
                ("running", str(view.running), "$text-success" if view.running else ""),
                ("errors", str(view.errors) if view.errors else "", "$text-error"),
                ("throttles", str(view.throttles) if view.throttles else "", "$text-warning"),
            ]
        )
        self.versions.sync_rows(view, self._versions)
        self.aliases.sync_rows(view, self._splits)
        self._draw_configuration()
        self._draw_activity()
        self._draw_editor()

    def _draw_configuration(self) -> None:
        panel = self.query_one("#configuration", Panel)
        row = self.versions.selected
        if row is None or row.details is None:
            unknown = "not known" if self._known else self._refused or "Asking the engine …"
            panel.write(Content.styled(one_line(unknown), "$foreground 50%"))
            return
        status = self.workbench.link.status
        panel.draw(partial(configuration, row.details, status), f"of {row.version}")

    def _draw_activity(self) -> None:
        panel = self.query_one("#activity", Panel)
        environments = [
            view for view in self.workbench.mirror.environments.values() if view.function == self._view.name
        ]
        edits = self.workbench.edits.of(self._view.name)
        panel.draw(partial(activity, self._view, environments, edits))

    def _draw_editor(self) -> None:
        editor = self.editor
        editor.know(self._versions, self._aliases)
        editor.hint(self._editors_hint())
        row = self.aliases.selected
        if not editor.edited:
            alias = self._aliases.get(row.name) if row is not None else None
            editor.follow(Draft.of(alias) if alias is not None else None)
        elif editor.base is not None and not editor.base.new:
            alias = self._aliases.get(editor.base.name)
            editor.follow(Draft.of(alias) if alias is not None else None)
        name = editor.draft.name if editor.draft is not None else ""
        self._draw_ramp(name)
        editor.observe(self._splits.get(name, Split()))

    def _draw_ramp(self, name: str) -> None:
        ramp, alias = self.workbench.ramps.of(self._view.name, name), self._aliases.get(name)
        shown = ramp is not None and alias is not None and (ramp.running or routed(alias) == routed(ramp.alias))
        running = ramp is not None and ramp.running
        text = f"{ramp.state.value} {ramp.told(self.workbench.mirror.now)}" if ramp is not None and shown else ""
        self.editor.ramp(text, running)
        if running is not self._ramping:
            self._ramping = running
            self.refresh_bindings()

    def _editors_hint(self) -> str:
        if not self._known:
            return one_line(self._refused) or "Asking the engine …"
        publish, new = self.workbench.key(commands.Publish), self.workbench.key(commands.NewAlias)
        if not self._view.versions:
            return (
                "An alias leads to a version, and by weight to a second one. Nothing is published yet: "
                f"{publish} publishes $LATEST as version 1, then {new} makes an alias for it."
            )
        return f"An alias leads to a version, and by weight to a second one: {new} makes one for the selected version."

    # -- asking the engine
    def _ask_if_stale(self, view: FunctionView, now: int) -> None:
        """Ask at once when versions or routing are others, and now and then while anything of the function changes."""
        aliases = tuple(sorted((name, tuple(targets.items())) for name, targets in view.aliases.items()))
        shape = (tuple(view.versions), aliases, view.dirty, view.state, view.memory_size, view.timeout, view.runtime)
        due = view is not self._seen and now - self._asked_at >= _PERIOD
        if (shape != self._asked_for or due) and self.workbench.link.attached:
            self._asked_for, self._asked_at, self._seen = shape, now, view
            self._ask()

    @work(group="details", exclusive=True)
    async def _ask(self) -> None:
        try:
            port = self.workbench.link.port
            versions = await port.list_versions(self._view.name)
            aliases = await port.list_aliases(self._view.name)
        except UsageError as error:  # a recording, which has no engine to ask
            self._refused = str(error)
            self._draw()
            return
        except (WorkbenchError, OSError) as error:
            if self._view.name in self.workbench.mirror.functions:
                self.workbench.say_error(error)
            return
        self._versions = {version.version: version for version in versions}
        self._aliases = {alias.name: alias for alias in aliases}
        self._known = True
        self._draw()

    # -- messages up
    @on(RowList.Selected)
    def _selected(self, event: RowList.Selected) -> None:
        if event.rows is self.versions:
            self._draw_configuration()
        else:
            self._draw_editor()

    @on(RowList.Opened)
    def _opened(self, event: RowList.Opened) -> None:
        event.rows.focus()
        if event.rows is self.aliases:
            self.action_edit_alias()

    # -- commands
    def pane_commands(self) -> Sequence[tuple[Widget, str, Sequence[type[Command]]]]:
        return [
            (self.editor.query_one(WeightBars), "Weights", commands.WEIGHTS),
            (self.versions, "Versions", moves.ROWS),
            (self.aliases, "Aliases", [*commands.ALIASES, *moves.ROWS]),
        ]

    def document(self) -> dict[str, Any]:
        return {"Function": self._view} | super().document()

    def available(self, action: str) -> bool:
        if action == "stop_ramp":
            return self._ramping
        return action not in ("save", "discard") or (self.is_mounted and self.editor.edited)

    @property
    def _chosen(self) -> str | None:
        """The alias or version that the focus is on, as a qualifier."""
        if self.focused is self.aliases and isinstance(self.aliases.selected, AliasRow):
            return self.aliases.selected.name
        if self.focused is self.versions and self.versions.selected is not None:
            version = self.versions.selected.version
            return None if version == LATEST else version
        return None

    def action_back(self) -> None:
        """Leave the editor, or the screen."""
        inside = self.focused is not None and self.focused in self.editor.walk_children(with_self=True)
        if self.editor.edited:
            self.action_discard()
        if inside:
            self.set_focus(self.aliases)
        elif not self.editor.edited:
            self.dismiss()

    def action_discard(self) -> None:
        self.editor.discard()
        self._draw_editor()
        self.refresh_bindings()

    def action_reload(self) -> None:
        self._ask()

    def action_environments(self) -> None:
        self.workbench.open_environments(self._view.name)

    def action_fire(self) -> None:
        latest = LATEST if self.focused is self.versions and self.versions.selected is not None else None
        self.workbench.open_fire(self._view.name, self._chosen or latest)

    def action_fire_again(self) -> None:
        self.workbench.fire_again(self._view.name)

    def action_events(self) -> None:
        chosen = f":{self._chosen}" if self._chosen is not None else ""
        self.workbench.open_events(f"{self._view.name}{chosen}")

    def action_diff(self) -> None:
        from workbench.tui.screens.diff import DiffScreen

        row = self.versions.selected
        if len(self._versions) < 2 or row is None:
            publish = self.workbench.key(commands.Publish)
            text = f"There is one version only. {publish} publishes $LATEST; then there are two."
            self.workbench.say(text, title="Compare", bad=True)
            return
        order = sorted(self._versions, key=lambda name: (name == LATEST, len(name), name))
        at = max(1, order.index(row.version)) if row.version in order else len(order) - 1
        self.workbench.push_screen(DiffScreen(self._view.name, self._versions, order[at - 1], order[at]))

    @work(group="edits")
    async def action_publish(self) -> None:
        if await self.workbench.publish(self._view.name):
            await self._again()

    # -- its settings
    def action_configure(self) -> None:
        from workbench.tui.screens.configuration import ConfigurationForm

        if (latest := self._versions.get(LATEST)) is None:
            self._say_unknown()
            return
        self.app.push_screen(
            ConfigurationForm(latest, lambda: len(self.workbench.mirror.living(latest.name, LATEST)), self._saved)
        )

    @work(group="edits")
    async def action_concurrency(self) -> None:
        from workbench.tui.screens.concurrency import ConcurrencyForm

        try:
            attached = await self.workbench.link.port.get_attached(self._view.name)
            account = await self.workbench.link.port.account_settings()
        except Exception as error:
            self.workbench.say_error(error)
            return
        self.app.push_screen(ConcurrencyForm(lambda: self._view, attached, account, self._saved))

    @work(group="edits")
    async def action_runtime(self) -> None:
        row = self.versions.selected
        await self.workbench.open_runtime(self._view.name, row.version if row is not None else LATEST, self._saved)

    def action_cost(self) -> None:
        self.workbench.open_cost(self._view.name)

    def _say_unknown(self) -> None:
        self.workbench.say(self._refused or "The engine has not answered yet.", title=self._view.name, bad=True)

    @work(group="details", exclusive=True)
    async def _saved(self) -> None:
        await self._again()

    def action_new_alias(self) -> None:
        if not self._leave_draft():
            return
        row = self.versions.selected
        newest = self._view.versions[-1] if self._view.versions else LATEST
        version = row.version if row is not None and row.version != LATEST else newest
        self.action_pane(1)
        self.editor.begin(Draft(self._view.name, "", version))
        self.editor.aim()

    def action_edit_alias(self) -> None:
        if self.editor.draft is None:
            self.action_new_alias()
            return
        self.show_pane(1)
        self.editor.aim()

    def _leave_draft(self) -> bool:
        if self.editor.edited:
            save, back = self.workbench.key(commands.Save), self.workbench.key(commands.Back)
            text = f"Save what is in the editor ({save}) or discard it ({back}) first."
            self.workbench.say(text, title="Alias", bad=True)
            return False
        return True

    def action_ramp(self) -> None:
        alias = self._selected_alias
        if alias is None:
            new = self.workbench.key(commands.NewAlias)
            self.workbench.say(f"{new} makes an alias; a ramp moves one to another version.", title="Ramp", bad=True)
        elif self._ramping:
            self.action_stop_ramp()
        elif self._leave_draft():
            self.show_pane(1)
            self.workbench.open_ramp(alias, self._versions, self._draw_editor)

    def action_stop_ramp(self) -> None:
        alias = self._selected_alias
        ramp = self.workbench.ramps.of(alias.function, alias.name) if alias is not None else None
        if ramp is not None and ramp.running:
            self.workbench.ask_stop_ramp(ramp, self._look_again)

    @work(group="details")
    async def _look_again(self) -> None:
        await self._again()

    @property
    def _selected_alias(self) -> Alias | None:
        row = self.aliases.selected
        return self._aliases.get(row.name) if row is not None else None

    def action_delete_alias(self) -> None:
        from workbench.tui.screens.question import Answer, Question

        alias = self._selected_alias
        if alias is None or not self._leave_draft():
            return
        undo = f"{self.workbench.key(commands.Undo)} brings it back."
        text = f"Callers of {alias.function}:{alias.name} get ResourceNotFoundException from then on. {undo}"
        question = Question(f"Delete the alias {alias.name}?", text, Answer("delete", "D", "Delete it", grave=True))

        def answered(answer: str | None) -> None:
            if answer:
                self._delete(alias)

        self.workbench.push_screen(question, answered)

    @work(group="edits")
    async def _delete(self, alias: Alias) -> None:
        try:
            await self.workbench.edits.delete_alias(self.workbench.link.port, alias)
        except Exception as error:
            self.workbench.say_error(error)
            return
        undo = f"{self.workbench.key(commands.Undo)} brings it back"
        self.workbench.say(f"{alias.function}:{alias.name}   {undo}", title="✓ Deleted")
        await self._again()

    def action_save(self) -> None:
        draft = self.editor.draft
        if draft is None or not self.editor.edited:
            return
        if problems := self.editor.problems:
            self.workbench.say("; ".join(problems), title="Not saved", bad=True)
            return
        self._save(draft)

    @work(group="edits")
    async def _save(self, draft: Draft) -> None:
        alias = await self.workbench.save_alias(draft)
        if alias is None:
            return
        self._aliases[alias.name] = alias
        if self.editor.draft == draft:
            self.editor.begin(Draft.of(alias))
        else:  # typed on meanwhile
            self.editor.rebase(Draft.of(alias))
        await self._again()
        self._select_alias(alias.name)
        if draft.new:  # the field of the name, which may have had the focus, is gone
            self.set_focus(self.aliases)

    def _select_alias(self, name: str) -> None:
        index = self.aliases.find(name)
        if index is not None:
            self.aliases.select(index)

    def action_undo(self) -> None:
        self.workbench.ask_undo(self._view.name, self._look_again)

    async def _again(self) -> None:
        """Show what an edit changed without waiting for the next frame."""
        await self.workbench.frame()
        self._ask()

    def action_show_cli(self) -> None:
        from workbench.tui.screens.snippet import Snippet

        endpoint = self.workbench.endpoint
        draft = self.editor.draft
        if draft is not None and self.focused is not self.versions:
            title, text = "This alias, saved with the aws CLI", aws_cli.save_alias(draft, endpoint)
        else:
            title, text = "Publishing with the aws CLI", aws_cli.publish(self._view.name, endpoint)
        self.workbench.push_screen(Snippet(title, text))
