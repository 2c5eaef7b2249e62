"""`workbench plugins`: the backends and runtimes that are installed, and whether a backend keeps its contract."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.output import echo

if TYPE_CHECKING:
    from workbench.app.installed import BackendPlugin

_FEW = 10

app = typer.Typer(help="List plugins, and check backends.", rich_markup_mode=None, no_args_is_help=True)


@app.command("list")
def list_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a plugin.")] = False,
) -> None:
    """List the backends and the packages of runtimes: who brings them, and whether they work here."""
    from workbench.app.installed import backend_plugins, runtime_plugins
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    async def main() -> None:
        for backend in await backend_plugins():
            echo(_json("backend", **asdict(backend)) if as_json else "\n".join(_lines(backend)))
        for name, distribution, version, runtimes in runtime_plugins(find_project()):
            if as_json:
                echo(_json("runtimes", name=name, distribution=distribution, version=version, runtimes=runtimes))
            else:
                some = ", ".join(runtimes) if len(runtimes) <= _FEW else str(len(runtimes))
                echo(f"  {name:<12} {distribution} {version}, runtimes: {some or 'none'}")

    run(main())


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="A backend.")],
    checks: Annotated[list[str] | None, typer.Argument(metavar="[CHECK]...", help="Only these checks.")] = None,
) -> None:
    """Run the conformance kit against a backend: some 30 checks in a few seconds, on this machine.

    Exit codes: 0 it keeps the contract, 1 a check failed, 2 usage, 4 the backend does not work here.
    """
    from workbench.app.installed import check_plugin

    def tell(what: str, promised: bool, problem: str, seconds: float) -> None:
        if not promised:
            echo(f"  – {what}  (its capabilities do not promise it)")
        else:
            echo(f"  {'✗' if problem else '✓'} {what}  {seconds:.1f} s" + (f"\n      {problem}" if problem else ""))

    failed = check_plugin(name, checks or [], tell)
    echo(f"{name}: {f'{failed} of the checks failed' if failed else 'keeps the contract'}")
    if failed:
        raise typer.Exit(1)


def _json(kind: str, **members: object) -> str:
    return json.dumps({"kind": kind, **members}, default=sorted)


def _lines(backend: BackendPlugin) -> list[str]:
    health, has = backend.health, backend.capabilities
    by = f"{backend.distribution} {backend.version}".strip() or "unknown distribution"
    contract = f", contract {backend.contract}" if backend.contract else ""
    lines = [f"{'✓' if health.usable else '✗'} {backend.name:<12} {by}{contract}"]
    if backend.summary:
        lines.append(f"    {backend.summary}")
    if has:
        networks = has["networks"]
        assert isinstance(networks, frozenset)
        can = [name.replace("_", " ") for name, value in has.items() if value is True]
        lines.append(f"    capabilities: {', '.join(can) or 'none'}; networks: {', '.join(sorted(networks))}")
    if not health.usable:
        lines.append(f"    {health.why}" + (f"; mend: {health.mend}" if health.mend else ""))
    return lines + [f"    {note}" for note in health.notes]
