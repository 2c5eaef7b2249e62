"""`workbench fire`: invoke a function."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.output import write_bytes
from workbench.model.environments import Fault
from workbench.model.errors import TooManyRequests, UsageError, WorkbenchError
from workbench.model.invocations import InvocationResult, InvocationType, InvokeRequest
from workbench.model.names import FunctionRef

if TYPE_CHECKING:
    from workbench.client.port import EnginePort
    from workbench.client.project import Project
    from workbench.model.prices import Prices


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


def fire(
    name: Annotated[str, typer.Argument(help="The function, or NAME:QUALIFIER.", metavar="NAME[:QUALIFIER]")],
    event: Annotated[
        str | None,
        typer.Option("--event", "-e", help="The event: JSON, a file, or - for stdin.", metavar="FILE|-|JSON"),
    ] = None,
    type: Annotated[InvocationType, typer.Option("--type", help="Invocation type.")] = InvocationType.REQUEST_RESPONSE,
    qualifier: Annotated[str | None, typer.Option("--qualifier", "-q", help="A version or an alias.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many invocations.")] = 1,
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", min=1, help="How many at once.")] = 1,
    rate: Annotated[float, typer.Option("--rate", min=0.0, help="Invocations a second at most; 0 is no limit.")] = 0.0,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="Where it runs: a backend, or auto.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="What goes to stdout.")] = Output.TEXT,
    fault: Annotated[
        Fault | None, typer.Option("--fault", help="Make the runtime fail instead of handling it.")
    ] = None,
    template: Annotated[Path | None, typer.Option("--template", "-t", help="The SAM template to look in.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Make the weighted draws repeatable.", hidden=True)] = None,
) -> None:
    """Invoke a function: its result on stdout, its log on stderr.

    Exit codes: 0 success, 1 the function failed, 2 usage, 3 throttled, 4 the engine or backend failed.
    """
    from workbench.client.project import find_project

    if fault is not None and type is not InvocationType.REQUEST_RESPONSE:
        raise UsageError("--fault goes with RequestResponse alone", mend=f"without --type {type.value}")
    request = InvokeRequest(
        function=_reference(name, qualifier),
        payload=read_event(event),
        type=type,
        logs=type is InvocationType.REQUEST_RESPONSE,
        backend=None if backend in (None, "auto") else backend,
        fault=fault,
    )
    project = find_project()
    if count == 1:
        work = partial(once, request=request, project=project, output=output)
    else:
        work = partial(_many, request=request, project=project, count=count, concurrency=concurrency, rate=rate)
    carry_out(project, request, work, backend=backend, seed=seed, template=template)


def carry_out(
    project: Project,
    request: InvokeRequest,
    work: Callable[[EnginePort], Awaitable[int]],
    *,
    backend: str | None = None,
    seed: int | None = None,
    template: Path | None = None,
) -> None:
    """Bring the function of a request to an engine, do `work` there, and exit with the code that it answers."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run

    code = 0

    async def main() -> None:
        nonlocal code
        async with attach(project, backend=backend, seed=seed) as attached:
            await _bring(attached.port, project, request.function, template)
            code = await work(attached.port)
            if request.type is InvocationType.EVENT:
                await attached.drained()

    run(main())
    raise typer.Exit(code)


