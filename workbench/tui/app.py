"""The app: it pulls from the engine, hands frames to the screens, and does what the commands say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from textual.app import App, SystemCommand
from textual.screen import Screen
from textual.widgets import Input, TextArea

from workbench.model.environments import EnvironmentState, Fault
from workbench.model.errors import ApiError, UsageError, WorkbenchError
from workbench.model.invocations import InvocationType, InvokeRequest
from workbench.model.names import FunctionRef
from workbench.model.runtimes import RuntimeOverview
from workbench.model.text import one_line, sanitize
from workbench.tui.answers import Answers, answer
from workbench.tui.commands import main as commands
from workbench.tui.commands import replay as replay_commands
from workbench.tui.commands.base import bindings
from workbench.tui.commands.palette import WorkbenchCommands
from workbench.tui.edits import Edits
from workbench.tui.format import plural
from workbench.tui.link import Connect, Link, LinkState
from workbench.tui.load import Load, Plan
from workbench.tui.mirror import Changed, Mirror
from workbench.tui.order import Order
from workbench.tui.saved import SavedEvent, events_for, write_saved_event
from workbench.tui.screens.dialog import Dialog
from workbench.tui.screens.live import LiveScreen
from workbench.tui.screens.main import MainScreen
from workbench.tui.widgets.load_facts import summary as load_summary

if TYPE_CHECKING:
    from workbench.client.port import EnginePort
from workbench.client.recording import Player

#: Frames a second: how often the app asks the engine what changed.
FRAMES = 20.0
#: The part of a core that frames may take before they become rarer, and the longest time between two, in seconds.
SHARE, SLOWEST = 0.2, 0.125
DARK, LIGHT = "textual-dark", "textual-light"


class Outcome(Enum):
    """How the app was left. `QUIT`: the engine had no environment, so nobody was asked what becomes of it."""

    QUIT = "quit"
    LEFT = "left"
    STOPPED = "stopped"
    CRASHED = "crashed"


class WorkbenchApp(App[Outcome]):
    """The terminal UI.

    `saved_events` are those of `events_folder`, where others can be saved. `connect` attaches to an engine, and does so
    again whenever the engine was lost; `start` starts one then. `deploy` deploys the project's template and answers
    with a sentence, `doctor` with what this machine offers. `replay` is the recording that `connect` attaches to, if it
    is one. `frames` is the pace of pulling; with None only `frame` pulls, for tests.
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
        frames: float | None = FRAMES,
        link: Callable[[Connect, Mirror], Link] = Link,
    ) -> None:
        super().__init__()
        self.mirror = Mirror()
        self.link = link(connect, self.mirror)
        self.deploy = deploy
        self.doctor = doctor
        self._start = start
        #: A lost engine is being started again.
        self.starting = False
        self.edits = Edits(lambda: self.mirror.wall)
        self.replay = replay
        self._replay_told = False
        self.saved = list(saved_events)
        self._events_folder = events_folder
        #: What is fired many times, or was last.
        self.load: Load | None = None
        self.random = Random()
        self._frames = frames
        self._last: dict[str, Order] = {}
        self._stopping = False
        self._answers = Answers(lambda notice: self.say(notice.text, title=notice.title, bad=notice.bad, timeout=4))

    def get_default_screen(self) -> Screen[None]:
        return MainScreen()

    def on_mount(self) -> None:
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
        return action not in ("help", "switch_theme", "command_line") or not isinstance(self.focused, (Input, TextArea))

    # -- frames
    async def _keep_pulling(self, period: float) -> None:
        """The one timer of the app. Frames that cost much come less often, so that keys are answered all the same."""
        now, spent, pace = time.monotonic, time.thread_time(), period
        while True:
            started = now()
            await self.frame()
            await asyncio.sleep(max(0.002, pace - (now() - started)))
            before, spent = spent, time.thread_time()
            pace = min(max(period, (spent - before) / SHARE), max(period, SLOWEST))

    async def frame(self) -> None:
        """Ask the engine what changed, and show it."""
        if self._stopping:
            return
        changed = await self.link.pull()
        self._answers.tick()
        self._tell_replay()
        for screen in self._visible():
            if isinstance(screen, (LiveScreen, Dialog)) and screen.is_mounted:
                screen.sync(changed)

    def _visible(self) -> list[Screen[Any]]:
        """The topmost full screen and the dialogs above it."""
        stack = list(self.screen_stack)
        first = max((index for index, screen in enumerate(stack) if not screen.is_modal), default=0)
        return stack[first:]

    # -- telling the person
    def say(self, message: str, *, title: str = "", bad: bool = False, timeout: float | None = None) -> None:
        """A notification; what it says is never markup. It takes the place of the last one that was no error."""
        self.hush()
        self.notify(
            sanitize(message),
            title=one_line(title),
            severity="error" if bad else "information",
            timeout=timeout,
            markup=False,
        )

    def hush(self) -> None:
        """Take away what was said, but for errors."""
        for notice in [notice for notice in self._notifications if notice.severity == "information"]:
            self._unnotify(notice)

    def say_error(self, error: Exception) -> None:
        """An error as a notification: the screen lives on."""
        title = error.title if isinstance(error, WorkbenchError) else type(error).__name__
        if isinstance(error, ApiError):
            title = error.code
        self.say(str(error) or type(error).__name__, title=title, bad=True)

    def say_nothing_to_fire(self) -> None:
        self.say("There is no function to fire yet.", title="Fire", bad=True)

    # -- opening
    def open_function(self, name: str) -> None:
        from workbench.tui.screens.function import FunctionScreen

        if view := self.mirror.functions.get(name):
            self.push_screen(FunctionScreen(view))

    async def open_runtime(self, name: str, version: str, saved: Callable[[], object]) -> None:
        """Choose how the runtime version of a function's version is managed."""
        from workbench.tui.screens.runtime import RuntimeForm

        try:
            port = self.link.port
            versions = {one.version: one for one in await port.list_versions(name)}
            attached = await port.get_attached(name)
            runtime = versions[version].configuration.runtime
            overview = next((one for one in await self._runtimes(port) if one.id == runtime), None)
        except Exception as error:
            self.say_error(error)
            return
        if overview is None:
            image = "A container image has its runtime inside."
            self.say(f"{runtime} is not in the catalogue." if runtime else image, title="Runtime", bad=True)
            return

        living = partial(self.mirror.living, name)
        self.push_screen(RuntimeForm(versions, version, attached, overview, living, saved))

    def open_layers(self) -> None:
        """The layer versions that there are."""
        from workbench.tui.screens.layers import LayersScreen

        self.push_screen(LayersScreen())

    def open_settings(self) -> None:
        """What the engine was started with."""
        from workbench.tui.screens.page import SettingsScreen

        self.push_screen(SettingsScreen())

    def open_doctor(self) -> None:
        """What this machine offers, and how to mend each gap."""
        from workbench.tui.screens.page import DoctorScreen

        self.push_screen(DoctorScreen())

    @property
    def main(self) -> MainScreen:
        """The screen below all others."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    def action_tour(self) -> None:
        """The guided tour, over the main screen."""
        from workbench.tui.screens.tour import TourDialog
        from workbench.tui.tour import Tour

        try:
            tour = Tour(lambda: self.link.port, self.mirror)
        except UsageError as error:
            self.say_error(error)
            return
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.push_screen(TourDialog(tour))

    async def _runtimes(self, port: EnginePort) -> tuple[RuntimeOverview, ...]:
        """The catalogue; programs are looked for, and where that takes a while it is said."""
        asking = asyncio.ensure_future(port.list_runtimes())
        done, _ = await asyncio.wait({asking}, timeout=0.3)
        if not done:
            self.say("Looking for what this machine can run …", title="Runtimes", timeout=30)
            await asyncio.wait({asking})
            self.hush()
        return await asking

    def open_runtimes(self) -> None:
        """What this machine can run, and which versions functions take."""
        from workbench.tui.screens.runtimes import RuntimesScreen

        self.push_screen(RuntimesScreen())

    def open_environments(self, only: str | None = None) -> None:
        """Watch all environments, or those of one function."""
        from workbench.tui.screens.environments import EnvironmentsScreen

        self.push_screen(EnvironmentsScreen(only))

    def open_environment(self, environment: str) -> None:
        from workbench.tui.screens.environment import EnvironmentDetail

        if view := self.mirror.environments.get(environment):
            self.push_screen(EnvironmentDetail(view))

    def open_invocation(self, request_id: str) -> None:
        from workbench.tui.screens.invocation import InvocationScreen

        if view := self.mirror.invocations.get(request_id):
            self.push_screen(InvocationScreen(view))
        else:
            self.say(f"Invocation {request_id} is no longer kept.", title="Invocations", bad=True)

    def open_events(self, target: str = "") -> None:
        """Events on a screen of their own, to be fired at `FUNCTION[:QUALIFIER]`."""
        from workbench.tui.screens.events import EventsScreen

        self.push_screen(EventsScreen(target or next(iter(sorted(self.mirror.functions)), "")))

    # -- firing
    def open_fire(self, name: str, qualifier: str | None = None) -> None:
        """Choose what to fire; with the qualifier already chosen, if there is one."""
        last = self._last.get(name)
        if qualifier is not None and last is not None:
            last = replace(last, qualifier=qualifier)
        self.open_fire_with(name, last, qualifier)

    def open_fire_with(
        self, name: str, order: Order | None, qualifier: str | None = None, label: str = "last fired"
    ) -> None:
        """Choose what to fire, beginning from an order; `label` says what its event is."""
        from workbench.tui.screens.fire import FireDialog

        if view := self.mirror.functions.get(name):
            dialog = FireDialog(view, self._events_of(name), last=order, label=label, qualifier=qualifier)
            self.push_screen(dialog, lambda order: self.fire(order) if order else None)
        else:
            self.say(f"There is no function {name} any more.", title="Fire", bad=True)

    def fire_again(self, name: str) -> None:
        """Fire with the last event, else the saved one, else `{}`."""
        saved = self._events_of(name)
        fresh = Order(name, None, saved[0].text if saved else "{}", InvocationType.REQUEST_RESPONSE)
        self.fire(self._last.get(name, fresh))

    def fire(self, order: Order) -> None:
        """Invoke, without waiting for it here."""
        self._last[order.function] = order
        self.run_worker(self._fire(order), group="fire")

    def _events_of(self, name: str) -> list[SavedEvent]:
        return events_for(name, self.saved, list(self.mirror.functions))

    async def _fire(self, order: Order) -> None:
        request = InvokeRequest(
            function=FunctionRef(order.function, order.qualifier), payload=order.payload, type=order.type
        )
        try:
            result = await self.link.port.invoke(request)
        except Exception as error:
            self.say_error(error)
        else:
            self._answers.add(answer(order, result))

    def fire_load(self, plan: Plan) -> None:
        """Fire as the plan says, without waiting for it here; only one at a time."""
        load = Load(plan, random=self.random)
        self.load = load
        self._last[plan.order.function] = plan.order

        async def work() -> None:
            try:
                await load.run(self.link.port)
            except Exception as error:
                self.say_error(error)
            else:
                if plan.count > 1:
                    self.say(load_summary(load), title="✓ Fired" if not load.failed else "✗ Fired", timeout=4)
            if isinstance(self.screen, LiveScreen):
                self.screen.sync(Changed(link=True))

        self.run_worker(work(), group="load")

    def save_event(self, event: SavedEvent) -> None:
        """Keep an event beside the project's others, instead of the one of that name.

        Raises:
            UsageError: there is no project here.
            OSError: the file cannot be written.
        """
        if self._events_folder is None:
            raise UsageError("there is no project to save events in")
        write_saved_event(self._events_folder, event)
        self.saved = sorted([*(other for other in self.saved if other.name != event.name), event], key=lambda e: e.name)

    @property
    def endpoint(self) -> str | None:
        """The URL that AWS's clients are given."""
        return self.link.status.urls.get("lambda") if self.link.status is not None else None

    # -- environments
    def ask_kill(self, environment: str) -> None:
        from workbench.tui.screens.question import Answer, Question

        view = self.mirror.environments.get(environment)
        if view is None or view.state.final:
            self.say(f"Environment {environment} has ended already.", title="Kill", bad=True)
            return
        text = f"{view.id} of {view.function} is {view.state.value}. An invocation in it fails at once."
        question = Question("Kill this environment?", text, Answer("kill", "K", "Kill it", grave=True))
        self.push_screen(question, lambda answer: self._kill(environment) if answer else None)

    def _kill(self, environment: str) -> None:
        self._by_hand(environment, "Killed", lambda port: port.stop_environment(environment))

    def freeze_or_thaw(self, environment: str) -> None:
        """Freeze one that is idle, thaw one that is frozen; the engine says why another cannot be."""
        view = self.mirror.environments.get(environment)
        if view is not None and view.state is EnvironmentState.FROZEN:
            text = f"{environment}   it is frozen again after its next invocation"
            self._by_hand(text, "Thawed", lambda port: port.thaw_environment(environment))
        else:
            self._by_hand(environment, "Frozen", lambda port: port.freeze_environment(environment))

    def ask_fault(self, environment: str) -> None:
        from workbench.tui.screens.question import Answer, Question

        view = self.mirror.environments.get(environment)
        if view is None or view.state.final:
            self.say(f"Environment {environment} has ended already.", title="Fault", bad=True)
            return
        text = (
            f"The runtime of {view.id} ({view.function}, {view.state.value}):\n"
            "c is killed, as by a crash of the process\n"
            "s ends by a segmentation fault\n"
            "t stands still: its invocation, or its next one, times out"
        )
        question = Question(
            "Which fault?",
            text,
            Answer(Fault.CRASH.value, "c", "Crash", grave=True),
            Answer(Fault.SEGFAULT.value, "s", "Segfault", grave=True),
            Answer(Fault.STALL.value, "t", "Stand still", grave=True),
        )
        self.push_screen(question, lambda answer: self._fail(environment, Fault(answer)) if answer else None)

    def _fail(self, environment: str, fault: Fault) -> None:
        self._by_hand(environment, f"Fault: {fault.value}", lambda port: port.inject_fault(environment, fault))

    def _by_hand(self, text: str, title: str, do: Callable[[EnginePort], Awaitable[None]]) -> None:
        async def work() -> None:
            try:
                await do(self.link.port)
            except Exception as error:
                self.say_error(error)
            else:
                self.say(text, title=title)

        self.run_worker(work(), group="by hand")

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
        totals, status = self.mirror.totals, self.link.status
        if self.replay is not None or not self.link.attached or status is None or not totals.environments:
            self.exit(Outcome.QUIT)
            return
        if isinstance(self.screen, Question):
            return
        text = (
            f"The engine (pid {status.pid}) has {plural(totals.environments, 'environment')} "
            f"and {plural(totals.running, 'running invocation')}.\n"
            "Left running, it goes on serving; `workbench stop` ends it later."
        )
        question = Question(
            "Quit", text, Answer("leave", "l", "Leave it running"), Answer("stop", "s", "Stop it", grave=True)
        )
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

    def action_command_line(self) -> None:
        from workbench.tui.screens.line import CommandLine

        if isinstance(self.screen, LiveScreen):
            self.push_screen(CommandLine(), lambda call: call.verb.run(self, call.argument) if call else None)

    def action_help(self) -> None:
        from workbench.tui.screens.help import Help

        if isinstance(self.screen, LiveScreen):
            self.push_screen(Help(self.screen.help_sections()))

    def action_switch_theme(self) -> None:
        self.theme = LIGHT if self.current_theme.dark else DARK

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Of Textual's own commands, the two that ours lack."""
        yield SystemCommand("Theme", "Choose among all themes", self.action_change_theme)
        yield SystemCommand("Screenshot", "Save a picture of the screen as SVG", lambda: self.deliver_screenshot())


__all__ = ["FRAMES", "Outcome", "WorkbenchApp"]
