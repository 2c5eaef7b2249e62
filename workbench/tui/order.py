"""What a person decided to fire."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from workbench.client.placeholders import fill
from workbench.model.invocations import InvocationType


@dataclass(frozen=True, slots=True)
class Order:
    """A function, how it is addressed, and the event's text as it was typed; none at all counts as `{}`."""

    function: str
    qualifier: str | None
    event: str
    type: InvocationType

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
