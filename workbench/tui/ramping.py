"""The part of the app that moves aliases: edits, and ramps, which go on whatever screen is open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from workbench.model.functions import Alias, FunctionVersion
from workbench.tui.commands import function
from workbench.tui.edits import Edits
from workbench.tui.firing import Firing
from workbench.tui.link import Link
from workbench.tui.mirror import Mirror
from workbench.tui.ramps import Ramp, RampOrder, Ramps
from workbench.tui.saved import SavedEvent


class Ramping(Firing):
    """`changed` is called after what a person chose was done."""

    def __init__(
        self,
        link: Link,
        mirror: Mirror,
        keys: Mapping[str, tuple[str, ...]],
        saved_events: Sequence[SavedEvent],
        events_folder: Path | None,
    ) -> None:
        super().__init__(link, mirror, keys, saved_events, events_folder)
        self.edits = Edits(lambda: self.mirror.wall)
        start = partial(self.run_worker, group="ramp")
        self.ramps = Ramps(lambda: self.link.port, mirror, self.edits, self.say, start, self.key(function.Undo))

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
