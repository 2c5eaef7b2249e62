"""The part of the app that leads through the tour, and clears up after one that was cut off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.model.errors import UsageError
from workbench.tui.commands.main import Tour
from workbench.tui.ramping import Ramping

if TYPE_CHECKING:
    from workbench.tui.tour_journal import Journal

#: The journal's name in the state folder.
FILE = "tour.ndjson"


class Touring(Ramping):
    """What a tour did stands in a journal in the state folder until it is taken back."""

    _told_of_tour = False

    @property
    def _tour_path(self) -> Path | None:
        status = self.link.status
        return Path(status.state_dir, FILE) if status is not None else None

    def tell_of_tour(self) -> None:
        """Say once that a tour was cut off, if it left something; called when an engine has answered."""
        path = self._tour_path
        if self._told_of_tour or path is None:
            return
        self._told_of_tour = True
        if not path.is_file():
            return
        from workbench.tui.tour_journal import left_behind

        if left_behind(path):
            key = self.key(Tour)
            self.say(
                f"It was cut off and left something in this engine: {key} takes it back.", title="Tour", timeout=10
            )

    def action_tour(self) -> None:
        """The guided tour, over the main screen; first, what an earlier one left is taken back."""
        from workbench.tui.screens.question import Answer, Question
        from workbench.tui.tour_journal import Journal

        try:
            journal = Journal(self._tour_path)
        except UsageError as error:
            self.say_error(error)
            return
        if not journal.done:
            self._begin_tour(journal)
            return

        def answered(answer: str | None) -> None:
            if answer:
                self.run_worker(self._clear_up(journal), group="tour")
            else:
                journal.close()

        left = ", ".join(str(done) for done in reversed(journal.done))
        text = f"An earlier tour was cut off. It left {left}. That is as it was before, once it is taken back."
        self.push_screen(Question("Tour", text, Answer("take", "t", "Take it back")), answered)

    async def _clear_up(self, journal: Journal) -> None:
        from workbench.tui.tour_journal import take_back

        try:
            await take_back(lambda: self.link.port, journal)
        except Exception as error:
            self.say_error(error)
        else:
            self.say(f"Everything is as it was before it. {self.key(Tour)} begins a new one.", title="Tour")
        finally:
            journal.close()

    def _begin_tour(self, journal: Journal) -> None:
        from workbench.tui import tour as steps
        from workbench.tui.screens.tour import TourDialog

        try:
            tour = steps.Tour(lambda: self.link.port, self.mirror, journal)
        except UsageError as error:
            journal.close()
            self.say_error(error)
            return
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.push_screen(TourDialog(tour))
