"""What a version is configured to be, and what runs and ran of a function, as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from textwrap import wrap

from textual.content import Content

from workbench.live.view import EngineStatus, EnvironmentView, FunctionView
from workbench.model.functions import FunctionVersion, UpdateStatus
from workbench.model.text import one_line
from workbench.tui.edits import Edit
from workbench.tui.format import clock, milliseconds, number, plural, share, size, version
from workbench.tui.widgets.versions import moment

_LABEL = 13
_DIM = "$foreground 55%"
#: What each way of managing the runtime means (Lambda Developer Guide, "Runtime management").
MODES = {
    "Auto": "takes a new runtime version by itself",
    "FunctionUpdate": "takes one when code or configuration changes",
    "Manual": "stays on the runtime version that it names",
}

Row = tuple[str, str | Content]


def configuration(details: FunctionVersion, status: EngineStatus | None, width: int) -> Content:
    """The settings of one version. Of environment variables the names alone: values are often secrets."""
    c = details.configuration
    variables = sorted(c.environment or {})
    rows: list[Row] = [
        ("version", details.version),
        ("runtime", f"{c.runtime}   {c.architecture}"),
        ("its version", details.runtime_version or "decided at the first cold start"),
        ("handler", c.handler),
        ("memory", f"{c.memory_size} MB   timeout {c.timeout} s   /tmp {c.ephemeral_storage} MB"),
        ("role", c.role),
        ("variables", f"{len(variables)}: {', '.join(variables)}" if variables else "none"),
        ("layers", ", ".join(c.layers) or "none"),
        ("code", size(details.code.size)),
        ("sha256", details.code.sha256),
        ("state", _state(details)),
        ("modified", moment(details.last_modified)),
        ("revision", details.revision_id),
    ]
    if c.description:
        rows.insert(1, ("about", c.description))
    if status is not None:
        boundary = "isolated" if status.isolated else "no boundary: trusted code only"
        rows.insert(2, ("backend", f"{status.backend}   {boundary}"))
    for name, value in sorted(c.settings.items()):
        rows.append((name, value if isinstance(value, str) else json.dumps(value, default=str)))
    return table(rows, width)


def _state(details: FunctionVersion) -> str:
    text = details.state.value
    if details.state_reason:
        text += f": {details.state_reason}"
    if details.update_status not in (None, UpdateStatus.SUCCESSFUL):
        text += f"   update {details.update_status}" + (f": {details.update_reason}" if details.update_reason else "")
    return text


def activity(view: FunctionView, environments: Iterable[EnvironmentView], edits: Sequence[Edit], width: int) -> Content:
    """Concurrency, runtime management, environments, totals, and the changes that can be undone."""
    rows: list[Row] = [("concurrency", _concurrency(view, width))]
    if view.provisioned:
        asked = "   ".join(f"{qualifier} {count}" for qualifier, count in sorted(view.provisioned.items()))
        rows.append(("provisioned", asked))
    else:
        rows.append(("provisioned", Content.styled("none", _DIM)))
    rows.append(("runtime", _mode(view)))
    rows.append(("", Content.styled(MODES.get(view.runtime_mode, ""), _DIM)))
    rows.append(("environments", _environments(environments)))
    ended = view.invocations - view.running
    mean = milliseconds(view.duration_ms / ended if ended > 0 else None)
    rows.append(
        (
            "so far",
            Content.assemble(
                (plural(view.invocations, "invocation"), "bold"),
                f"   {number(view.cold_starts)} cold   mean {mean}",
            ),
        )
    )
    failed = Content.assemble(
        (f"{view.errors} ({share(view.errors, view.invocations)})", "bold $text-error" if view.errors else ""),
        ("   throttled ", _DIM),
        (str(view.throttles), "bold $text-warning" if view.throttles else ""),
        ("   billed ", _DIM),
        milliseconds(view.billed_ms) if view.billed_ms else "0 ms",
    )
    rows.append(("errors", failed))
    if len(view.executed) > 1:
        total = sum(view.executed.values())
        split = "   ".join(
            f"{version(name)} {number(count)} ({share(count, total)})" for name, count in view.executed.items()
        )
        rows.append(("executed", split))
    for index, edit in enumerate(edits[:3]):
        text = Content.assemble(
            (f"{clock(edit.wall)}  ", _DIM),
            one_line(str(edit)),
        )
        rows.append(("changed here" if not index else "", text))
    return table(rows, width)


def _concurrency(view: FunctionView, width: int) -> Content:
    if view.reserved is None:
        return Content.assemble((str(view.running), "bold"), " in use   ", ("no reserved concurrency", _DIM))
    room = max(6, min(24, width - _LABEL - 34))
    filled = min(room, -(-view.running * room // view.reserved)) if view.reserved else room
    full = view.running >= view.reserved
    note = "   throttles everything" if not view.reserved else "   at its limit" if full else ""
    return Content.assemble(
        ("█" * filled, "$text-error" if full else "$success"),
        ("░" * (room - filled), "$foreground 25%"),
        (f" {view.running}", "bold"),
        f" of {view.reserved} reserved",
        (note, "bold $text-error"),
    )


def _mode(view: FunctionView) -> Content:
    parts: list[tuple[str, str] | str] = []
    for mode in MODES:
        here = mode == view.runtime_mode
        parts.append((f"{'(•)' if here else '( )'} {mode}  ", "bold" if here else _DIM))
    return Content.assemble(*parts)


def _environments(environments: Iterable[EnvironmentView]) -> Content:
    """One glyph an environment, by version."""
    alive: dict[str, list[str]] = {}
    for view in environments:
        if not view.state.final:
            alive.setdefault(view.version, []).append(view.state.glyph)
    if not alive:
        return Content.styled("none", _DIM)
    parts = []
    for name, glyphs in sorted(alive.items()):
        more = f"+{len(glyphs) - 24}" if len(glyphs) > 24 else ""
        parts.append(
            Content.assemble((f"{version(one_line(name))} ", "bold"), ("".join(sorted(glyphs)[:24]) + more, "$success"))
        )
    return Content("   ").join(parts)


def table(rows: Sequence[Row], width: int, *, label: int = _LABEL) -> Content:
    """Names in a column, values beside them; long values go on beneath themselves."""
    lines = []
    room = max(12, width - label - 1)
    for name, value in rows:
        parts = (
            [value]
            if isinstance(value, Content)
            else [Content(part) for part in wrap(one_line(value), room, break_on_hyphens=False)]
        )
        for index, part in enumerate(parts or [Content("")]):
            lines.append(Content.assemble((f"{'' if index else one_line(name):<{label}} ", _DIM), part))
    return Content("\n").join(lines)
