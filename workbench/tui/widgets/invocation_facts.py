"""The context that a handler saw, and the story of the environment that an invocation got, as text."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from workbench.live.view import EnvironmentView, FunctionView, InvocationView
from workbench.model.history import InvocationRecord
from workbench.model.names import LATEST, Account
from workbench.model.text import one_line
from workbench.tui.format import clock_ms, milliseconds, plural, request_id
from workbench.tui.history import history
from workbench.tui.mirror import Mirror
from workbench.tui.widgets.function_facts import Row, table
from workbench.tui.widgets.invocations import STATUSES

#: Invocations of the same environment that are named.
_OTHERS = 12
_NEVER = "No environment ever had it."


def context(
    view: InvocationView, function: FunctionView | None, account: Account, record: InvocationRecord | None, width: int
) -> Content:
    """What the handler's context object says, in the Python runtime's names."""
    rows: list[Row] = [
        ("aws_request_id", view.request_id),
        ("function_name", view.function),
        ("function_version", view.version or "–"),
        ("invoked_function_arn", account.function_arn(view.function, view.qualifier)),
        ("memory_limit_in_mb", str(view.memory_size or (function.memory_size if function else "–"))),
        ("log_group_name", f"/aws/lambda/{view.function}"),
        ("invocation type", view.type.value),
        ("accepted", clock_ms(view.wall)),
    ]
    if function is not None and view.version == LATEST:
        rows.append(("timeout", f"{function.timeout} s"))
    if record is not None:
        rows.append(("trace id", record.trace_id or "–"))
        rows.append(("client_context", record.client_context or "–"))
        rows.append(("attempt", str(record.attempt)))
        rows.append(("backend", record.backend or "–"))
    return table(rows, width, label=21)


def environment_story(
    view: InvocationView | None,
    environment: EnvironmentView | None,
    others: Sequence[InvocationView],
    mirror: Mirror,
    key: str = "",
) -> Content:
    """Its life so far and what ran in it; of an invocation, why it got this environment. `key` opens it."""
    lines = []
    if view is not None:
        lines.append(Content.assemble(("why  ", "$foreground 55%"), (one_line(view.why) or "–", "bold")))
    if environment is None:
        gone = f"{one_line(view.environment)} is no longer kept." if view and view.environment else _NEVER
        return Content("\n").join([*lines, Content.styled(gone, "$foreground 55%")])
    state = environment.state
    now = Content.assemble(
        (one_line(environment.id), "bold"),
        f"   {state.glyph} {state.value}   {one_line(environment.backend)}   ",
        f"{plural(environment.invocations, 'invocation')}",
        f"   {environment.max_memory_mb} of {environment.memory_size} MB" if environment.max_memory_mb else "",
        (f"   {key} opens it" if key else "", "$text-accent"),
    )
    lines += [now, Content(""), *history(environment, mirror)]
    if others:
        lines += [Content(""), Content.styled("what ran in it", "$foreground 55%")]
    for other in list(others)[-_OTHERS:]:
        here = view is not None and other.request_id == view.request_id
        word, _ = STATUSES[other.status]
        lines.append(
            Content.assemble(
                ("▸ " if here else "  ", "bold"),
                (f"{clock_ms(other.wall)}  ", "$foreground 55%"),
                (f"{one_line(request_id(other.request_id))}  ", "bold" if here else ""),
                f"{word:<10}  {milliseconds(other.duration_ms) if other.status.ended else ''}",
                ("  cold" if other.cold else "", "$text-accent"),
            )
        )
    return Content("\n").join(lines)
