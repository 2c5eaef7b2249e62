"""`workbench doctor`: what this machine offers, and how to mend each gap."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Say which backends and runtimes work here, which backend `auto` takes, and what would bring the rest."""
    import platform

    from workbench import __version__
    from workbench.app.installed import health_report, runtime_report
    from workbench.cli.loop import run
    from workbench.client.credentials import other_users
    from workbench.client.project import find_project, read_endpoint

    project = find_project()

    async def main() -> None:
        endpoint = read_endpoint(project)
        typer.echo(
            f"workbench  {__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}"
        )
        typer.echo(f"project    {project.root}")
        typer.echo(f"state      {project.state}")
        typer.echo(f"engine     {f'pid {endpoint.pid} at {endpoint.url}' if endpoint else 'not running'}")
        if endpoint is not None and endpoint.auth != project.auth:
            typer.echo(f'auth       "{endpoint.auth}" in the engine that runs, "{project.auth}" in workbench.toml')
            typer.echo("           mend: workbench stop, and start it again")
        elif project.auth != "strict" and (others := other_users()):
            typer.echo(
                f"auth       any credentials pass, from {', '.join(others)}, too, who may log in to this machine"
            )
            typer.echo('           mend: auth = "strict" in workbench.toml')
        typer.echo("\nbackends")
        taken = False
        for name, health, isolated in await health_report():
            mark = "✓" if health.usable else "✗"
            kind = "isolated" if isolated else "no boundary: trusted code only"
            chosen = "  ← auto" if health.usable and not taken else ""
            taken = taken or health.usable
            typer.echo(f"  {mark} {name:<12} {kind if health.usable else health.why}{chosen}")
            if not health.usable and health.mend:
                typer.echo(f"      mend: {health.mend}")
            for note in health.notes:
                typer.echo(f"      {note}")
        typer.echo("\nruntimes")
        for runtime, found, mend in await runtime_report(project):
            typer.echo(f"  {'✓' if not mend else '✗'} {runtime:<12} {found}")
            if mend:
                typer.echo(f"      mend: {mend}")

    run(main())
