"""The guided tour at the bottom of the screen; what each step does is seen above it, live."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from workbench.model.text import sanitize
from workbench.tui.mirror import Changed
from workbench.tui.screens.dialog import Dialog
from workbench.tui.tour import Tour


class TourDialog(Dialog[None]):
    """Enter does the step, enter again goes on. Left early or not, everything is taken back."""

    DEFAULT_CSS = """
    TourDialog {
        align: center bottom;
        background: transparent;
        & > .box { width: 100%; max-width: 110; height: auto; max-height: 12; padding: 0 1; margin-bottom: 1; }
        Static { height: auto; }
        #done { margin-top: 1; }
    }
    """
    BINDINGS = [
        Binding("enter,space", "go", "Do it", key_display="⏎"),
        Binding("n,right", "move(1)", "Next", key_display="n"),
        Binding("b,left", "move(-1)", "Back", key_display="b"),
        *(Binding(str(key), f"pane({key - 1})", f"Pane {key}", show=False) for key in range(1, 5)),
    ]
    AUTO_FOCUS = None

    def __init__(self, tour: Tour) -> None:
        super().__init__()
        self._tour = tour
        self._at = 0
        #: What was said of each step that was done, and whether it went wrong.
        self._said: dict[int, tuple[str, bool]] = {}
        self._busy = ""

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        with box:
            yield Static(id="text")
            yield Static(id="done")

    def on_mount(self) -> None:
        self.workbench.main.add_class("-tour")
        self.workbench.main.let_run()
        self._draw()

    def on_unmount(self) -> None:
        self.workbench.main.remove_class("-tour")

    def sync(self, changed: Changed) -> None:
        if changed.environments or changed.tick:  # it may be out of view since the panes made room
            self.workbench.main.show_newest(self._tour.function)

    def _draw(self) -> None:
        step, count = self._tour.steps[self._at], len(self._tour.steps)
        box = self.query_one(".box")
        box.border_title = Content(f"Tour {self._at + 1} of {count}: {step.title}")
        said, bad = self._said.get(self._at, ("", False))
        last = self._at == count - 1
        go = "ends the tour" if said and last else "goes on" if said and not bad else "does it"
        box.border_subtitle = Content(f"⏎ {go} · n b steps · 1-4 panes · esc ends, all is taken back")
        self.query_one("#text", Static).update(Content(sanitize(step.text)))
        line = Content.styled("⏎ does it.", "$foreground 50%")
        if self._busy:
            line = Content.styled(f"… {self._busy}", "bold $text-warning")
        elif said:
            mark, style = ("✗", "bold $text-error") if bad else ("✓", "bold $text-success")
            line = Content.assemble((f"{mark} ", style), sanitize(said))
        self.query_one("#done", Static).update(line)

    def action_pane(self, index: int) -> None:
        """Another pane of the main screen, where there is room for one only."""
        self.workbench.main.show_pane(index)

    def action_move(self, step: int) -> None:
        if not self._busy:
            self._at = max(0, min(self._at + step, len(self._tour.steps) - 1))
            self._draw()

    def action_go(self) -> None:
        if self._busy:
            return
        said, bad = self._said.get(self._at, ("", False))
        if said and not bad:
            if self._at == len(self._tour.steps) - 1:
                self.action_close()
            else:
                self.action_move(1)
            return
        self._mark("under way")
        self.action_pane(self._tour.steps[self._at].pane)
        self._do(self._at)

    @work(group="tour")
    async def _do(self, at: int) -> None:
        try:
            said, bad = await self._tour.steps[at].do(), False
        except Exception as error:
            said, bad = str(error) or type(error).__name__, True
        self._said[at] = (said, bad)
        self._mark("")

    def action_close(self) -> None:
        if not self._busy:
            self._mark("taking everything back")
            self._leave()

    @work(group="tour")
    async def _leave(self) -> None:
        try:
            await self._tour.clean_up()
        except Exception as error:
            self.workbench.say_error(error)
        else:
            self.workbench.say("Everything is as it was before.", title="Tour")
        self.dismiss(None)

    def _mark(self, busy: str) -> None:
        self._busy = busy
        self._draw()
