"""The app: it pulls from the engine, hands frames to the screens, and does what the commands say."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App, SystemCommand
from textual.screen import Screen
from textual.widgets import Input, TextArea

from workbench.tui.commands import main as commands
from workbench.tui.commands import replay as replay_commands
from workbench.tui.commands.base import bindings
from workbench.tui.commands.palette import WorkbenchCommands
from workbench.tui.format import plural
from workbench.tui.link import Connect, Link, LinkState
from workbench.tui.mirror import Changed, Mirror
from workbench.tui.saved import SavedEvent
from workbench.tui.screens.dialog import Dialog
from workbench.tui.screens.live import LiveScreen
from workbench.tui.screens.main import MainScreen
from workbench.tui.shell import Outcome
from workbench.tui.themes import DARK, LIGHT
from workbench.tui.touring import Touring

if TYPE_CHECKING:
    from workbench.client.recording import Player

#: Frames a second: how often the app asks the engine what changed.
FRAMES = 20.0
#: The part of a core that frames may take before they become rarer, and the longest time between two, in seconds.
SHARE, SLOWEST = 0.12, 0.25
#: Seconds in which what a key changed is on the screen.
PAINTED = 0.04


class WorkbenchApp(Touring):
    """The terminal UI.

    `saved_events` are those of `events_folder`, where others can be saved. `connect` attaches to an engine, and does so
    again whenever the engine was lost; `start` starts one then. `deploy` deploys the project's template and answers
    with a sentence, `doctor` with what this machine offers. `replay` is the recording that `connect` attaches to, if it
    is one. `keys` are those that a person gave to commands, by the command's name. `frames` is the pace of pulling;
    with None only `frame` pulls, for tests.
    """

    TITLE = "workbench"
    CSS_PATH = "styles/main.tcss"
    COMMANDS = App.COMMANDS | {WorkbenchCommands}
    BINDINGS = bindings(*commands.APP, *replay_commands.ALL)

    def __init__(
        self,
        connect: Connect,
        saved_events: Sequence[SavedEvent] = (),
        *,
        events_folder: Path | None = None,
        deploy: Callable[[], Awaitable[str]] | None = None,
        start: Callable[[], Awaitable[None]] | None = None,
        doctor: Callable[[], Awaitable[str]] | None = None,
        replay: Player | None = None,
        keys: Mapping[str, tuple[str, ...]] | None = None,
        frames: float | None = FRAMES,
        link: Callable[[Connect, Mirror], Link] = Link,
    ) -> None:
        mirror = Mirror()
        super().__init__(link(connect, mirror), mirror, keys or {}, saved_events, events_folder)
        self.register_theme(LIGHT)
        self.deploy = deploy
        self.doctor = doctor
        self._start = start
        #: A lost engine is being started again.
        self.starting = False
        self.replay = replay
        self._replay_told = False
        self._frames = frames
        self._stopping = False
        #: When the last key came, on the clock that only goes forward.
        self._keyed = 0.0

    def get_default_screen(self) -> Screen[None]:
        return MainScreen()

    def on_mount(self) -> None:
        if self.own_keys:
            self.set_keymap({name: ",".join(keys) for name, keys in self.own_keys.items()})
        if self._frames:
            self.run_worker(self._keep_pulling(1 / self._frames), group="frames")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Single letters are no commands while a text is typed; the palette and ctrl+q still are."""
        if action in ("hold_replay", "step_replay"):
            return self.replay is not None and not isinstance(self.focused, (Input, TextArea))
        if action == "tour":
            return self.replay is None and not isinstance(self.focused, (Input, TextArea))
        if action == "start_engine":
            return self.startable and not isinstance(self.focused, (Input, TextArea))
        letters = ("help", "switch_theme", "command_line", "export")
        return action not in letters or not isinstance(self.focused, (Input, TextArea))

    # -- frames
    async def _keep_pulling(self, period: float) -> None:
        """The one timer of the app. Frames that cost much come less often, so that keys are answered all the same."""
        now, spent, pace = time.monotonic, time.thread_time(), period
        while not _hung_up():
            started = now()
            await self.frame()
            await asyncio.sleep(max(0.002, pace - (now() - started)))
            before, spent = spent, time.thread_time()
            pace = min(max(period, (spent - before) / SHARE), max(period, SLOWEST))
        # Textual would look for keys without end, and wait without end to draw.
        os.kill(os.getpid(), signal.SIGHUP)

    async def frame(self) -> None:
        """Ask the engine what changed, and show it."""
        if self._stopping:
            return
        await self._keys_first()
        changed = await self.link.pull()
        await self._keys_first()
        self._answers.tick()
        self.ramps.tick()
        self._tell_replay()
        for screen in self._visible():
            if isinstance(screen, (LiveScreen, Dialog)) and screen.is_mounted:
                screen.sync(changed)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self._keyed = time.monotonic()
        await super().on_event(event)

    async def _keys_first(self) -> None:
        """Let what a key changed reach the screen before a frame's next piece of work, which a key would wait for."""
        if not self._frames:
            return
        await asyncio.sleep(0.001)  # one that has arrived is told by then
        if (left := self._keyed + PAINTED - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def _visible(self) -> list[Screen[Any]]:
        """The topmost full screen and the dialogs above it."""
        stack = list(self.screen_stack)
        first = max((index for index, screen in enumerate(stack) if not screen.is_modal), default=0)
        return stack[first:]

    # -- an engine that is gone
    @property
    def startable(self) -> bool:
        """Is the engine gone, and can another be started here?"""
        return self._start is not None and self.link.state is LinkState.LOST and not self.starting

    def action_start_engine(self) -> None:
        start = self._start
        if start is None or not self.startable:
            return
        self._mark_starting(True)

        async def work() -> None:
            try:
                await start()
            except Exception as error:
                self.say_error(error)
            else:
                self.link.hurry()
            finally:
                self._mark_starting(False)

        self.run_worker(work(), group="start", exclusive=True)

    def _mark_starting(self, starting: bool) -> None:
        self.starting = starting
        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen) and screen.is_mounted:
                screen.sync(Changed(link=True))

    # -- deploying
    def start_deploy(self) -> None:
        deploy = self.deploy
        if deploy is None:
            return

        async def work() -> None:
            try:
                said = await deploy()
            except Exception as error:
                self.say_error(error)
            else:
                self.say(said, title="✓ Deployed")

        self.say("The functions of this project's template are on their way.", title="Deploying …")
        self.run_worker(work(), group="deploy", exclusive=True)

    # -- a recording
    def action_hold_replay(self) -> None:
        if self.replay is not None:
            self.replay.pause()
            self.say("It is held still." if self.replay.paused else "It plays on.", title="Recording", timeout=2)

    def action_step_replay(self) -> None:
        if self.replay is not None:
            self.replay.step()

    def _tell_replay(self) -> None:
        """Say once that the recording has ended, or that it is damaged from here on."""
        if self.replay is not None and self.replay.ended and not self._replay_told:
            self._replay_told = True
            problem = self.replay.problem
            self.say(problem or "This was all of it. ^q leaves.", title="Recording", bad=bool(problem), timeout=10)

    # -- the app itself
    async def action_quit(self) -> None:
        """Leave at once if nothing lives; else ask what becomes of the engine."""
        from workbench.tui.screens.question import Answer, Question
        from workbench.tui.screens.tour import TourDialog

        if isinstance(self.screen, TourDialog):  # what it did is taken back first
            self.screen.action_close()
            return
        totals, status, ramps = self.mirror.totals, self.link.status, self.ramps.running
        known = self.replay is None and self.link.attached and status is not None
        if not ramps and not (known and totals.environments):
            self.exit(Outcome.QUIT)
            return
        if isinstance(self.screen, Question):
            return
        lines = [
            f"The ramp of {ramp.before.function}:{ramp.before.name} ends at {100 * ramp.share:g} % if you quit."
            for ramp in ramps
        ]
        if known and status is not None:
            lines.append(
                f"The engine (pid {status.pid}) has {plural(totals.environments, 'environment')} "
                f"and {plural(totals.running, 'running invocation')}.\n"
                "Left running, it goes on serving; `workbench stop` ends it later."
            )
        answers = [Answer("leave", "l", "Leave it running"), Answer("stop", "s", "Stop it", grave=True)]
        question = Question("Quit", "\n".join(lines), *answers[: 2 if known else 1])
        self.push_screen(question, self._quit)

    def _quit(self, answer: str | None) -> None:
        if answer == "leave":
            self.exit(Outcome.LEFT)
        elif answer == "stop":
            self._stopping = True
            self.say("Environments get their SHUTDOWN.", title="Stopping the engine …")
            self.run_worker(self._stop(), group="stop", exclusive=True)

    async def _stop(self) -> None:
        try:
            await self.link.port.stop()
        except Exception as error:
            self._stopping = False
            self.say_error(error)
        else:
            self.exit(Outcome.STOPPED)

    def action_switch_theme(self) -> None:
        self.theme = LIGHT.name if self.current_theme.dark else DARK

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Of Textual's own commands, the one that ours lack."""
        yield SystemCommand("Theme", "Choose among all themes", self.action_change_theme)


def _hung_up() -> bool:
    """Is the terminal gone, without the signal that usually tells it?"""
    terminal = select.poll()
    terminal.register(0, 0)
    return any(what & select.POLLHUP for _, what in terminal.poll(0))


__all__ = ["FRAMES", "Outcome", "WorkbenchApp"]
