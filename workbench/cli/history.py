"""`workbench history`: what ran, from before the engine's last start too."""

from __future__ import annotations

import json
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from workbench.cli.output import echo, write_bytes
from workbench.cli.what_if import what_if
from workbench.client.money import dollars
from workbench.model.errors import UsageError
from workbench.model.invocations import InvocationStatus

if TYPE_CHECKING:
    from workbench.client.project import Project
    from workbench.model.cost import Bill
    from workbench.model.history import InvocationRecord, PastInvocation


class _ListByDefault(TyperGroup):
    """`history` and `history NAME` mean `history list`, with `--what-if` they mean `history what-if`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            asked = any(arg == "--what-if" or arg.startswith("--what-if=") for arg in args)
            args = ["what-if" if asked else "list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ListByDefault,
    help="What ran: list it (also: history [NAME]), show one invocation, fire its event again. With --what-if "
    "provisioned=N: what it would have been with other concurrency.",
    rich_markup_mode=None,
)
RequestId = Annotated[str, typer.Argument(help="As the list shows it; its beginning will do.", metavar="REQUEST_ID")]
#: Invocations that one call of the engine brings.
_PAGE = 500


class Ended(StrEnum):
    """How an invocation may have ended: `InvocationStatus` without those that run."""

    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    CRASH = "crash"
    OOM = "oom"
    INIT_ERROR = "init-error"
    THROTTLED = "throttled"
    FAILED = "failed"


class Part(StrEnum):
    EVENT = "event"
    RESPONSE = "response"
    LOG = "log"


@app.command("list")
def list_history(
    name: Annotated[str | None, typer.Argument(help="Only of this function.")] = None,
    status: Annotated[Ended | None, typer.Option("--status", "-s", help="Only those that ended like this.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an invocation.")] = False,
) -> None:
    """List invocations that have ended, the last one first. Needs no running engine."""
    from workbench.client.project import find_project
    from workbench.model.codec import encode
    from workbench.model.cost import cost_of

    project = find_project()
    before: int | None = None
    while limit > 0:
        page = _newest(project, name, InvocationStatus(status) if status else None, min(limit, _PAGE), before)
        for past in page:
            cost = cost_of(past, project.prices).total
            echo(json.dumps({**encode(past), "cost_usd": cost}) if as_json else _line(past, cost))
        if not page:
            break
        limit, before = limit - len(page), page[-1].n
    if before is None:
        if name is not None:
            _refuse_unknown(project, name)
        typer.echo("nothing has run yet" if name is None and status is None else "nothing like that has run", err=True)


@app.command("show")
def show(
    request_id: RequestId,
    only: Annotated[Part | None, typer.Option("--only", help="Write just this, byte for byte.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object; bodies in base64.")] = False,
) -> None:
    """Show an invocation that has ended: what became of it, its event, its log, its response."""
    from workbench.client.project import find_project
    from workbench.model.codec import encode
    from workbench.model.cost import cost_of

    if only is not None and as_json:
        raise UsageError("give one of --only and --json")
    project = find_project()
    record = _record(project, request_id)
    if as_json:
        echo(json.dumps({**encode(record), "cost_usd": cost_of(record, project.prices).total}))
    elif only is Part.EVENT:
        write_bytes(record.event)
    elif only is Part.RESPONSE:
        write_bytes(record.response)
    elif only is Part.LOG:
        echo(_log(record), end="")
    else:
        _show(record, cost_of(record, project.prices))


@app.command("replay")
def replay(
    request_id: RequestId,
    qualifier: Annotated[
        str | None, typer.Option("--qualifier", "-q", help="Another version or alias than the first time.")
    ] = None,
) -> None:
    """Fire the event of an earlier invocation again, with the output and exit codes of `fire`."""
    from functools import partial

    from workbench.cli.fire import carry_out, once
    from workbench.client.project import find_project
    from workbench.model.invocations import InvocationType, InvokeRequest
    from workbench.model.names import FunctionRef

    project = find_project()
    record = _record(project, request_id)
    request = InvokeRequest(
        function=FunctionRef(record.function, qualifier or record.qualifier),
        payload=record.event,
        type=record.type,
        logs=record.type is InvocationType.REQUEST_RESPONSE,
        client_context=record.client_context,
    )
    carry_out(project, request, partial(once, request=request, project=project))


app.command("what-if")(what_if)


# -- the engine, or the file when none runs
def _refuse_unknown(project: Project, name: str) -> None:
    """Raises UsageError when there is no function of this name, and never was one that ran."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run

    known = {past.function for past in _newest(project, None, None, _PAGE, None)}

    async def main() -> None:
        async with attach(project) as attached:
            known.update(version.name for version in await attached.port.list_functions())

    run(main())
    template = project.root / "template.yaml"
    if template.exists():
        from workbench.app.templates import template_functions

        known.update(template_functions(project, template))
    if name not in known:
        raise UsageError(f"there is no function '{name}'; there are: {', '.join(sorted(known)) or 'none'}")


