"""What a person decided to fire."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.model.invocations import InvocationType


@dataclass(frozen=True, slots=True)
class Order:
    """A function, how it is addressed, and the event's text as it was typed; none at all counts as `{}`."""

    function: str
    qualifier: str | None
    event: str
    type: InvocationType

    @property
    def payload(self) -> bytes:
        return self.event.encode("utf-8", "replace") if self.event.strip() else b"{}"
