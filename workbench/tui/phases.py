"""Where the time of one invocation went: phases on an axis that begins with its acceptance. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.live.view import EnvironmentView, InvocationView
from workbench.model.environments import EnvironmentState as State
from workbench.model.names import is_version

_MS = 1_000_000
#: A gap that is shorter is no phase of its own, in nanoseconds.
_GAP = 50_000

#: The phases of an environment's life that an invocation waits for.
_STATES = {"create": State.CREATING, "init": State.INIT}


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time; `start` and `end` count nanoseconds from the acceptance. `note` says what happened in it."""

    label: str
    note: str
    start: int
    end: int
    glyph: str
    style: str


def phases(view: InvocationView, environment: EnvironmentView | None, now: int) -> list[Phase]:
    """The phases in their order, as far as they are known now; none for an invocation that was refused."""
    if view.environment is None and view.started is None:
        return []
    found = []
    if view.qualifier is not None and not is_version(view.qualifier):
        found.append(Phase("route", f"{view.qualifier} leads to {view.version}", 0, 0, "▏", "$foreground 70%"))
    begun = next((t for t in (view.started, view.finished) if t is not None), now) - view.accepted
    found += _waiting(view, environment, begun)
    if view.started is None:
        return found
    end = (view.finished if view.finished is not None else now) - view.accepted
    ran = min(end, begun + int(view.duration_ms * _MS)) if view.status.ended else end
    note = "handler" if not view.status.ended or view.error_type is None else view.error_type
    found.append(Phase("INVOKE", note, begun, ran, "█", "$success" if view.error_type is None else "$error"))
    found += _inside(environment, view, end)
    if view.status.ended and end - ran > _GAP:
        found.append(Phase("report", "until it asks again", ran, end, "░", "$foreground 60%"))
    return found


def _waiting(view: InvocationView, environment: EnvironmentView | None, begun: int) -> list[Phase]:
    """From the acceptance until the runtime had the event."""
    if not view.cold:
        if begun <= _GAP:
            return [Phase("place", view.why or "warm", 0, begun, "▏", "$foreground 70%")]
        return [Phase("wait", view.why, 0, begun, "░", "$foreground 60%")]
    steps = _steps(environment, view.accepted, begun)
    if not steps:
        return [Phase("cold", view.why, 0, begun, "▒", "$text-accent")]
    found = []
    at = 0
    for state, start, end, reason in steps:
        if start - at > _GAP:
            found.append(Phase("wait", "", at, start, "░", "$foreground 60%"))
        label = "create" if state is State.CREATING else "INIT"
        what = reason or ("the sandbox" if state is State.CREATING else "runtime and function")
        found.append(Phase(label, what, start, end, state.glyph, "$text-accent"))
        at = end
    if begun - at > _GAP:
        found.append(Phase("wait", "for the runtime to take the event", at, begun, "░", "$foreground 60%"))
    return found


def _inside(environment: EnvironmentView | None, view: InvocationView, end: int) -> list[Phase]:
    """What the environment did during the invocation itself: INIT again, a reset."""
    found = []
    for phase in environment.phases if environment is not None else ():
        began, ended = phase.began - view.accepted, phase.ended - view.accepted
        if phase.name in ("init in invoke", "reset") and view.started is not None and 0 <= began <= end:
            label = "reset" if phase.name == "reset" else "INIT"
            note = f"within the invocation {phase.detail}".rstrip() if label == "INIT" else phase.detail
            found.append(Phase(label, note, began, min(ended, end), State.INIT.glyph, "$text-accent"))
    return found


def _steps(environment: EnvironmentView | None, accepted: int, begun: int) -> list[tuple[State, int, int, str]]:
    """The environment's creating and INIT that fell between acceptance and start.

    Those that are over are told as phases; the one that goes on, and those of a recording without phases, are states.
    """
    if environment is None:
        return []
    over = [phase for phase in environment.phases if phase.name in _STATES]
    steps: list[tuple[State, int, int, str]] = []
    for phase in over:
        start, end = max(0, phase.began - accepted), min(begun, phase.ended - accepted)
        if end >= start:
            bad = phase.detail if phase.status != "success" else ""
            steps.append((_STATES[phase.name], start, end, bad or ("" if phase.status == "success" else phase.status)))
    if over:
        if environment.state in (State.CREATING, State.INIT):
            steps.append((environment.state, max(0, environment.since - accepted), begun, ""))
        return steps
    history = environment.history
    for index, (t, state, reason) in enumerate(history):
        if state not in (State.CREATING, State.INIT):
            continue
        following = history[index + 1][0] - accepted if index + 1 < len(history) else begun
        start, end = max(0, t - accepted), min(begun, following)
        if end > start or (end == start and 0 <= start <= begun):
            steps.append((state, start, end, "" if state is State.CREATING else reason))
    return steps
