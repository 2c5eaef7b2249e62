"""The states that an environment went through, a line each."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from workbench.live.view import EnvironmentView
from workbench.model.environments import EnvironmentState as State
from workbench.model.text import one_line
from workbench.tui.format import clock_ms, milliseconds
from workbench.tui.mirror import Mirror

#: These take turns for as long as it serves, and only the first of them is in a history: the next line in it
#: is the end of all those turns, not of that one.
_TURNS = frozenset({State.IDLE, State.BUSY, State.FROZEN})


def history(environment: EnvironmentView, mirror: Mirror, colours: Mapping[State, str] | None = None) -> list[Content]:
    """When each state began, how long it lasted where that is known, and why it was entered."""
    lines = []
    for index, (t, state, reason) in enumerate(environment.history):
        following = environment.history[index + 1 : index + 2]
        lasted = milliseconds((following[0][0] - t) / 1e6) if following and state not in _TURNS else ""
        lines.append(
            Content.assemble(
                (f"{clock_ms(mirror.wall_at(t))}  ", "$foreground 60%"),
                (f"{state.glyph} {state.value:<9}", (colours or {}).get(state, "")),
                (f"{lasted:>9}", "bold"),
                f"  {one_line(reason)}",
            )
        )
    return lines