def read_event(given: str | None) -> bytes:
    """The event's bytes, checked to be JSON.

    Raises:
        UsageError: it is not; the message shows the column.
    """
    if given is None:
        return b"{}"
    if given == "-":
        text, where = sys.stdin.buffer.read(), "stdin"
    elif given.lstrip()[:1] in tuple('{["-0123456789') or given in ("null", "true", "false"):
        text, where = given.encode(), "--event"
    else:
        try:
            text, where = Path(given).read_bytes(), given
        except OSError as error:
            raise UsageError(
                f"--event is neither JSON nor a file that can be read: {given}: {error.strerror}"
            ) from error
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        line = error.doc.splitlines()[error.lineno - 1] if error.doc.strip() else ""
        start = max(0, error.colno - 40)
        excerpt = f"\n  {line[start : start + 80]}\n  {' ' * (error.colno - 1 - start)}^"
        raise UsageError(
            f"{where} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}{excerpt}"
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{where} is not JSON: {error}") from error
    return text


def _reference(name: str, qualifier: str | None) -> FunctionRef:
    name, _, named = name.partition(":")
    if named and qualifier:
        raise UsageError("give the qualifier once: in NAME:QUALIFIER or with --qualifier")
    return FunctionRef(name, named or qualifier or None)


async def _bring(port: EnginePort, project: Project, ref: FunctionRef, template: Path | None) -> None:
    """Have the function as the project's template has it now, so that what runs is what is in the folder.

    Raises:
        UsageError: neither the engine nor the template knows it.
    """
    path = template or project.root / "template.yaml"
    deployed = {version.name for version in await port.list_functions()}
    if ref.qualifier is not None and ref.name in deployed:
        return
    if template is not None or path.exists():
        from workbench.app.templates import bring_function, template_functions
        from workbench.cli.output import say

        for line in await bring_function(port, project, path, ref.name):
            say(f"{line} (from {path.name})")
        if ref.name in deployed:
            return
        known = template_functions(project, path)
        if ref.name in known:
            return
        deployed |= set(known)
    elif ref.name in deployed:
        return
    there = (
        f"there are: {', '.join(sorted(deployed))}" if deployed else f"there are none, and no template in {path.parent}"
    )
    raise UsageError(f"there is no function '{ref.name}'; {there}")


async def once(port: EnginePort, request: InvokeRequest, project: Project, output: Output = Output.TEXT) -> int:
    """One invocation, told; the exit code."""
    result: InvocationResult = await port.invoke(request)
    if output is Output.JSON:
        sys.stdout.write(json.dumps({**as_json(result), "costUsd": _cost(result, request, project.prices)}) + "\n")
        return 1 if result.function_error else 0
    _write_log(result.log or "")
    if request.type is not InvocationType.REQUEST_RESPONSE:
        sys.stdout.write(f"{result.request_id}\n")
        return 0
    write_bytes(result.payload)
    return 1 if result.function_error else 0


async def _many(
    port: EnginePort, request: InvokeRequest, project: Project, count: int, concurrency: int, rate: float
) -> int:
    """One NDJSON line a result as it comes, a summary on stderr; the gravest exit code in the order 4, 1, 3."""
    import asyncio

    prices = project.prices
    codes: set[int] = set()
    durations: list[float] = []
    loop = asyncio.get_running_loop()
    begun = loop.time()
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            if rate:
                await asyncio.sleep(begun + number / rate - loop.time())
            line: dict[str, Any]
            try:
                result = await port.invoke(request)
            except TooManyRequests as error:
                codes.add(3)
                line = {"error": error.code, "reason": error.reason}
            except WorkbenchError as error:
                codes.add(4)
                line = {"error": type(error).__name__, "message": str(error)}
            else:
                codes.add(1 if result.function_error else 0)
                durations.append(result.duration_ms)
                line = {**as_json(result), "costUsd": _cost(result, request, prices)}
                line.pop("log", None)
            sys.stdout.write(json.dumps(line) + "\n")

    await asyncio.gather(*(worker() for _ in range(min(concurrency, count))))
    took = loop.time() - begun
    summary = f"{count} invocations in {took:.2f} s, {count / took:.0f}/s"
    if durations:
        durations.sort()
        summary += "".join(
            f", p{p} {durations[min(len(durations) * p // 100, len(durations) - 1)]:.2f} ms" for p in (50, 95, 99)
        )
    sys.stdout.flush()
    sys.stderr.write(summary + "\n")
    return next((code for code in (4, 1, 3) if code in codes), 0)


def as_json(result: InvocationResult) -> dict[str, Any]:
    """A result for programs; the payload as JSON where it is JSON."""
    try:
        payload = json.loads(result.payload) if result.payload else None
    except (ValueError, RecursionError):
        payload = result.payload.decode("utf-8", "replace")
    return {
        "requestId": result.request_id,
        "status": result.status.value,
        "functionError": result.function_error,
        "executedVersion": result.executed_version,
        "environment": result.environment,
        "cold": result.cold,
        "why": result.why,
        "waitMs": round(result.wait_ms, 2),
        "durationMs": round(result.duration_ms, 2),
        "initMs": None if result.init_ms is None else round(result.init_ms, 2),
        "billedMs": result.billed_ms,
        "maxMemoryMb": result.max_memory_mb,
        "payload": payload,
        "log": result.log.splitlines() if result.log is not None else None,
    }


def _cost(result: InvocationResult, request: InvokeRequest, prices: Prices) -> float | None:
    """What it cost; None for an event that was only accepted, and for what never ran."""
    if not result.environment:
        return None
    from workbench.model.cost import cost_of_one

    return cost_of_one(
        prices,
        type=request.type,
        event_size=len(request.payload),
        billed_ms=result.billed_ms,
        memory_size=result.memory_size,
        ephemeral_storage=result.ephemeral_storage,
        architecture=result.architecture,
        provisioned=result.provisioned,
    ).total


def _write_log(log: str) -> None:
    # The official clients end the lines of a multi-line record with a carriage return, so that it stays one record.
    log = log.replace("\r", "\n")
    if sys.stderr.isatty():
        from workbench.model.text import sanitize

        log = sanitize(log)
    sys.stderr.write(log)
    sys.stderr.flush()
