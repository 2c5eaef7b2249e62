"""What all dialogs share: they stand above the screen, which lives on below, and esc closes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.binding import Binding
from textual.screen import ModalScreen

from workbench.tui.mirror import Changed

if TYPE_CHECKING:
    from workbench.tui.app import WorkbenchApp

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """`sync` is called once a frame."""

    BINDINGS = [Binding("escape", "close", "Back", key_display="esc", show=True)]
    AUTO_FOCUS: ClassVar[str | None] = "*"

    @property
    def workbench(self) -> WorkbenchApp:
        """The app with its type."""
        return cast("WorkbenchApp", self.app)

    def sync(self, changed: Changed) -> None:
        """The mirror changed."""

    def action_close(self) -> None:
        self.dismiss(None)
