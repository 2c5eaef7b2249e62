"""The processes of one environment, as text."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from workbench.model.environments import Process, ProcessState
from workbench.tui.format import fit, number

_COLOURS = {
    ProcessState.RUNNING: "$text-success",
    ProcessState.WAITING: "$text-warning",
    ProcessState.STOPPED: "$text-warning",
    ProcessState.ENDED: "$text-error",
}
_HEAD = f"{'PID':>7}  {'STATE':<8}  {'MEM':>8}  {'CPU':>8}  COMMAND"


def process_table(processes: Sequence[Process], width: int) -> Content:
    """A line each, below a head; a command that is longer than `width` leaves is cut."""
    lines = [Content.styled(fit(_HEAD, width), "$foreground 55%")]
    for process in processes:
        memory, cpu = f"{process.memory / 1_048_576:.1f} MB", f"{process.cpu_seconds:.2f} s"
        before = f"{process.pid:>7}  "
        between = f"  {memory:>8}  {cpu:>8}  "
        room = max(0, width - len(before) - 8 - len(between))
        lines.append(
            Content.assemble(
                (before, "$foreground 55%"),
                (f"{process.state.value:<8}", _COLOURS.get(process.state, "")),
                between,
                fit(process.command or f"({process.name})", room).rstrip(),
            )
        )
    return Content("\n").join(lines)


def together(processes: Sequence[Process]) -> str:
    """How many there are, and what they have of memory, for a subtitle."""
    memory = sum(process.memory for process in processes) / 1_048_576
    return f"{number(len(processes))}, {memory:.0f} MB resident" if processes else ""
