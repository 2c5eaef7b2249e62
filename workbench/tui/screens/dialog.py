"""What all dialogs share: they stand above the screen, which lives on below, and esc closes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.binding import Binding
from textual.screen import ModalScreen

from workbench.tui.contents import contents
from workbench.tui.mirror import Changed

if TYPE_CHECKING:
    from workbench.tui.app import WorkbenchApp

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """`sync` is called once a frame."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        background: $background 60%;

        & > .box {
            width: 64;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            padding: 0 2 1 2;
            background: $surface;
            border: round $primary;
            border-title-color: $foreground;
            border-title-style: bold;
            border-subtitle-color: $foreground 60%;
        }
        .panel {
            border: round $foreground 25%;
            border-title-color: $foreground 80%;
            border-subtitle-color: $foreground 50%;
            background: $background;
            padding: 0 1;
            scrollbar-size-vertical: 1;
            scrollbar-color: $foreground 20%;
            scrollbar-background: $background;
            &:focus, &:focus-within { border: heavy $primary; }
        }
        .buttons {
            height: auto;
            margin-top: 1;
            align-horizontal: right;
            & > Button { margin-left: 2; min-width: 12; }
        }
    }
    """
    BINDINGS = [Binding("escape", "close", "Back", key_display="esc", show=True)]
    AUTO_FOCUS: ClassVar[str | None] = "*"

    @property
    def workbench(self) -> WorkbenchApp:
        """The app with its type."""
        return cast("WorkbenchApp", self.app)

    def sync(self, changed: Changed) -> None:
        """The mirror changed."""

    def document(self) -> dict[str, Any]:
        """What is shown as data, for an export."""
        return contents(self)

    def action_close(self) -> None:
        self.dismiss(None)
