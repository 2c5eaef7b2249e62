"""The part of the app that does things to execution environments, each asked for or said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from workbench.model.environments import EnvironmentState, Fault
from workbench.tui.openers import Openers

if TYPE_CHECKING:
    from workbench.client.port import EnginePort


class ByHand(Openers):
    """Kill, freeze, thaw, inject a fault."""

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
