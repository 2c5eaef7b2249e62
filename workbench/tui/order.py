"""What a person decided to fire."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from workbench.client.placeholders import fill
from workbench.model.environments import Fault
from workbench.model.invocations import InvocationType, InvokeRequest
from workbench.model.names import FunctionRef


@dataclass(frozen=True, slots=True)
class Order:
    """A function, how it is addressed, and the event's text as it was typed; none at all counts as `{}`."""

    function: str
    qualifier: str | None
    event: str
    type: InvocationType
    #: How the runtime is to fail with it; for a RequestResponse only.
    fault: Fault | None = None

    @property
    def problem(self) -> str:
        """What the engine would refuse of it, or nothing."""
        if self.fault is not None and self.type is not InvocationType.REQUEST_RESPONSE:
            return f"A fault goes with RequestResponse, not with {self.type.value}."
        return ""

    def request(self, seq: int, wall: float, random: Random) -> InvokeRequest:
        """The invocation that asks for it."""
        return InvokeRequest(
            function=FunctionRef(self.function, self.qualifier),
            payload=self.payload(seq, wall, random),
            type=self.type,
            fault=self.fault,
        )

    @property
    def target(self) -> str:
        """The function as it is addressed."""
        return f"{self.function}:{self.qualifier}" if self.qualifier else self.function

    def text(self, seq: int, wall: float, random: Random) -> str:
        """The event of one invocation: words in double braces are filled (`workbench.client.placeholders`).

        `seq` counts the invocations from 0, `wall` is the time in epoch seconds.
        """
        return fill(self.event, seq, int(wall * 1000), random) if self.event.strip() else "{}"

    def payload(self, seq: int, wall: float, random: Random) -> bytes:
        """The same, as it is sent."""
        return self.text(seq, wall, random).encode("utf-8", "replace")


def fault_options() -> list[tuple[str, str]]:
    """What a person can choose from, and its value; the empty one is no fault."""
    return [("none", ""), *((fault.value, fault.value) for fault in Fault)]