def _newest(
    project: Project, function: str | None, status: InvocationStatus | None, limit: int, before: int | None
) -> tuple[PastInvocation, ...]:
    import asyncio

    from workbench.cli.engines import running

    port = running(project)
    if port is not None:
        asking = port.list_invocations(function=function, status=status, limit=limit, before=before)
        return asyncio.run(asking)
    from workbench.app.state import past

    with past(project) as history:
        return history.newest(function=function, status=status, limit=limit, before=before)


def _record(project: Project, request_id: str) -> InvocationRecord:
    import asyncio

    from workbench.cli.engines import running

    port = running(project)
    if port is not None:
        return asyncio.run(port.get_invocation(request_id))
    from workbench.app.state import past

    with past(project) as history:
        return history.get(request_id)


# -- as text
def _line(past: PastInvocation, cost: float) -> str:
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(past.wall))
    address = past.function if past.qualifier is None else f"{past.function}:{past.qualifier}"
    ran = f"{past.duration_ms:.2f} ms" if past.started_ms is not None else ""
    memory = f"{past.max_memory_mb} MB" if past.max_memory_mb else ""
    paid = dollars(cost) if cost else ""
    notes = [
        "cold" if past.cold else "",
        past.type.value if past.type.value != "RequestResponse" else "",
        f"attempt {past.attempt}" if past.attempt > 1 else "",
        past.error_type or "",
    ]
    return (
        f"{moment}  {past.request_id}  {past.status.value:<10} {ran:>12} {memory:>7} {paid:>12}  {address:<20} "
        f"{' '.join(filter(None, notes))}"
    ).rstrip()


def _show(record: InvocationRecord, cost: Bill) -> None:
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.wall))
    qualifier = f":{record.qualifier}" if record.qualifier else ""
    version = f" → {record.version}" if record.version else ""
    phases = [
        f"waited {record.started_ms if record.started_ms is not None else record.finished_ms:.2f} ms",
        f"init {record.init_ms:.2f} ms" if record.init_ms is not None else "",
        f"ran {record.duration_ms:.2f} ms" if record.started_ms is not None else "",
        f"billed {record.billed_ms} ms" if record.billed_ms else "",
    ]
    memory = f"{record.max_memory_mb} of {record.memory_size} MB" if record.max_memory_mb else ""
    parts = {"request": cost.requests, "duration": cost.duration, "storage": cost.storage}
    paid = ", ".join(f"{name} {dollars(part)}" for name, part in parts.items() if part)
    facts = {
        "request": record.request_id + (f", attempt {record.attempt}" if record.attempt > 1 else ""),
        "function": f"{record.function}{qualifier}{version}",
        "type": record.type.value,
        "status": f"{record.status.value}{f' ({record.error_type})' if record.error_type else ''}",
        "accepted": f"{moment}.{int(record.wall * 1000) % 1000:03d}",
        "time": ", ".join(filter(None, phases)),
        "memory": memory,
        "environment": f"{record.environment} on {record.backend}" if record.environment else "",
        "cost": f"{dollars(cost.total)}: {paid}" if paid else "",
        "why": record.why,
        "trace": record.trace_id or "",
    }
    for name, value in facts.items():
        if value:
            echo(f"{name:<12} {value}")
    echo(f"\nevent, {record.event_size} bytes")
    echo(record.event.decode("utf-8", "replace"))
    echo(f"\nlog, {len(record.log)} lines")
    echo(_log(record), end="")
    echo(f"\nresponse, {record.response_size} bytes")
    echo(record.response.decode("utf-8", "replace"))


def _log(record: InvocationRecord) -> str:
    # As in `fire`: the lines of one record that ends with carriage returns are lines here.
    return "".join(line.text.replace("\r", "\n") + "\n" for line in record.log)
