"""The commands of a recording that is played; there are none without one."""

from __future__ import annotations

from workbench.tui.commands.base import Command


class HoldReplay(Command):
    """Hold the recording still, or let it play on."""

    keys, shown_key, title, footer = "comma", ",", "Hold or play the recording", "hold"
    action = "app.hold_replay"


class StepReplay(Command):
    """Go to the next change of the recording, and hold it there."""

    keys, shown_key, title, footer = "full_stop", ".", "Step through the recording", "step"
    action = "app.step_replay"


ALL: tuple[type[Command], ...] = (HoldReplay, StepReplay)
