"""The part of the app that changes functions: edits, and ramps, which go on whatever screen is open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial

from workbench.model.functions import Alias, FunctionVersion
from workbench.tui.alias_draft import Draft
from workbench.tui.changes import Change
from workbench.tui.commands import function
from workbench.tui.edits import Edits, PublishEdit
from workbench.tui.firing import Firing
from workbench.tui.ramps import Ramp, RampOrder, Ramps


class Ramping(Firing):
    """`changed` is called after what a person chose was done. What fails is said, and nothing is remembered of it.

    `undo` is how a notice names the way back, by default the key of the function screen.
    """

    @cached_property
    def edits(self) -> Edits:
        """What was changed here."""
        return Edits(lambda: self.mirror.wall)

    @cached_property
    def ramps(self) -> Ramps:
        """The ramps of this app."""
        start = partial(self.run_worker, group="ramp")
        return Ramps(lambda: self.link.port, self.mirror, self.edits, self.say, start, self.key(function.Undo))

    async def make(self, changes: Sequence[Change], undo: str = "") -> int:
        """Change settings, one after the other until one fails, and say so; how many were."""
        done: list[str] = []
        try:
            for change in changes:
                await self.edits.make(self.link.port, change)
                done.append(str(change))
        except Exception as error:
            self.say_error(error)
        if done:
            self.say(f"{'; '.join(done)}   {undo or self.key(function.Undo)} undoes it", title="✓ Saved")
        return len(done)

    async def save_alias(self, draft: Draft, undo: str = "") -> Alias | None:
        """Create or change an alias; None if that failed."""
        try:
            alias = await self.edits.save_alias(self.link.port, draft)
        except Exception as error:
            self.say_error(error)
            return None
        edit = self.edits.of(draft.function)[0]
        self.say(f"{edit}   {undo or self.key(function.Undo)} undoes it", title="✓ Saved")
        return alias

    async def publish(self, name: str) -> bool:
        """Publish `$LATEST` of a function; False if that failed."""
        try:
            version, fresh = await self.edits.publish(self.link.port, name)
        except Exception as error:
            self.say_error(error)
            return False
        if fresh:
            self.say(f"Version {version} of {name}.", title="✓ Published")
        else:
            self.say(f"Nothing has changed since version {version}.", title="Publish")
        return True

    def ask_undo(self, name: str, changed: Callable[[], object]) -> None:
        """Take the function's last edit back; asks first where that cannot be taken back in turn."""
        from workbench.tui.screens.question import Answer, Question

        edit = next(iter(self.edits.of(name)), None)
        if not isinstance(edit, PublishEdit):
            self.run_worker(self._undo(name, changed), group="edits")
            return
        text = f"Version {edit.version} of {edit.function} is deleted. Its number is not used again."
        question = Question("Undo the publishing?", text, Answer("delete", "D", "Delete it", grave=True))

        def answered(answer: str | None) -> None:
            if answer:
                self.run_worker(self._undo(name, changed), group="edits")

        self.push_screen(question, answered)

    async def _undo(self, name: str, changed: Callable[[], object]) -> None:
        edit = next(iter(self.edits.of(name)), None)
        if (ramp := self.ramps.ramp_of(edit)) is not None:
            await self.ramps.roll_back(ramp)
            changed()
            return
        try:
            said = await self.edits.undo(self.link.port, name)
        except Exception as error:
            self.say_error(error)
            return
        if said is None:
            self.say("There is nothing to undo: no change was made here.", title="Undo")
            return
        self.say(said, title="✓ Undone")
        changed()

    def open_ramp(self, alias: Alias, versions: Mapping[str, FunctionVersion], changed: Callable[[], object]) -> None:
        """Choose how this alias moves to another version."""
        from workbench.tui.screens.ramp import RampDialog

        def chosen(order: RampOrder | None) -> None:
            if order is not None:
                self.ramps.begin(order, alias)
                changed()

        self.push_screen(RampDialog(alias, versions), chosen)

    def ask_stop_ramp(self, ramp: Ramp, changed: Callable[[], object]) -> None:
        """Stop a ramp where it is, or roll it back; it goes on while a person chooses."""
        from workbench.tui.screens.question import Answer, Question

        async def roll_back() -> None:
            await self.ramps.roll_back(ramp)
            changed()

        def answered(answer: str | None) -> None:
            if answer == "stop":
                self.ramps.stop(ramp)
                changed()
            elif answer == "back":
                self.run_worker(roll_back(), group="edits")

        text = f"{ramp.told(self.mirror.now)}. It goes on while you choose."
        stop, back = Answer("stop", "s", "Stop it here"), Answer("back", "b", "Roll back")
        self.push_screen(Question(f"The ramp of {ramp.before.function}:{ramp.before.name}", text, stop, back), answered)
