"""The part of the app that fires: one order with a dialog before it or without, or many by a plan."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from workbench.model.errors import TooManyRequests, UsageError
from workbench.model.invocations import InvocationType
from workbench.model.names import LATEST
from workbench.tui.answers import Answers, answer
from workbench.tui.by_hand import ByHand
from workbench.tui.link import Link
from workbench.tui.load import Load, Plan
from workbench.tui.mirror import Changed, Mirror
from workbench.tui.order import Order
from workbench.tui.saved import SavedEvent, events_for, write_saved_event
from workbench.tui.screens.live import LiveScreen
from workbench.tui.widgets.load_facts import summary as load_summary


class Firing(ByHand):
    """Nothing here waits for an answer: it comes as a notice, or is shown where the load is watched."""

    def __init__(
        self,
        link: Link,
        mirror: Mirror,
        keys: Mapping[str, tuple[str, ...]],
        saved_events: Sequence[SavedEvent],
        events_folder: Path | None,
    ) -> None:
        super().__init__(link, mirror, keys)
        self.saved = list(saved_events)
        self._events_folder = events_folder
        #: What is fired many times, or was last.
        self.load: Load | None = None
        self.random = Random()
        self._last: dict[str, Order] = {}
        self._answers = Answers(lambda notice: self.say(notice.text, title=notice.title, bad=notice.bad, timeout=4))

    def open_fire(self, name: str, qualifier: str | None = None) -> None:
        """Choose what to fire; with that qualifier, or without one with the last that was fired."""
        last = self._last.get(name)
        if qualifier is not None:
            qualifier = None if qualifier == LATEST else qualifier
            last = replace(last, qualifier=qualifier) if last is not None else None
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

    def say_nothing_to_fire(self) -> None:
        self.say("There is no function to fire yet.", title="Fire", bad=True)

    def fire_again(self, name: str) -> None:
        """Fire with the last event, else the saved one, else `{}`."""
        saved = self._events_of(name)
        fresh = Order(name, None, saved[0].text if saved else "{}", InvocationType.REQUEST_RESPONSE)
        self.fire(self._last.get(name, fresh))

    def fire(self, order: Order) -> None:
        """Invoke, without waiting for it here."""
        self._last[order.function] = replace(order, fault=None)  # a fault is asked for each time
        self.run_worker(self._fire(order), group="fire")

    def _events_of(self, name: str) -> list[SavedEvent]:
        return events_for(name, self.saved, list(self.mirror.functions))

    async def _fire(self, order: Order) -> None:
        # With logs the answer waits for the report, so its times are those that the lists show.
        request = replace(
            order.request(0, time.time(), self.random), logs=order.type is InvocationType.REQUEST_RESPONSE
        )
        try:
            result = await self.link.port.invoke(request)
        except TooManyRequests as error:
            self.say(error.why or error.message, title=f"! {order.target} throttled", bad=True)
        except Exception as error:
            self.say_error(error)
        else:
            self._answers.add(answer(order, result))

    def fire_load(self, plan: Plan) -> None:
        """Fire as the plan says, without waiting for it here; only one at a time."""
        load = Load(plan, random=self.random)
        self.load = load
        self._last[plan.order.function] = replace(plan.order, fault=None)

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
